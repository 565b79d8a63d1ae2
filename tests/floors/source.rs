//! Reads the source as text: files, the items that they define, and the items that they import.
//!
//! An import is a path, in a `use` or in the code, that ends at an item of another file. It is followed through re-exports to the
//! file that defines the item, so that `mod` and `pub use` themselves are no imports. Code of tests is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use crate::tokens::{is_name, tokens, without_tests};

/// A file under `src/`, without comments, strings and tests.
pub(crate) struct SourceFile {
    /// Such as `src/relay/frame.rs`.
    pub(crate) path: String,
    /// Such as `crate::relay::frame`.
    pub(crate) module: String,
    /// The code, in tokens.
    tokens: Vec<String>,
    /// What `use` makes known here: a name, and the whole path that it stands for.
    names: HashMap<String, String>,
    /// The paths of all `use` that are not `pub`.
    imported: Vec<String>,
    /// The names of items that are defined here.
    items: BTreeSet<String>,
}

/// The whole library.
pub(crate) struct Source {
    files: Vec<SourceFile>,
    by_module: HashMap<String, usize>,
}

/// Where a path leads to.
enum Target {
    Item(usize, String),
    Module,
}

impl Source {
    pub(crate) fn of_this_library() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let texts = rust_files(&folder).into_iter().map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let inner = file.strip_prefix(&folder).unwrap();
            (format!("src/{}", inner.display()), text)
        });
        Self::of(texts)
    }

    /// Reads files, each with its path and its text.
    pub(crate) fn of(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let files: Vec<_> = texts
            .into_iter()
            .filter(|(path, _)| !is_test(path) && path != "src/main.rs")
            .map(|(path, text)| SourceFile::new(path, &text))
            .collect();
        let by_module = files
            .iter()
            .enumerate()
            .map(|(index, file)| (file.module.clone(), index))
            .collect();
        Self { files, by_module }
    }

    pub(crate) fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Returns the imports between files: importer, imported, and the items.
    pub(crate) fn imports(&self) -> BTreeMap<(&str, &str), BTreeSet<String>> {
        let mut imports: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (index, file) in self.files.iter().enumerate() {
            for path in file.paths() {
                if let Some(Target::Item(to, item)) = self.resolve(index, &path, 0)
                    && to != index
                {
                    let edge = (&*file.path, &*self.files[to].path);
                    imports.entry(edge).or_default().insert(item);
                }
            }
        }
        imports
    }

    /// Follows a path from a file.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let file = &self.files[from];
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => *self.by_module.get("crate")?,
            "self" => from,
            "super" => self.parent(from)?,
            name => {
                if let Some(known) = file.names.get(name) {
                    let whole = known.split("::").map(str::to_owned);
                    let whole: Vec<_> = whole.chain(rest.iter().cloned()).collect();
                    return self.follow(from, &whole, depth);
                }
                if file.items.contains(name) {
                    return Some(Target::Item(from, name.to_owned()));
                }
                *self.by_module.get(&format!("{}::{name}", file.module))?
            }
        };
        for (index, name) in rest.iter().enumerate() {
            let here = &self.files[at];
            if name == "super" {
                at = self.parent(at)?;
            } else if let Some(&module) = self.by_module.get(&format!("{}::{name}", here.module)) {
                at = module;
            } else if here.items.contains(name) {
                return Some(Target::Item(at, name.clone()));
            } else {
                let known = here.names.get(name)?;
                let known = known.split("::").map(str::to_owned);
                let whole: Vec<_> = known.chain(rest[index + 1..].iter().cloned()).collect();
                return self.follow(at, &whole, depth);
            }
        }
        Some(Target::Module)
    }

    /// Follows a name that a `use` made known. Names of other crates lead nowhere, and no chain of names is long.
    fn follow(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let is_ours = ["crate", "self", "super"].contains(&path[0].as_str());
        if depth > 8 || !is_ours {
            return None;
        }
        self.resolve(from, path, depth + 1)
    }

    fn parent(&self, file: usize) -> Option<usize> {
        let (parent, _) = self.files[file].module.rsplit_once("::")?;
        self.by_module.get(parent).copied()
    }
}

impl SourceFile {
    fn new(path: String, text: &str) -> Self {
        let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
        let module = match inner {
            "lib" => "crate".to_owned(),
            inner => format!("crate::{}", inner.replace('/', "::")),
        };
        let tokens = without_tests(&tokens(text));
        let (names, imported) = used_names(&tokens);
        let items = defined_items(&tokens);
        Self {
            path,
            module,
            tokens,
            names,
            imported,
            items,
        }
    }

    /// Tells whether an item of this name is defined here.
    pub(crate) fn defines(&self, item: &str) -> bool {
        self.items.contains(item)
    }

    /// Tells whether these tokens stand in the code, one after the other.
    pub(crate) fn holds(&self, tokens: &[&str]) -> bool {
        self.tokens
            .windows(tokens.len())
            .any(|window| window == tokens)
    }

    /// Returns the whole paths that are named here, in a `use` or in the code, sorted.
    pub(crate) fn named_paths(&self) -> BTreeSet<String> {
        let in_code = self.paths().into_iter().map(|path| path.join("::"));
        in_code.chain(self.names.values().cloned()).collect()
    }

    /// Returns the paths that are imported, all paths in the code with two segments at least, and names that a `use` made known.
    fn paths(&self) -> BTreeSet<Vec<String>> {
        let imported = self.imported.iter();
        let mut paths: BTreeSet<Vec<String>> = imported
            .map(|path| path.split("::").map(str::to_owned).collect())
            .collect();
        let mut index = 0;
        while index < self.tokens.len() {
            if begins_use(&self.tokens, index) {
                index += self.tokens[index..]
                    .iter()
                    .position(|token| token == ";")
                    .unwrap_or(1);
                continue;
            }
            if !is_name(&self.tokens[index]) || index > 0 && self.tokens[index - 1] == "." {
                index += 1;
                continue;
            }
            let mut path = vec![self.tokens[index].clone()];
            index += 1;
            while index + 1 < self.tokens.len()
                && self.tokens[index] == "::"
                && is_name(&self.tokens[index + 1])
            {
                path.push(self.tokens[index + 1].clone());
                index += 2;
            }
            if path.len() > 1 || self.names.contains_key(&path[0]) {
                paths.insert(path);
            }
        }
        paths
    }
}

/// Tells whether a file holds tests only.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Returns the names that `use` declarations make known, with their paths, and the paths of those that are private.
fn used_names(tokens: &[String]) -> (HashMap<String, String>, Vec<String>) {
    let (mut names, mut imported) = (HashMap::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        if begins_use(tokens, at) {
            let is_public = at > 0 && ["pub", ")"].contains(&tokens[at - 1].as_str());
            let mut declared = Vec::new();
            at = read_tree(tokens, at + 1, String::new(), &mut declared);
            if !is_public {
                imported.extend(declared.iter().map(|(_, path)| path.clone()));
            }
            names.extend(declared);
        } else {
            at += 1;
        }
    }
    (names, imported)
}

/// Tells whether a `use` declaration begins here, and no `use<'a>` of a type.
fn begins_use(tokens: &[String], at: usize) -> bool {
    tokens[at] == "use" && tokens.get(at + 1).is_some_and(|next| next != "<")
}

/// Reads a tree such as `a::{b, c::D as E}` and returns the place behind it.
fn read_tree(
    tokens: &[String],
    mut at: usize,
    prefix: String,
    names: &mut Vec<(String, String)>,
) -> usize {
    let mut path = prefix;
    let mut last = String::new();
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" => {
                at += 1;
                while tokens[at] != "}" {
                    at = read_tree(tokens, at, path.clone(), names);
                    if tokens[at] == "," {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "as" => {
                names.push((tokens[at + 1].clone(), path));
                return at + 2;
            }
            "," | "}" | ";" => break,
            "::" | "*" => at += 1,
            "self" if !path.is_empty() => at += 1,
            name => {
                name.clone_into(&mut last);
                path = if path.is_empty() {
                    last.clone()
                } else {
                    format!("{path}::{last}")
                };
                at += 1;
            }
        }
    }
    if let Some(name) = path.rsplit("::").next() {
        names.push((name.to_owned(), path.clone()));
    }
    at
}

/// Returns the names of the items at the top of a file.
fn defined_items(tokens: &[String]) -> BTreeSet<String> {
    const WORDS: [&str; 8] = [
        "const",
        "enum",
        "fn",
        "macro_rules",
        "static",
        "struct",
        "trait",
        "type",
    ];
    let mut items = BTreeSet::new();
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            word if depth == 0 && WORDS.contains(&word) => {
                let name = tokens[index + 1..]
                    .iter()
                    .find(|name| is_name(name) && !WORDS.contains(&name.as_str()));
                items.extend(name.cloned());
            }
            _ => {}
        }
    }
    items
}
