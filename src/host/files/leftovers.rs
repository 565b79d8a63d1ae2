use std::fs::{self, DirEntry, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What the names of files begin with that are still being written.
pub(super) const UNFINISHED: &str = ".entra-ssh-";
/// How much older than a file that was written just now another one must be, to be taken for left: from its making to its
/// lock there is a moment.
const AGE: Duration = Duration::from_secs(60);
/// More entries than this of a folder are not looked at.
const MAX_ENTRIES: usize = 1000;

/// Takes hold of a file that is being written, which ends with this process. Where the system has no locks, nothing is ever
/// taken for left.
pub(super) fn hold(file: &File) {
    let _held = file.try_lock();
}

/// Removes what processes have left in a folder that were killed while they wrote there. `written` is when a file was written
/// just now, by the same clock.
pub(super) fn remove_from(folder: &Path, written: SystemTime) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.take(MAX_ENTRIES).flatten() {
        if is_old(&entry, written).unwrap_or(false) {
            // What cannot be removed is there the next time.
            let _removed = remove_unless_held(&entry.path());
        }
    }
}

fn is_old(entry: &DirEntry, written: SystemTime) -> io::Result<bool> {
    let is_ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
    if !is_ours || !entry.file_type()?.is_file() {
        return Ok(false);
    }
    let age = written.duration_since(entry.metadata()?.modified()?);
    Ok(age.is_ok_and(|age| age >= AGE))
}

fn remove_unless_held(path: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a file that was written so many seconds before the `start`.
    fn file(folder: &Path, name: &str, start: SystemTime, seconds: u64) -> File {
        let file = File::create_new(folder.join(name)).unwrap();
        file.set_modified(start - Duration::from_secs(seconds))
            .unwrap();
        file
    }

    #[test]
    fn what_is_old_and_nobodys_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        drop(file(path, ".entra-ssh-left", start, 60));
        drop(file(path, ".entra-ssh-young", start, 59));
        drop(file(path, ".other", start, 3600));
        drop(file(path, "entra-ssh-config", start, 3600));
        fs::create_dir(path.join(".entra-ssh-folder")).unwrap();
        let written = file(path, ".entra-ssh-held", start, 3600);
        hold(&written);
        remove_from(path, start);
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let kept = [".entra-ssh-folder", ".entra-ssh-held", ".entra-ssh-young"];
        assert_eq!(names, [&kept[..], &[".other", "entra-ssh-config"]].concat());
        drop(written);
        remove_from(path, start);
        assert!(!path.join(".entra-ssh-held").exists());
    }
}
