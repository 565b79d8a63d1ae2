//! Signing in to a world.

use sandbox::Options;

use super::{ADA, CONTOSO, DEPLOY, DEPLOY_SECRET, Output, World, options_with};

impl World {
    /// Returns a world in which Ada is signed in.
    #[track_caller]
    pub(crate) fn signed_in(options: Options) -> Self {
        let world = Self::with(options);
        world.login(ADA);
        world
    }

    /// Returns a world in which Ada is signed in and the only machine is a managed host. An agent runs.
    #[track_caller]
    pub(crate) fn with_host(machine: &str) -> Self {
        let world = Self::signed_in(options_with(&[machine]));
        world.add(&[machine]);
        world
    }

    /// Signs a user in with a device code.
    #[track_caller]
    pub(crate) fn login(&self, upn: &str) -> Output {
        self.login_as(upn, &[])
    }

    /// Signs a user in with a device code and more arguments.
    #[track_caller]
    pub(crate) fn login_as(&self, upn: &str, arguments: &[&str]) -> Output {
        let mut login = self
            .command(&["login", "--device-code"])
            .args(arguments)
            .start();
        login.meanwhile(|| {
            for code in self.sandbox.pending_user_codes() {
                self.sandbox.approve(&code, upn).unwrap();
            }
        });
        let output = login.finish();
        output.succeeded();
        output
    }

    /// Signs in the service principal `deploy`.
    #[track_caller]
    pub(crate) fn login_deploy(&self) -> Output {
        let output = self
            .command(&["login", "--service-principal", "--client-id", DEPLOY])
            .args(["--tenant", CONTOSO])
            .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
            .run();
        output.succeeded();
        output
    }
}
