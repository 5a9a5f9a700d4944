//! On which day the images of a series were taken, and so to which time point they belong.
//!
//! The Acquisition Date (0008,0022) is the day of the scan; the Study Date (0008,0020) may be that of the order or of the first of
//! several sessions under one study. Where the two differ the Acquisition Date counts, with a note, except for a scan just after
//! midnight, and where they lie so far apart that one of them was shifted or made up: then the Study Date counts if every
//! image of the patient is off by the same number of days (intervals stay true), and no date at all if not. Images without an
//! Acquisition Date, and what is no image (structure sets, segmentations, reports), follow the images of their study.
//!
//! Source: DICOM PS3.3 C.7.2.1 (General Study), C.7.3.1 (General Series), C.7.6.1 (General Image).

use std::collections::{BTreeMap, BTreeSet};

use imaging::Note;
use jiff::civil::{Date, DateTime, date};

use super::SeriesEntry;
use crate::dicom::header::SliceHeader;

/// Study Date and Acquisition Date farther apart than this contradict each other: no examination takes longer.
const FARTHEST_APART_DAYS: i64 = 30;

/// A scan before this hour of the day after the Study Date belongs to the examination of the night before.
const NIGHT_ENDS_AT_HOUR: i8 = 6;

/// Dates that stand for "unknown" in files of some exporters.
const PLACEHOLDERS: [Date; 3] = [date(1, 1, 1), date(1900, 1, 1), date(1970, 1, 1)];

/// What the headers of one series say about its day.
#[derive(Debug, Clone)]
struct Stated {
    study: Option<Date>,
    acquired: Option<Acquired>,
    series: Option<Date>,
}

/// The earliest acquisition of a series.
#[derive(Debug, Clone, Copy)]
struct Acquired {
    date: Date,
    /// Hour of the day, where the headers state a time.
    hour: Option<i8>,
}

/// A day, or why there is none, and what to say about it.
struct Day {
    date: Option<Date>,
    remark: Option<(&'static str, String)>,
}

/// Puts the day of each series of one patient into its row, with a note where that is not simply the Study Date. A series without
/// a day is not usable.
pub(super) fn date_series(entries: &mut [SeriesEntry]) {
    let stated: Vec<Stated> = entries.iter().map(stated).collect();
    let offsets: BTreeSet<i64> = stated.iter().filter_map(offset_days).collect();
    let mut days: Vec<Day> = stated.iter().map(|s| day_of(s, offsets.len() == 1)).collect();
    follow_their_study(entries, &stated, &mut days);
    for ((entry, stated), day) in entries.iter_mut().zip(&stated).zip(days) {
        entry.row.study_date = day.date;
        if day.date.is_none() {
            entry.row.usable = false;
            let reason = day.remark.map_or_else(|| without_date(entry, stated), |(_, text)| text);
            entry.row.reasons.push(reason);
        } else if let Some((code, text)) = day.remark {
            entry.notes.push(Note::warning(code, entry.row.series_uid.clone(), text.clone()));
            entry.row.reasons.push(text);
        }
    }
}

fn stated(entry: &SeriesEntry) -> Stated {
    let first = first(entry);
    let earliest = entry.headers.unpack().iter().filter_map(acquired).min();
    Stated {
        study: first.study_date,
        acquired: earliest.map(|(date, clock)| Acquired { date, hour: clock.map(DateTime::hour) }),
        series: first.series_date.filter(|d| !PLACEHOLDERS.contains(d)),
    }
}

/// The header of a series' first slice.
fn first(entry: &SeriesEntry) -> &SliceHeader {
    entry.headers.first().expect("a DICOM series has a slice")
}

/// When a slice was acquired. The Acquisition Date of a structure set, segmentation or report is that of its making, not of a scan.
fn acquired(header: &SliceHeader) -> Option<(Date, Option<DateTime>)> {
    let clock = header.key.acquired;
    let date = header.acquisition_date.or(clock.map(DateTime::date)).filter(|d| !PLACEHOLDERS.contains(d))?;
    header.is_image().then(|| (date, clock.filter(|c| c.date() == date)))
}

/// Days from Study Date to Acquisition Date, where both are stated.
fn offset_days(stated: &Stated) -> Option<i64> {
    Some(days_between(stated.study?, stated.acquired?.date))
}

/// Whole days from one date to another.
fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}

fn day_of(stated: &Stated, same_offset: bool) -> Day {
    let plain = |date| Day { date, remark: None };
    let said = |date, code, text| Day { date: Some(date), remark: Some((code, text)) };
    let (study, acquired) = match (stated.study, stated.acquired) {
        (Some(study), Some(acquired)) => (study, acquired),
        (Some(study), None) => return plain(Some(study)),
        (None, Some(Acquired { date, .. })) => {
            let text = format!("states no whole Study Date (0008,0020); its Acquisition Date {date} counts");
            return said(date, "date_from_acquisition", text);
        }
        (None, None) => {
            return stated.series.map_or(plain(None), |date| {
                let text = format!("states neither Study Date nor Acquisition Date; its Series Date {date} counts");
                said(date, "date_from_series", text)
            });
        }
    };
    let date = acquired.date;
    let apart = days_between(study, date);
    if apart == 0 || (apart == 1 && acquired.hour.is_some_and(|hour| hour < NIGHT_ENDS_AT_HOUR)) {
        return plain(Some(study));
    }
    if apart.abs() <= FARTHEST_APART_DAYS {
        let text = format!("acquired on {date}, though its Study Date is {study}; it counts to {date}");
        return said(date, "acquired_on_other_day", text);
    }
    if same_offset {
        let text = format!(
            "its Study Date {study} and Acquisition Date {date} lie {apart} days apart, as in all images of the patient: one of the two was shifted; the Study Date counts, and intervals stay true"
        );
        return said(study, "dates_shifted", text);
    }
    let text = format!(
        "its Study Date {study} and Acquisition Date {date} lie {apart} days apart, and other images of the patient by another number of days: which is the day of the scan is not known; mend the dates"
    );
    Day { date: None, remark: Some(("dates_contradict", text)) }
}

/// What was not acquired itself goes to the day of their study's images: of those in their frame of reference, where there
/// are several days.
fn follow_their_study(entries: &[SeriesEntry], stated: &[Stated], days: &mut [Day]) {
    let mut by_study: BTreeMap<&str, BTreeMap<Date, BTreeSet<&str>>> = BTreeMap::new();
    for ((entry, stated), day) in entries.iter().zip(stated).zip(&*days) {
        if let (Some(date), true) = (day.date, stated.acquired.is_some()) {
            let first = first(entry);
            let frames = by_study.entry(&first.study_uid).or_default().entry(date).or_default();
            frames.extend(first.frame_uid.as_deref());
        }
    }
    for ((entry, stated), day) in entries.iter().zip(stated).zip(days) {
        let first = first(entry);
        let (None, Some(own), Some(found)) = (&stated.acquired, stated.study, by_study.get(first.study_uid.as_str()))
        else {
            continue;
        };
        let of_frame: Vec<Date> = found
            .iter()
            .filter(|(_, frames)| first.frame_uid.as_deref().is_some_and(|frame| frames.contains(frame)))
            .map(|(date, _)| *date)
            .collect();
        let to = match (of_frame.as_slice(), found.len()) {
            ([only], _) => *only,
            (_, 1) => found.keys().next().copied().unwrap_or(own),
            _ => own,
        };
        if to != own {
            let text = format!("counts to {to}, when the images of its study were acquired; its Study Date is {own}");
            *day = Day { date: Some(to), remark: Some(("date_of_its_study", text)) };
        }
    }
}

fn without_date(entry: &SeriesEntry, stated: &Stated) -> String {
    debug_assert!(stated.study.is_none());
    match &first(entry).partial_study_date {
        Some(text) => format!(
            "its Study Date (0008,0020) is {text:?}, which is no whole date, and no other date is stated; a day is never guessed: write the date into the files"
        ),
        None => "states no date (Study, Acquisition or Series Date), so it belongs to no time point; write the date into the files".to_owned(),
    }
}

#[cfg(test)]
mod tests;
