//! Noticing that something left a folder, or the folder itself went, without looking again and again.

use std::path::Path;

/// A watch over one folder.
#[derive(Debug)]
pub(crate) struct FolderWatch {
    /// None where the system offers no watches.
    #[cfg(target_os = "linux")]
    events: Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>,
}

#[cfg(target_os = "linux")]
impl FolderWatch {
    /// Watches a folder. If the system does not do that, [`FolderWatch::changed`] never returns.
    #[must_use]
    pub(crate) fn of(folder: &Path) -> Self {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let goes = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        let wanted = goes | WatchFlags::DELETE | WatchFlags::MOVED_FROM;
        let events = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .ok()
            .filter(|events| add_watch(events, folder, wanted).is_ok());
        // The folder goes with the one above, and does not hear of it.
        if let (Some(events), Some(above)) = (&events, folder.parent()) {
            let watched = add_watch(events, above, goes);
            tracing::debug!(?above, ?watched, "watches the folder above the sockets");
        }
        Self {
            events: events.and_then(registered),
        }
    }

    /// Returns after something has left the folder, or the folder itself has gone.
    pub(crate) async fn changed(&self) {
        let Some(events) = &self.events else {
            return std::future::pending().await;
        };
        let Ok(mut ready) = events.readable().await else {
            return std::future::pending().await;
        };
        // What exactly happened does not matter; all that is queued is taken out.
        let mut buffer = [0; 4096];
        while rustix::io::read(events.get_ref(), &mut buffer).is_ok_and(|length| length > 0) {}
        ready.clear_ready();
    }
}

#[cfg(target_os = "linux")]
#[expect(
    deprecated,
    reason = "its successor is unsafe, for types that do not keep their descriptor open; this one does"
)]
fn registered(
    events: std::os::fd::OwnedFd,
) -> Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    tokio::io::unix::AsyncFd::new(events).ok()
}

#[cfg(not(target_os = "linux"))]
impl FolderWatch {
    /// Watches a folder. This system does not do that: [`FolderWatch::changed`] never returns.
    #[must_use]
    pub const fn of(_folder: &Path) -> Self {
        Self {}
    }

    /// Returns after something has left the folder, or the folder itself has gone.
    pub async fn changed(&self) {
        std::future::pending().await
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_leaves_a_folder_and_the_end_of_the_folder_are_noticed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let (one, other) = (folder.join("one"), folder.join("other"));
        let watch = FolderWatch::of(&folder);
        for path in [&one, &other] {
            fs::File::create(path).unwrap();
        }
        fs::remove_file(&one).unwrap();
        timeout(LIMIT, watch.changed()).await.unwrap();
        fs::rename(&other, parent.path().join("moved")).unwrap();
        timeout(LIMIT, watch.changed()).await.unwrap();
        fs::rename(parent.path(), parent.path().with_extension("gone")).unwrap();
        timeout(LIMIT, watch.changed()).await.unwrap();
        fs::rename(parent.path().with_extension("gone"), parent.path()).unwrap();
        timeout(LIMIT, watch.changed()).await.unwrap();
        fs::remove_dir(&folder).unwrap();
        timeout(LIMIT, watch.changed()).await.unwrap();
    }
}
