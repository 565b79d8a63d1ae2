//! What the user's own ssh config says about a managed host: ssh takes the first value that it finds.

use std::path::{Path, PathBuf};

use crate::host::files;
use crate::host::paths::Paths;
use crate::ids::HostAlias;
use crate::ssh_config::{Section, matches_pattern, sections};

/// The longest file that is read here, in bytes.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// How deep files may include others; OpenSSH's own limit (`readconf.c`).
const MAX_DEPTH: usize = 16;
/// How many files are read.
const MAX_FILES: usize = 256;

/// A line of the user's ssh config that names a managed host.
#[derive(Debug)]
pub(crate) struct Rival {
    pub(crate) host: HostAlias,
    pub(crate) file: PathBuf,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Whether ssh reads it before the managed config, so that it takes precedence.
    pub(crate) is_first: bool,
}

/// Finds the lines that name one of these hosts, in the order in which ssh reads them.
pub(super) fn find(paths: &Paths, hosts: &[HostAlias]) -> Vec<Rival> {
    let mut search = Search {
        managed: paths.managed_ssh_config(),
        home: paths.home.clone(),
        hosts,
        has_met_ours: false,
        files: 0,
        found: Vec::new(),
    };
    search.read(&paths.ssh_config(), 0);
    search.found
}

struct Search<'a> {
    managed: PathBuf,
    home: PathBuf,
    hosts: &'a [HostAlias],
    has_met_ours: bool,
    files: usize,
    found: Vec<Rival>,
}

impl Search<'_> {
    /// Reads a file, and those that it includes. What cannot be read names no host.
    fn read(&mut self, file: &Path, depth: usize) {
        if files::is_same(file, &self.managed) {
            self.has_met_ours = true;
            return;
        }
        self.files += 1;
        if depth > MAX_DEPTH || self.files > MAX_FILES || !file.is_file() {
            return;
        }
        let Ok(text) = files::read_capped(file, MAX_FILE_BYTES) else {
            return;
        };
        for (line, section) in sections(&text) {
            match section {
                Section::Hosts(names) => self.compare(&names, file, line),
                Section::Includes(patterns) => {
                    for pattern in patterns {
                        for included in self.expand(&pattern) {
                            self.read(&included, depth + 1);
                        }
                    }
                }
            }
        }
    }

    fn compare(&mut self, names: &[String], file: &Path, line: usize) {
        let is_first = !self.has_met_ours;
        let is_named = |host: &&HostAlias| names.iter().any(|name| name == host.as_str());
        let rivals = self.hosts.iter().filter(is_named).map(|host| Rival {
            host: host.clone(),
            file: file.to_owned(),
            line,
            is_first,
        });
        self.found.extend(rivals);
    }

    /// Returns the files that an `Include` means: relative to `~/.ssh`, with patterns in the name of the file only.
    fn expand(&self, pattern: &str) -> Vec<PathBuf> {
        let path = match pattern.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => self.home.join(".ssh").join(pattern),
        };
        let name = path.file_name().and_then(|name| name.to_str());
        let (Some(folder), Some(name)) = (path.parent(), name) else {
            return Vec::new();
        };
        if !name.contains(['*', '?']) {
            return vec![path];
        }
        let mut files = files::entries(folder);
        files.retain(|file| {
            let entry = file.file_name().and_then(|entry| entry.to_str());
            entry.is_some_and(|entry| matches_pattern(name, entry))
        });
        files.sort();
        files
    }
}
