//! Logins as another account than the certificate is for.

use crate::world::agent_socket::{SIGN_REQUEST, SIGN_RESPONSE, ask, connect, identities, string};
use crate::world::{ADA, GRACE, World, options_with_sshd};

const GRACE_LOGIN: &str = "grace.hopper@contoso.example";
const HINT: &str =
    "hint: let managed hosts log in as the signed-in account: entra-ssh config refresh\n";

#[test]
fn a_host_of_another_account_is_denied_with_the_reason_until_it_is_refreshed() {
    for identity in ["agent", "file"] {
        let world = World::signed_in(options_with_sshd(&["web01"]));
        world.add(&["web01", "--identity", identity]);
        let connect = || {
            world
                .ssh_command(&["-o", "BatchMode=yes", "web01", "true"])
                .run()
        };
        let output = connect();
        output.succeeded();
        assert!(!output.stderr.contains("warning: ssh"), "{output}");
        world.login(GRACE);
        let denied = connect();
        denied.ended_with(255);
        let reason =
            format!("ssh logs in as `{ADA}`, and the certificate is for `{GRACE_LOGIN}`\n{HINT}");
        let told = format!("warning: {reason}");
        assert!(denied.stderr.contains(&told), "{denied}");
        let why = world.entra_ssh(&["why"]);
        assert!(why.stdout.ends_with(&format!("error: {reason}")), "{why}");
        world.entra_ssh(&["config", "refresh"]).succeeded();
        let output = connect();
        output.succeeded();
        assert!(!output.stderr.contains("warning: ssh"), "{output}");
    }
}

#[test]
fn the_agent_keeps_for_why_whom_ssh_logs_in_as() {
    let world = World::with_host("web01");
    let blob = identities(&world).remove(0);
    let mut stream = connect(&world);
    let mut sign = |user: &str| {
        let login = [
            &string(b"session")[..],
            &[50],
            &string(user.as_bytes()),
            &string(b"ssh-connection"),
            &string(b"publickey"),
            &[1],
            &string(b"rsa-sha2-512-cert-v01@openssh.com"),
            &string(&blob),
        ]
        .concat();
        let flags = 4_u32.to_be_bytes();
        let request = [&[SIGN_REQUEST][..], &string(&blob), &string(&login), &flags].concat();
        assert_eq!(ask(&mut stream, &request)[0], SIGN_RESPONSE);
    };
    sign(&ADA.to_uppercase());
    assert_eq!(world.entra_ssh(&["why"]).stdout, "nothing has failed\n");
    sign("root");
    let why = world.entra_ssh(&["why"]);
    let told = format!("error: ssh logs in as `root`, and the certificate is for `{ADA}`\n{HINT}");
    assert!(why.stdout.ends_with(&told), "{why}");
}
