//! The ssh config: one `Include` at the top of the user's file, and a file of our own with a block for each host.
//!
//! This module only makes and parses text; the caller reads and writes the files, under a lock. Text that is not ours stays byte
//! for byte as it was, in the user's file and in ours.

mod block;
mod include;
mod key_files;
mod known_hosts;
mod managed;
mod sections;
mod standalone;
mod writer;

pub(crate) use self::block::{Block, Identity, LocalPaths, host_key_alias};
pub(crate) use self::include::{include_line, with_include};
pub(crate) use self::key_files::{certificate_file_name, is_certificate_file_name, key_file_name};
pub(crate) use self::known_hosts::matches_pattern;
pub(crate) use self::known_hosts::with_new_names;
pub(crate) use self::managed::{ManagedConfig, ManagedConfigError, UnwritableHostError};
pub(crate) use self::sections::{Section, sections};
pub(crate) use self::standalone::standalone;
pub(crate) use self::writer::shell_word;
pub(crate) use self::writer::{UnwritableError, Value};
