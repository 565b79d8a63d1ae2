//! What is told when something is refused: one sentence, its causes, and a hint. And the exit status.

mod entra;
mod relay;

use sandbox::Fault;
use serde_json::Value;

use crate::world::{World, options, options_with};

/// Runs what ssh runs as `ProxyCommand`.
fn proxy(world: &World, machine: &str) -> crate::world::Output {
    world.entra_ssh(&["proxy", &world.machine(machine), "--port", "22"])
}

fn token_refused(aadsts: u32, error: &str, description: &str, claims: Option<&str>) -> Fault {
    Fault::Token {
        aadsts,
        error: error.to_owned(),
        description: description.to_owned(),
        claims: claims.map(str::to_owned),
        suberror: None,
        status: 400,
        retry_after: None,
        grant_type: None,
        token_type: None,
    }
}

#[test]
fn unknown_and_ambiguous_names_are_refused_with_a_hint() {
    let world = World::signed_in(options());
    let contoso = "/subscriptions/50b5c000-0000-4000-8000-000000000001/resourceGroups";
    for (arguments, status, expected) in [
        (
            &["ssh", "web99"][..],
            1,
            "error: `ada@contoso.example` sees no machine `web99`\n\
             hint: check the name, and that the account may read the machine: az resource list --name NAME\n"
                .to_owned(),
        ),
        (
            &["config", "add", "rg-db-east/web01"],
            1,
            "error: `ada@contoso.example` sees no machine `web01` in the resource group `rg-db-east`\n\
             hint: check the name, and that the account may read the machine: az resource list --name NAME\n"
                .to_owned(),
        ),
        (
            &["config", "add", "db01"],
            1,
            format!(
                "error: there are 2 machines named `db01`\n\
                 caused by: there is {contoso}/rg-db-east/providers/Microsoft.HybridCompute/machines/db01\n\
                 caused by: there is {contoso}/rg-db-west/providers/Microsoft.HybridCompute/machines/db01\n\
                 hint: name the resource group: rg-db-east/db01, or the resource ID\n"
            ),
        ),
        (
            &["--profile", "nobody", "cert"],
            4,
            "error: profile `nobody` is not signed in\n\
             hint: sign in: entra-ssh --profile nobody login\n"
                .to_owned(),
        ),
        (
            &["--cloud", "AzureMars", "login", "--device-code"],
            2,
            "error: unknown cloud `AzureMars`: neither built in nor a file\n\
             hint: use one of AzureCloud, AzureUSGovernment, AzureChinaCloud, or a cloud file\n"
                .to_owned(),
        ),
    ] {
        let output = world.entra_ssh(arguments);
        output.ended_with(status);
        assert_eq!(world.filtered(&output), expected, "{arguments:?}");
        assert_eq!(output.stdout, "");
    }
    assert!(!world.managed_config().exists());
}

#[test]
fn what_azure_refuses_is_told_in_its_words() {
    let world = World::with(options_with(&["web01", "new01"]));
    world.login("radia@contoso.example");
    let output = proxy(&world, "web01");
    output.ended_with(1);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(
        lines[0].starts_with("error: Azure does not let this account "),
        "{output}"
    );
    assert!(
        lines[0].contains("`web01` (AuthorizationFailed): "),
        "{output}"
    );
    assert_eq!(
        lines[1],
        "hint: ask for the role `Virtual Machine User Login` or `Virtual Machine Administrator Login` on the machine"
    );
    // Grace may log in, and not set a machine up.
    world.login("Grace.Hopper@contoso.example");
    let output = proxy(&world, "new01");
    output.ended_with(1);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(
        lines[0].contains("create the connectivity endpoint"),
        "{output}"
    );
    assert!(
        lines[1].starts_with(
            "hint: the first connection to a machine needs Owner or Contributor on it, once"
        ),
        "{output}"
    );
}

#[test]
fn a_throttled_azure_is_asked_again() {
    let world = World::signed_in(options_with(&["web01"]));
    world
        .sandbox
        .fault(Fault::arm("listcredentials", 429, "TooManyRequests", "Slow down.").times(2));
    world.connect(&["ssh", "web01"], "true").run().succeeded();
}

#[test]
fn errors_in_json_are_one_value_on_standard_error() {
    let world = World::signed_in(options_with(&[]));
    let fault = token_refused(
        50_076,
        "interaction_required",
        "You must use multi-factor authentication.",
        None,
    );
    world.sandbox.fault(fault);
    let output = world.entra_ssh(&["-o", "json", "cert"]);
    output.ended_with(4);
    assert_eq!(output.stdout, "");
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(
        error["error"],
        "Entra refused (AADSTS50076): You must use multi-factor authentication."
    );
    assert_eq!(error["code"], "AADSTS50076");
    assert_eq!(
        error["causes"][0],
        "the tenant requires multi-factor authentication"
    );
    assert_eq!(error["hint"], "answer it at a terminal: entra-ssh cert");
    assert_eq!(error["correlation_id"].as_str().unwrap().len(), 36);
    let output = world.entra_ssh(&["-o", "json", "--profile", "nobody", "cert"]);
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    for name in ["error", "causes", "hint", "code", "correlation_id"] {
        assert!(error.get(name).is_some(), "{name}: {error}");
    }
}
