use super::writer::{UnwritableError, Value};
use super::{Block, LocalPaths};
use crate::ids::{HostAlias, ResourceId};

/// What stands at the top of a new file.
const TITLE: &str = "# Hosts that entra-ssh manages: entra-ssh config add, remove, list.\n\
    # What stands between the marks of a block is written anew; the rest of this file is yours.\n";
/// What begins a block; the rest of the line is the block in JSON, from which all that follows is made.
const BEGIN: &str = "# >>> entra-ssh ";
/// What stands in every block since machines are named by [`ResourceId::to_host_name`].
const HOST_NAME: &str = "HostName ";
/// What ends a block.
const END: &str = "# <<< entra-ssh";

/// The file of managed hosts. What is not ours in it need not be UTF-8.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ManagedConfig {
    pieces: Vec<Piece>,
    /// The machines whose blocks are those of an earlier version, which named machines differently.
    renamed: Vec<ResourceId>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Block(Box<Block>),
    /// Lines that are not ours, with their ends.
    Text(Vec<u8>),
}

/// Why a managed host cannot be written into an ssh config.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the host `{host}` cannot be written into an ssh config")]
pub struct UnwritableHostError {
    /// The host.
    pub host: HostAlias,
    /// Which of its values, and why.
    pub source: UnwritableError,
}

/// Why the file cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ManagedConfigError {
    /// A block's first line is not of the form that this program writes.
    #[error("line {line} does not describe a host: {reason}")]
    BadBlock {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A block begins and does not end.
    #[error("the block that begins in line {line} is not closed by `{END}`")]
    NoEnd {
        /// The line, counted from 1.
        line: usize,
    },
}

impl ManagedConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ManagedConfigError`], with the line. Nothing is guessed: a file that was edited wrongly is left as it is.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, ManagedConfigError> {
        let mut config = Self::default();
        let mut begun = None;
        let mut has_host_name = false;
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let trimmed = line.trim_ascii();
            if begun.is_some() {
                has_host_name |= trimmed.starts_with(HOST_NAME.as_bytes());
                if trimmed == END.as_bytes() {
                    begun = None;
                    config.note_name_of_last(has_host_name);
                }
            } else if let Some(json) = trimmed.strip_prefix(BEGIN.as_bytes()) {
                let block =
                    config
                        .read_block(json)
                        .map_err(|error| ManagedConfigError::BadBlock {
                            line: number,
                            reason: error.to_string(),
                        })?;
                config.pieces.push(Piece::Block(Box::new(block)));
                begun = Some(number);
                has_host_name = false;
            } else if let Some(Piece::Text(text)) = config.pieces.last_mut() {
                text.extend_from_slice(line);
            } else {
                config.pieces.push(Piece::Text(line.to_vec()));
            }
        }
        match begun {
            Some(line) => Err(ManagedConfigError::NoEnd { line }),
            None => Ok(config),
        }
    }

    /// Reads what describes a host. Earlier versions took aliases that ssh then rejected: such a host gets the closest one that
    /// it accepts and that no other has.
    fn read_block(&self, json: &[u8]) -> Result<Block, serde_json::Error> {
        let refusal = match serde_json::from_slice(json) {
            Ok(block) => return Ok(block),
            Err(refusal) => refusal,
        };
        let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(json) else {
            return Err(refusal);
        };
        let alias = value.get("host").and_then(|host| host.as_str());
        let rejected = alias.filter(|alias| alias.parse::<HostAlias>().is_err());
        let Some(closest) = rejected.and_then(HostAlias::closest_to) else {
            return Err(refusal);
        };
        let is_taken = |alias: &str| self.blocks().any(|block| block.host.as_str() == alias);
        let free = (1..=self.pieces.len().saturating_add(1))
            .map(|number| match number {
                1 => closest.to_string(),
                _ => format!("{closest}-{number}"),
            })
            .find(|alias| !is_taken(alias));
        if let (Some(place), Some(free)) = (value.get_mut("host"), free) {
            *place = free.into();
        }
        serde_json::from_value(value)
    }

    fn note_name_of_last(&mut self, has_host_name: bool) {
        if let Some(Piece::Block(block)) = self.pieces.last()
            && let (Some(machine), false) = (&block.resource_id, has_host_name)
        {
            self.renamed.push(machine.clone());
        }
    }

    /// Returns the machines that ssh knew by another name when the file was written.
    #[must_use]
    pub(crate) fn renamed(&self) -> &[ResourceId] {
        &self.renamed
    }

    /// Returns the text of the file.
    ///
    /// # Errors
    /// [`UnwritableHostError`] for the first host that cannot be written.
    pub(crate) fn render(&self, paths: &LocalPaths) -> Result<Vec<u8>, UnwritableHostError> {
        let mut text = Vec::new();
        if self.pieces.is_empty() {
            text.extend_from_slice(TITLE.as_bytes());
        }
        for piece in &self.pieces {
            match piece {
                Piece::Text(lines) => text.extend_from_slice(lines),
                Piece::Block(block) => {
                    if !text.is_empty() && !text.ends_with(b"\n") {
                        text.push(b'\n');
                    }
                    text.extend(Self::render_block(block, paths)?.into_bytes());
                }
            }
        }
        Ok(text)
    }

    /// Returns the text of one block, with its marks.
    ///
    /// # Errors
    /// [`UnwritableHostError`] if one of its values cannot be written.
    pub(crate) fn render_block(
        block: &Block,
        paths: &LocalPaths,
    ) -> Result<String, UnwritableHostError> {
        Self::lines(block, paths).map_err(|source| UnwritableHostError {
            host: block.host.clone(),
            source,
        })
    }

    fn lines(block: &Block, paths: &LocalPaths) -> Result<String, UnwritableError> {
        // A block is made of names, numbers, and paths that have just been written as UTF-8; it always has a form in JSON,
        // which is one line.
        let options = block
            .options(paths)?
            .into_iter()
            .map(|(keyword, value)| format!("    {keyword} {value}\n"))
            .collect::<Vec<_>>()
            .concat();
        let json = serde_json::to_string(block).unwrap_or_default();
        let host = Value::word(block.host.as_str())?;
        // The host comes first: for every other one, ssh stops there and runs nothing.
        let before = block.before(paths)?.map_or_else(String::new, |command| {
            format!("Match host {host} exec {command}\n")
        });
        Ok(format!(
            "{BEGIN}{json}\n{before}Host {host}\n{options}{END}\n"
        ))
    }

    /// Returns the managed hosts in the order of the file.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Block(block) => Some(block.as_ref()),
            Piece::Text(_) => None,
        })
    }

    /// Puts a host in place of the one of its alias, or at the end. Returns the one that was there.
    pub(crate) fn insert(&mut self, block: Block) -> Option<Block> {
        let place = self.pieces.iter_mut().find_map(|piece| match piece {
            Piece::Block(old) if same_alias(&old.host, &block.host) => Some(old),
            _ => None,
        });
        if let Some(place) = place {
            return Some(std::mem::replace(place.as_mut(), block));
        }
        if self.pieces.is_empty() {
            self.pieces.push(Piece::Text(TITLE.as_bytes().to_vec()));
        }
        self.pieces.push(Piece::Block(Box::new(block)));
        None
    }

    /// Removes the host of this alias, and returns it.
    pub(crate) fn remove(&mut self, host: &HostAlias) -> Option<Block> {
        let index = self.pieces.iter().position(
            |piece| matches!(piece, Piece::Block(block) if same_alias(&block.host, host)),
        )?;
        match self.pieces.remove(index) {
            Piece::Block(block) => Some(*block),
            Piece::Text(_) => None,
        }
    }
}

fn same_alias(one: &HostAlias, other: &HostAlias) -> bool {
    one.as_str() == other.as_str()
}

#[cfg(test)]
mod tests {
    use super::super::block::tests::{local_paths, web01};
    use super::*;

    fn render(config: &ManagedConfig) -> String {
        String::from_utf8(config.render(&local_paths()).unwrap()).unwrap()
    }

    fn parse(text: &str) -> Result<ManagedConfig, ManagedConfigError> {
        ManagedConfig::parse(text.as_bytes())
    }

    #[test]
    fn what_is_rendered_is_parsed_to_the_same() {
        let mut config = ManagedConfig::default();
        config.insert(web01());
        let mut other = web01();
        other.host = "web02".parse().unwrap();
        config.insert(other);
        let text = render(&config);
        assert_eq!(parse(&text).unwrap(), config);
        assert_eq!(render(&parse(&text).unwrap()), text);
    }

    #[test]
    fn lines_that_are_not_ours_stay() {
        let mut config = ManagedConfig::default();
        config.insert(web01());
        let text = format!("# mine\n\n{}Host mine\n\tUser me", render(&config));
        let mut config = parse(&text).unwrap();
        assert_eq!(render(&config), text);
        assert_eq!(config.remove(&"web01".parse().unwrap()).unwrap(), web01());
        assert!(render(&config).contains("# mine\n\n"));
        assert!(render(&config).ends_with("Host mine\n\tUser me"));
        config.insert(web01());
        let again = render(&config);
        assert!(again.contains("\tUser me\n# >>> entra-ssh"), "{again}");
    }

    #[test]
    fn a_host_that_is_added_again_takes_the_place_of_the_old_one() {
        let mut config = ManagedConfig::default();
        assert_eq!(config.insert(web01()), None);
        let mut changed = web01();
        changed.port = 2222;
        assert_eq!(config.insert(changed.clone()), Some(web01()));
        assert_eq!(config.blocks().collect::<Vec<_>>(), [&changed]);
    }

    #[test]
    fn blocks_of_an_earlier_version_are_told_by_the_name_that_they_lack() {
        let mut config = ManagedConfig::default();
        config.insert(web01());
        let text = render(&config);
        assert!(parse(&text).unwrap().renamed().is_empty());
        let earlier: String = text
            .split_inclusive('\n')
            .filter(|line| !line.contains("HostName"))
            .collect();
        let read = parse(&earlier).unwrap();
        assert_eq!(read.renamed(), [web01().resource_id.unwrap()]);
        assert_eq!(render(&read), text);
    }

    #[test]
    fn aliases_that_ssh_rejects_become_those_that_it_accepts() {
        let mut config = ManagedConfig::default();
        for alias in ["web-prod", "web01", "web02"] {
            let mut block = web01();
            block.host = alias.parse().unwrap();
            config.insert(block);
        }
        let text = render(&config)
            .replace("\"host\":\"web01\"", "\"host\":\"web(prod)\"")
            .replace("\"host\":\"web02\"", "\"host\":\"x;y\"");
        let read = parse(&text).unwrap();
        let aliases: Vec<_> = read.blocks().map(|block| block.host.as_str()).collect();
        assert_eq!(aliases, ["web-prod", "web-prod-2", "x-y"]);
    }

    #[test]
    fn reject_a_damaged_file_by_line() {
        let mut config = ManagedConfig::default();
        config.insert(web01());
        let text = render(&config);
        let cut = text.replace(END, "");
        assert_eq!(parse(&cut), Err(ManagedConfigError::NoEnd { line: 3 }));
        let bad = text.replace("\"port\":22", "\"port\":\"x\"");
        assert!(matches!(
            parse(&bad),
            Err(ManagedConfigError::BadBlock { line: 3, .. })
        ));
    }

    #[test]
    fn lines_that_are_not_utf_8_stay_as_they_are() {
        let mut config = ManagedConfig::default();
        config.insert(web01());
        let text = [
            &b"# caf\xe9\n\xff\n"[..],
            render(&config).as_bytes(),
            b"# \xe9",
        ]
        .concat();
        let config = ManagedConfig::parse(&text).unwrap();
        assert_eq!(config.render(&local_paths()).unwrap(), text);
    }

    #[test]
    fn a_path_that_would_be_lines_is_refused_by_host() {
        let mut block = web01();
        block.private_key_file = Some("/tmp/evil\nMatch exec true\n#/k".into());
        block.identity = crate::ssh_config::Identity::Own;
        let mut config = ManagedConfig::default();
        config.insert(block.clone());
        let refusal = config.render(&local_paths()).unwrap_err();
        assert_eq!(refusal.host, block.host);
        assert!(matches!(
            refusal.source,
            UnwritableError::ControlCharacter { .. }
        ));
    }
}
