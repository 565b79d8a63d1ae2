//! The memory of this process, as far as the system lets us say something about it.

/// Keeps the memory of this process out of swap, now and later; tells whether that was possible.
///
/// It is done where all of it may be locked: as root, or without `RLIMIT_MEMLOCK`. Under a limit, which ordinary users mostly
/// have, the system would count whole stacks and code against it and refuse memory later on, so that nothing is locked;
/// there, encrypted swap or a unit with `MemorySwapMax=0` is what helps. To lock single pages takes pointers, which this
/// program does without.
#[must_use]
pub(crate) fn keep_out_of_swap() -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{MlockAllFlags, mlockall};
        use rustix::process::{Resource, geteuid, getrlimit};
        let has_no_limit = getrlimit(Resource::Memlock).current.is_none();
        // What is not there yet is locked when it comes, which keeps the process as small as it is.
        let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
        (has_no_limit || geteuid().is_root()) && mlockall(flags).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    false
}
