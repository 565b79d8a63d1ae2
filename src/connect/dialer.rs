//! Dialing with a lead that the agent has cached, which may be outdated.
//!
//! ```text
//! lead ── dial ──> connection
//!          ├── refused in a way that a new lead may cure ──> another lead ── dial
//!          └── slow ──> another lead ── dial, beside the first
//! ```

use std::time::Duration;

use tokio::time::timeout;

use super::error::ConnectError;

/// A route that learns from the agent where to connect.
pub(super) trait Dialer {
    /// What to dial with: addresses, or relay credentials.
    type Lead;
    type Connection;

    /// How long dialing usually takes. If it takes longer, another lead is requested and dialed in parallel.
    const USUAL_TIME: Option<Duration>;

    /// Asks the agent for a lead.
    async fn lead(&self) -> Result<Self::Lead, ConnectError>;

    /// Asks the agent for another lead because this one failed or is slow. `None` if the agent has no other.
    async fn another_lead(&self, failed: &Self::Lead) -> Result<Option<Self::Lead>, ConnectError>;

    async fn dial(&self, lead: &Self::Lead) -> Result<Self::Connection, ConnectError>;

    /// Returns whether dialing may have failed because the lead is outdated.
    fn is_outdated(&self, lead: &Self::Lead, error: &ConnectError) -> bool;
}

/// Opens a connection with the lead that the agent has, or with another one if that turns out to be outdated or slow.
pub(super) async fn connect<D: Dialer>(dialer: &D) -> Result<D::Connection, ConnectError> {
    let lead = dialer.lead().await?;
    // Boxed, since what dialing holds is large.
    let mut first = Box::pin(dialer.dial(&lead));
    let mut second = Box::pin(dial_another(dialer, &lead));
    let in_time = match D::USUAL_TIME {
        Some(limit) => timeout(limit, &mut first).await.ok(),
        None => Some((&mut first).await),
    };
    let outcome = if let Some(outcome) = in_time {
        outcome
    } else {
        tokio::select! {
            outcome = &mut first => outcome,
            outcome = &mut second => return match outcome {
                Some(outcome) => outcome,
                None => first.await,
            },
        }
    };
    match outcome {
        Err(error) if dialer.is_outdated(&lead, &error) => second.await.unwrap_or(Err(error)),
        outcome => outcome,
    }
}

/// Dials with another lead. `None` if the agent has no other.
async fn dial_another<D: Dialer>(
    dialer: &D,
    lead: &D::Lead,
) -> Option<Result<D::Connection, ConnectError>> {
    match dialer.another_lead(lead).await {
        Ok(Some(other)) => Some(dialer.dial(&other).await),
        Ok(None) => None,
        Err(error) => Some(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use super::*;

    /// Leads are numbers: 1 is the first lead, 2 the other. The arguments say what each leads to.
    struct Script {
        first: Outcome,
        other: Option<u8>,
        asked: RefCell<Vec<&'static str>>,
    }

    #[derive(Clone, Copy)]
    enum Outcome {
        Connected,
        Outdated,
        Refused,
        Silent,
    }

    impl Script {
        const fn new(first: Outcome, other: Option<u8>) -> Self {
            Self {
                first,
                other,
                asked: RefCell::new(Vec::new()),
            }
        }

        /// Returns the lead that connected, or the error, and the requests to the agent.
        async fn run(self) -> (Result<u8, String>, Vec<&'static str>) {
            let outcome = connect(&self).await.map_err(|error| error.to_string());
            (outcome, self.asked.into_inner())
        }
    }

    impl Dialer for Script {
        type Lead = u8;
        type Connection = u8;

        const USUAL_TIME: Option<Duration> = Some(Duration::from_millis(1));

        async fn lead(&self) -> Result<u8, ConnectError> {
            self.asked.borrow_mut().push("lead");
            Ok(1)
        }

        async fn another_lead(&self, failed: &u8) -> Result<Option<u8>, ConnectError> {
            assert_eq!(*failed, 1);
            self.asked.borrow_mut().push("another");
            Ok(self.other)
        }

        async fn dial(&self, lead: &u8) -> Result<u8, ConnectError> {
            match (lead, self.first) {
                (1, Outcome::Outdated) => Err(ConnectError::NoMachine),
                (1, Outcome::Refused) => Err(ConnectError::NoAddress {
                    machine: "vm01".parse().unwrap(),
                }),
                (1, Outcome::Silent) => pending().await,
                _ => Ok(*lead),
            }
        }

        fn is_outdated(&self, _lead: &u8, error: &ConnectError) -> bool {
            matches!(error, ConnectError::NoMachine)
        }
    }

    #[tokio::test]
    async fn another_lead_is_asked_for_only_if_the_first_is_outdated_or_slow() {
        for (first, other, outcome, asked) in [
            (Outcome::Connected, Some(2), Ok(1), &["lead"][..]),
            (Outcome::Outdated, Some(2), Ok(2), &["lead", "another"]),
            (
                Outcome::Outdated,
                None,
                Err("no machine is named"),
                &["lead", "another"],
            ),
            (
                Outcome::Refused,
                Some(2),
                Err("`vm01` has no address"),
                &["lead"],
            ),
            (Outcome::Silent, Some(2), Ok(2), &["lead", "another"]),
        ] {
            let (told, asks) = Script::new(first, other).run().await;
            assert_eq!(told, outcome.map_err(str::to_owned));
            assert_eq!(asks, asked);
        }
    }
}
