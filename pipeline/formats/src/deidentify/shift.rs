//! Moves dates by whole days, in the form and precision they were written in; the time of day and the zone stay.
//!
//! Source: DICOM PS3.5 6.2 (value representations DA and DT).

use jiff::ToSpan as _;
use jiff::civil::Date;
use oncology::VisitId;

/// A date (VR DA) moved by `days`: `YYYYMMDD`, the old `YYYY.MM.DD`, or part of one (`YYYYMM`, `YYYY`). A partial date is moved
/// from the middle of what it names and cut to the same precision. `None` where the text is no date.
#[must_use]
pub(super) fn shifted_date(text: &str, days: i64) -> Option<String> {
    let trimmed = text.trim_matches(['\0', ' ']);
    let dotted = trimmed.contains('.');
    let digits: String = if dotted { trimmed.chars().filter(|c| *c != '.').collect() } else { trimmed.to_owned() };
    let is_dotted_date =
        trimmed.len() == 10 && trimmed.bytes().enumerate().all(|(n, b)| (b == b'.') == (n == 4 || n == 7));
    if dotted && !is_dotted_date || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize, otherwise: i8| digits.get(from..to).map_or(Some(otherwise), |p| p.parse().ok());
    if !matches!(digits.len(), 4 | 6 | 8) {
        return None;
    }
    let date = Date::new(digits[..4].parse().ok()?, part(4, 6, 7)?, part(6, 8, 15)?).ok()?;
    let moved = date.checked_add(days.days()).ok()?;
    let text = format!("{:04}{:02}{:02}", moved.year(), moved.month(), moved.day());
    let text = text[..digits.len()].to_owned();
    Some(if dotted { format!("{}.{}.{}", &text[..4], &text[4..6], &text[6..]) } else { text })
}

/// A date-time (VR DT) moved by `days`: what follows the date (time, fraction, offset from UTC) stays as written.
#[must_use]
pub(super) fn shifted_datetime(text: &str, days: i64) -> Option<String> {
    let trimmed = text.trim_matches(['\0', ' ']);
    let end = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (date, rest) = trimmed.split_at(end.min(8));
    let is_plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-');
    // `20240131` and `2024-0500` (year and offset) are date-times, `2024.01.31` is none.
    let fits = rest.chars().all(is_plain) && (date.len() == 8 || !rest.starts_with('.'));
    if fits { Some(format!("{}{rest}", shifted_date(date, days)?)) } else { None }
}

/// A date as tables have it (`YYYY-MM-DD`), or the name of a visit (`YYYY-MM-DD-2`), moved by `days`.
#[must_use]
pub(super) fn shifted_table_date(text: &str, days: i64) -> Option<String> {
    let (date, further) = text.trim().split_at_checked(10)?;
    if !further.is_empty() && text.trim().parse::<VisitId>().is_err() {
        return None;
    }
    let date: Date = date.parse().ok()?;
    Some(format!("{}{further}", date.checked_add(days.days()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_keep_form_precision_time_and_zone() {
        assert_eq!(shifted_date("20240301", -1).as_deref(), Some("20240229"));
        assert_eq!(shifted_date("2024.03.01 ", -1).as_deref(), Some("2024.02.29"));
        assert_eq!(shifted_date("202403", -31).as_deref(), Some("202402"));
        assert_eq!(shifted_date("2024", -365).as_deref(), Some("2023"));
        for malformed in ["", "20230229", "1.3.2024", "2024030", "2024-03-01", "20240301X", "Müller", "2024.0301"] {
            assert_eq!(shifted_date(malformed, -1), None, "{malformed}");
        }
        assert_eq!(shifted_datetime("20240301101530.25+0130", -1).as_deref(), Some("20240229101530.25+0130"));
        assert_eq!(shifted_datetime("2024030110", -1).as_deref(), Some("2024022910"));
        assert_eq!(shifted_datetime("202403-0500", -31).as_deref(), Some("202402-0500"));
        for malformed in ["20240301 Smith", "2024.03.01", "20240301101530Z", "é"] {
            assert_eq!(shifted_datetime(malformed, -1), None, "{malformed}");
        }
        assert_eq!(shifted_table_date("2024-03-01", -1).as_deref(), Some("2024-02-29"));
        assert_eq!(shifted_table_date("2024-03-01-2", -1).as_deref(), Some("2024-02-29-2"));
        for malformed in ["01.03.2024", "2024-03-01-1", "2024-03-01-Smith", "2024-03-01T10:00", "ééééé", ""] {
            assert_eq!(shifted_table_date(malformed, -1), None, "{malformed}");
        }
    }
}
