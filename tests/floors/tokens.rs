//! Splits code into tokens.

pub(crate) fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Splits code into names, `::` and single signs; comments go, and a string becomes `""`.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        if c == '/' && next == '/' {
            at += chars[at..]
                .iter()
                .position(|c| *c == '\n')
                .unwrap_or(chars.len() - at);
        } else if c == 'r'
            && (next == '"' || next == '#')
            && let Some(end) = raw_string(&chars, at)
        {
            tokens.push("\"\"".to_owned());
            at = end;
        } else if c == '"' {
            at = string_end(&chars, at + 1, '"');
            tokens.push("\"\"".to_owned());
        } else if c == '\''
            && let Some(end) = character(&chars, at)
        {
            at = end;
        } else if c.is_ascii_alphanumeric() || c == '_' {
            let length = chars[at..]
                .iter()
                .position(|c| !c.is_ascii_alphanumeric() && *c != '_')
                .unwrap_or(chars.len() - at);
            tokens.push(chars[at..at + length].iter().collect());
            at += length;
        } else if c == ':' && next == ':' {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            at += 1;
        }
    }
    tokens
}

fn string_end(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Returns the end of a raw string that begins here, if one does.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let mut end = open + 1;
    while end < chars.len() {
        if chars[end] == '"'
            && chars[end + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
        {
            return Some(end + 1 + hashes);
        }
        end += 1;
    }
    Some(end)
}

/// Returns the end of a character literal that begins here; what begins with `'` otherwise is a lifetime.
fn character(chars: &[char], at: usize) -> Option<usize> {
    match (chars.get(at + 1)?, chars.get(at + 2)) {
        ('\\', _) => Some(string_end(chars, at + 1, '\'')),
        (_, Some('\'')) => Some(at + 3),
        _ => None,
    }
}

/// Leaves out items under `#[cfg(test)]`: a module to the brace that closes it, anything else to its semicolon.
pub(crate) fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_gate = |start: usize| {
            tokens
                .get(start..start + 4)
                .is_some_and(|four| four == ["#", "[", "cfg", "("])
                && tokens[start..]
                    .iter()
                    .take_while(|token| *token != "]")
                    .any(|token| token == "test")
        };
        if !is_gate(at) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0_usize;
        let mut is_in_attribute = true;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "]" if depth == 0 => is_in_attribute = false,
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            let ends = !is_in_attribute && depth == 0 && ["}", ";"].contains(&tokens[at].as_str());
            at += 1;
            if ends {
                break;
            }
        }
    }
    kept
}
