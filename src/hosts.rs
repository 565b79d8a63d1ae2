//! The managed ssh config: one file with a block for each host, which the user's ssh config includes.
//!
//! The file changes only under a lock, and the new one takes its place only after ssh itself has read it. Nothing here prints or
//! prompts: what the user should know is returned.

mod check;
mod error;
mod host_keys;
mod include;
mod login_names;
mod put;
mod rivals;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::files::{self, Access, Draft, FileAction, FileError};
use crate::host::lock::Lock;
use crate::host::{Host, own_socket, program};
use crate::ids::{HostAlias, ResourceId};
use crate::ssh_config::{Block, LocalPaths, ManagedConfig};

pub(crate) use self::error::HostsError;
pub(crate) use self::include::NotIncluded;
pub(crate) use self::login_names::set_login_names;
pub(crate) use self::put::{Change, destination, machine_name, put};
pub(crate) use self::rivals::Rival;

/// How long to wait for another `config` command.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// The managed hosts of this user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hosts<'a> {
    host: &'a Host,
    agent_socket: &'a Path,
    /// Whether ssh is to use this socket itself, and not the link to the agent of this user.
    is_agent_named: bool,
}

/// A change that is written.
#[derive(Debug)]
#[must_use]
pub(crate) struct Written<T> {
    /// What the change returned.
    pub(crate) value: T,
    /// Why ssh does not read the managed hosts yet, if the user's ssh config could not be changed.
    pub(crate) not_included: Option<NotIncluded>,
}

impl<'a> Hosts<'a> {
    pub(crate) const fn new(host: &'a Host, agent_socket: &'a Path, is_agent_named: bool) -> Self {
        Self {
            host,
            agent_socket,
            is_agent_named,
        }
    }

    /// Reads the managed hosts; there are none without a file.
    ///
    /// # Errors
    /// [`HostsError::File`], [`HostsError::Managed`].
    pub(crate) fn read(&self) -> Result<ManagedConfig, HostsError> {
        let path = self.host.paths.managed_ssh_config();
        let text = files::read_if_there(&path, include::MAX_CONFIG_BYTES)
            .map_err(|source| FileError::new(FileAction::Read, &path, source))?
            .unwrap_or_default();
        ManagedConfig::parse(&text).map_err(|source| HostsError::Managed { path, source })
    }

    /// Returns the managed host of an alias.
    ///
    /// # Errors
    /// As [`Hosts::read`].
    pub(crate) fn find(&self, alias: &HostAlias) -> Result<Option<Block>, HostsError> {
        let config = self.read()?;
        let found = config.blocks().find(|block| block.host == *alias).cloned();
        Ok(found)
    }

    /// Changes the managed hosts under a lock, and adds the `Include` to the user's ssh config if it is missing.
    ///
    /// # Errors
    /// [`HostsError`]; then both files are as they were.
    pub(crate) async fn change<T>(
        &self,
        change: impl FnOnce(&mut ManagedConfig) -> T,
    ) -> Result<Written<T>, HostsError> {
        let paths = &self.host.paths;
        let _lock = Lock::take(&paths.locks(), "config", LOCK_PATIENCE)
            .await
            .map_err(HostsError::Lock)?;
        let mut config = self.read()?;
        let value = change(&mut config);
        let path = paths.managed_ssh_config();
        let include = include::missing(paths)?;
        let folder = path.parent().unwrap_or(&path);
        files::make_private_folder(folder)
            .map_err(|source| FileError::new(FileAction::MakeFolder, folder, source))?;
        let text = config.render(&self.local_paths()?)?;
        let (bytes, limit) = (text.len(), include::MAX_CONFIG_BYTES);
        if bytes > limit {
            return Err(HostsError::TooLong { path, bytes, limit });
        }
        let failed = |source| FileError::new(FileAction::Write, &path, source);
        let draft = Draft::new(&path, &text, Access::Private).map_err(failed)?;
        check::by_ssh(&self.host.env, draft.path(), &path).await?;
        self.keep_host_keys(config.renamed());
        draft.keep().map_err(failed)?;
        Ok(Written {
            value,
            not_included: include.and_then(|include| include::write(paths, &include)),
        })
    }

    /// Returns the paths that a block names.
    ///
    /// # Errors
    /// [`HostsError::Executable`].
    pub(crate) fn local_paths(&self) -> Result<LocalPaths, HostsError> {
        let program = program::lasting_path(&self.host.env).map_err(HostsError::Executable)?;
        Ok(LocalPaths {
            program,
            agent_socket: self.link_agent(),
            known_hosts: self.host.paths.known_hosts(),
            keys: self.host.paths.ssh_keys(),
        })
    }

    /// Points the link that the managed config names at the agent's socket, and returns what ssh should use: the link, or the
    /// socket itself if there can be no link.
    ///
    /// The socket's folder may go (the last logout takes it), and then lies elsewhere; the link does not move.
    pub(crate) fn link_agent(&self) -> PathBuf {
        let link = self.host.paths.agent_link();
        let can_be_named = !self.is_agent_named && own_socket::check(&link).is_ok();
        if can_be_named && files::point_link(&link, self.agent_socket).is_ok() {
            link
        } else {
            self.agent_socket.to_owned()
        }
    }

    /// Returns the file of host keys, in a folder that exists, so that ssh can write to it.
    ///
    /// # Errors
    /// [`HostsError::File`] if the folder cannot be made.
    pub(crate) fn known_hosts(&self) -> Result<PathBuf, HostsError> {
        Ok(host_keys::make_folder(&self.host.paths)?)
    }

    /// Lets ssh find the host keys of renamed machines under their new names. It is best effort: without a key, ssh asks for it,
    /// as for that of a new machine.
    pub(crate) fn keep_host_keys<'b>(&self, machines: impl IntoIterator<Item = &'b ResourceId>) {
        host_keys::rename(&self.host.paths, machines);
    }

    /// Finds the lines of the user's own ssh config that name one of these managed hosts.
    pub(crate) fn rivals(&self, hosts: &[HostAlias]) -> Vec<Rival> {
        rivals::find(&self.host.paths, hosts)
    }
}
