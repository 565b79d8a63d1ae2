//! Resolves host names for the HTTP library, with an error of its own type.

use std::error::Error;
use std::io;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver.
#[derive(Debug)]
pub(super) struct SystemResolver;

/// A host name could not be resolved. The HTTP library's own resolver says so only in a text.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Unresolved(io::Error);

impl SystemResolver {
    pub(super) fn shared() -> Arc<Self> {
        Arc::new(Self)
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await;
            let addresses: Addrs = Box::new(
                addresses
                    .map_err(Unresolved)?
                    .collect::<Vec<_>>()
                    .into_iter(),
            );
            Ok(addresses)
        })
    }
}

/// Returns whether an error comes from a host name that could not be resolved.
#[must_use]
pub(crate) fn is_unresolved_name(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(<dyn Error>::is::<Unresolved>)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tls;

    #[tokio::test]
    async fn a_name_that_cannot_be_resolved_is_told_from_an_address_that_does_not_answer() {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::trusting_nobody().unwrap())
            .dns_resolver(SystemResolver::shared())
            .no_proxy()
            .build()
            .unwrap();
        let error = client.get("http://name.invalid/").send().await.unwrap_err();
        assert!(is_unresolved_name(&error), "{error:?}");
        // Port 0 takes no connections.
        let error = client.get("http://127.0.0.1:0/").send().await.unwrap_err();
        assert!(!is_unresolved_name(&error), "{error:?}");
    }
}
