use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::super::{host_keys, ui};
use super::Context;
use crate::failure::{Failure, file_failure, place_failure};
use crate::host::files::{self, Access, Draft};
use crate::host::lock::Lock;
use crate::host::process;
use crate::line::Line;
use crate::ssh_config::{ManagedConfig, include_line, with_include};

/// The longest ssh config that is read, in bytes. None is written that is longer.
const MAX_CONFIG_BYTES: usize = 16 * 1024 * 1024;
/// How long another `config` command is waited for.
const CONFIG_PATIENCE: Duration = Duration::from_secs(10);
/// How long ssh may take to read a config.
const CHECK_LIMIT: Duration = Duration::from_secs(30);
/// A host that no config has a block for, so that reading one for it runs nothing (`invalid` is a domain of RFC 2606).
const NO_HOST: &str = "entra-ssh-check.invalid";

impl Context {
    /// Reads the managed hosts.
    pub(in super::super) fn managed_config(&self) -> Result<ManagedConfig, Failure> {
        let path = self.host.paths.managed_ssh_config();
        let text = files::read_if_there(&path, MAX_CONFIG_BYTES)
            .map_err(|error| file_failure("read", &path, &error))?
            .unwrap_or_default();
        ManagedConfig::parse(&text).map_err(|error| {
            Failure::from(error).within(format!("cannot use `{}`", path.display()))
        })
    }

    /// Changes the managed hosts under a lock, and sees to it that the user's ssh config includes them. ssh itself reads the new
    /// file before it takes the place of the old one.
    pub(in super::super) async fn change_managed_config<T>(
        &self,
        change: impl FnOnce(&mut ManagedConfig) -> T,
    ) -> Result<T, Failure> {
        let _lock = Lock::take(&self.host.paths.locks(), "config", CONFIG_PATIENCE)
            .await
            .map_err(|error| place_failure("cannot take the lock for the ssh config", &error))?;
        let mut config = self.managed_config()?;
        let changed = change(&mut config);
        let path = self.host.paths.managed_ssh_config();
        let include = self.missing_include()?;
        let folder = path.parent().unwrap_or(&path);
        files::make_private_folder(folder)
            .map_err(|error| file_failure("make the folder", folder, &error))?;
        let text = config.render(&self.local_paths()?)?;
        refuse_too_long(&path, text.len())?;
        let draft = Draft::new(&path, &text, Access::Private)
            .map_err(|error| file_failure("write", &path, &error))?;
        self.check(draft.path(), &path).await?;
        host_keys::keep(self, config.renamed());
        draft
            .keep()
            .map_err(|error| file_failure("write", &path, &error))?;
        if let Some(include) = include {
            self.include_managed_config(&include);
        }
        Ok(changed)
    }

    /// Has ssh read a config that is to be the one at `path`. Where there is no ssh, nothing is checked.
    async fn check(&self, draft: &Path, path: &Path) -> Result<(), Failure> {
        let Some(ssh) = process::find_program("ssh", self.host.env.var_os("PATH")) else {
            tracing::warn!("does not check the ssh config: there is no `ssh` on the PATH");
            return Ok(());
        };
        let arguments: [OsString; 4] = ["-G".into(), "-F".into(), draft.into(), NO_HOST.into()];
        let read = process::capture(&ssh, &arguments, CHECK_LIMIT)
            .await
            .map_err(|error| {
                Failure::new(format!(
                    "`{}` does not read the new ssh config",
                    ssh.display()
                ))
                .caused_by(&error)
                .hint("see whether it works by itself: ssh -V")
            })?;
        if read.status.success() {
            return Ok(());
        }
        let mut failure =
            Failure::new("ssh does not accept the new ssh config, and the old one stays")
                .hint(format!("mend the line in `{}`", path.display()));
        let said = String::from_utf8_lossy(&read.stderr);
        let name = draft.display().to_string();
        failure.causes = said
            .lines()
            .map(|line| Line::from(line.replace(&name, &path.display().to_string())))
            .collect();
        Err(failure)
    }

    /// Returns what the user's ssh config is to be, unless it includes the managed file already.
    fn missing_include(&self) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.host.paths.ssh_config();
        let failed = |error: &io::Error| file_failure("read", &path, error);
        self.refuse_foreign_folder()?;
        let config = files::read_if_there(&path, MAX_CONFIG_BYTES)
            .map_err(|error| failed(&error).hint("put a regular file there"))?
            .unwrap_or_default();
        let managed = self.host.paths.managed_ssh_config();
        Ok(with_include(&config, &managed, &self.host.paths.home))
    }

    /// Writes the user's ssh config. Some are written by other programs, and may not be by this one: then the user is told what to
    /// add, and the hosts stay.
    fn include_managed_config(&self, config: &[u8]) {
        let path = self.host.paths.ssh_config();
        if let Err(error) = files::write(&path, config, Access::AsBefore) {
            ui::ask(&format!(
                "warning: the hosts are written, but ssh does not read them yet: cannot write `{}`: {error}\n\
                 hint: add this line above the first Host or Match, where that file comes from: {}",
                path.display(),
                include_line(&self.host.paths.managed_ssh_config())
            ));
        }
    }

    /// Refuses to write into another user's folder, as with `sudo` and the home folder of the caller: neither of both could use
    /// what root would leave there.
    fn refuse_foreign_folder(&self) -> Result<(), Failure> {
        let folder = self.host.paths.home.join(".ssh");
        for folder in [&folder, &self.host.paths.home] {
            if files::is_foreign_to_root(folder) {
                return Err(Failure::new(format!(
                    "`{}` belongs to another user",
                    folder.display()
                ))
                .hint("run it as that user, without sudo; for root: sudo -H entra-ssh config add NAME"));
            }
        }
        Ok(())
    }
}

/// Refuses a config that would be too long to be read again.
fn refuse_too_long(path: &Path, bytes: usize) -> Result<(), Failure> {
    if bytes <= MAX_CONFIG_BYTES {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`{}` would have {bytes} bytes, more than {MAX_CONFIG_BYTES} bytes",
        path.display()
    ))
    .hint("remove hosts with entra-ssh config remove HOST, or connect without adding: entra-ssh ssh NAME"))
}
