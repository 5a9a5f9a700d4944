//! Scans on the day of a local treatment: those before it and those after it are two visits of the day.
//!
//! Planning and control scan are told apart by their acquisition against the treatment's `time`, else by an ablation zone outlined on
//! the later one alone. Where neither tells, nothing is guessed: the visit is measured and its response not evaluable. Descriptions are
//! no evidence: "PRE" is said of contrast medium, too.

use std::collections::BTreeSet;

use formats::archive::{SeriesEntry, TimepointImages};
use formats::clinical::TreatmentRecord;
use imaging::Note;
use jiff::civil::DateTime;
use oncology::VisitId;
use serde::{Deserialize, Serialize};

use super::SeriesPlan;
use super::outlines::{Days, RegionKind};
use super::visit::Source;
pub(crate) use super::visit::is_image;
use super::{segmentations, structures};

/// Scans of one study that start farther apart belong to two sessions. Origin: the phases of one examination follow each other within
/// a quarter of an hour; an ablation takes longer than half an hour.
const SESSION_GAP_MINUTES: i64 = 30;

/// Where a visit on the day of a local treatment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DaySide {
    /// Scanned before it.
    Before,
    /// Scanned after it.
    After,
    /// Two scans that cannot be ordered round it.
    Unordered,
}

/// The images of one visit of a day.
pub(super) struct DayImages {
    /// The images.
    pub(super) images: TimepointImages,
    /// The visit's name; `None` where the day is not known.
    pub(super) id: Option<VisitId>,
    /// Where they stand, on the day of a local treatment and where it is known.
    pub(super) side: Option<DaySide>,
    /// Why response cannot be judged.
    pub(super) not_evaluable: Option<String>,
}

/// The images of a day on both sides of a treatment, and how that is known.
pub(crate) struct Ordered {
    pub(crate) before: TimepointImages,
    pub(crate) after: TimepointImages,
    pub(crate) by: &'static str,
}

/// The time points of a day that the places of NIfTI and NRRD files name; everything else stands with the first one.
pub(crate) fn named_time_points(day: &TimepointImages) -> Vec<(VisitId, TimepointImages)> {
    let Some(date) = day.study_date else { return Vec::new() };
    let name = |series: &SeriesEntry| series.nifti.as_ref().map_or(VisitId::first(date), |file| file.visit);
    let names: BTreeSet<VisitId> = day.series.iter().filter(|s| is_image(s)).map(name).collect();
    let first = names.first().copied();
    let is_of = |series: &SeriesEntry, id| if is_image(series) { name(series) == id } else { Some(id) == first };
    let of = |id| {
        let series = day.series.iter().filter(|s| is_of(s, id)).cloned().collect();
        (id, TimepointImages { study_date: day.study_date, series })
    };
    names.into_iter().map(of).collect()
}

/// The visits of a day that the archive's folders tell apart. On the day of a local treatment the first of two is the scan before it
/// and `-2` the one after it; which of three is which is not known.
fn of_named(points: Vec<(VisitId, TimepointImages)>, is_treated: bool) -> Vec<DayImages> {
    let n_points = points.len();
    let visit = |(id, images): (VisitId, TimepointImages)| {
        let side = match (n_points, id.ordinal()) {
            _ if !is_treated => None,
            (1 | 2, 1) => Some(DaySide::Before),
            (1 | 2, 2) => Some(DaySide::After),
            _ => Some(DaySide::Unordered),
        };
        let not_evaluable = (side == Some(DaySide::Unordered)).then(|| {
            format!("not evaluable, because which of the {n_points} time points of the day lie before the treatment is not known")
        });
        DayImages { images, id: Some(id), side, not_evaluable }
    };
    points.into_iter().map(visit).collect()
}

/// The visits of a day, in order of time: two where measurable images lie before a local treatment and after it, else one.
pub(super) fn of_day(
    source: &Source<'_>,
    day: &TimepointImages,
    treatments: &[TreatmentRecord],
    notes: &mut Vec<Note>,
) -> Vec<DayImages> {
    let first = day.study_date.map(VisitId::first);
    let whole = |side, not_evaluable| vec![DayImages { images: day.clone(), id: first, side, not_evaluable }];
    let Some(date) = day.study_date else { return whole(None, None) };
    let local: Vec<&TreatmentRecord> =
        treatments.iter().filter(|t| t.date == date && t.modality.is_locoregional()).collect();
    let points = named_time_points(day);
    if points.iter().any(|(id, _)| id.ordinal() > 1) {
        return of_named(points, !local.is_empty());
    }
    let roles = &source.study.series.measure;
    let scans: Vec<&SeriesEntry> = day.series.iter().filter(|s| is_measurable(s, roles)).collect();
    if local.is_empty() || scans.is_empty() {
        return whole(None, None);
    }
    let sessions = sessions(&scans);
    let found = by_clock(day, &local, notes).or_else(|| by_zone(source, day, &sessions));
    let Some(Ordered { before, after, by }) = found else {
        if sessions.len() == 1 {
            return whole(None, None);
        }
        let reason = format!(
            "not evaluable, because {} scans of the day cannot be ordered round the treatment; give its time in treatments.csv (column time, HH:MM)",
            sessions.len()
        );
        notes.push(Note::error("unordered_day", date.to_string(), format!("{date}: {reason}")));
        return whole(Some(DaySide::Unordered), Some(reason));
    };
    let visit = |images, id, side| DayImages { images, id, side: Some(side), not_evaluable: None };
    let has = |images: &TimepointImages| images.series.iter().any(|s| is_measurable(s, roles));
    match (has(&before), has(&after)) {
        (true, true) => {
            let further = first.map(VisitId::next_of_day);
            let name = further.map_or_else(String::new, |id| id.to_string());
            let message = format!(
                "{date}: the scans before and after the treatment, told apart by {by}, are two visits: {date} before it, {name} after it"
            );
            notes.push(Note::info("two_scans_round_treatment", date.to_string(), message));
            vec![visit(before, first, DaySide::Before), visit(after, further, DaySide::After)]
        }
        (false, true) => {
            note_other_side(&before, notes);
            vec![visit(after, first, DaySide::After)]
        }
        _ => {
            note_other_side(&after, notes);
            vec![visit(before, first, DaySide::Before)]
        }
    }
}

/// Images on the side of a treatment on which nothing can be measured belong to no visit.
fn note_other_side(images: &TimepointImages, notes: &mut Vec<Note>) {
    for series in images.series.iter().filter(|s| is_image(s)) {
        let row = &series.row;
        let why = if row.usable { "no series to measure lies on that side".to_owned() } else { row.reasons.join("; ") };
        let message = format!(
            "\"{}\" was scanned on the other side of the day's treatment than what is measured, and is not used: {why}",
            row.description
        );
        notes.push(Note::warning("scan_on_other_side", row.series_uid.clone(), message));
    }
}

/// Whether a series can be measured.
pub(crate) fn is_measurable(series: &SeriesEntry, roles: &[String]) -> bool {
    series.row.usable && roles.iter().any(|role| series.row.role.as_str() == role)
}

/// When the first slice was acquired.
fn start(series: &SeriesEntry) -> Option<DateTime> {
    series.headers.unpack().iter().filter_map(|header| header.key.acquired).min()
}

fn study(series: &SeriesEntry) -> &str {
    series.headers.first().map_or("", |header| &header.study_uid)
}

/// The scans by session, earliest first: another study, or a long pause, begins another one.
fn sessions<'a>(scans: &[&'a SeriesEntry]) -> Vec<Vec<&'a SeriesEntry>> {
    let mut sorted = scans.to_vec();
    sorted.sort_by(|a, b| (start(a), study(a), &a.row.series_uid).cmp(&(start(b), study(b), &b.row.series_uid)));
    let mut sessions: Vec<Vec<&SeriesEntry>> = Vec::new();
    for scan in sorted {
        let goes_on = |session: &Vec<&SeriesEntry>| {
            let last = session.last().expect("no session is empty");
            let pause = start(last).zip(start(scan)).map_or(0, |(a, b)| b.duration_since(a).as_secs() / 60);
            study(last) == study(scan) && pause <= SESSION_GAP_MINUTES
        };
        match sessions.last_mut().filter(|session| goes_on(session)) {
            Some(session) => session.push(scan),
            None => sessions.push(vec![scan]),
        }
    }
    sessions
}

/// By the treatment's time; nothing where none is given, or no image states when it was acquired.
pub(crate) fn by_clock(day: &TimepointImages, local: &[&TreatmentRecord], notes: &mut Vec<Note>) -> Option<Ordered> {
    let date = day.study_date?;
    let times = || local.iter().filter_map(|t| t.time).map(|time| date.to_datetime(time));
    let (first, last) = (times().min()?, times().max()?);
    day.series.iter().filter(|s| is_image(s)).find_map(start)?;
    let side = |series: &SeriesEntry| match start(series) {
        Some(at) if at < first => Some(DaySide::Before),
        Some(at) if at >= last => Some(DaySide::After),
        _ => None,
    };
    for series in day.series.iter().filter(|s| is_image(s) && s.row.usable && side(s).is_none()) {
        let why =
            if start(series).is_some() { "was scanned during the treatments" } else { "states no acquisition time" };
        let message = format!("{date}: \"{}\" {why} and is not used", series.row.description);
        notes.push(Note::warning("scan_without_side", series.row.series_uid.clone(), message));
    }
    let of = |wanted| part(day, |series| side(series) == Some(wanted));
    Some(Ordered { before: of(DaySide::Before), after: of(DaySide::After), by: "the treatment's time" })
}

/// By an ablation zone on the later of two sessions alone.
fn by_zone(source: &Source<'_>, day: &TimepointImages, sessions: &[Vec<&SeriesEntry>]) -> Option<Ordered> {
    let [earlier, later] = sessions else { return None };
    let begins = start(later.first()?)?;
    let is_before = start(earlier.last()?)? < begins;
    let zone = |session: &[&SeriesEntry]| session.iter().any(|scan| has_zone(source, day, scan));
    if !is_before || zone(earlier) || !zone(later) {
        return None;
    }
    let of = |before: bool| part(day, |series| start(series).is_some_and(|at| (at < begins) == before));
    Some(Ordered { before: of(true), after: of(false), by: "the ablation zone outlined on the later one" })
}

/// Whether a structure set or segmentation outlines an ablation zone on a scan.
fn has_zone(source: &Source<'_>, day: &TimepointImages, scan: &SeriesEntry) -> bool {
    let scan = SeriesPlan { role: scan.row.role.to_string(), entry: scan.clone() };
    let days = Days { archive: source.archive, visit: day, all: source.timepoints };
    // What is said of these files is said where they are used.
    let mut unsaid = Vec::new();
    let sets = structures::of_visit(days, &scan, &source.study.structures, &mut unsaid);
    let segments = segmentations::of_visit(days, &scan, &source.study.structures, &mut unsaid);
    let mut regions = sets.into_iter().chain(segments).flatten().flat_map(|set| set.regions);
    regions.any(|region| region.kind == RegionKind::AblationZone)
}

/// The day with a part of its images; what is no image refers to the series it belongs to and stays.
fn part(day: &TimepointImages, is_part: impl Fn(&SeriesEntry) -> bool) -> TimepointImages {
    let series = day.series.iter().filter(|s| !is_image(s) || is_part(s)).cloned().collect();
    TimepointImages { study_date: day.study_date, series }
}
