//! Every refusal of Entra that people run into: its sentence, what it means, what to do, and the exit status.

use std::path::PathBuf;

use sandbox::Fault;

use crate::world::{ADA, World, options_with};

/// What a person can do: nothing here and now, sign in anew, or answer at a terminal.
#[derive(Clone, Copy)]
enum Expect {
    /// Status 1 and this hint.
    Refused(&'static str),
    /// Status 4, and the command that signs in.
    SignIn,
    /// Status 4, and the command that asks at a terminal.
    Answer,
}

use Expect::{Answer, Refused, SignIn};

const MFA: &str = "the tenant requires multi-factor authentication";
const DEVICE: &str = "the tenant lets only managed devices sign in to Linux machines";
const DEVICE_HINT: &str =
    "sign in on a managed Windows or macOS computer; Linux and Cloud Shell cannot meet this policy";
const BLOCKED: &str = "a Conditional Access policy blocks this sign-in";
const BLOCKED_HINT: &str = "policies often block device codes: sign in with a browser (entra-ssh login), or ask an administrator which policy it is";
const UNUSED: &str = "the sign-in expired because it was not used";
const REVOKED: &str = "the password was changed or the session revoked";
const NO_APPLICATION: &str = "the tenant does not know the application `Azure Linux VM Sign-In`";
const NO_APPLICATION_HINT: &str = "check --tenant and --cloud, or ask an administrator to run: az ad sp create --id \
     ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0";
const NOT_HERE: &str = "the account is not in this tenant";
const NOT_HERE_HINT: &str =
    "sign in with another account, or name the right tenant: entra-ssh login --tenant ID";
const RESTRICTED: &str = "the network or a cross-tenant policy does not let this account in";
const RESTRICTED_HINT: &str = "ask an administrator of your network or of either tenant";
const LOCKED: &str =
    "the account is locked or disabled, or the sign-in comes from an address known for attacks";
const ADMINISTRATOR: &str = "ask an administrator of the tenant";
const MALFORMED: &str = "the scope or the request is malformed";
const OTHER_CLOUD: &str = "the account is in another cloud";
const OTHER_CLOUD_HINT: &str =
    "name the cloud: --cloud AzureUSGovernment or --cloud AzureChinaCloud";

/// The refusals of people's sign-ins: codes, OAuth error, meaning, and what is expected.
const PEOPLE: &[(&[u32], &str, &str, Expect)] = &[
    (
        &[50_076, 50_074, 50_078, 50_079, 50_072],
        "interaction_required",
        MFA,
        Answer,
    ),
    (
        &[50_158],
        "interaction_required",
        "the tenant requires a further check outside Entra",
        Answer,
    ),
    (
        &[53_000, 53_001, 530_003, 50_097],
        "interaction_required",
        DEVICE,
        Refused(DEVICE_HINT),
    ),
    (
        &[53_003, 530_035],
        "interaction_required",
        BLOCKED,
        Refused(BLOCKED_HINT),
    ),
    (
        &[50_005],
        "interaction_required",
        "the tenant's policy does not allow this operating system",
        Refused("sign in on another operating system, or ask an administrator of the tenant"),
    ),
    (
        &[53_002],
        "interaction_required",
        "the tenant's policy does not allow this application",
        Refused(ADMINISTRATOR),
    ),
    (&[700_082, 70_008], "invalid_grant", UNUSED, SignIn),
    (
        &[70_043],
        "invalid_grant",
        "the tenant requires users to sign in again from time to time",
        SignIn,
    ),
    (&[50_173, 50_132, 50_133], "invalid_grant", REVOKED, SignIn),
    (
        &[65_001],
        "invalid_grant",
        "consent is missing",
        Refused("ask an administrator to consent to the application `Azure Linux VM Sign-In`"),
    ),
    (
        &[65_002],
        "invalid_client",
        "this client may not request SSH certificates",
        Refused("use the Azure CLI's client ID, 04b07795-8ddb-461a-bbee-02f9e1bf7b46"),
    ),
    (
        &[500_011, 650_057],
        "invalid_resource",
        NO_APPLICATION,
        Refused(NO_APPLICATION_HINT),
    ),
    (
        &[500_014],
        "invalid_resource",
        "the application `Azure Linux VM Sign-In` is disabled in the tenant",
        Refused("ask an administrator to enable it"),
    ),
    (
        &[90_002],
        "invalid_request",
        "tenant not found",
        Refused("check --tenant and --cloud"),
    ),
    (
        &[50_020, 50_034, 51_004, 16_000],
        "invalid_grant",
        NOT_HERE,
        Refused(NOT_HERE_HINT),
    ),
    (
        &[500_021, 500_022, 500_212, 500_213],
        "access_denied",
        RESTRICTED,
        Refused(RESTRICTED_HINT),
    ),
    (
        &[50_105],
        "invalid_grant",
        "the account is not assigned to the application",
        Refused("ask an administrator to assign it"),
    ),
    (
        &[50_053, 50_057],
        "invalid_grant",
        LOCKED,
        Refused(ADMINISTRATOR),
    ),
    (
        &[50_032],
        "invalid_request",
        "the RSA key is shorter than 2048 bits",
        Refused("create a key of 3072 bits: ssh-keygen -t rsa -b 3072"),
    ),
    (
        &[70_011, 9_002_313],
        "invalid_scope",
        MALFORMED,
        Refused("check ssh_scope in the cloud file"),
    ),
    (
        &[900_432, 90_038, 1_000_104],
        "invalid_request",
        OTHER_CLOUD,
        Refused(OTHER_CLOUD_HINT),
    ),
    (
        &[50_196],
        "invalid_grant",
        "Entra treats the requests as a loop: too many of them are alike",
        Refused(
            "stop what runs entra-ssh again and again (a loop, a timer, a health check), and wait five minutes",
        ),
    ),
    (
        &[90_055],
        "temporarily_unavailable",
        "Entra is throttling",
        Refused("wait a few minutes"),
    ),
    (
        &[3_399_614_476],
        "invalid_request",
        "the Windows sign-in broker has no window to show its prompt in",
        Refused("sign in with a browser: entra-ssh login"),
    ),
];

/// The refusals of service principals.
const PIPELINES: &[(&[u32], &str, &str, &str)] = &[
    (
        &[700_016, 700_011],
        "unauthorized_client",
        "the tenant does not know this client ID",
        "check --client-id and --tenant",
    ),
    (
        &[700_024],
        "invalid_client",
        "the client assertion has expired",
        "sign in again within the job; GitHub's assertions expire after five minutes",
    ),
    (
        &[70_021, 700_213],
        "invalid_request",
        "no federated credential of the application matches",
        "compare the three with: az ad app federated-credential list --id ID",
    ),
    (
        &[7_000_215, 700_027],
        "invalid_client",
        "the client secret or assertion is invalid",
        "check that it is the secret's value and not its ID, then run: entra-ssh login --service-principal --client-id ID \
         --tenant ID --client-secret-file FILE",
    ),
    (
        &[7_000_222],
        "invalid_client",
        "the client secret has expired",
        "create a new one: az ad app credential reset --id ID",
    ),
];

/// Makes a key, so that nobody waits for one to be made.
fn public_key(world: &World) -> PathBuf {
    world
        .program("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "key"])
        .run()
        .succeeded();
    world.home().join("key.pub")
}

/// Has Entra refuse once, and compares all that is told.
#[track_caller]
fn assert_told(world: &World, code: u32, error: &str, meaning: &str, status: i32, hint: &str) {
    let description = format!("What Entra says about {code}.");
    world
        .sandbox
        .fault(Fault::token(code, error, &description).times(0));
    let output = world.entra_ssh(&["cert", "--public-key-file", "key.pub"]);
    world.sandbox.clear_faults();
    assert_eq!(
        world.filtered(&output),
        format!(
            "error: Entra refused (AADSTS{code}): {description}\n\
             caused by: {meaning}\n\
             correlation id: [ID], [TIME]\n\
             hint: {hint}\n"
        ),
        "{output}"
    );
    output.ended_with(status);
    assert!(
        !world.home().join("key-cert.pub").exists(),
        "nothing is written"
    );
}

#[test]
fn each_refusal_of_a_person_says_what_it_means_and_what_to_do() {
    let world = World::signed_in(options_with(&[]));
    public_key(&world);
    for (codes, error, meaning, expected) in PEOPLE {
        let (status, hint) = match expected {
            Refused(hint) => (1, *hint),
            SignIn => (4, "sign in again: entra-ssh login"),
            Answer => (4, "answer it at a terminal: entra-ssh cert"),
        };
        for code in *codes {
            assert_told(&world, *code, error, meaning, status, hint);
        }
    }
}

#[test]
fn each_refusal_of_a_service_principal_says_what_it_means_and_what_to_do() {
    let world = World::with(options_with(&[]));
    world.login_deploy();
    public_key(&world);
    for (codes, error, meaning, hint) in PIPELINES {
        for code in *codes {
            assert_told(&world, *code, error, meaning, 1, hint);
        }
    }
}

#[test]
fn every_code_that_the_sandbox_words_is_in_one_of_these_tables() {
    let of_people = PEOPLE.iter().flat_map(|(codes, ..)| *codes);
    let of_pipelines = PIPELINES.iter().flat_map(|(codes, ..)| *codes);
    // The three of device codes have a test of their own.
    let mut tested: Vec<u32> = of_people
        .chain(of_pipelines)
        .copied()
        .chain([70_016, 70_018, 70_019])
        .collect();
    let mut worded = Fault::worded_codes();
    // It comes from a broker on Windows, not from Entra.
    worded.push(3_399_614_476);
    tested.sort_unstable();
    worded.sort_unstable();
    assert_eq!(tested, worded);
}

#[test]
fn a_policy_that_asks_for_fresh_sign_ins_says_how_often() {
    let world = World::signed_in(options_with(&[]));
    public_key(&world);
    let description = "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. \
         The token was issued on 2026-01-01T00:00:00Z and the maximum allowed lifetime for this request is 3600.";
    world
        .sandbox
        .fault(Fault::token(70_043, "invalid_grant", description));
    let output = world.entra_ssh(&["cert", "--public-key-file", "key.pub"]);
    output.ended_with(4);
    assert_eq!(
        output.causes(),
        ["the tenant requires users to sign in again every 1 h"]
    );
}

#[test]
fn a_refusal_that_nobody_knows_leads_somewhere() {
    let world = World::signed_in(options_with(&[]));
    public_key(&world);
    for (error, status, hint) in [
        (
            "invalid_client",
            1,
            "look the code up at https://login.microsoftonline.com/error, or ask an administrator",
        ),
        ("invalid_grant", 4, "sign in again: entra-ssh login"),
        (
            "interaction_required",
            4,
            "answer it at a terminal: entra-ssh cert",
        ),
    ] {
        world.sandbox.fault(Fault::token(99_999, error, "New."));
        let output = world.entra_ssh(&["cert", "--public-key-file", "key.pub"]);
        assert_eq!(
            world.filtered(&output),
            format!(
                "error: Entra refused (AADSTS99999): New.\ncorrelation id: [ID], [TIME]\nhint: {hint}\n"
            )
        );
        output.ended_with(status);
    }
}

#[test]
fn a_device_code_that_is_wrong_or_pending_is_told_or_waited_for() {
    let world = World::with(options_with(&[]));
    let device_code = "urn:ietf:params:oauth:grant-type:device_code";
    let fault = |code, error: &str, description: &str| Fault::Token {
        aadsts: code,
        error: error.to_owned(),
        description: description.to_owned(),
        claims: None,
        suberror: None,
        status: 400,
        retry_after: None,
        grant_type: Some(device_code.to_owned()),
        token_type: None,
    };
    world
        .sandbox
        .fault(fault(70_016, "authorization_pending", "Pending.").times(2));
    world.login(ADA);
    world
        .sandbox
        .fault(fault(70_018, "bad_verification_code", "Bad."));
    let output = world.entra_ssh(&["login", "--device-code"]);
    output.ended_with(1);
    assert!(
        world.filtered(&output).ends_with(
            "error: Entra refused (AADSTS70018): Bad.\n\
             caused by: the device code is invalid or expired\n\
             correlation id: [ID], [TIME]\n\
             hint: start again: entra-ssh login --device-code\n"
        ),
        "{output}"
    );
    world
        .sandbox
        .fault(fault(70_019, "expired_token", "Expired."));
    let output = world.entra_ssh(&["login", "--device-code"]);
    output.ended_with(1);
    assert!(
        output.stderr.ends_with(
            "error: the code was not entered within 15 minutes\nhint: start again: entra-ssh login --device-code\n"
        ),
        "{output}"
    );
}
