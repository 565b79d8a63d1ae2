//! Controls the memory of this process, where the system allows it.

/// Locks the current and future memory of this process, to keep it out of swap. Returns whether that succeeded.
///
/// It locks memory only if all of it may be locked: as root, or without `RLIMIT_MEMLOCK`. Under a limit, which most ordinary
/// users have, whole stacks and code would count against it, and later allocations would fail; use encrypted swap or a unit
/// with `MemorySwapMax=0` instead. Locking single pages requires raw pointers, which this program does not use.
#[must_use]
pub(crate) fn keep_out_of_swap() -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{MlockAllFlags, mlockall};
        use rustix::process::{Resource, geteuid, getrlimit};
        let has_no_limit = getrlimit(Resource::Memlock).current.is_none();
        // ONFAULT locks pages only when they are first touched, so that the process does not grow.
        let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
        (has_no_limit || geteuid().is_root()) && mlockall(flags).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    false
}
