//! What the user's own ssh config says about a host that is managed: ssh takes the first value that it finds.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::context::Context;
use super::super::ui::Ui;
use crate::host::files;
use crate::ids::HostAlias;
use crate::ssh_config::{Section, matches_pattern, sections};

/// The longest file that is read here, in bytes.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// How deep files may include others; OpenSSH's own limit (`readconf.c`).
const MAX_DEPTH: usize = 16;
/// How many files are read.
const MAX_FILES: usize = 256;

/// A line of the user's that names a managed host.
#[derive(Debug)]
struct Rival {
    file: PathBuf,
    line: usize,
    /// Whether ssh reads it before our file.
    is_first: bool,
}

/// Warns of what the user's own config says about hosts that were added: it takes no effect where ours says something, or takes
/// it from ours.
pub(super) fn warn(ui: Ui, context: &Context, hosts: &[HostAlias]) {
    let mut search = Search {
        managed: context.host.paths.managed_ssh_config(),
        home: context.host.paths.home.clone(),
        hosts,
        has_met_ours: false,
        files: 0,
        found: Vec::new(),
    };
    search.read(&context.host.paths.ssh_config(), 0);
    for (
        host,
        Rival {
            file,
            line,
            is_first,
        },
    ) in search.found
    {
        let place = format!("{}, line {line}", file.display());
        ui.say(&if is_first {
            format!(
                "warning: `{host}` is named before the managed hosts as well, in {place}, which takes precedence: remove it \
                 there, or choose another alias (--alias)"
            )
        } else {
            format!(
                "warning: `{host}` is named in {place} as well, and the managed host takes precedence: remove it there, or \
                 choose another alias (--alias)"
            )
        });
    }
}

struct Search<'a> {
    managed: PathBuf,
    home: PathBuf,
    hosts: &'a [HostAlias],
    has_met_ours: bool,
    files: usize,
    found: Vec<(&'a HostAlias, Rival)>,
}

impl Search<'_> {
    /// Reads a file, and those that it includes. What cannot be read names no host.
    fn read(&mut self, file: &Path, depth: usize) {
        if is_same(file, &self.managed) {
            self.has_met_ours = true;
            return;
        }
        self.files += 1;
        let is_file = fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
        if depth > MAX_DEPTH || self.files > MAX_FILES || !is_file {
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
        let rivals = self.hosts.iter().filter(is_named).map(|host| {
            let file = file.to_owned();
            (
                host,
                Rival {
                    file,
                    line,
                    is_first,
                },
            )
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
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries
            .filter(|entry| {
                let entry = entry.file_name();
                entry
                    .to_str()
                    .is_some_and(|entry| matches_pattern(name, entry))
            })
            .map(|entry| entry.path())
            .collect();
        files.sort();
        files
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
