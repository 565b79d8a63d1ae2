//! Pipelines, pods and machines that sign in as an application: each way in, to a login at the real sshd.

use sandbox::{Fault, MachineKind, Options, Service, Workload};

use crate::world::{CONTOSO, DEPLOY, DEPLOY_SECRET, Invocation, World, options_with};

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

fn real_sshd() -> Options {
    Options {
        machine_kind: MachineKind::Sshd,
        ..options_with(&["web01"])
    }
}

#[test]
fn each_way_in_ends_at_the_real_sshd() {
    let world = World::with(real_sshd());
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
        let output = world.ssh(&[profile, "id -un"]).run();
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
        // Long enough to sign in with on a busy machine.
        assertion_lifetime: std::time::Duration::from_secs(30),
        ..options_with(&[])
    });
    make_key(&world, "key");
    let file = world.sandbox.write_federated_token().unwrap();
    login(&world, PIPELINE, &["--federated-token-file"])
        .arg(&file)
        .run()
        .succeeded();
    std::thread::sleep(std::time::Duration::from_secs(31));
    let output = world.entra_ssh(&["cert", "--public-key-file", "key.pub"]);
    output.ended_with(1);
    assert!(
        output
            .stderr
            .contains("\ncaused by: the client assertion has expired\n"),
        "{output}"
    );
    world.sandbox.write_federated_token().unwrap();
    world
        .entra_ssh(&["cert", "--public-key-file", "key.pub"])
        .succeeded();
    std::fs::remove_file(&file).unwrap();
    let output = world.entra_ssh(&["cert", "--public-key-file", "key.pub"]);
    output.ended_with(1);
    assert!(
        output.stderr.starts_with(&format!(
            "error: cannot read the federated token from `{}`\ncaused by: ",
            file.display()
        )),
        "{output}"
    );
    assert!(
        output
            .stderr
            .contains("\nhint: check AZURE_FEDERATED_TOKEN_FILE or --federated-token-file"),
        "{output}"
    );
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

/// Adds the variables of a service principal with a secret, and of the sandbox's cloud.
fn with_secret(world: &World, invocation: Invocation, client_id: &str, secret: &str) -> Invocation {
    invocation
        .env("AZURE_CLIENT_ID", client_id)
        .env("AZURE_TENANT_ID", CONTOSO)
        .env("AZURE_CLIENT_SECRET", secret)
        .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
}

#[test]
fn the_standard_variables_are_enough() {
    let world = World::with(options_with(&["web01"]));
    let variables = |invocation| with_secret(&world, invocation, DEPLOY, DEPLOY_SECRET);
    let by_domain =
        |invocation: Invocation| variables(invocation).env("AZURE_TENANT_ID", "contoso.example");
    by_domain(world.command(&["config", "add", "web01"]))
        .run()
        .succeeded();
    let output = by_domain(world.ssh(&["web01", "echo $USER"])).run();
    output.succeeded();
    assert_eq!(output.stdout.trim(), DEPLOY);
    // The tenant's domain was looked up, once: what is held goes by its ID.
    let is_discovery = |row: &sandbox::RequestRow| row.path.contains("openid-configuration");
    assert_eq!(world.requests(is_discovery).len(), 1);
    let status = by_domain(world.command(&["status", "-o", "json"]))
        .run()
        .json();
    assert_eq!(status["profiles"][0]["tenant"], CONTOSO);
    assert_eq!(status["profiles"][0]["account"], DEPLOY);
    // A secret that changes is a new sign-in, and one that is wrong is told at the first request.
    let output = variables(world.command(&["cert"]))
        .env("AZURE_CLIENT_SECRET", "wrong")
        .run();
    output.ended_with(1);
    assert!(output.stderr.contains("AADSTS7000215"), "{output}");
    variables(world.command(&["cert"])).run().succeeded();
    // Who signs in is not replaced by variables.
    world.login(crate::world::ADA);
    let certificate = variables(world.command(&["cert", "-o", "json"])).run();
    certificate.succeeded();
    assert_eq!(certificate.json()["principals"][0], crate::world::ADA);
}

#[test]
fn nothing_is_stored_of_an_account_that_variables_name() {
    let world = World::with(options_with(&["web01"]));
    let variables = |invocation| with_secret(&world, invocation, DEPLOY, DEPLOY_SECRET);
    for arguments in [
        &["config", "add", "web01"][..],
        &["cert"],
        &["cert", "show"],
        &["rotate", "--force"],
        &["status"],
    ] {
        variables(world.command(arguments)).run().succeeded();
    }
    variables(world.ssh(&["web01", "true"])).run().succeeded();
    assert!(world.keyring_files().is_empty());
    assert!(!world.home().join(".config/entra-ssh/profiles").exists());
    for file in crate::world::files_below(world.root()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let is_there = crate::world::contains(&bytes, DEPLOY_SECRET.as_bytes());
        let is_sandbox = file.starts_with(world.sandbox.cloud_file().parent().unwrap());
        assert!(!is_there || is_sandbox, "{}", file.display());
    }
    // Without the variables nobody is signed in, though the agent still holds a certificate.
    let output = world.entra_ssh(&["cert"]);
    output.ended_with(4);
    let log = world.home().join("log");
    variables(world.command(&["rotate", "--log-file"]).arg(&log))
        .run()
        .succeeded();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("asks the agent") && !log.contains(DEPLOY_SECRET),
        "{log}"
    );
}

#[test]
fn two_pipelines_in_one_home_each_sign_in_as_themselves() {
    let world = World::with(options_with(&["web01"]));
    let token_file = world.sandbox.write_federated_token().unwrap();
    let first = |invocation| with_secret(&world, invocation, DEPLOY, DEPLOY_SECRET);
    let second = |invocation: Invocation| {
        with_secret(&world, invocation, PIPELINE, "").env("AZURE_FEDERATED_TOKEN_FILE", &token_file)
    };
    let whose = |invocation: Invocation| {
        let output = invocation.run();
        output.succeeded();
        output.json()["principals"][0].clone()
    };
    for _ in 0..2 {
        let command = || world.command(&["cert", "show", "-o", "json"]);
        assert_eq!(whose(first(command())), DEPLOY);
        assert_eq!(whose(second(command())), PIPELINE);
    }
    assert_eq!(world.certificate_requests(), 2, "neither drops the other's");
    // A host that the first one added is the second one's, too, by its own login name.
    first(world.command(&["config", "add", "web01"]))
        .run()
        .succeeded();
    for _ in 0..2 {
        first(world.ssh(&["web01", "true"])).run().succeeded();
        second(world.command(&["ssh", "rg-web/web01", "--", "true"]))
            .run()
            .succeeded();
    }
    assert_eq!(world.certificate_requests(), 2);
}

#[test]
fn the_variables_of_a_pod_a_job_and_a_certificate_are_enough() {
    for workload in [
        Workload::Kubernetes,
        Workload::GitHubActions,
        Workload::AzurePipelines,
    ] {
        let world = World::with(options_with(&["web01"]));
        world.sandbox.write_federated_token().unwrap();
        let command = world.command(&["cert", "-o", "json"]);
        let output = within(&world, workload, command)
            .env("AZURE_CLIENT_ID", PIPELINE)
            .env("AZURE_TENANT_ID", CONTOSO)
            .run();
        output.succeeded();
        assert_eq!(output.json()["principals"][0], PIPELINE, "{workload:?}");
    }
    let world = World::with(options_with(&[]));
    let certificate = world.sandbox.client_certificate(DEPLOY).unwrap();
    let output = world
        .command(&["cert"])
        .env("AZURE_CLIENT_ID", DEPLOY)
        .env("AZURE_TENANT_ID", CONTOSO)
        .env(
            "AZURE_CLIENT_CERTIFICATE_PATH",
            &certificate.protected_pkcs12,
        )
        .env("AZURE_CLIENT_CERTIFICATE_PASSWORD", &certificate.password)
        .run();
    output.succeeded();
}

#[test]
fn many_processes_that_begin_together_sign_in_once() {
    let world = World::with(options_with(&["web01"]));
    let proxies: Vec<_> = (0..8)
        .map(|_| {
            world
                .command(&["proxy", &world.machine("web01")])
                .env("AZURE_CLIENT_ID", DEPLOY)
                .env("AZURE_TENANT_ID", CONTOSO)
                .env("AZURE_CLIENT_SECRET", DEPLOY_SECRET)
                .start()
        })
        .collect();
    for proxy in proxies {
        let output = proxy.finish();
        output.succeeded();
        assert!(output.stdout.starts_with("SSH-2.0-"), "{output}");
    }
    assert_eq!(world.certificate_requests(), 1);
    assert_eq!(world.credentials_requests(), 1);
}

#[test]
fn a_managed_identity_and_cloud_shell_are_recognised_before_anything_is_asked() {
    let world = World::with(options_with(&[]));
    let login = |workload| {
        within(
            &world,
            workload,
            world.command(&["login", "--managed-identity"]),
        )
        .run()
    };
    let output = login(Workload::AppService);
    output.ended_with(2);
    assert_eq!(
        output.stderr,
        "error: a managed identity gets no certificates of its own\n\
         hint: let an application trust it as a federated credential (az ad app federated-credential create --id APP), then: \
         entra-ssh login --managed-identity --client-id APP --tenant ID\n"
    );
    let output = login(Workload::CloudShell);
    output.ended_with(1);
    assert_eq!(
        output.stderr,
        "error: Cloud Shell has no managed identity\n\
         hint: sign in as yourself: entra-ssh login --device-code\n"
    );
    // Nor is anything asked by a command that needs a sign-in.
    for (workload, hint) in [
        (
            Workload::AppService,
            "\nhint: a managed identity gets no certificates of its own; let an application trust it",
        ),
        (
            Workload::CloudShell,
            "\nhint: entra-ssh does not take over the sign-in of Cloud Shell; sign in as yourself: ",
        ),
    ] {
        let output = within(&world, workload, world.command(&["cert"])).run();
        output.ended_with(4);
        assert!(output.stderr.contains(hint), "{output}");
    }
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_federated_credential_that_does_not_match_shows_what_was_presented() {
    let world = World::with(options_with(&[]));
    let file = world.sandbox.write_federated_token().unwrap();
    let output = login(&world, DEPLOY, &["--federated-token-file"])
        .arg(file)
        .run();
    output.ended_with(1);
    let said = world.filtered(&output);
    assert!(
        said.contains(
            "\ncaused by: the assertion is from the issuer \
             `https://westeurope.oic.prod-aks.azure.com/c0a70500-0000-4000-8000-000000000502/`, about the subject \
             `system:serviceaccount:deploy:runner`, for the audience `api://AzureADTokenExchange`\n"
        ),
        "{output}"
    );
    assert!(
        said.contains(
            "\nhint: compare the three with: az ad app federated-credential list --id ID\n"
        ),
        "{output}"
    );
}

#[test]
fn a_job_that_may_not_ask_for_a_token_is_told_how_it_may() {
    let world = World::with(options_with(&[]));
    for (arguments, hint) in [
        (
            "--github-actions",
            "give the job the right to: permissions: id-token: write",
        ),
        (
            "--azure-pipelines",
            "hand the step the job's token: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)",
        ),
    ] {
        let output = login(&world, PIPELINE, &[arguments]).run();
        output.ended_with(2);
        assert!(
            output.stderr.ends_with(&format!("\nhint: {hint}\n")),
            "{output}"
        );
    }
    let output = within(
        &world,
        Workload::GitHubActions,
        login(&world, PIPELINE, &["--github-actions"]),
    )
    .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong")
    .run();
    output.ended_with(1);
    assert!(
        output
            .stderr
            .starts_with("error: GitHub Actions gave no ID token (HTTP status 401)\n"),
        "{output}"
    );
    assert!(world.keyring_files().is_empty());
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_before_entra_is_asked() {
    let world = World::with(options_with(&[]));
    let certificate = world.sandbox.client_certificate(DEPLOY).unwrap();
    let file = certificate.protected_pkcs12.to_str().unwrap();
    let output = login(&world, DEPLOY, &["--service-principal"])
        .args(["--client-certificate", file])
        .env("AZURE_CLIENT_CERTIFICATE_PASSWORD", "wrong")
        .run();
    output.ended_with(1);
    assert!(
        output.stderr.starts_with(&format!(
            "error: cannot use the client certificate in `{file}`\ncaused by: the password does not open it\nhint: "
        )),
        "{output}"
    );
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn an_application_that_entra_refuses_for_a_while_is_asked_again() {
    let world = World::with(options_with(&[]));
    world.login_deploy();
    world.sandbox.fault(
        Fault::Gateway {
            path: "/token".to_owned(),
            status: 503,
            retry_after: Some(1),
        }
        .times(2),
    );
    world.entra_ssh(&["cert"]).succeeded();
}
