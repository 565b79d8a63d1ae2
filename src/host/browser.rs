//! The user's browser.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;

use super::env::Env;
use super::process;

/// Programs that open an address in the desktop's browser, in order of preference.
#[cfg(not(any(target_os = "macos", windows)))]
const OPENERS: [&str; 4] = ["xdg-open", "wslview", "x-www-browser", "www-browser"];
#[cfg(target_os = "macos")]
const OPENERS: [&str; 1] = ["open"];
#[cfg(windows)]
const OPENERS: [&str; 1] = ["explorer.exe"];

/// Returns the program that opens an address: `BROWSER`, or the desktop's. `None` if there is no display.
#[must_use]
pub(crate) fn find(env: &Env) -> Option<PathBuf> {
    let path = env.var_os("PATH");
    if let Some(browser) = env.var("BROWSER") {
        // As for xdg-open, BROWSER may list several programs; the first that exists is used.
        return browser
            .split(':')
            .find_map(|name| process::find_program(name, path));
    }
    let has_screen = cfg!(any(target_os = "macos", windows))
        || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]
            .iter()
            .any(|name| env.var_os(name).is_some());
    has_screen
        .then(|| {
            OPENERS
                .iter()
                .find_map(|name| process::find_program(name, path))
        })
        .flatten()
}

/// Starts a program that opens an address. It may exit at once, or be the browser itself.
///
/// # Errors
/// The system's error if the program cannot be started.
pub(crate) fn open(browser: &Path, address: &str) -> io::Result<Child> {
    process::start_detached(browser, &[OsString::from(address)])
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn without_a_screen_there_is_no_browser_unless_one_is_named() {
        assert_eq!(find(&Env::from([("PATH", "/usr/bin:/bin")])), None);
        let named = Env::from([("PATH", "/usr/bin:/bin"), ("BROWSER", "nosuch:true")]);
        assert!(find(&named).unwrap().ends_with("true"));
    }
}
