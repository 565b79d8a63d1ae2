/// Returns whether a path is among those that a pattern means (`glob(7)`): `*`, `?` and `[…]` stand for anything but a `/` and a `.`
/// at the beginning of a name, and a backslash takes a sign literally.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut names) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if matches_name(pattern, name) => {}
            _ => return false,
        }
    }
}

fn matches_name(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && pattern.starts_with(['*', '?', '[']) {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let mut name: Vec<char> = name.chars().collect();
    // What is left of the name in each way of reading the pattern so far: its ends, by their place.
    let mut places = vec![0];
    let mut rest = pattern.as_slice();
    name.push('/');
    while let Some((first, behind)) = rest.split_first() {
        let is_any = *first == '*';
        let step = if is_any { behind } else { one(rest).1 };
        places = if is_any {
            let first = places.first().copied().unwrap_or(name.len());
            (first..name.len()).collect()
        } else {
            places
                .into_iter()
                .filter(|place| {
                    name.get(*place)
                        .is_some_and(|sign| *sign != '/' && one(rest).0.takes(*sign))
                })
                .map(|place| place + 1)
                .collect()
        };
        rest = step;
    }
    places.contains(&(name.len() - 1))
}

/// What one sign of a name may be.
enum One<'a> {
    Any,
    Sign(char),
    Set { signs: &'a [char], is_negated: bool },
}

impl One<'_> {
    fn takes(&self, sign: char) -> bool {
        match self {
            Self::Any => true,
            Self::Sign(own) => *own == sign,
            Self::Set { signs, is_negated } => is_in(signs, sign) != *is_negated,
        }
    }
}

fn is_in(mut signs: &[char], sign: char) -> bool {
    loop {
        signs = match signs {
            [] => return false,
            [first, '-', last, rest @ ..] => {
                if (*first..=*last).contains(&sign) {
                    return true;
                }
                rest
            }
            [first, rest @ ..] => {
                if *first == sign {
                    return true;
                }
                rest
            }
        };
    }
}

/// Returns what the first part of a pattern, which is no `*`, takes, and the rest.
fn one(pattern: &[char]) -> (One<'_>, &[char]) {
    match pattern {
        ['?', rest @ ..] => (One::Any, rest),
        ['[', rest @ ..] => set(rest).unwrap_or((One::Sign('['), rest)),
        ['\\', sign, rest @ ..] | [sign, rest @ ..] => (One::Sign(*sign), rest),
        [] => (One::Any, pattern),
    }
}

/// Reads a set behind its `[`; none if it has no end, and the bracket is a sign like others.
fn set(rest: &[char]) -> Option<(One<'_>, &[char])> {
    let (is_negated, rest) = match rest {
        ['!' | '^', rest @ ..] => (true, rest),
        _ => (false, rest),
    };
    // A bracket at the beginning is in the set.
    let end = rest.iter().skip(1).position(|sign| *sign == ']')? + 1;
    let (signs, behind) = rest.split_at_checked(end)?;
    Some((One::Set { signs, is_negated }, behind.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_a_shell() {
        for (pattern, path, is_meant) in [
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/b/c", false),
            ("/*/c", "/a/c", true),
            ("/*", "/.a", false),
            ("/.*", "/.a", true),
            ("/c*f*g", "/config", true),
            ("/c*f*x", "/config", false),
            ("/*g", "/config", true),
            ("/conf?g", "/config", true),
            ("/config?", "/config", false),
            ("/[a-c]onfig", "/config", true),
            ("/[!a-c]onfig", "/config", false),
            ("/[]c]onfig", "/config", true),
            ("/[config", "/[config", true),
            ("/\\*", "/*", true),
            ("/\\*", "/a", false),
            ("/a\\[b\\]", "/a[b]", true),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, path), is_meant, "{pattern} {path}");
        }
        // It takes no time that grows with the number of ways to read it.
        let many = "*a".repeat(100);
        assert!(!matches(&many, &"a".repeat(99)));
    }
}
