//! `login`, `logout` and `status`.

use std::fs;

use sandbox::Fault;
use serde_json::Value;

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
    let output = world.ssh(&["web01", "echo $USER"]).run();
    output.succeeded();
    assert_eq!(
        output.stdout,
        "linus_fabrikam.example#ext#@contoso.example\n"
    );
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let world = World::with(options_with(&[]));
    let output = world.entra_ssh(&["login"]);
    output.ended_with(4);
    assert_eq!(
        world.filtered(&output),
        "error: there is no terminal to sign in at\n\
         hint: sign in as a service principal (entra-ssh login --help), or with --device-code\n"
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
        let output = login.run();
        output.succeeded();
        assert_eq!(output.stdout, expected);
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
    world.ssh(&["web01", "true"]).run().succeeded();
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
        said.contains("\ncaused by: the client secret or assertion is wrong\n"),
        "{output}"
    );
    assert!(
        said.contains("\nhint: make sure that it is the secret's value and not its ID"),
        "{output}"
    );
    assert!(!output.stderr.contains("wrong\""), "{output}");

    world.sandbox.clear_requests();
    let output = service_principal(&world).run();
    output.ended_with(2);
    assert_eq!(
        world.filtered(&output),
        "error: there is no client secret\n\
         hint: name its file with --client-secret-file FILE (- for standard input)\n"
    );
    let output = service_principal(&world)
        .args(["--client-secret-file", "-"])
        .run();
    output.ended_with(1);
    assert_eq!(
        world.filtered(&output),
        "error: `-` is empty\nhint: it must hold the client secret's value and nothing else\n"
    );
    let output = service_principal(&world)
        .args(["--client-secret-file", "missing"])
        .run();
    output.ended_with(1);
    assert!(
        output
            .stderr
            .starts_with("error: cannot read the client secret from `missing`\n"),
        "{output}"
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
    let world = World::with(options_with(&[]));
    world.login(ADA);
    service_principal(&world)
        .env("ENTRA_SSH_CLIENT_SECRET", "wrong")
        .run()
        .ended_with(1);
    assert_eq!(world.json(&["status"])["profiles"][0]["account"], ADA);
    world.entra_ssh(&["cert"]).succeeded();
}

#[test]
fn two_profiles_live_side_by_side() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
    service_principal(&world)
        .args(["--profile", "ci"])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .run()
        .succeeded();
    assert_eq!(world.json(&["cert"])["principals"][0], ADA);
    assert_eq!(
        world.json(&["cert", "--profile", "ci"])["principals"][0],
        DEPLOY
    );
    let ci = world
        .command(&["cert", "show", "-o", "json"])
        .env("ENTRA_SSH_PROFILE", "ci")
        .run();
    assert_eq!(ci.json()["principals"][0], DEPLOY);
    let out = world.entra_ssh(&["logout", "--profile", "ci"]);
    out.succeeded();
    assert_eq!(
        out.stdout,
        "signed out of the profile ci: removed the sign-in from the file keyring, the key and its certificate from the \
         file keyring, all of it from the agent, the profile\n"
    );
    assert_eq!(world.json(&["cert", "show"])["principals"][0], ADA);
    world.entra_ssh(&["cert", "--profile", "ci"]).ended_with(4);
}

#[test]
fn status_has_the_shape_that_scripts_rely_on() {
    let world = World::with(options_with(&["web01"]));
    let empty = world.status();
    assert_eq!(empty["profiles"], Value::Array(Vec::new()));
    assert_eq!(empty["agent"]["running"], false);
    assert_eq!(empty["agent"]["socket"], world.socket().to_str().unwrap());
    assert_eq!(empty["keyring"]["backend"], "file");
    let text = world.entra_ssh(&["status"]);
    assert!(
        text.stdout
            .starts_with("nobody is signed in; sign in with: entra-ssh login\n"),
        "{text}"
    );

    world.login(ADA);
    let status = world.json(&["status"]);
    let profile = &status["profiles"][0];
    assert_eq!(profile["name"], "default");
    assert_eq!(profile["cloud"], "sandbox");
    assert_eq!(profile["tenant"], CONTOSO);
    assert_eq!(profile["account"], ADA);
    assert_eq!(profile["signed_in"], true);
    assert_eq!(profile["certificate"], Value::Null);

    world.add(&["web01"]);
    let status = world.json(&["status"]);
    let certificate = &status["profiles"][0]["certificate"];
    for name in [
        "serial",
        "key_id",
        "principals",
        "valid_after",
        "valid_before",
        "remaining_seconds",
        "key_type",
        "public_key_fingerprint",
        "ca_fingerprint",
        "file",
    ] {
        assert!(certificate.get(name).is_some(), "{name}: {status}");
    }
    assert_eq!(certificate["principals"], serde_json::json!([ADA]));
    assert_eq!(certificate["key_type"], "ssh-rsa-cert-v01@openssh.com");
    assert_eq!(status["agent"]["running"], true);
    let text = world.entra_ssh(&["status"]);
    let line = format!("default  {ADA} in {CONTOSO} (sandbox): certificate for {ADA}, 1 h left\n");
    let printed = text.stdout.replace(" 59 min left", " 1 h left");
    assert!(printed.starts_with(&line), "{text}");
    assert!(text.stdout.contains("\nagent    runs ("), "{text}");
    assert!(
        text.stdout
            .ends_with("\nkeyring  file (it was asked for)\n"),
        "{text}"
    );
}

#[test]
fn status_works_offline_and_starts_no_agent() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
    world.sandbox.fault(Fault::Outage.times(0));
    world.sandbox.clear_requests();
    world.entra_ssh(&["status"]).succeeded();
    assert!(world.sandbox.requests().is_empty());
    assert!(world.agents().is_empty());
}

#[test]
fn logout_takes_everything_away() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    service_principal(&world)
        .args(["--profile", "ci"])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .run()
        .succeeded();
    world.add(&["web01"]);
    world.entra_ssh(&["cert", "--profile", "ci"]).succeeded();
    world.ssh(&["web01", "true"]).run().succeeded();
    assert_eq!(world.ssh_add("-l").stdout.lines().count(), 2);
    let out = world.entra_ssh(&["logout"]);
    assert_eq!(
        out.stdout,
        "signed out of the profile default: removed the sign-in from the file keyring, the key and its certificate from \
         the file keyring, all of it from the agent, the profile\n",
        "{out}"
    );
    let offered = world.ssh_add("-l").stdout;
    assert!(!offered.contains(ADA), "{offered}");
    assert_eq!(world.keyring_files().len(), 2, "the other profile's");
    let denied = world.ssh(&["web01", "true"]).run();
    denied.ended_with(255);
    assert!(
        denied
            .stderr
            .contains("error: nobody is signed in as the profile `default`\n"),
        "{denied}"
    );
    let again = world.entra_ssh(&["logout"]);
    again.ended_with(4);

    world.login(ADA);
    world.entra_ssh(&["cert"]).succeeded();
    let out = world.json(&["logout", "--all"]);
    assert_eq!(out.as_array().unwrap().len(), 2, "{out}");
    assert!(world.keyring_files().is_empty());
    assert!(files_below(&world.home().join(".config")).is_empty());
    let offered = world.ssh_add("-l");
    offered.ended_with(1);
    assert_eq!(offered.stdout, "The agent has no identities.\n");
    let nobody = world.entra_ssh(&["logout", "--all"]);
    nobody.succeeded();
    assert_eq!(nobody.stdout, "nobody was signed in\n");
}

#[test]
fn a_new_sign_in_under_the_same_name_replaces_the_old_one_at_once() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world.ssh(&["web01", "true"]).run().succeeded();
    world.login(GRACE);
    let offered = world.ssh_add("-l").stdout;
    assert!(!offered.contains(ADA), "{offered}");
    world.add(&["web01"]);
    let output = world.ssh(&["web01", "echo $USER"]).run();
    assert_eq!(output.stdout, "grace.hopper@contoso.example\n", "{output}");
    // What the first one left in the keyring goes with the rest.
    world.entra_ssh(&["logout", "--all"]).succeeded();
    assert!(
        world.keyring_files().is_empty(),
        "{:?}",
        world.keyring_files()
    );
}

#[test]
fn no_child_sees_the_secret_of_a_pipeline() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
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

#[test]
fn a_profile_whose_cloud_file_is_gone_does_not_hide_the_others() {
    let world = World::with(options_with(&[]));
    world.login_deploy();
    let folder = world.home().join("cloud");
    fs::create_dir(&folder).unwrap();
    fs::copy(world.sandbox.cloud_file(), folder.join("cloud.toml")).unwrap();
    fs::copy(world.sandbox.ca_file(), folder.join("ca.pem")).unwrap();
    world.login_as(ADA, &["--profile", "moved", "--cloud", "cloud/cloud.toml"]);
    fs::remove_file(folder.join("cloud.toml")).unwrap();
    let refused = world.entra_ssh(&["cert", "--profile", "moved"]);
    refused.ended_with(1);
    assert!(
        refused
            .stderr
            .starts_with("error: cannot read the cloud file `"),
        "{refused}"
    );
    let status = world.entra_ssh(&["status"]);
    status.succeeded();
    assert!(status.stdout.contains(DEPLOY), "{status}");
    assert!(status.stdout.contains("cloud file"), "{status}");
    world.entra_ssh(&["logout", "--all"]).succeeded();
    assert!(world.keyring_files().is_empty());
}
