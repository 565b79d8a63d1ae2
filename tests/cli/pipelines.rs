//! Pipelines, pods and machines that sign in as an application: each way in, to a login at the real sshd.

mod refusals;
mod variables;

use sandbox::{Options, Service, Workload};

use crate::world::{
    CONTOSO, DEPLOY, DEPLOY_SECRET, Invocation, World, options_with, options_with_sshd, wait_for,
};

/// The application that pipelines, pods and machines become.
const PIPELINE: &str = "a9911ca7-0000-4000-8000-000000000303";

/// Adds the variables of a place where programs run.
fn within(world: &World, workload: Workload, mut invocation: Invocation) -> Invocation {
    for (name, value) in world.sandbox.environment(workload) {
        invocation = invocation.env(name, value);
    }
    invocation
}

/// Returns `entra-ssh login` as an application.
fn login(world: &World, client_id: &str, arguments: &[&str]) -> Invocation {
    world
        .command(&["login", "--client-id", client_id, "--tenant", CONTOSO])
        .args(arguments)
}

/// Each way in of an application: the profile that it signs in as, and what signs it in.
fn ways_in(world: &World) -> Vec<(&'static str, Invocation)> {
    let certificate = world.sandbox.client_certificate(DEPLOY).unwrap();
    let token_file = world.sandbox.write_federated_token().unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (pem, pkcs12) = (path(&certificate.pem), path(&certificate.pkcs12));
    let protected = path(&certificate.protected_pkcs12);
    let with_certificate = |file: &str| {
        login(world, DEPLOY, &["--service-principal"]).args(["--client-certificate", file])
    };
    vec![
        (
            "secret",
            login(world, DEPLOY, &["--service-principal"])
                .args(["--client-secret-file", "-"])
                .stdin(DEPLOY_SECRET),
        ),
        ("pem", with_certificate(&pem)),
        ("pkcs12", with_certificate(&pkcs12)),
        (
            "protected",
            with_certificate(&protected)
                .args(["--client-certificate-password-file", "-"])
                .stdin(certificate.password.clone()),
        ),
        (
            "kubernetes",
            login(world, PIPELINE, &["--federated-token-file"]).arg(token_file),
        ),
        (
            "github",
            within(
                world,
                Workload::GitHubActions,
                login(world, PIPELINE, &["--github-actions"]),
            ),
        ),
        (
            "pipelines",
            within(
                world,
                Workload::AzurePipelines,
                world.command(&["login", "--azure-pipelines"]),
            ),
        ),
        (
            "machine",
            within(
                world,
                Workload::AppService,
                login(world, PIPELINE, &["--managed-identity"]),
            ),
        ),
    ]
}

/// Makes a key, so that nobody waits for one to be made.
fn make_key(world: &World, name: &str) {
    world
        .program("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", name])
        .run()
        .succeeded();
}

#[test]
fn each_way_in_ends_at_the_real_sshd() {
    let world = World::with(options_with_sshd(&["web01"]));
    for (profile, login) in ways_in(&world) {
        login.args(["--profile", profile]).run().succeeded();
        let add = [
            "--profile",
            profile,
            "config",
            "add",
            "web01",
            "--alias",
            profile,
        ];
        // The agent asks this machine for its identity, too.
        within(&world, Workload::AppService, world.command(&add))
            .run()
            .succeeded();
        let output = world.ssh(profile, "id -un");
        output.succeeded();
        let client_id = if ["secret", "pem", "pkcs12", "protected"].contains(&profile) {
            DEPLOY
        } else {
            PIPELINE
        };
        assert_eq!(output.stdout.trim(), client_id, "{profile}");
    }
}

#[test]
fn each_certificate_has_an_assertion_of_its_own() {
    let world = World::with(options_with(&[]));
    let fetched = |world: &World| world.requests(|row| row.service == Service::Workload).len();
    for (profile, login) in ways_in(&world) {
        if !["github", "pipelines"].contains(&profile) {
            continue;
        }
        login.args(["--profile", profile]).run().succeeded();
        world.sandbox.clear_requests();
        // Without a variable: what the job gave at login is kept.
        for _ in 0..2 {
            world.entra_ssh(&["--profile", profile, "cert"]).succeeded();
        }
        assert_eq!(fetched(&world), 2, "{profile}");
        assert_eq!(world.token_requests(), 2, "{profile}");
    }
}

#[test]
fn a_token_file_is_read_anew_for_every_certificate() {
    let world = World::with(Options {
        assertion_lifetime: std::time::Duration::from_secs(5),
        ..options_with(&[])
    });
    make_key(&world, "key");
    // On a busy machine a token may expire before it is used.
    let file = world.sandbox.write_federated_token().unwrap();
    wait_for("a sign-in", || {
        world.sandbox.write_federated_token().unwrap();
        let login = login(&world, PIPELINE, &["--federated-token-file"]);
        login.arg(&file).run().status == 0
    });
    let certify = || world.entra_ssh(&["cert", "--public-key-file", "key.pub"]);
    wait_for("the token to expire", || {
        let output = certify();
        let has_expired = output.status == 1;
        if has_expired {
            assert_eq!(output.causes()[0], "the client assertion has expired");
        }
        has_expired
    });
    wait_for("a certificate with another token", || {
        world.sandbox.write_federated_token().unwrap();
        certify().status == 0
    });
    std::fs::remove_file(&file).unwrap();
    let output = certify();
    output.ended_with(1);
    assert_eq!(
        output.error(),
        format!("cannot read the federated token from `{}`", file.display())
    );
    assert!(!output.causes().is_empty(), "{output}");
    let hint = "check AZURE_FEDERATED_TOKEN_FILE or --federated-token-file";
    assert!(output.hint().starts_with(hint), "{output}");
}

#[test]
fn two_keys_get_two_certificates() {
    let world = World::with(options_with(&[]));
    world.login_as(crate::world::ADA, &["--profile", "person"]);
    for (profile, login) in ways_in(&world) {
        login.args(["--profile", profile]).run().succeeded();
    }
    for name in ["one", "two"] {
        make_key(&world, name);
    }
    for profile in [
        "person",
        "secret",
        "pem",
        "kubernetes",
        "github",
        "pipelines",
        "machine",
    ] {
        let certify = |key: &str| {
            let arguments = [
                "--profile",
                profile,
                "cert",
                "--public-key-file",
                key,
                "-o",
                "json",
            ];
            let output = within(&world, Workload::AppService, world.command(&arguments)).run();
            output.succeeded();
            output.json()
        };
        let (one, two) = (certify("one.pub"), certify("two.pub"));
        assert_ne!(
            one["public_key_fingerprint"], two["public_key_fingerprint"],
            "{profile}"
        );
    }
}
