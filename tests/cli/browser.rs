//! Signing in with a browser. What a person does there is done by hand: choosing an account on the sandbox's page, and
//! going where it sends the browser.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use url::Url;

use crate::world::browser::{login, opened, press, visit};
use crate::world::{ADA, Invocation, Running, World, options_with_sshd, wait_for};

/// Returns `entra-ssh login` at a terminal, with a browser that does this.
fn login_with(world: &World, browser: &str) -> Invocation {
    let file = world.home().join("other-browser");
    fs::write(&file, format!("#!/bin/sh\n{browser}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    login(world, "").env("BROWSER", file)
}

/// Waits until the address to open is printed, and returns it.
fn printed(login: &Running) -> Url {
    let mut address = None;
    wait_for("the address to be printed", || {
        let printed = login.stdout();
        address = printed
            .lines()
            .find(|line| {
                line.starts_with("https://")
                    && printed.contains("Paste") | printed.contains("paste")
            })
            .map(|line| line.trim().to_owned());
        address.is_some()
    });
    Url::parse(&address.unwrap()).unwrap()
}

#[test]
fn a_person_signs_in_and_the_page_says_so() {
    let world = World::new();
    let login = login(&world, "--login-hint ada@contoso.example").start();
    let page = opened(&world);
    assert!(
        page.query()
            .unwrap()
            .contains("login_hint=ada%40contoso.example"),
        "{page}"
    );
    let redirect = press(&world, &page, ("upn", ADA));
    let answer = visit(&redirect);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("You are signed in as ada@contoso.example."),
        "{answer}"
    );
    let output = login.finish();
    output.succeeded();
    assert!(
        output.stdout.contains("signed in as ada@contoso.example"),
        "{output}"
    );
    world.entra_ssh(&["cert"]).succeeded();
}

#[test]
fn a_redirect_with_another_state_is_turned_away_and_the_wait_goes_on() {
    let world = World::new();
    let login = login(&world, "").start();
    let redirect = press(&world, &opened(&world), ("upn", ADA));
    let mut forged = redirect.clone();
    forged.set_query(Some("code=stolen&state=guessed"));
    let answer = visit(&forged);
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(visit(&redirect).contains("You are signed in"));
    login.finish().succeeded();
}

#[test]
fn a_person_who_declines_is_told_on_the_page_and_at_the_terminal() {
    let world = World::new();
    let login = login(&world, "").start();
    let redirect = press(&world, &opened(&world), ("decline", "1"));
    let answer = visit(&redirect);
    assert!(answer.contains("<h1>Not signed in</h1>"), "{answer}");
    let output = login.finish();
    output.ended_with(1);
    assert!(
        output.stdout.contains("error: Entra refused (AADSTS65004)"),
        "{output}"
    );
    world.entra_ssh(&["cert"]).ended_with(4);
}

#[test]
fn without_a_browser_the_address_is_printed_and_the_redirect_can_be_pasted() {
    let world = World::with(options_with_sshd(&["web01"]));
    let mut login = login(&world, "--no-browser").start();
    let page = printed(&login);
    let redirect = press(&world, &page, ("upn", ADA));
    login.write(b"https://localhost/?code=x&state=other\n");
    wait_for("the foreign address to be refused", || {
        login.stdout().contains("the address of another sign-in")
    });
    login.write(format!("{redirect}\n").as_bytes());
    let output = login.finish();
    output.succeeded();
    assert!(
        output.stdout.contains("signed in as ada@contoso.example"),
        "{output}"
    );
    assert!(
        !world.home().join("address").exists(),
        "no browser was opened"
    );
    world.add(&["web01"]);
    let output = world.ssh("web01", "id -un");
    output.succeeded();
    assert_eq!(output.stdout.trim(), ADA);
}

#[test]
fn a_browser_that_opens_no_page_is_told_and_the_redirect_can_be_pasted() {
    for browser in ["exit 3", "kill -9 $$", "exit 0", "sleep 600"] {
        let world = World::new();
        let mut login = login_with(&world, browser).start();
        let page = printed(&login);
        if browser == "exit 3" {
            wait_for("the failure to be told", || {
                login.stdout().contains("failed (exit status: 3)")
            });
        }
        assert!(
            login.stdout().contains("--no-browser"),
            "{}",
            login.stdout()
        );
        assert!(
            login.stdout().contains("--device-code"),
            "{}",
            login.stdout()
        );
        let redirect = press(&world, &page, ("upn", ADA));
        login.write(format!("{redirect}\n").as_bytes());
        let output = login.finish();
        output.succeeded();
        assert!(
            output.stdout.contains("signed in as ada@contoso.example"),
            "{output}"
        );
    }
}

#[test]
fn what_is_no_code_is_asked_for_again_and_no_line_is_too_long() {
    let world = World::new();
    let mut login = login_with(&world, "exit 0").start();
    let redirect = press(&world, &printed(&login), ("upn", ADA));
    let told = |login: &Running| {
        let told = login.stdout();
        told.matches("Paste the whole address of the page").count()
    };
    for (asked, line) in ["hello", &"x y".repeat(30_000)].iter().enumerate() {
        login.write(format!("{line}\n").as_bytes());
        wait_for("the line to be refused", || told(&login) > asked);
    }
    assert_eq!(world.token_requests(), 0, "Entra was not asked");
    // Longer than the 4,095 characters of a line that a terminal passes on.
    let padding = "x".repeat(5000);
    login.write(format!("{redirect}&session_state={padding}\n").as_bytes());
    let output = login.finish();
    output.succeeded();
    assert_eq!(
        output.stdout.matches("Paste the whole").count(),
        2,
        "{output}"
    );
}

#[test]
fn the_terminal_is_put_back_however_the_sign_in_ends() {
    for end in ["redirect", "paste", "interrupt"] {
        let world = World::new();
        let login = login_with(&world, "exit 0");
        let program = format!(
            "trap : INT; stty -a; {} login; echo status $?; stty -a",
            crate::world::program().display()
        );
        let mut login = login.args(["-c", &program]).start();
        let page = printed(&login);
        assert!(login.stdout().contains("icanon"), "{}", login.stdout());
        match end {
            "interrupt" => login.write(b"\x03"),
            "paste" => {
                let redirect = press(&world, &page, ("upn", ADA));
                login.write(format!("{redirect}\n").as_bytes());
            }
            _ => drop(visit(&press(&world, &page, ("upn", ADA)))),
        }
        let output = login.finish();
        let status = if end == "interrupt" { 130 } else { 0 };
        let (_, after) = output
            .stdout
            .split_once(&format!("status {status}"))
            .expect(end);
        assert!(after.contains(" icanon"), "{output}");
    }
}
