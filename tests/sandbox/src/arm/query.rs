//! A small part of the Kusto query language, enough for lists of machines.
//!
//! ```text
//! resources | where COND [and COND …] | … | project a, b = properties.c | order by name asc | limit 5
//! COND: path =~ 'x', path in~ ('x', 'y'); a path is `name`, `tags['k']` or `properties.osName`
//! ```
//!
//! Whatever else a query says is refused by name: a wrong list would be worse than none.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// A query that was understood.
#[derive(Debug, PartialEq)]
pub(crate) struct Query(Vec<Stage>);

#[derive(Debug, PartialEq)]
enum Stage {
    Where(Vec<Condition>),
    Project(Vec<(String, Path)>),
    Order(Vec<(Path, bool)>),
    Limit(usize),
}

#[derive(Debug, PartialEq)]
struct Condition {
    path: Path,
    values: Vec<String>,
}

/// The names on the way to a value.
type Path = Vec<String>;

/// Columns that every row has.
const COLUMNS: [&str; 11] = [
    "id",
    "identity",
    "kind",
    "location",
    "name",
    "properties",
    "resourceGroup",
    "subscriptionId",
    "tags",
    "tenantId",
    "type",
];

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    ///
    /// Returns what was not understood, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokenize(text)?;
        let mut stages = tokens.split(|token| *token == Token::Symbol('|'));
        match stages.next() {
            Some([Token::Word(table)]) if table.eq_ignore_ascii_case("resources") => {}
            other => return Err(format!("the table `{}`", spell(other.unwrap_or_default()))),
        }
        stages.map(parse_stage).collect::<Result<_, _>>().map(Self)
    }

    /// Runs the query over all rows.
    pub(crate) fn run(&self, mut rows: Vec<Value>) -> Vec<Value> {
        for stage in &self.0 {
            match stage {
                Stage::Where(conditions) => {
                    rows.retain(|row| conditions.iter().all(|condition| condition.holds(row)));
                }
                Stage::Project(columns) => {
                    rows = rows.iter().map(|row| project(columns, row)).collect();
                }
                Stage::Order(keys) => rows.sort_by(|a, b| compare(keys, a, b)),
                Stage::Limit(count) => rows.truncate(*count),
            }
        }
        rows
    }
}

impl Condition {
    fn holds(&self, row: &Value) -> bool {
        let found = text(value_at(&self.path, row));
        self.values
            .iter()
            .any(|value| value.to_lowercase() == found.to_lowercase())
    }
}

fn project(columns: &[(String, Path)], row: &Value) -> Value {
    let projected: Map<String, Value> = columns
        .iter()
        .map(|(name, path)| (name.clone(), value_at(path, row).clone()))
        .collect();
    Value::Object(projected)
}

fn compare(keys: &[(Path, bool)], a: &Value, b: &Value) -> Ordering {
    keys.iter()
        .map(|(path, descending)| {
            let order = text(value_at(path, a)).cmp(&text(value_at(path, b)));
            if *descending { order.reverse() } else { order }
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Finds a value; names of columns are the same in any case of letters.
fn value_at<'a>(path: &Path, row: &'a Value) -> &'a Value {
    path.iter().fold(row, |value, name| {
        value
            .as_object()
            .and_then(|fields| {
                fields.get(name).or_else(|| {
                    fields
                        .iter()
                        .find(|(key, _)| key.eq_ignore_ascii_case(name))
                        .map(|(_, value)| value)
                })
            })
            .unwrap_or(&Value::Null)
    })
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(char),
    /// `=~`
    EqualsIgnoringCase,
    /// `in~`
    InIgnoringCase,
}

fn tokenize(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => {
                let end = rest[1..]
                    .find(first)
                    .ok_or_else(|| format!("the text `{rest}` without an end"))?;
                tokens.push(Token::Text(rest[1..=end].to_owned()));
                end + 2
            }
            '=' if rest.starts_with("=~") => {
                tokens.push(Token::EqualsIgnoringCase);
                2
            }
            '|' | ',' | '(' | ')' | '[' | ']' | '=' | '.' => {
                tokens.push(Token::Symbol(first));
                1
            }
            _ if first.is_alphanumeric() || first == '_' || first == '$' => {
                let length = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                    .unwrap_or(rest.len());
                let word = &rest[..length];
                if word.eq_ignore_ascii_case("in") && rest[length..].starts_with('~') {
                    tokens.push(Token::InIgnoringCase);
                    length + 1
                } else {
                    tokens.push(Token::Word(word.to_owned()));
                    length
                }
            }
            _ => return Err(format!("`{first}` in `{rest}`")),
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn parse_stage(tokens: &[Token]) -> Result<Stage, String> {
    let unknown = || format!("`{}`", spell(tokens));
    let (Token::Word(operator), rest) = tokens.split_first().ok_or_else(unknown)? else {
        return Err(unknown());
    };
    match operator.to_lowercase().as_str() {
        "where" => split(rest, |token| is_word(token, "and"))
            .map(parse_condition)
            .collect::<Result<_, _>>()
            .map(Stage::Where),
        "project" => split(rest, |token| *token == Token::Symbol(','))
            .map(parse_column)
            .collect::<Result<_, _>>()
            .map(Stage::Project),
        "order" | "sort" if rest.first().is_some_and(|token| is_word(token, "by")) => {
            split(&rest[1..], |token| *token == Token::Symbol(','))
                .map(parse_key)
                .collect::<Result<_, _>>()
                .map(Stage::Order)
        }
        "limit" | "take" => match rest {
            [Token::Word(count)] => count.parse().map(Stage::Limit).map_err(|_| unknown()),
            _ => Err(unknown()),
        },
        _ => Err(unknown()),
    }
}

fn split<'a>(
    tokens: &'a [Token],
    separator: impl Fn(&Token) -> bool + 'a,
) -> impl Iterator<Item = &'a [Token]> {
    tokens.split(separator)
}

fn parse_condition(tokens: &[Token]) -> Result<Condition, String> {
    let unknown = || format!("the condition `{}`", spell(tokens));
    let (path, rest) = parse_path(tokens).ok_or_else(unknown)?;
    match rest {
        [Token::EqualsIgnoringCase, Token::Text(value)] => Ok(Condition {
            path,
            values: vec![value.clone()],
        }),
        [
            Token::InIgnoringCase,
            Token::Symbol('('),
            values @ ..,
            Token::Symbol(')'),
        ] => values
            .split(|token| *token == Token::Symbol(','))
            .map(|value| match value {
                [Token::Text(value)] => Ok(value.clone()),
                _ => Err(unknown()),
            })
            .collect::<Result<_, _>>()
            .map(|values| Condition { path, values }),
        _ => Err(unknown()),
    }
}

fn parse_column(tokens: &[Token]) -> Result<(String, Path), String> {
    let unknown = || format!("the column `{}`", spell(tokens));
    let (name, tokens) = match tokens {
        [Token::Word(name), Token::Symbol('='), path @ ..] => (Some(name.clone()), path),
        path => (None, path),
    };
    match parse_path(tokens) {
        Some((path, [])) => Ok((name.unwrap_or_else(|| path.join("_")), path)),
        _ => Err(unknown()),
    }
}

fn parse_key(tokens: &[Token]) -> Result<(Path, bool), String> {
    let unknown = || format!("the order `{}`", spell(tokens));
    match parse_path(tokens) {
        // Kusto's own default is descending.
        Some((path, [])) => Ok((path, true)),
        Some((path, [word])) if is_word(word, "asc") => Ok((path, false)),
        Some((path, [word])) if is_word(word, "desc") => Ok((path, true)),
        _ => Err(unknown()),
    }
}

/// Reads `name`, `name.name` and `name['name']` off the front.
fn parse_path(tokens: &[Token]) -> Option<(Path, &[Token])> {
    let (Token::Word(first), mut rest) = tokens.split_first()? else {
        return None;
    };
    let first = COLUMNS
        .iter()
        .find(|column| column.eq_ignore_ascii_case(first))
        .map_or_else(|| first.clone(), |column| (*column).to_owned());
    let mut path = vec![first];
    loop {
        rest = match rest {
            [Token::Symbol('.'), Token::Word(name), rest @ ..]
            | [
                Token::Symbol('['),
                Token::Text(name),
                Token::Symbol(']'),
                rest @ ..,
            ] => {
                path.push(name.clone());
                rest
            }
            rest => return Some((path, rest)),
        };
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word))
}

fn spell(tokens: &[Token]) -> String {
    let words: Vec<String> = tokens
        .iter()
        .map(|token| match token {
            Token::Word(word) => word.clone(),
            Token::Text(text) => format!("'{text}'"),
            Token::Symbol(symbol) => symbol.to_string(),
            Token::EqualsIgnoringCase => "=~".to_owned(),
            Token::InIgnoringCase => "in~".to_owned(),
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::Query;
    use serde_json::{Value, json};

    fn rows() -> Vec<Value> {
        vec![
            json!({"name": "b", "type": "t/m", "tags": {"role": "Web"}, "properties": {"os": "linux"}}),
            json!({"name": "a", "type": "t/m", "tags": {"role": "db"}, "properties": {"os": "linux"}}),
            json!({"name": "c", "type": "t/v", "tags": {}, "properties": {}}),
        ]
    }

    fn names(query: &str) -> Vec<String> {
        let rows = Query::parse(query).unwrap().run(rows());
        rows.iter()
            .map(|row| row["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn conditions_stages_and_order_select_rows() {
        assert_eq!(
            names("Resources | where type =~ 'T/M' | order by name asc"),
            ["a", "b"]
        );
        assert_eq!(
            names("resources | where name in~ ('A','c') and type =~ 't/v'"),
            ["c"]
        );
        assert_eq!(names("resources | where tags['role'] =~ 'web'"), ["b"]);
        assert_eq!(
            names("resources | where properties.os =~ 'Linux' | limit 1"),
            ["b"]
        );
        assert_eq!(names("resources"), ["b", "a", "c"]);
    }

    #[test]
    fn projected_columns_are_named_by_their_path() {
        let rows = Query::parse("resources | project name, os = properties.os, properties.os")
            .unwrap()
            .run(rows());
        assert_eq!(
            rows[0],
            json!({"name": "b", "os": "linux", "properties_os": "linux"})
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let refused = |query| Query::parse(query).unwrap_err();
        assert!(refused("resources | join x").contains("join x"));
        assert!(refused("resources | where name contains 'x'").contains("contains"));
        assert!(refused("resources | where name =~ 'a' or name =~ 'b'").contains("or"));
        assert!(refused("resourcecontainers").contains("resourcecontainers"));
        assert!(refused("resources | where name =~ 'x").contains("without an end"));
        assert!(refused("resources | where name == 'x'").contains("= = 'x'"));
        assert!(refused("resources |").contains('`'));
    }
}
