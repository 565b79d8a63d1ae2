//! What a profile keeps: the file keyring, and the certificate.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Clock, World, files_below};

impl World {
    /// Returns the folder of the file keyring.
    pub(crate) fn keyring_folder(&self) -> PathBuf {
        self.home()
            .join(".local")
            .join("share")
            .join("entra-ssh")
            .join("keyring")
    }

    /// Replaces the certificate by one that was issued two hours ago and has expired since. No agent runs afterwards.
    pub(crate) fn let_the_certificate_expire(&self) {
        let clock = Clock::new(self);
        clock.set_with_entra(self, -7200);
        let agent = clock.start_agent(self);
        let rotate = self.command(&["rotate", "--force"]);
        clock.drive(rotate).run().succeeded();
        self.stop_agent();
        agent.finish().succeeded();
        self.sandbox.clear_faults();
        self.entra_ssh(&["cert", "show"]).ended_with(1);
    }

    /// Returns the entries of the file keyring by the first two bytes: version, and what it is.
    pub(crate) fn keyring_files(&self) -> Vec<(u8, PathBuf)> {
        let Ok(entries) = fs::read_dir(self.keyring_folder()) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| !is_unfinished(path))
            .map(|path| (fs::read(&path).unwrap()[1], path))
            .collect()
    }

    /// Returns what was being written to the file keyring when somebody was killed.
    pub(crate) fn unfinished_keyring_files(&self) -> Vec<PathBuf> {
        let mut files = files_below(&self.keyring_folder());
        files.retain(|path| is_unfinished(path));
        files
    }

    /// Stops the agent and removes all keys and certificates from the file keyring: who needs one next has it issued.
    pub(crate) fn forget_certificates(&self) {
        self.stop_agent();
        self.remove_stored_certificates();
    }

    /// Removes all keys and certificates from the file keyring.
    pub(crate) fn remove_stored_certificates(&self) {
        for (kind, path) in self.keyring_files() {
            if kind == 3 {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

pub(crate) fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.starts_with(".entra-ssh-")
}
