//! Reads single elements of a data set as plain values; what is absent, empty or malformed is `None`.

use std::borrow::Cow;

use dicom::core::{Tag, VR};
use dicom::object::InMemDicomObject;
use jiff::civil::{Date, DateTime, Time};

/// The text of an element without padding; multiple values are joined by a backslash.
pub(crate) fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let element = object.get(tag)?;
    // Private elements of implicit files come as bytes, which the crate would write out as numbers.
    let text = match element.vr() {
        VR::UN => Cow::Owned(String::from_utf8(element.to_bytes().ok()?.into_owned()).ok()?),
        _ => element.to_str().ok()?,
    };
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// The values of a multi-valued text element.
pub(crate) fn texts(object: &InMemDicomObject, tag: Tag) -> Vec<String> {
    text(object, tag).map(|t| t.split('\\').map(|v| v.trim().to_owned()).collect()).unwrap_or_default()
}

/// All numbers of an element; empty when one of them is not a finite number.
pub(super) fn floats(object: &InMemDicomObject, tag: Tag) -> Vec<f64> {
    let as_text = |o| texts(o, tag).iter().map(|t| t.parse().ok()).collect::<Option<Vec<f64>>>();
    let values = match object.get(tag) {
        Some(element) if element.vr() == VR::UN => as_text(object).unwrap_or_default(),
        Some(element) => element.to_multi_float64().unwrap_or_default(),
        None => Vec::new(),
    };
    if values.iter().all(|v| v.is_finite()) { values } else { Vec::new() }
}

/// Exactly `N` numbers.
pub(super) fn array<const N: usize>(object: &InMemDicomObject, tag: Tag) -> Option<[f64; N]> {
    floats(object, tag).try_into().ok()
}

/// The first number of an element.
pub(super) fn float(object: &InMemDicomObject, tag: Tag) -> Option<f64> {
    floats(object, tag).first().copied()
}

/// The first integer of an element.
pub(crate) fn integer(object: &InMemDicomObject, tag: Tag) -> Option<i64> {
    let element = object.get(tag)?;
    element.to_int::<i64>().ok().or_else(|| element.to_str().ok()?.trim().parse().ok())
}

/// A non-negative count.
pub(crate) fn count(object: &InMemDicomObject, tag: Tag) -> Option<u32> {
    integer(object, tag).and_then(|n| u32::try_from(n).ok())
}

/// The first item of a sequence.
pub(crate) fn first_item(object: &InMemDicomObject, tag: Tag) -> Option<&InMemDicomObject> {
    object.get(tag)?.items()?.first()
}

/// The items of a sequence.
pub(crate) fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    object.get(tag).and_then(|e| e.items()).unwrap_or_default()
}

/// The tag of a private element: the block of a group that its creator (by the start of its name) has reserved.
pub(super) fn private(object: &InMemDicomObject, group: u16, offset: u16, creator: &str) -> Option<Tag> {
    let reserved = |block: &u16| text(object, Tag(group, *block)).is_some_and(|name| name.starts_with(creator));
    let block = (0x10..=0xFF).find(reserved)?;
    Some(Tag(group, (block << 8) | offset))
}

/// A date (VR DA), also in the old form with dots.
pub(super) fn date(object: &InMemDicomObject, tag: Tag) -> Option<Date> {
    parse_date(&text(object, tag)?)
}

/// A time of day (VR TM).
pub(super) fn time(object: &InMemDicomObject, tag: Tag) -> Option<Time> {
    parse_time(&text(object, tag)?)
}

/// `YYYYMMDD` or `YYYY.MM.DD`.
pub(super) fn parse_date(text: &str) -> Option<Date> {
    let digits: String = text.trim().chars().filter(|c| *c != '.').collect();
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Date::new(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..8].parse().ok()?).ok()
}

/// `HH`, `HHMM`, `HHMMSS` or `HHMMSS.FFFFFF`, also with colons; missing parts are zero, as PS3.5 6.2 allows.
pub(super) fn parse_time(text: &str) -> Option<Time> {
    let plain: String = text.trim().chars().filter(|c| *c != ':').collect();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    if !matches!(whole.len(), 2 | 4 | 6) || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize| whole.get(from..from + 2).map_or(Some(0), |p| p.parse::<i8>().ok());
    let nanoseconds = if fraction.is_empty() { 0 } else { format!("{fraction:0<9}")[..9].parse::<i32>().ok()? };
    Time::new(part(0)?, part(2)?, part(4)?.min(59), nanoseconds).ok()
}

/// A date-time (VR DT) in the clock it was written in, and its offset from UTC in seconds where it states one.
pub(super) fn parse_datetime(text: &str) -> Option<(DateTime, Option<i32>)> {
    let trimmed = text.trim();
    let sign_at = trimmed.find(['+', '-']);
    let (clock, offset) = match sign_at {
        Some(at) => (&trimmed[..at], Some(parse_offset(&trimmed[at..])?)),
        None => (trimmed, None),
    };
    let date = parse_date(clock.get(..8)?)?;
    let time = parse_time(clock.get(8..).filter(|t| !t.is_empty())?)?;
    Some((date.to_datetime(time), offset))
}

/// `&ZZXX`: hours and minutes east of UTC, in seconds.
pub(super) fn parse_offset(text: &str) -> Option<i32> {
    let trimmed = text.trim();
    let sign = match trimmed.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours: i32 = trimmed.get(1..3)?.parse().ok()?;
    let minutes: i32 = trimmed.get(3..5)?.parse().ok()?;
    Some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, time};

    #[test]
    fn dates_and_times_in_the_forms_the_standard_allows() {
        assert_eq!(parse_date("20240229"), Some(date(2024, 2, 29)));
        assert_eq!(parse_date("2024.02.29"), Some(date(2024, 2, 29)));
        assert_eq!(parse_date("20230229"), None);
        assert_eq!(parse_time("1015"), Some(time(10, 15, 0, 0)));
        assert_eq!(parse_time("101142.860000"), Some(time(10, 11, 42, 860_000_000)));
        assert_eq!(parse_time("10:11:42"), Some(time(10, 11, 42, 0)));
        assert_eq!(parse_time("é1142"), None);
        assert_eq!(
            parse_datetime("20240101100000.00+0130"),
            Some((date(2024, 1, 1).to_datetime(time(10, 0, 0, 0)), Some(5400)))
        );
        assert_eq!(parse_datetime("20240101"), None);
    }
}
