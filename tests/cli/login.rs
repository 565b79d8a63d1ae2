//! `login`, `logout` and `status`.

mod profiles;

use std::fs;

use crate::world::{
    ADA, CONTOSO, DEPLOY, DEPLOY_SECRET, GRACE, PROMPT, Process, World, contains, files_below,
    options_with, wait_for,
};

fn service_principal(world: &World) -> crate::world::Invocation {
    world
        .command(&["login", "--service-principal", "--client-id", DEPLOY])
        .args(["--tenant", CONTOSO])
}

#[test]
fn a_person_signs_in_with_a_device_code() {
    let world = World::with(options_with(&[]));
    let login = world.login(ADA);
    assert_eq!(
        login.stdout,
        format!(
            "signed in as {ADA} (tenant {CONTOSO}, profile default); kept in the file keyring\n"
        )
    );
    let said = world.filtered(&login);
    assert!(said.starts_with("To sign in, open [SANDBOX]/"), "{login}");
    assert!(said.ends_with("(good for 15 min).\n"), "{login}");
    let json = world.login_as(GRACE, &["-o", "json"]).json();
    assert_eq!(json["account"], GRACE);
    assert_eq!(json["tenant"], CONTOSO);
    assert_eq!(json["keyring"]["backend"], "file");
}

#[test]
fn a_person_who_declines_is_not_signed_in() {
    let world = World::with(options_with(&[]));
    let mut login = world.command(&["login", "--device-code"]).start();
    login.meanwhile(|| {
        for code in world.sandbox.pending_user_codes() {
            world.sandbox.decline(&code).unwrap();
        }
    });
    let output = login.finish();
    output.ended_with(1);
    assert!(
        output
            .stderr
            .contains("\nerror: Entra refused (AADSTS65004): "),
        "{output}"
    );
    assert!(world.keyring_files().is_empty());
    assert!(files_below(&world.home().join(".config")).is_empty());
}

#[test]
fn a_person_signs_in_to_a_tenant_as_a_guest() {
    let world = World::with(options_with(&["web01"]));
    let login = world.login_as("linus@fabrikam.example", &["--tenant", CONTOSO]);
    assert!(
        login.stdout.contains(&format!("(tenant {CONTOSO}, ")),
        "{login}"
    );
    let certificate = world.json(&["cert"]);
    assert_eq!(
        certificate["principals"][0],
        "linus_fabrikam.example#ext#@contoso.example"
    );
    world.add(&["web01"]);
    world
        .ssh("web01", "echo $USER")
        .printed("linus_fabrikam.example#ext#@contoso.example\n");
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let world = World::with(options_with(&[]));
    let output = world.entra_ssh(&["login"]);
    world.assert_told(
        &output,
        4,
        "error: cannot sign in without a terminal\n\
         hint: sign in as a service principal (entra-ssh login --help), or with --device-code\n",
    );
    assert!(output.seconds < PROMPT, "{output}");
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_service_principal_signs_in_from_standard_input_a_file_or_a_variable() {
    let world = World::with(options_with(&["web01"]));
    let file = world.home().join("secret");
    fs::write(&file, format!("{DEPLOY_SECRET}\n")).unwrap();
    world
        .program("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "key"])
        .run()
        .succeeded();
    let expected = format!(
        "signed in as {DEPLOY} (tenant {CONTOSO}, profile default); kept in the file keyring\n"
    );
    for login in [
        service_principal(&world)
            .args(["--client-secret-file", "-"])
            .stdin(DEPLOY_SECRET),
        service_principal(&world)
            .args(["--client-secret-file", "-"])
            .stdin(format!("{DEPLOY_SECRET}\r\n")),
        service_principal(&world)
            .arg("--client-secret-file")
            .arg(&file),
        service_principal(&world).env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET),
        service_principal(&world).env("AZURE_CLIENT_SECRET", DEPLOY_SECRET),
        world
            .command(&["login", "--service-principal"])
            .env("ENTRA_SSH_CLIENT_ID", DEPLOY)
            .env("ENTRA_SSH_TENANT", CONTOSO)
            .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET),
    ] {
        login.run().printed(&expected);
        let certificate = world.json(&["cert", "--public-key-file", "key.pub"]);
        assert_eq!(certificate["principals"][0], DEPLOY);
        world.entra_ssh(&["logout"]).succeeded();
        assert!(world.keyring_files().is_empty());
    }
    service_principal(&world)
        .arg("--client-secret-file")
        .arg(&file)
        .run()
        .succeeded();
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
}

#[test]
fn a_wrong_or_missing_secret_signs_nobody_in() {
    let world = World::with(options_with(&[]));
    let output = service_principal(&world)
        .args(["--client-secret-file", "-"])
        .stdin("wrong")
        .run();
    output.ended_with(1);
    let said = world.filtered(&output);
    assert!(
        said.starts_with("error: Entra refused (AADSTS7000215): "),
        "{output}"
    );
    assert!(
        said.contains("\ncaused by: the client secret or assertion is invalid\n"),
        "{output}"
    );
    assert!(
        said.contains("\nhint: check that it is the secret's value and not its ID"),
        "{output}"
    );
    assert!(!output.stderr.contains("wrong\""), "{output}");

    world.sandbox.clear_requests();
    let output = service_principal(&world).run();
    world.assert_told(
        &output,
        2,
        "error: missing client secret\n\
         hint: name its file with --client-secret-file FILE (- for standard input)\n",
    );
    let output = service_principal(&world)
        .args(["--client-secret-file", "-"])
        .run();
    world.assert_told(
        &output,
        1,
        "error: `-` is empty\nhint: it must hold the client secret's value and nothing else\n",
    );
    let output = service_principal(&world)
        .args(["--client-secret-file", "missing"])
        .run();
    output.ended_with(1);
    assert_eq!(
        output.error(),
        "cannot read the client secret from `missing`"
    );
    // Never as an argument, where everybody can read it.
    let output = service_principal(&world)
        .args(["--client-secret", DEPLOY_SECRET])
        .run();
    output.ended_with(2);
    assert!(world.sandbox.requests().is_empty());
    assert!(world.keyring_files().is_empty());
    assert!(files_below(&world.home().join(".config")).is_empty());
}

#[test]
fn a_failed_sign_in_leaves_the_one_before() {
    let world = World::signed_in(options_with(&[]));
    service_principal(&world)
        .env("ENTRA_SSH_CLIENT_SECRET", "wrong")
        .run()
        .ended_with(1);
    assert_eq!(world.json(&["status"])["profiles"][0]["account"], ADA);
    world.entra_ssh(&["cert"]).succeeded();
}

#[test]
fn no_child_sees_the_secret_of_a_pipeline() {
    let world = World::signed_in(options_with(&["web01"]));
    let mut session = world
        .command(&[
            "ssh",
            "web01",
            "--",
            "-o",
            "StrictHostKeyChecking=accept-new",
            "cat",
        ])
        .env("ENTRA_SSH_CLIENT_SECRET", "hunter2")
        .env("AZURE_CLIENT_SECRET", "hunter2")
        .open_stdin()
        .start();
    session.write(b"in\n");
    wait_for("the session", || session.stdout() == "in\n");
    let processes = world.processes();
    assert!(processes.iter().any(Process::is_agent));
    assert!(processes.iter().any(Process::is_proxy));
    for process in processes {
        assert!(
            !contains(&process.environment, b"hunter2"),
            "{}",
            String::from_utf8_lossy(&process.command_line)
        );
    }
    session.close_stdin();
    session.finish().succeeded();
}
