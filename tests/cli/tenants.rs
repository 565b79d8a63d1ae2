//! Several accounts and tenants at once: a machine gets its certificate from its own tenant.

use serde_json::Value;

use crate::world::{ADA, CONTOSO, World, is_token_request, options_with};

/// The tenant next door.
const FABRIKAM: &str = "fab21ca0-0000-4000-8000-000000000002";
/// Who is at home there.
const LINUS: &str = "linus@fabrikam.example";

/// Returns the tenants that certificates were asked of so far.
fn certifying_tenants(world: &World) -> Vec<String> {
    let rows = world.requests(|row| {
        is_token_request(row)
            && row
                .form
                .get("token_type")
                .is_some_and(|kind| kind == "ssh-cert")
    });
    rows.iter()
        .map(|row| row.path.split('/').nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn a_machine_is_certified_by_its_own_tenant_whoever_signed_in_last() {
    let world = World::with(options_with(&["web01", "fab01"]));
    world.login_as(LINUS, &["--profile", "fabrikam"]);
    world.login(ADA);
    let fab01 = world.machine("fab01");
    for target in ["fab01", fab01.as_str()] {
        world.sandbox.clear_requests();
        let hosts = world.json(&["config", "add", target, "--profile", "fabrikam"]);
        assert_eq!(hosts[0]["tenant"], FABRIKAM, "{target}");
    }
    world.entra_ssh(&["config", "remove", "fab01"]).succeeded();
    // Named by nobody, the account of that tenant is found: by the machine's ID, though the last to sign in is of another
    // tenant.
    let hosts = world.json(&["config", "add", &fab01]);
    assert_eq!(hosts[0]["profile"], "fabrikam");
    assert_eq!(hosts[0]["user"], LINUS);
    let hosts = world.json(&["config", "add", "web01"]);
    assert_eq!(hosts[0]["profile"], "default");
    assert_eq!(hosts[0]["tenant"], CONTOSO);

    world.sandbox.clear_requests();
    world.forget_certificates();
    for (host, user) in [("fab01", LINUS), ("web01", ADA)] {
        let output = world.ssh(host, "echo $USER");
        output.succeeded();
        assert_eq!(output.stdout.trim(), user);
    }
    assert_eq!(certifying_tenants(&world), [FABRIKAM, CONTOSO]);
    // Later logins to either tenant change nothing about it.
    world.login_as(ADA, &["--profile", "other"]);
    world.ssh("fab01", "true").succeeded();
}

#[test]
fn a_guest_is_certified_by_the_tenant_of_the_machine_and_signed_out_of_it() {
    let world = World::signed_in(options_with(&["web01", "fab01"]));
    let hosts = world.json(&["config", "add", &world.machine("fab01"), "web01"]);
    assert_eq!(hosts[0]["profile"], "default");
    assert_eq!(hosts[0]["tenant"], FABRIKAM);
    let guest = "ada_contoso.example#ext#@fabrikam.example";
    assert_eq!(hosts[0]["user"], guest);
    assert_eq!(hosts[1]["user"], ADA);
    for (host, user) in [("fab01", guest), ("web01", ADA)] {
        let output = world.ssh(host, "echo $USER");
        output.succeeded();
        assert_eq!(output.stdout.trim(), user);
    }
    let certificate = world.json(&["cert", "--tenant", FABRIKAM]);
    assert!(
        certificate["key_id"].as_str().unwrap().ends_with(FABRIKAM),
        "{certificate}"
    );
    let status = world.json(&["status"]);
    let guest_in = &status["profiles"][0]["guest_in"][0];
    assert_eq!(guest_in["tenant"], FABRIKAM);
    assert!(
        guest_in["certificate"]["remaining_seconds"]
            .as_u64()
            .unwrap()
            > 3000
    );
    let text = world.entra_ssh(&["status"]).stdout;
    assert!(
        text.contains(&format!(
            "default  guest in {FABRIKAM}: certificate for ada_"
        )),
        "{text}"
    );
    // Both tenants' keys are kept, and both go.
    let mut keys = world.keyring_files();
    keys.retain(|(kind, _)| *kind == 3);
    assert_eq!(keys.len(), 2);
    let output = world.entra_ssh(&["logout"]);
    output.succeeded();
    assert!(
        output.stdout.contains(&format!(
            "the key and its certificate for the tenant {FABRIKAM} from the file keyring"
        )),
        "{output}"
    );
    assert!(world.keyring_files().is_empty());
}

#[test]
fn of_two_accounts_in_the_machines_tenant_none_is_guessed() {
    let world = World::signed_in(options_with(&["fab01"]));
    world.login_as(LINUS, &["--profile", "one"]);
    world.login_as(LINUS, &["--profile", "two"]);
    let output = world.entra_ssh(&["config", "add", &world.machine("fab01")]);
    output.ended_with(2);
    assert_eq!(
        output.stderr,
        format!(
            "error: 2 accounts are signed in to the tenant `{FABRIKAM}` of `fab01`\n\
             caused by: profile one is {LINUS}\n\
             caused by: profile two is {LINUS}\n\
             hint: name one: --profile NAME\n"
        )
    );
    let hosts = world.json(&["config", "add", "fab01", "--profile", "two"]);
    assert_eq!(hosts[0]["profile"], "two");
}

#[test]
fn a_proxy_that_is_told_no_tenant_looks_it_up() {
    let world = World::signed_in(options_with(&["fab01"]));
    let mut proxy = world
        .command(&["proxy", &world.machine("fab01")])
        .open_stdin()
        .start();
    crate::world::wait_for("the banner", || proxy.stdout().starts_with("SSH-2.0-"));
    proxy.close_stdin();
    proxy.finish().succeeded();
    assert_eq!(certifying_tenants(&world), [FABRIKAM]);
}

#[test]
fn who_is_no_guest_of_the_machines_tenant_is_told_so() {
    let world = World::with(options_with(&["fab01"]));
    world.login("radia@contoso.example");
    let output = world.entra_ssh(&["config", "add", &world.machine("fab01")]);
    output.ended_with(1);
    assert_eq!(output.causes(), ["the account is not in this tenant"]);
    assert!(
        output
            .stderr
            .contains("\nhint: sign in with another account, or name the right tenant: "),
        "{output}"
    );
    assert!(!world.managed_config().exists());
}

#[test]
fn status_shows_each_account_with_its_tenant_and_cloud() {
    let world = World::with(options_with(&[]));
    world.login_as(LINUS, &["--profile", "fabrikam"]);
    world.login(ADA);
    let status = world.json(&["status"]);
    let row = |name: &str| -> Value {
        let rows = status["profiles"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap().clone()
    };
    assert_eq!(row("default")["tenant"], CONTOSO);
    assert_eq!(row("fabrikam")["tenant"], FABRIKAM);
    assert_eq!(row("fabrikam")["cloud"], "sandbox");
}
