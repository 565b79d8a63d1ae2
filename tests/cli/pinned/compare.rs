//! Whether JSON of today has all that JSON of an older version had.

use serde_json::{Value, json};

/// Fields whose values differ from run to run, or are sentences; their type stays.
const FREE: [&str; 26] = [
    "at",
    "bind",
    "bytes",
    "ca_fingerprint",
    "causes",
    "challenge",
    "correlation_id",
    "environment",
    "error",
    "forgets",
    "hint",
    "is_memory_locked",
    "kept",
    "memory_locked",
    "pid",
    "public_key_fingerprint",
    "reason",
    "refused_at",
    "remaining_seconds",
    "removed",
    "serial",
    "started",
    "valid_after",
    "valid_before",
    "version",
    "waiting",
];

/// Fails if anything of `old` is not in `new`: a field, an element, or the value of one that does not differ from run to run.
/// There may be more fields.
#[track_caller]
pub(super) fn assert_holds(place: &str, old: &Value, new: &Value) {
    if let Err(problem) = holds(place, old, new) {
        panic!("{problem}\n--- before\n{old:#}\n--- today\n{new:#}");
    }
}

fn holds(place: &str, old: &Value, new: &Value) -> Result<(), String> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, old) in old {
                let place = format!("{place}, {name}");
                let new = new.get(name).ok_or_else(|| format!("{place} is gone"))?;
                if FREE.contains(&name.as_str()) {
                    same_type(&place, old, new)?;
                } else {
                    holds(&place, old, new)?;
                }
            }
            Ok(())
        }
        (Value::Array(old), Value::Array(new)) => {
            if old.len() != new.len() {
                return Err(format!("{place} has another number of elements"));
            }
            let mut pairs = old.iter().zip(new).enumerate();
            pairs.try_for_each(|(index, (old, new))| holds(&format!("{place}[{index}]"), old, new))
        }
        _ if old == new => Ok(()),
        _ => Err(format!("{place} was {old} and is {new}")),
    }
}

/// Something that was null may have a value, and not the other way round.
fn same_type(place: &str, old: &Value, new: &Value) -> Result<(), String> {
    if old.is_null() || std::mem::discriminant(old) == std::mem::discriminant(new) {
        Ok(())
    } else {
        Err(format!("{place} was {old} and is {new}"))
    }
}

#[test]
fn more_fields_may_come_and_none_may_go_or_change() {
    let old = json!({"kind": "a", "hint": null, "at": 1, "rows": [{"name": "x"}]});
    let more =
        json!({"kind": "a", "hint": "b", "at": 2, "rows": [{"name": "x", "new": 1}], "new": []});
    assert_eq!(holds("it", &old, &more), Ok(()));
    for less in [
        json!({"kind": "a", "hint": null, "rows": [{"name": "x"}]}),
        json!({"kind": "b", "hint": null, "at": 1, "rows": [{"name": "x"}]}),
        json!({"kind": "a", "hint": null, "at": "1", "rows": [{"name": "x"}]}),
        json!({"kind": "a", "hint": null, "at": null, "rows": [{"name": "x"}]}),
        json!({"kind": "a", "hint": null, "at": 1, "rows": []}),
        json!({"kind": "a", "hint": null, "at": 1, "rows": [{}]}),
        json!({"kind": "a", "hint": null, "at": 1, "rows": {}}),
        json!([]),
    ] {
        assert!(holds("it", &old, &less).is_err(), "{less}");
    }
}
