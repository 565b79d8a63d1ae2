//! Refusals of Entra: what the user reads, and when the exit status is 4.

use sandbox::Fault;

use super::token_refused;
use crate::world::{World, options_with};

#[test]
fn what_only_a_person_can_mend_ends_with_4_and_other_refusals_with_1() {
    let world = World::signed_in(options_with(&[]));
    world.sandbox.fault(token_refused(
        50_076,
        "interaction_required",
        "Due to a configuration change made by your administrator, you must use multi-factor authentication to access \
         'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0'.",
        Some(r#"{"access_token":{"capolids":{"essential":true,"values":["1"]}}}"#),
    ));
    world.assert_refused(
        &["cert"],
        4,
        "error: Entra refused (AADSTS50076): Due to a configuration change made by your administrator, you must use \
         multi-factor authentication to access 'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0'.\n\
         caused by: the tenant requires multi-factor authentication\n\
         correlation id: [ID], [TIME]\n\
         hint: answer it at a terminal: entra-ssh cert\n",
    );
    world.sandbox.fault(token_refused(
        700_082,
        "invalid_grant",
        "The refresh token has expired due to inactivity.",
        None,
    ));
    world.assert_refused(
        &["cert"],
        4,
        "error: Entra refused (AADSTS700082): The refresh token has expired due to inactivity.\n\
         caused by: the sign-in expired because it was not used\n\
         correlation id: [ID], [TIME]\n\
         hint: sign in again: entra-ssh login\n",
    );
    world.sandbox.fault(token_refused(
        65_002,
        "invalid_client",
        "Consent between first party application and resource must be configured via preauthorization.",
        None,
    ));
    world.assert_refused(
        &["cert"],
        1,
        "error: Entra refused (AADSTS65002): Consent between first party application and resource must be configured via \
         preauthorization.\n\
         caused by: this client may not request SSH certificates\n\
         correlation id: [ID], [TIME]\n\
         hint: use the Azure CLI's client ID, 04b07795-8ddb-461a-bbee-02f9e1bf7b46\n",
    );
}

#[test]
fn a_service_principal_whose_secret_is_wrong_is_told_so() {
    let world = World::with(options_with(&[]));
    world.login_deploy();
    let fault = token_refused(
        7_000_215,
        "invalid_client",
        "Invalid client secret provided.",
        None,
    );
    world.sandbox.fault(fault);
    world.assert_refused(
        &["cert"],
        1,
        "error: Entra refused (AADSTS7000215): Invalid client secret provided.\n\
         caused by: the client secret or assertion is invalid\n\
         correlation id: [ID], [TIME]\n\
         hint: check that it is the secret's value and not its ID, then run: entra-ssh login --service-principal \
         --client-id ID --tenant ID --client-secret-file FILE\n",
    );
}

#[test]
fn a_refused_token_is_told_by_ssh_too() {
    let world = World::with_host("web01");
    world.forget_certificates();
    world.sandbox.fault(
        token_refused(
            50_076,
            "interaction_required",
            "You must use multi-factor authentication.",
            None,
        )
        .times(0),
    );
    let output = world.ssh("web01", "true");
    output.ended_with(255);
    assert!(output.error().contains("AADSTS50076"), "{output}");
    assert_ne!(output.hint(), "");
    let output = world.entra_ssh(&["ssh", "web01", "--", "true"]);
    output.ended_with(4);
}

#[test]
fn an_entra_that_is_out_of_reach_is_told_as_such() {
    let world = World::signed_in(options_with(&[]));
    world.sandbox.fault(Fault::Outage.times(0));
    let output = world.entra_ssh(&["cert"]);
    output.ended_with(1);
    assert_eq!(output.error(), "cannot request a token from Entra");
    assert_ne!(output.hint(), "");
}
