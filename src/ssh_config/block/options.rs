use std::path::{Path, PathBuf};

use super::super::key_files::{CERTIFICATE_END, certificate_file_name, key_file_name};
use super::super::writer::{Command, UnwritableError, Value};
use super::{Block, Identity, LocalPaths};
use crate::ids::Route;

impl Block {
    /// Returns the options that make ssh reach the machine, as keyword and value of `ssh_config(5)`.
    ///
    /// ssh asks the agent after key exchange, when `ProxyCommand` has long woken it and it has renewed what is due. `IdentityFile none` and the absence of `IdentitiesOnly` go together: with it, a certificate that only the
    /// agent has would be left out.
    ///
    /// Of several values ssh takes the first, and so each option that this relies on is set, lest a `Host *` of the user's sets
    /// it. These are left to the user, since any value of theirs works:
    ///
    /// ```text
    /// AddressFamily, BindAddress, BindInterface, CheckHostIP,    ssh itself does not use them with a ProxyCommand
    /// ConnectionAttempts, ProxyJump
    /// Ciphers, KexAlgorithms, MACs, HostKeyAlgorithms,           policy: what the user accepts of a server
    /// RequiredRSASize, StrictHostKeyChecking, UpdateHostKeys,
    /// GlobalKnownHostsFile, RevokedHostKeys, HashKnownHosts
    /// BatchMode, Compression, ConnectTimeout, LogLevel,          taste
    /// ServerAlive…, TCPKeepAlive, RequestTTY, …Forward, Tag
    /// ControlMaster, ControlPath, ControlPersist                 host, port and user tell shared connections apart
    /// IgnoreUnknown                                              another value would break what the user wrote below
    /// ```
    ///
    /// # Errors
    /// [`UnwritableError`] if a path or name cannot be expressed in an ssh config.
    pub(crate) fn options(
        &self,
        paths: &LocalPaths,
    ) -> Result<Vec<(&'static str, Value)>, UnwritableError> {
        let mut options = vec![
            ("HostName", Value::word(&self.host_name())?),
            ("HostKeyAlias", Value::word(&self.host_key_alias())?),
            ("UserKnownHostsFile", Value::path(&paths.known_hosts)?),
            ("User", Value::login_name(self.user.as_str())?),
            ("Port", Value::port(self.port)?),
            ("ProxyCommand", self.proxy_command(paths)?),
        ];
        // With a direct route ssh gets the connection itself, and the proxy is gone before the first byte.
        let passes = self.route == Route::Direct && cfg!(unix);
        options.push((
            "ProxyUseFDPass",
            Value::literal(if passes { "yes" } else { "no" }),
        ));
        // The alias is a name of this config and not of DNS: a canonical one would be of no use, nor would host keys in DNS.
        options.push(("CanonicalizeHostname", Value::literal("no")));
        options.push(("VerifyHostKeyDNS", Value::literal("no")));
        options.extend(self.identity_options(paths)?);
        Ok(options)
    }

    /// Returns the command that renews key and certificate while ssh reads its config, as it stands behind `Match … exec`, if this
    /// host needs one: ssh reads certificate files as soon as it has started `ProxyCommand`, which is too early for
    /// the latter to renew them.
    ///
    /// # Errors
    /// [`UnwritableError`] if a path cannot be expressed there.
    pub(crate) fn before(&self, paths: &LocalPaths) -> Result<Option<Value>, UnwritableError> {
        let command = self
            .command(paths, &["rotate", "--quiet"])?
            .literals(&["--login-name"])
            .word(self.user.as_str())?;
        let command = match (self.identity, &self.public_key_file) {
            (Identity::Agent | Identity::Own, _) | (Identity::PublicKey, None) => return Ok(None),
            (Identity::File, _) => command.literals(&["--identity", "file"]),
            (Identity::PublicKey, Some(file)) => {
                command.literals(&["--public-key-file"]).path(file)?
            }
            (Identity::SystemAgent, _) => command.literals(&["--identity", "system-agent"]),
        };
        command.to_match_exec().map(Some)
    }

    /// Returns one of our own commands for the account of this host, and for the agent that ssh asks.
    fn command(
        &self,
        paths: &LocalPaths,
        words: &[&'static str],
    ) -> Result<Command, UnwritableError> {
        let mut command = Command::new(&paths.program)?
            .literals(words)
            .literals(&["--profile"])
            .word(self.profile.as_str())?;
        if let Some(tenant) = &self.tenant {
            command = command.literals(&["--tenant"]).word(tenant.as_str())?;
        }
        command
            .literals(&["--agent-socket"])
            .path(&paths.agent_socket)
    }

    fn proxy_command(&self, paths: &LocalPaths) -> Result<Value, UnwritableError> {
        let mut command = self.command(paths, &["proxy"])?;
        if self.identity == Identity::Agent {
            // As it stands in the config: `%r` is whatever was typed, and must never get to a shell.
            let name = self.user.as_str();
            command = command.literals(&["--login-name"]).word(name)?;
        }
        command = command.literals(&["--port"]).token("%p");
        // Key and certificate in files have been seen to before ssh read them.
        if self.identity != Identity::Agent {
            command = command.literals(&["--no-certificate"]);
        }
        if let Some(address) = &self.address {
            command = command.literals(&["--ip"]).word(address.as_str())?;
        } else if self.prefer_private_ip {
            command = command.literals(&["--prefer-private-ip"]);
        }
        if let Some(id) = &self.resource_id {
            command = command.word(&id.to_string())?;
        }
        Ok(command.to_proxy_command())
    }

    fn identity_options(
        &self,
        paths: &LocalPaths,
    ) -> Result<Vec<(&'static str, Value)>, UnwritableError> {
        let options = match self.identity {
            Identity::Agent => {
                let mut options = vec![
                    ("IdentityAgent", Value::path(&paths.agent_socket)?),
                    ("IdentityFile", Value::literal("none")),
                    ("IdentitiesOnly", Value::literal("no")),
                ];
                options.extend(only_certificates());
                options.extend(only_our_keys());
                options
            }
            Identity::File => {
                let mut options = self.files(&self.key_file(paths), paths)?;
                options.push(("IdentityAgent", Value::literal("none")));
                options.extend(only_our_keys());
                options
            }
            // With the public half in a file, ssh takes the private one from the agent, and offers no other key of it. The key
            // was added to the agent of `SSH_AUTH_SOCK`.
            Identity::SystemAgent => {
                let mut public = self.key_file(paths).into_os_string();
                public.push(".pub");
                let mut options = self.files(Path::new(&public), paths)?;
                options.push(("IdentityAgent", Value::literal("SSH_AUTH_SOCK")));
                options.extend(only_our_keys());
                options
            }
            // ssh finds the public half beside it, and the private one there or in an agent, which is left as the user has it.
            Identity::PublicKey => {
                let public = self.public_key_file.clone().unwrap_or_default();
                let private = match public.extension() {
                    Some(extension) if extension == "pub" => public.with_extension(""),
                    _ => public,
                };
                self.files(&private, paths)?
            }
            // A key that was named is tried first, and what the account takes besides it is left to the user.
            Identity::Own => match &self.private_key_file {
                Some(file) => vec![
                    ("IdentityFile", Value::path(file)?),
                    ("IdentitiesOnly", Value::literal("yes")),
                    ("PubkeyAuthentication", Value::literal("yes")),
                    (
                        "PreferredAuthentications",
                        Value::literal("publickey,keyboard-interactive,password"),
                    ),
                ],
                None => Vec::new(),
            },
        };
        Ok(options)
    }

    fn files(
        &self,
        identity: &Path,
        paths: &LocalPaths,
    ) -> Result<Vec<(&'static str, Value)>, UnwritableError> {
        let (profile, tenant) = (&self.profile, self.tenant.as_ref());
        let certificate = match &self.public_key_file {
            Some(file) => certificate_file_name(profile, tenant, file),
            None => format!("{}{CERTIFICATE_END}", key_file_name(profile, tenant)),
        };
        let certificate = paths.keys.join(certificate);
        let mut options = vec![
            ("IdentityFile", Value::path(identity)?),
            ("CertificateFile", Value::path(&certificate)?),
            ("IdentitiesOnly", Value::literal("yes")),
        ];
        options.extend(only_certificates());
        Ok(options)
    }

    fn key_file(&self, paths: &LocalPaths) -> PathBuf {
        let name = key_file_name(&self.profile, self.tenant.as_ref());
        paths.keys.join(name)
    }
}

/// Returns what makes ssh log in by a certificate, whatever the user has for all hosts. The certificates of Entra are RSA.
///
/// `PubkeyAcceptedKeyTypes` is what `PubkeyAcceptedAlgorithms` was called before OpenSSH 8.5, and all releases take it. The
/// algorithms are added to those that ssh has by itself, since it needs that of the plain key to sign.
fn only_certificates() -> [(&'static str, Value); 4] {
    [
        ("PubkeyAuthentication", Value::literal("yes")),
        (
            "PubkeyAcceptedKeyTypes",
            Value::literal("+rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com"),
        ),
        ("PreferredAuthentications", Value::literal("publickey")),
        // The forwarded agent may be ours, and no other machine may use its keys.
        ("ForwardAgent", Value::literal("no")),
    ]
}

/// Returns what keeps ssh from looking for keys elsewhere, such as on a smart card that asks for its PIN, and from putting keys
/// of the user into our agent, or our key into another one.
fn only_our_keys() -> [(&'static str, Value); 2] {
    [
        ("AddKeysToAgent", Value::literal("no")),
        ("PKCS11Provider", Value::literal("none")),
    ]
}
