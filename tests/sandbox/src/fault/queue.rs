//! The faults that are still to come.

use std::sync::{Mutex, PoisonError};

use super::{Fault, Injection};

/// The faults that are still to come, oldest first.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Injection>>);

impl Faults {
    pub(crate) fn add(&self, injection: Injection) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(injection);
    }

    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Returns the oldest fault that `applies`; it stays.
    pub(crate) fn standing(&self, applies: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let injections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut faults = injections.iter().map(|injection| &injection.fault);
        faults.find(|fault| applies(fault)).cloned()
    }

    /// Returns the oldest fault that `applies`, and counts it as happened.
    pub(crate) fn take(&self, applies: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut injections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = injections
            .iter()
            .position(|injection| applies(&injection.fault))?;
        let injection = &mut injections[index];
        if injection.times != 1 {
            injection.times = injection.times.saturating_sub(1);
            return Some(injection.fault.clone());
        }
        Some(injections.remove(index).fault)
    }
}
