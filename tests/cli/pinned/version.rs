//! A version of the program in a world, and what differs from run to run.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::entries;
use crate::world::{Invocation, Output, World};

/// A version of the program.
pub(super) struct Version<'a> {
    pub(super) world: &'a World,
    program: PathBuf,
}

impl<'a> Version<'a> {
    pub(super) const fn new(world: &'a World, program: PathBuf) -> Self {
        Self { world, program }
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Returns the program with these arguments, with the file keyring.
    pub(super) fn command(&self, arguments: &[&str]) -> Invocation {
        self.world
            .program(&self.program)
            .args(arguments)
            .env("ENTRA_SSH_CLOUD", self.world.sandbox.cloud_file())
            .env("ENTRA_SSH_KEYRING", "file")
    }

    /// Runs the program, which must succeed.
    #[track_caller]
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).run();
        output.succeeded();
        output
    }

    /// Signs a user in with a device code.
    #[track_caller]
    pub(super) fn login(&self, upn: &str, arguments: &[&str]) -> Output {
        let login = self.command(&["login", "--device-code"]).args(arguments);
        let mut login = login.start();
        login.meanwhile(|| {
            for code in self.world.sandbox.pending_user_codes() {
                self.world.sandbox.approve(&code, upn).unwrap();
            }
        });
        let output = login.finish();
        output.succeeded();
        output
    }

    /// Returns the text with names for what only this run has.
    pub(super) fn regular(&self, text: &str) -> String {
        self.places()
            .iter()
            .fold(text.to_owned(), |text, (value, name)| {
                text.replace(value, name)
            })
    }

    /// Returns the text with what this run has in place of the names.
    pub(super) fn actual(&self, text: &str) -> String {
        self.places()
            .iter()
            .fold(text.to_owned(), |text, (value, name)| {
                text.replace(name, value)
            })
    }

    /// Returns what only this run has, the longest paths first.
    fn places(&self) -> [(String, &'static str); 7] {
        let cloud = self.world.sandbox.cloud_file();
        let own_key = self.world.home().join("own.pub").display().to_string();
        let sandbox = cloud.parent().unwrap().display().to_string();
        [
            // A certificate for a key of the user's goes by the path of that key.
            (entries::file_name(&own_key)[..8].to_owned(), "[OWN_KEY]"),
            (self.program.display().to_string(), "[PROGRAM]"),
            (cloud.display().to_string(), "[CLOUD]"),
            (sandbox, "[SANDBOX]"),
            (self.world.home().display().to_string(), "[HOME]"),
            (self.world.runtime().display().to_string(), "[RUN]"),
            (self.world.sandbox.authority().to_owned(), "[AUTHORITY]"),
        ]
    }

    /// Returns a value as a file: regular, one field a line.
    pub(super) fn json(&self, value: &Value) -> String {
        self.regular(&format!("{value:#}\n"))
    }
}
