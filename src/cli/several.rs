//! The failures of a command that does several things: it goes on after a failure, and names all that failed at the end.

use crate::failure::{Failure, FailureKind};

/// The failures of one command that does several things.
#[derive(Debug)]
pub(super) struct Several {
    failures: Vec<(String, Failure)>,
    total: usize,
}

impl Several {
    /// Returns an empty list for a command that does `total` things.
    pub(super) const fn new(total: usize) -> Self {
        Self {
            failures: Vec::new(),
            total,
        }
    }

    /// Records what failed, by the name that the user gave it.
    pub(super) fn failed(&mut self, name: &impl ToString, failure: Failure) {
        self.failures.push((name.to_string(), failure));
    }

    /// Returns the last failure if all that follows would fail with it too, since the user has to sign in first.
    pub(super) fn hopeless(&self) -> Option<Failure> {
        let (_, failure) = self.failures.last()?;
        (failure.kind == FailureKind::SignInNeeded).then(|| failure.clone())
    }

    /// Returns the only thing's failure, or one that names everything that failed and what was `not_done`: `2 of 5
    /// machines were not added`.
    pub(super) fn into_result(mut self, things: &str, not_done: &str) -> Result<(), Failure> {
        let Some((first_name, first)) = self.failures.first().cloned() else {
            return Ok(());
        };
        if self.total == 1 {
            return Err(self.failures.remove(0).1);
        }
        if let [_] = self.failures.as_slice() {
            return Err(first.within(format!("`{first_name}` was not {not_done}")));
        }
        let names: Vec<String> = self
            .failures
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let mut failure = Failure::new(format!(
            "{} of {} {things} were not {not_done}: {}",
            names.len(),
            self.total,
            names.join(", ")
        ));
        failure.causes = self.failures.iter().map(told).map(Into::into).collect();
        failure.causes.dedup();
        failure.hint = self
            .failures
            .iter()
            .find_map(|(_, failure)| failure.hint.clone());
        let kinds = || self.failures.iter().map(|(_, failure)| failure.kind);
        if kinds().all(|kind| kind == first.kind) {
            failure.kind = first.kind;
        }
        Err(failure)
    }
}

fn told((name, failure): &(String, Failure)) -> String {
    let causes = failure.causes.iter().map(|cause| format!(": {cause}"));
    let causes: String = causes.collect();
    format!("`{name}`: {failure}{causes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn several(total: usize, failed: &[(&str, FailureKind)]) -> Result<(), Failure> {
        let mut several = Several::new(total);
        for (name, kind) in failed {
            let failure = Failure::new("not found").kind(*kind).hint("look");
            several.failed(name, failure);
        }
        several.into_result("machines", "added")
    }

    #[test]
    fn what_failed_is_named_and_the_only_thing_fails_as_itself() {
        assert!(several(3, &[]).is_ok());
        let failed = FailureKind::Failed;
        assert_eq!(several(1, &[("a", failed)]).unwrap_err().error, "not found");
        let one = several(3, &[("a", failed)]).unwrap_err();
        assert_eq!(one.error, "`a` was not added");
        assert_eq!(one.causes, ["not found"]);
        assert_eq!(one.hint.as_deref(), Some("look"));
        let two = several(3, &[("a", failed), ("b", FailureKind::Usage)]).unwrap_err();
        assert_eq!(two.error, "2 of 3 machines were not added: `a`, `b`");
        assert_eq!(two.causes, ["`a`: not found", "`b`: not found"]);
        assert_eq!((two.kind, two.hint.as_deref()), (failed, Some("look")));
        let usage = FailureKind::Usage;
        let both = several(2, &[("a", usage), ("b", usage)]).unwrap_err();
        assert_eq!(both.kind, usage);
    }
}
