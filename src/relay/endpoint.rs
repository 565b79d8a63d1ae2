use std::fmt;

use super::RelayError;
use crate::secret::Secret;

/// Where to connect, and what opens the way.
#[derive(Clone, Debug)]
pub struct Endpoint {
    host: String,
    port: u16,
    hybrid_connection: String,
    access_key: Secret,
    service_configuration_token: Option<Secret>,
    target_port: u16,
}

impl Endpoint {
    /// Puts an endpoint together; `authority` is the relay's host, with the port if it is not 443, and `target_port` the
    /// port on the machine.
    ///
    /// # Errors
    /// [`RelayError::BadCredentials`] if a part could not stand in an HTTP request.
    pub fn new(
        authority: &str,
        hybrid_connection: &str,
        access_key: Secret,
        service_configuration_token: Option<Secret>,
        target_port: u16,
    ) -> Result<Self, RelayError> {
        let bad = |part| RelayError::BadCredentials { part };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| bad("host"))?),
            None => (authority, 443),
        };
        if host.is_empty()
            || !host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        {
            return Err(bad("host"));
        }
        let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
        if hybrid_connection.is_empty() || !hybrid_connection.bytes().all(is_path) {
            return Err(bad("hybrid connection"));
        }
        let secrets = [Some(&access_key), service_configuration_token.as_ref()];
        for secret in secrets.into_iter().flatten() {
            // Only these may stand in a header's value (RFC 9110, section 5.5).
            if !secret
                .expose()
                .bytes()
                .all(|byte| (0x20..0x7f).contains(&byte))
            {
                return Err(bad("token"));
            }
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            hybrid_connection: hybrid_connection.to_owned(),
            access_key,
            service_configuration_token,
            target_port,
        })
    }

    /// Returns the relay's host name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the relay's port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the port on the machine.
    #[must_use]
    pub const fn target_port(&self) -> u16 {
        self.target_port
    }

    pub(super) fn path(&self) -> &str {
        &self.hybrid_connection
    }

    pub(super) const fn access_key(&self) -> &Secret {
        &self.access_key
    }

    pub(super) const fn service_configuration_token(&self) -> Option<&Secret> {
        self.service_configuration_token.as_ref()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            443 => f.write_str(&self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(authority: &str, path: &str, key: &str) -> Result<Endpoint, RelayError> {
        Endpoint::new(authority, path, Secret::new(key.to_owned()), None, 22)
    }

    #[test]
    fn the_port_is_443_unless_it_is_named() {
        let key = "SharedAccessSignature sr=x&sig=y";
        assert_eq!(
            endpoint("a.servicebus.windows.net", "a/b/v2", key)
                .unwrap()
                .port(),
            443
        );
        assert_eq!(
            endpoint("127.0.0.1:8443", "a/b/v2", key)
                .unwrap()
                .to_string(),
            "127.0.0.1:8443"
        );
    }

    #[test]
    fn reject_parts_that_would_change_the_request() {
        assert!(endpoint("a b", "x", "k").is_err());
        assert!(endpoint("", "x", "k").is_err());
        assert!(endpoint("a:99999", "x", "k").is_err());
        assert!(endpoint("a", "x?sb-hc-action=listen", "k").is_err());
        assert!(endpoint("a", "x HTTP/1.1\r\n", "k").is_err());
        assert!(endpoint("a", "x", "k\r\nX-Other: y").is_err());
    }
}
