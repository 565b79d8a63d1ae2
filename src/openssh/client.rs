use std::ffi::OsString;
use std::fmt;

/// The variable that names the ssh to call instead of the first on the `PATH`.
pub const SSH_VARIABLE: &str = "ENTRA_SSH_SSH";

/// Returns the arguments of an `ssh` that needs no config for this host: the options first, since of several values ssh
/// takes the first; then the host; then what the user gave, options and command alike, which ssh reads on behind the host.
#[must_use]
pub fn ssh_arguments(
    options: &[(&'static str, impl fmt::Display)],
    host: &str,
    rest: &[OsString],
) -> Vec<OsString> {
    let mut arguments = Vec::new();
    for (keyword, value) in options {
        arguments.push("-o".into());
        arguments.push(format!("{keyword}={value}").into());
    }
    arguments.push(host.into());
    arguments.extend_from_slice(rest);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_before_the_host_and_the_command_behind_it() {
        let options = [("User", "alice".to_owned())];
        let arguments = ssh_arguments(&options, "web01", &["exit".into(), "7".into()]);
        assert_eq!(arguments, ["-o", "User=alice", "web01", "exit", "7"]);
    }
}
