//! Which hosts are reached without the proxy: `NO_PROXY`, in the forms that curl and Go accept.

use std::net::IpAddr;

/// Returns whether `NO_PROXY` lists a host.
///
/// ```text
/// *                          every host
/// corp.example               the host, and every host below it; the same as .corp.example
/// *.corp.example             every host below it
/// 10.0.0.4  fd00::1          an address
/// 10.0.0.0/8  fd00::/8       the addresses of a network (RFC 4632)
/// corp.example:443           one of these at this port only; with an IPv6 address [fd00::1]:443
/// ```
///
/// Entries are separated by commas or spaces, and compared without regard to case or a dot at the end.
pub(super) fn lists(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = bare(host);
    let is_separator = |c: char| c == ',' || c.is_whitespace();
    no_proxy
        .split(is_separator)
        .filter(|entry| !entry.is_empty())
        .any(|entry| is_meant(entry, host, port))
}

fn is_meant(entry: &str, host: &str, port: u16) -> bool {
    let (pattern, only_port) = split_port(entry);
    if only_port.is_some_and(|only| only != port) {
        return false;
    }
    let pattern = bare(pattern);
    if pattern == "*" {
        return true;
    }
    match (host.parse::<IpAddr>(), Network::parse(pattern)) {
        (Ok(address), network) => network.is_some_and(|network| network.contains(address)),
        (Err(_), Some(_)) => false,
        (Err(_), None) => is_name_meant(pattern, host),
    }
}

fn is_name_meant(pattern: &str, host: &str) -> bool {
    let (domain, is_itself_meant) = match pattern.strip_prefix("*.") {
        Some(domain) => (domain, false),
        None => (pattern.trim_start_matches('.'), true),
    };
    if domain.is_empty() {
        return false;
    }
    let (domain, host) = (domain.to_ascii_lowercase(), host.to_ascii_lowercase());
    match host.strip_suffix(&domain) {
        Some("") => is_itself_meant,
        Some(below) => below.ends_with('.'),
        None => false,
    }
}

/// Splits `host:port` and `[address]:port`; an IPv6 address without brackets has no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    let Some((host, port)) = entry.rsplit_once(':') else {
        return (entry, None);
    };
    let has_brackets = host.starts_with('[') && host.ends_with(']');
    match port.parse() {
        Ok(port) if has_brackets || !host.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}

/// Strips brackets and a trailing dot.
fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']']).trim_end_matches('.')
}

/// The addresses that begin with the same bits.
struct Network {
    first: IpAddr,
    prefix_bits: u32,
}

impl Network {
    /// Reads a network, or a single address.
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse().ok()?)),
            None => (text, None),
        };
        let first: IpAddr = bare(address).parse().ok()?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let prefix_bits = length.unwrap_or(width);
        (prefix_bits <= width).then_some(Self { first, prefix_bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differing = first.to_bits() ^ address.to_bits();
                differing.checked_shr(32 - self.prefix_bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differing = first.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - self.prefix_bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_curl_and_go_are_followed() {
        for (no_proxy, host) in [
            ("*", "a.example"),
            ("x, *", "10.0.0.4"),
            ("corp.example", "corp.example"),
            ("corp.example", "a.b.corp.example"),
            (".corp.example", "a.corp.example"),
            (".corp.example", "corp.example"),
            ("*.corp.example", "a.b.corp.example"),
            ("CORP.example.", "a.corp.EXAMPLE"),
            ("corp.example", "corp.example."),
            ("x,corp.example", "corp.example"),
            ("x, corp.example ", "corp.example"),
            ("x corp.example", "corp.example"),
            ("corp.example:443", "corp.example"),
            ("*.corp.example:443", "a.corp.example"),
            ("*:443", "corp.example"),
            ("10.0.0.4", "10.0.0.4"),
            ("10.0.0.4:443", "10.0.0.4"),
            ("10.0.0.0/8", "10.255.0.1"),
            ("0.0.0.0/0", "8.8.8.8"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("172.16.0.0/12", "172.31.255.255"),
            ("fd00::1", "[fd00::1]"),
            ("fd00:0:0::1", "fd00::1"),
            ("[fd00::1]", "fd00::1"),
            ("[fd00::1]:443", "[fd00::1]"),
            ("fd00::/8", "fdff::1"),
            ("::/0", "fd00::1"),
            ("10.0.0.4", "::ffff:10.0.0.4"),
        ] {
            assert!(lists(no_proxy, host, 443), "{no_proxy} {host}");
        }
    }

    #[test]
    fn everything_else_goes_through_the_proxy() {
        for (no_proxy, host) in [
            ("", "a.example"),
            (",, ", "a.example"),
            (".", "a.example"),
            ("corp.example", "notcorp.example"),
            ("corp.example", "corp.example.org"),
            ("*.corp.example", "corp.example"),
            ("corp.example:8443", "corp.example"),
            ("*:8443", "corp.example"),
            ("10.0.0.0/8", "11.0.0.1"),
            ("172.16.0.0/12", "172.32.0.0"),
            ("10.0.0.0/33", "10.0.0.0"),
            ("10.0.0.4/x", "10.0.0.4"),
            ("10.0.0.4:8443", "10.0.0.4"),
            ("0.0.4", "10.0.0.4"),
            ("[fd00::1]:8443", "[fd00::1]"),
            ("fd00::/8", "fe80::1"),
            ("::/0", "10.0.0.4"),
            ("10.0.0.4", "10.0.0.4.example"),
        ] {
            assert!(!lists(no_proxy, host, 443), "{no_proxy} {host}");
        }
    }
}
