//! Wall clock time, in whole seconds since the Unix epoch, and its spellings.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the seconds since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the one clock of the sandbox, which depends on nothing of the tool"
)]
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// Returns a time as RFC 3339 UTC, for example `2026-01-31T08:30:00Z`.
pub(crate) fn rfc3339(seconds: u64) -> String {
    let (date, time) = date_and_time(seconds);
    format!("{date}T{time}Z")
}

/// Returns a time the way Entra's error bodies have it, for example `2026-01-31 08:30:00Z`.
pub(crate) fn entra_timestamp(seconds: u64) -> String {
    let (date, time) = date_and_time(seconds);
    format!("{date} {time}Z")
}

/// Returns a time as HTTP has it (RFC 9110, section 5.6.7), for example
/// `Sat, 31 Jan 2026 08:30:00 GMT`.
pub(crate) fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = seconds / 86_400;
    let name = |names: &[&'static str], index: u64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index).copied())
            .unwrap_or_default()
    };
    let (year, month, day) = civil_date(days);
    let (_, time) = date_and_time(seconds);
    format!(
        "{}, {day:02} {} {year:04} {time} GMT",
        name(&DAYS, days % 7),
        name(&MONTHS, month - 1)
    )
}

fn date_and_time(seconds: u64) -> (String, String) {
    let (year, month, day) = civil_date(seconds / 86_400);
    let rest = seconds % 86_400;
    (
        format!("{year:04}-{month:02}-{day:02}"),
        format!("{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60),
    )
}

/// Counts whole 400-year eras from 1 March of year 0, so that the leap day is a year's last.
fn civil_date(days_since_epoch: u64) -> (u64, u64, u64) {
    let days = days_since_epoch + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{entra_timestamp, http_date, rfc3339};

    #[test]
    fn epoch_and_leap_days_are_spelled_right() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(entra_timestamp(1_735_689_599), "2024-12-31 23:59:59Z");
        // The example of RFC 9110.
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
