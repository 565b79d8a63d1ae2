mod connect;
mod inventory;
#[cfg(test)]
mod screens;

use std::process::ExitCode;

use crate::failure::{Failure, FailureKind};

/// Returns the exit status of a failure.
pub(super) fn exit_status(failure: &Failure) -> ExitCode {
    ExitCode::from(match failure.kind {
        FailureKind::Failed => 1,
        FailureKind::Usage => 2,
        FailureKind::Dropped => 3,
        FailureKind::SignInNeeded => 4,
    })
}

/// Returns a failure as lines for the terminal.
pub(super) fn text(failure: &Failure) -> String {
    let mut lines = vec![format!("error: {}", failure.error)];
    lines.extend(
        failure
            .causes
            .iter()
            .map(|cause| format!("caused by: {cause}")),
    );
    if let Some(id) = &failure.correlation_id {
        let when = failure.refused_at.map(|time| format!(", {time}"));
        lines.push(format!("correlation id: {id}{}", when.unwrap_or_default()));
    }
    lines.extend(failure.hint.iter().map(|hint| format!("hint: {hint}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_problem_first_and_remedy_last() {
        let mut failure = Failure::new("cannot reach `x`").hint("check the network");
        failure.causes.push("connection refused".into());
        failure.correlation_id = Some("1".into());
        assert_eq!(
            text(&failure),
            "error: cannot reach `x`\ncaused by: connection refused\ncorrelation id: 1\nhint: check the network"
        );
    }
}
