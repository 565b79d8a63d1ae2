//! The medians of all rounds as a table, and the ratios that are aimed at.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::sender::{Figures, percentile};

/// The figures of each sender, round by round.
#[derive(Default)]
pub(crate) struct Report {
    rounds: BTreeMap<&'static str, [Vec<f64>; COLUMNS.len()]>,
}

/// The columns of the table, and how many digits each has behind the point.
const COLUMNS: [(&str, usize); 8] = [
    ("up MiB/s", 0),
    ("down MiB/s", 0),
    ("up CPU s/GiB", 2),
    ("down CPU s/GiB", 2),
    ("ping p50 us", 0),
    ("ping p99 us", 0),
    ("first byte ms", 2),
    ("peak MiB", 1),
];

/// What is aimed at: column, and the ratio of `entra-ssh` to `socat`, at least or at most.
const AIMS: [(usize, Bound); 7] = [
    (0, Bound::AtLeast(1.3)),
    (1, Bound::AtLeast(1.5)),
    (2, Bound::AtMost(0.75)),
    (3, Bound::AtMost(0.85)),
    (4, Bound::AtMost(0.9)),
    (5, Bound::AtMost(1.2)),
    (6, Bound::AtMost(0.6)),
];
/// The most memory that is aimed at, in MiB.
const MAX_MEMORY: f64 = 8.0;

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    pub(crate) fn add(&mut self, sender: &'static str, figures: &Figures) {
        let row = [
            Some(figures.up),
            Some(figures.down),
            figures.up_cpu,
            figures.down_cpu,
            Some(figures.times.ping_p50),
            Some(figures.times.ping_p99),
            Some(figures.times.start),
            figures.peak_memory,
        ];
        let columns = self.rounds.entry(sender).or_default();
        for (column, figure) in columns.iter_mut().zip(row) {
            column.extend(figure);
        }
    }

    /// Returns the report as text.
    pub(crate) fn text(&self, bytes: u64) -> String {
        let mut text = format!("{} MiB each way, medians\n\n{:<12}", bytes >> 20, "");
        // Writing to a String does not fail.
        for (title, _) in COLUMNS {
            let _written = write!(text, "{title:>16}");
        }
        for sender in self.rounds.keys() {
            let _written = write!(text, "\n{sender:<12}");
            for (column, (_, digits)) in COLUMNS.iter().enumerate() {
                let _written = match self.median(sender, column) {
                    Some(median) => write!(text, "{median:>16.digits$}"),
                    None => write!(text, "{:>16}", ""),
                };
            }
        }
        text.push_str("\n\nentra-ssh to socat\n");
        for (column, bound) in AIMS {
            let (Some(ours), Some(theirs)) = (
                self.median("entra-ssh", column),
                self.median("socat", column),
            ) else {
                continue;
            };
            let ratio = ours / theirs;
            let (is_met, word, aim) = match bound {
                Bound::AtLeast(aim) => (ratio >= aim, "at least", aim),
                Bound::AtMost(aim) => (ratio <= aim, "at most", aim),
            };
            let title = COLUMNS.get(column).map_or("", |(title, _)| *title);
            let _written = writeln!(
                text,
                "  {title:<16}{ratio:>6.2}  aim: {word} {aim:<5} {}",
                verdict(is_met)
            );
        }
        if let Some(memory) = self.median("entra-ssh", COLUMNS.len() - 1) {
            let met = verdict(memory < MAX_MEMORY);
            let _written = writeln!(
                text,
                "  {:<16}{memory:>6.1}  aim: under {MAX_MEMORY} MiB  {met}",
                "peak memory"
            );
        }
        text
    }

    fn median(&self, sender: &str, column: usize) -> Option<f64> {
        let mut values = self.rounds.get(sender)?.get(column)?.clone();
        (!values.is_empty()).then(|| percentile(&mut values, 50))
    }
}

const fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}
