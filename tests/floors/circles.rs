//! Files that import one another, directly or around, can only be read together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::source::Source;

/// Returns the circles: each a set of files that all reach one another.
fn circles(source: &Source) -> Vec<Vec<String>> {
    let imports = source.imports();
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in imports.keys() {
        next.entry(from).or_default().push(to);
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> = next
        .keys()
        .map(|file| (*file, reachable(file, &next)))
        .collect();
    let mut circles = BTreeSet::new();
    for (file, reached) in &reach {
        let members: Vec<String> = reached
            .iter()
            .filter(|other| reach.get(*other).is_some_and(|back| back.contains(file)))
            .map(|other| (*other).to_owned())
            .collect();
        if members.len() > 1 {
            circles.insert(members);
        }
    }
    circles.into_iter().collect()
}

fn reachable<'a>(file: &str, next: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = next.get(file).into_iter().flatten().copied().collect();
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(next.get(file).into_iter().flatten());
        }
    }
    reached
}

#[test]
fn no_files_import_one_another_in_a_circle() {
    let source = Source::of_this_library();
    let imports = source.imports();
    let mut told = String::new();
    for circle in circles(&source) {
        told.push_str("\nin a circle:\n");
        for ((from, to), items) in &imports {
            if [from, to]
                .iter()
                .all(|file| circle.iter().any(|member| member == *file))
            {
                // Writing to a String does not fail.
                let _written = writeln!(told, "  {from} imports {items:?} from {to}");
            }
        }
    }
    assert!(told.is_empty(), "{told}");
}

#[test]
fn a_circle_is_found_through_re_exports_and_around_several_files() {
    let files = [
        ("src/lib.rs", ""),
        (
            "src/relay.rs",
            "mod a; mod b; pub(crate) use self::a::One; pub(crate) use self::b::Two;",
        ),
        (
            "src/relay/a.rs",
            "use super::Two; pub(crate) struct One(Two);",
        ),
        (
            "src/relay/b.rs",
            "pub(crate) struct Two; fn f() { crate::direct::three(); }",
        ),
        (
            "src/direct.rs",
            "use crate::relay::{self, Other}; fn three(one: relay::One) {}",
        ),
        ("src/relay/tests.rs", "use super::One;"),
    ];
    let texts = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let circle = ["src/direct.rs", "src/relay/a.rs", "src/relay/b.rs"];
    assert_eq!(circles(&Source::of(texts)), [circle]);
}

#[test]
fn what_only_tests_import_makes_no_circle() {
    let files = [
        ("src/lib.rs", ""),
        (
            "src/a.rs",
            "pub(crate) struct One; #[cfg(test)] mod tests { use crate::b::Two; }",
        ),
        ("src/b.rs", "use crate::a::One; pub(crate) struct Two(One);"),
    ];
    let texts = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert!(circles(&Source::of(texts)).is_empty());
}
