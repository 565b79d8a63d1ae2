use super::super::UnwritableError;
use super::*;

pub(in crate::ssh_config) fn web01() -> Block {
    Block {
        host: "web01".parse().unwrap(),
        resource_id: Some(
            "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-web/providers/\
            Microsoft.HybridCompute/machines/web01"
                .parse()
                .unwrap(),
        ),
        user: "alice@contoso.com".parse().unwrap(),
        route: Route::Relay,
        identity: Identity::Agent,
        profile: "default".parse().unwrap(),
        tenant: Some("72f988bf-86f1-41af-91ab-2d7cd011db47".parse().unwrap()),
        port: 22,
        address: None,
        prefer_private_ip: false,
        private_key_file: None,
        public_key_file: None,
    }
}

pub(in crate::ssh_config) fn local_paths() -> LocalPaths {
    LocalPaths {
        program: "/opt/entra ssh/100%/entra-ssh".into(),
        agent_socket: "/run/user/1000/entra-ssh/agent.sock".into(),
        known_hosts: "/home/alice smith/.ssh/entra-ssh/known_hosts".into(),
        keys: "/home/alice smith/.ssh/entra-ssh/keys".into(),
    }
}

fn before(block: &Block) -> Option<String> {
    let before = block.before(&local_paths()).unwrap();
    before.map(|command| command.to_string())
}

fn option(block: &Block, keyword: &str) -> Option<String> {
    let mut options = block.options(&local_paths()).unwrap().into_iter();
    options
        .find(|(name, _)| *name == keyword)
        .map(|(_, value)| value.to_string())
}

#[test]
fn spaces_and_percent_signs_in_paths_come_through() {
    assert_eq!(
        option(&web01(), "ProxyCommand").unwrap(),
        "/opt/entra\\ ssh/100%%/entra-ssh proxy --profile default --tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 \
         --agent-socket /run/user/1000/entra-ssh/agent.sock --login-name alice@contoso.com --port %p /subscriptions/\
         0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-web/providers/Microsoft.HybridCompute/machines/web01"
    );
    assert_eq!(
        option(&web01(), "UserKnownHostsFile").unwrap(),
        "\"/home/alice smith/.ssh/entra-ssh/known_hosts\""
    );
}

#[test]
fn a_guests_login_name_is_no_comment() {
    let mut block = web01();
    block.user = "bob_fabrikam.com#ext#@contoso.com".parse().unwrap();
    assert_eq!(
        option(&block, "User").unwrap(),
        "\"bob_fabrikam.com#ext#@contoso.com\""
    );
}

#[test]
fn with_an_own_key_the_agent_is_left_alone() {
    let mut block = web01();
    block.identity = Identity::Own;
    block.private_key_file = Some("/home/alice/.ssh/id_rsa".into());
    assert_eq!(option(&block, "IdentityAgent"), None);
    assert_eq!(
        option(&block, "IdentityFile").unwrap(),
        "/home/alice/.ssh/id_rsa"
    );
    assert!(
        option(&block, "ProxyCommand")
            .unwrap()
            .contains("--no-certificate")
    );
}

#[test]
fn a_direct_connection_is_passed_to_ssh_and_a_relayed_one_is_not() {
    let mut block = web01();
    assert_eq!(option(&block, "ProxyUseFDPass").unwrap(), "no");
    block.route = Route::Direct;
    let passes = if cfg!(unix) { "yes" } else { "no" };
    assert_eq!(option(&block, "ProxyUseFDPass").unwrap(), passes);
    block.prefer_private_ip = true;
    let command = option(&block, "ProxyCommand").unwrap();
    assert!(
        command.contains(" --port %p --prefer-private-ip /subscriptions/"),
        "{command}"
    );
    block.address = Some("fd00::4".parse().unwrap());
    let command = option(&block, "ProxyCommand").unwrap();
    assert!(
        command.contains(" --port %p --ip fd00::4 /subscriptions/"),
        "{command}"
    );
    let alias = option(&block, "HostKeyAlias").unwrap();
    assert_eq!(alias, "web01-mff3lfrowlzfl");
    block.resource_id = None;
    let command = option(&block, "ProxyCommand").unwrap();
    assert!(command.ends_with(" --port %p --ip fd00::4"), "{command}");
    for (port, alias) in [(22, "fd00::4"), (2222, "[fd00::4]:2222")] {
        block.port = port;
        assert_eq!(option(&block, "HostKeyAlias").unwrap(), alias);
    }
}

#[test]
fn a_key_that_is_elsewhere_is_named_and_its_certificate_is_seen_to() {
    let mut block = web01();
    block.identity = Identity::PublicKey;
    block.public_key_file = Some("/home/alice smith/.ssh/id_rsa.pub".into());
    assert_eq!(
        before(&block).unwrap(),
        "\"'/opt/entra ssh/100%%/entra-ssh' rotate --quiet --profile default \
         --tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 --agent-socket /run/user/1000/entra-ssh/agent.sock \
         --login-name alice@contoso.com --public-key-file '/home/alice smith/.ssh/id_rsa.pub'\""
    );
    assert_eq!(
        option(&block, "IdentityFile").unwrap(),
        "\"/home/alice smith/.ssh/id_rsa\""
    );
    assert_eq!(option(&block, "IdentityAgent"), None);
    let certificate = option(&block, "CertificateFile").unwrap();
    assert!(certificate.starts_with("\"/home/alice smith/.ssh/entra-ssh/keys/default-72f988bf"));
    assert!(certificate.ends_with("-cert.pub\""), "{certificate}");
}

#[test]
fn keys_in_files_are_seen_to_before_ssh_reads_them() {
    let mut block = web01();
    assert_eq!(before(&block), None);
    block.identity = Identity::File;
    assert_eq!(
        before(&block).unwrap(),
        "\"'/opt/entra ssh/100%%/entra-ssh' rotate --quiet --profile default \
         --tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 --agent-socket /run/user/1000/entra-ssh/agent.sock \
         --login-name alice@contoso.com --identity file\""
    );
    let file =
        "\"/home/alice smith/.ssh/entra-ssh/keys/default-72f988bf-86f1-41af-91ab-2d7cd011db47";
    assert_eq!(option(&block, "IdentityFile").unwrap(), format!("{file}\""));
    assert_eq!(
        option(&block, "CertificateFile").unwrap(),
        format!("{file}-cert.pub\"")
    );
    assert_eq!(option(&block, "IdentityAgent").unwrap(), "none");
    block.identity = Identity::SystemAgent;
    assert_eq!(
        option(&block, "IdentityFile").unwrap(),
        format!("{file}.pub\"")
    );
    assert_eq!(option(&block, "IdentityAgent").unwrap(), "SSH_AUTH_SOCK");
    assert_eq!(option(&block, "IdentitiesOnly").unwrap(), "yes");
}

#[test]
fn reject_a_port_that_ssh_refuses_with_the_whole_config() {
    let mut block = web01();
    block.port = 0;
    assert_eq!(block.options(&local_paths()), Err(UnwritableError::NoPort));
}
