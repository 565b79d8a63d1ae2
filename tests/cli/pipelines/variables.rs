//! Accounts that environment variables name: nothing is stored of them.

use sandbox::Workload;

use super::{PIPELINE, within};
use crate::world::{CONTOSO, DEPLOY, DEPLOY_SECRET, Invocation, World, options_with};

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
    let output = by_domain(world.ssh_command(&["web01", "echo $USER"])).run();
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
    variables(world.ssh_command(&["web01", "true"]))
        .run()
        .succeeded();
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
        first(world.ssh_command(&["web01", "true"]))
            .run()
            .succeeded();
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
