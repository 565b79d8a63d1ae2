use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::key_files::{CERTIFICATE_END, certificate_file_name, key_file_name};
use crate::ids::{Address, HostAlias, Principal, ProfileName, ResourceId, TenantId};

/// The port that `known_hosts` does not name.
const SSH_PORT: u16 = 22;

/// How bytes get to the machine.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// A TCP connection to its address.
    Direct,
    /// Through Azure Relay.
    Relay,
}

/// Where ssh finds key and certificate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// In our agent.
    Agent,
    /// In files, for clients without agents; `Match exec` keeps them fresh.
    File,
    /// With the user: a local account of the machine, and the user's own keys.
    Own,
    /// With the user: a key whose public half is in a file, and the private one wherever the user's ssh finds it, such as in
    /// hardware or in another agent. The certificate is in a file of ours.
    PublicKey,
    /// The private key in the user's own agent, its public half and the certificate in files.
    SystemAgent,
}

/// One managed host.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Block {
    /// What people type after `ssh`.
    pub host: HostAlias,
    /// The machine; none if only its address is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<ResourceId>,
    /// The login name.
    pub user: Principal,
    /// How bytes get there.
    pub route: Route,
    /// Where key and certificate are.
    pub identity: Identity,
    /// Whose sign-in it is.
    pub profile: ProfileName,
    /// The tenant of the machine's subscription, where certificates and credentials come from; looked up if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The port on the machine.
    pub port: u16,
    /// The address that was named for it; without one, that of a VM is looked up when somebody connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Whether a VM's private address is taken, even if it has a public one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prefer_private_ip: bool,
    /// The user's own private key, for [`Identity::Own`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_file: Option<PathBuf>,
    /// The user's own public key, for [`Identity::PublicKey`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_file: Option<PathBuf>,
}

/// What a block says about the machine that ssh runs on.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// This program.
    pub program: PathBuf,
    /// Our agent's socket.
    pub agent_socket: PathBuf,
    /// Where the host keys of managed machines are kept.
    pub known_hosts: PathBuf,
    /// Where keys and certificates lie that are kept in files.
    pub keys: PathBuf,
}

impl Block {
    /// Returns the options that make ssh reach the machine, as keyword and value of `ssh_config(5)`.
    ///
    /// The agent is asked after key exchange, when `ProxyCommand` has long woken it and it has renewed what was to be
    /// renewed. `IdentityFile none` and the absence of `IdentitiesOnly` go together: with it, a certificate that only the
    /// agent has would be left out.
    #[must_use]
    pub fn options(&self, surroundings: &Surroundings) -> Vec<(&'static str, String)> {
        let mut options = vec![
            ("HostKeyAlias", self.host_key_alias()),
            ("UserKnownHostsFile", quoted_path(&surroundings.known_hosts)),
            ("User", quoted(self.user.as_str())),
            ("Port", self.port.to_string()),
            ("ProxyCommand", self.proxy_command(surroundings)),
        ];
        if self.route == Route::Direct && cfg!(unix) {
            // ssh is given the connection itself, and the proxy is gone before the first byte.
            options.push(("ProxyUseFDPass", "yes".to_owned()));
        }
        match self.identity {
            Identity::Agent => options.extend([
                ("IdentityAgent", quoted_path(&surroundings.agent_socket)),
                ("IdentityFile", "none".to_owned()),
                ("IdentitiesOnly", "no".to_owned()),
                ("PreferredAuthentications", "publickey".to_owned()),
                // The agent that would be forwarded is this one, and its keys are nobody else's to use.
                ("ForwardAgent", "no".to_owned()),
            ]),
            Identity::File => {
                options.extend(self.files(&self.key_file(surroundings), surroundings));
                options.push(("IdentityAgent", "none".to_owned()));
            }
            // With the public half in a file, ssh takes the private one from the agent, and offers no other key of it.
            Identity::SystemAgent => {
                let mut public = self.key_file(surroundings).into_os_string();
                public.push(".pub");
                options.extend(self.files(Path::new(&public), surroundings));
            }
            // ssh finds the public half beside it, and the private one there or in an agent, which is left as the user has it.
            Identity::PublicKey => {
                let public = self.public_key_file.clone().unwrap_or_default();
                let private = match public.extension() {
                    Some(extension) if extension == "pub" => public.with_extension(""),
                    _ => public,
                };
                options.extend(self.files(&private, surroundings));
            }
            Identity::Own => {
                if let Some(file) = &self.private_key_file {
                    options.push(("IdentityFile", quoted_path(file)));
                    options.push(("IdentitiesOnly", "yes".to_owned()));
                }
            }
        }
        options
    }

    /// Returns the command that sees to key and certificate while ssh reads its config, if this host has need of one: ssh reads
    /// certificate files as soon as it has started `ProxyCommand`, which is too early for the latter to renew them.
    #[must_use]
    pub fn before(&self, surroundings: &Surroundings) -> Option<String> {
        let kept = match (self.identity, &self.public_key_file) {
            (Identity::Agent | Identity::Own, _) | (Identity::PublicKey, None) => return None,
            (Identity::File, _) => "--identity file".to_owned(),
            (Identity::PublicKey, Some(file)) => format!("--public-key-file {}", shell_path(file)),
            (Identity::SystemAgent, _) => "--identity system-agent".to_owned(),
        };
        Some(format!(
            "{} rotate --quiet --profile {}{} --agent-socket {} {kept}",
            shell_path(&surroundings.program),
            self.profile,
            self.tenant_option(),
            shell_path(&surroundings.agent_socket),
        ))
    }

    fn files(&self, identity: &Path, surroundings: &Surroundings) -> [(&'static str, String); 5] {
        let (profile, tenant) = (&self.profile, self.tenant.as_ref());
        let certificate = match &self.public_key_file {
            Some(file) => certificate_file_name(profile, tenant, file),
            None => format!("{}{CERTIFICATE_END}", key_file_name(profile, tenant)),
        };
        [
            ("IdentityFile", quoted_path(identity)),
            (
                "CertificateFile",
                quoted_path(&surroundings.keys.join(certificate)),
            ),
            ("IdentitiesOnly", "yes".to_owned()),
            ("PreferredAuthentications", "publickey".to_owned()),
            ("ForwardAgent", "no".to_owned()),
        ]
    }

    fn key_file(&self, surroundings: &Surroundings) -> PathBuf {
        let name = key_file_name(&self.profile, self.tenant.as_ref());
        surroundings.keys.join(name)
    }

    /// Returns the name that the machine's key is kept by: its own if it has one, or else what ssh itself would call a host at
    /// its address.
    fn host_key_alias(&self) -> String {
        match (&self.resource_id, &self.address) {
            (Some(id), _) => id.to_host_key_alias(),
            (None, Some(address)) if self.port == SSH_PORT => address.as_str().to_lowercase(),
            (None, Some(address)) => {
                format!("[{}]:{}", address.as_str().to_lowercase(), self.port)
            }
            (None, None) => self.host.to_string(),
        }
    }

    fn tenant_option(&self) -> String {
        match &self.tenant {
            Some(tenant) => format!(" --tenant {tenant}"),
            None => String::new(),
        }
    }

    fn proxy_command(&self, surroundings: &Surroundings) -> String {
        let identity = match self.identity {
            Identity::Agent => "",
            // Those in files have been seen to before ssh read them.
            Identity::File | Identity::Own | Identity::PublicKey | Identity::SystemAgent => {
                " --no-certificate"
            }
        };
        let machine = match &self.resource_id {
            Some(id) => format!(" {}", shell_word(&id.to_string())),
            None => String::new(),
        };
        let address = match (&self.address, self.prefer_private_ip) {
            (Some(address), _) => format!(" --ip {address}"),
            (None, true) => " --prefer-private-ip".to_owned(),
            (None, false) => String::new(),
        };
        format!(
            "{} proxy --profile {}{} --agent-socket {} --port %p{identity}{address}{machine}",
            shell_path(&surroundings.program),
            self.profile,
            self.tenant_option(),
            shell_path(&surroundings.agent_socket),
        )
    }
}

/// Quotes an argument of `ssh_config(5)`.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "@._-+/:".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// Quotes a path for `ssh_config(5)`, where `%` begins a token.
pub(crate) fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string().replace('%', "%%"))
}

/// Quotes a path for the command line of `ProxyCommand`, which is a shell's, after ssh has expanded its tokens.
fn shell_path(path: &Path) -> String {
    shell_word(&path.display().to_string().replace('%', "%%"))
}

/// Quotes a word of a shell's command line.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "@._-+/:%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if cfg!(windows) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
pub(super) mod tests {
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

    pub(in crate::ssh_config) fn surroundings() -> Surroundings {
        Surroundings {
            program: "/opt/entra ssh/100%/entra-ssh".into(),
            agent_socket: "/run/user/1000/entra-ssh/agent.sock".into(),
            known_hosts: "/home/alice smith/.ssh/entra-ssh/known_hosts".into(),
            keys: "/home/alice smith/.ssh/entra-ssh/keys".into(),
        }
    }

    fn option(block: &Block, keyword: &str) -> Option<String> {
        let mut options = block.options(&surroundings()).into_iter();
        options
            .find(|(name, _)| *name == keyword)
            .map(|(_, value)| value)
    }

    #[test]
    fn spaces_and_percent_signs_in_paths_come_through() {
        assert_eq!(
            option(&web01(), "ProxyCommand").unwrap(),
            "'/opt/entra ssh/100%%/entra-ssh' proxy --profile default --tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 \
             --agent-socket /run/user/1000/entra-ssh/agent.sock --port %p /subscriptions/\
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
        assert_eq!(option(&block, "ProxyUseFDPass"), None);
        block.route = Route::Direct;
        let passes = cfg!(unix).then(|| "yes".to_owned());
        assert_eq!(option(&block, "ProxyUseFDPass"), passes);
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
        assert!(alias.starts_with("web01.rg-web."), "{alias}");
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
            block.before(&surroundings()).unwrap(),
            "'/opt/entra ssh/100%%/entra-ssh' rotate --quiet --profile default \
             --tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 --agent-socket /run/user/1000/entra-ssh/agent.sock \
             --public-key-file '/home/alice smith/.ssh/id_rsa.pub'"
        );
        assert_eq!(
            option(&block, "IdentityFile").unwrap(),
            "\"/home/alice smith/.ssh/id_rsa\""
        );
        assert_eq!(option(&block, "IdentityAgent"), None);
        let certificate = option(&block, "CertificateFile").unwrap();
        assert!(
            certificate.starts_with("\"/home/alice smith/.ssh/entra-ssh/keys/default-72f988bf")
        );
        assert!(certificate.ends_with("-cert.pub\""), "{certificate}");
    }

    #[test]
    fn keys_in_files_are_seen_to_before_ssh_reads_them() {
        let mut block = web01();
        assert_eq!(block.before(&surroundings()), None);
        block.identity = Identity::File;
        assert_eq!(
            block.before(&surroundings()).unwrap(),
            "'/opt/entra ssh/100%%/entra-ssh' rotate --quiet --profile default \
             --tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 --agent-socket /run/user/1000/entra-ssh/agent.sock --identity file"
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
        assert_eq!(option(&block, "IdentityAgent"), None);
        assert_eq!(option(&block, "IdentitiesOnly").unwrap(), "yes");
    }
}
