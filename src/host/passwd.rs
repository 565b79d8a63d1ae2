//! The users of this machine, as far as `/etc/passwd` knows them.

use std::path::{Path, PathBuf};

use super::files;

/// The longest file of users that is read, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) id: u32,
    pub(super) home: PathBuf,
}

/// Returns the user with this ID; `None` if the file does not name one, as in containers or with users from a directory.
pub(super) fn user(id: u32) -> Option<User> {
    let bytes = files::read_capped(Path::new("/etc/passwd"), MAX_BYTES).ok()?;
    find(&String::from_utf8_lossy(&bytes), id)
}

/// Reads lines of `passwd(5)`: name, password, user ID, group ID, comment, home, shell.
fn find(text: &str, id: u32) -> Option<User> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
        let home = fields.nth(2)?;
        (uid.parse() == Ok(id)).then(|| User {
            name: name.to_owned(),
            id,
            home: home.into(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_id_and_damaged_lines_are_passed_over() {
        let text = "root:x:0:0:root:/root:/bin/sh\n\nbad:x:1000\nalice:x:1000:1000:Alice,,,:/home/alice:/bin/sh\n";
        let alice = find(text, 1000).unwrap();
        assert_eq!(
            (alice.name.as_str(), alice.home.as_path()),
            ("alice", Path::new("/home/alice"))
        );
        assert_eq!(find(text, 1), None);
    }
}
