//! What a pipeline is told when it cannot sign in.

use sandbox::{Fault, Workload};

use super::{PIPELINE, login, within};
use crate::world::{DEPLOY, World, options_with};

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
        "error: Entra issues no certificates to managed identities\n\
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
            "\nhint: Entra issues no certificates to managed identities; let an application trust it",
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
        assert_eq!(output.hint(), hint);
    }
    let output = within(
        &world,
        Workload::GitHubActions,
        login(&world, PIPELINE, &["--github-actions"]),
    )
    .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong")
    .run();
    output.ended_with(1);
    assert_eq!(
        output.error(),
        "GitHub Actions issued no ID token (HTTP status 401)"
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
    assert_eq!(
        output.error(),
        format!("cannot use the client certificate in `{file}`")
    );
    assert_eq!(output.causes(), ["the password does not open it"]);
    assert_ne!(output.hint(), "");
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
