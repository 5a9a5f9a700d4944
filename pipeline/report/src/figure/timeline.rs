//! One patient's timeline, to scale: imaging with its verdicts, treatments, events, and how observation ended.

use super::axis::{Scale, levels};
use super::spider::DAYS_PER_MONTH;
use super::svg::{GRID, INK, MUTED, Svg, text_width};
use crate::numerals::fixed;
use crate::patient_page::{FollowUpEndKind, PatientPage};
use crate::wording::{Tone, badge, event_words, tone};
use oncology::{Date, Days};

const WIDTH: f64 = 1240.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 1200.0;
const LEVEL: f64 = 16.0;
const LEGEND: f64 = 24.0;
/// Pixels from one visit of a day to the next.
const ASIDE: f64 = 16.0;

/// A mark on one track.
struct Mark {
    day: f64,
    /// Pixels to the right of its day: of two visits of one day the second stands beside the first.
    aside: f64,
    label: String,
    shape: Shape,
}

impl Mark {
    fn at(&self, x: &Scale) -> f64 {
        x.at(self.day / DAYS_PER_MONTH) + self.aside
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Verdict(Tone),
    Treatment,
    Progression,
    Event,
    Death,
    LastContact,
    Censored,
    /// Whether the marker is above the upper limit of normal.
    Marker(bool),
}

/// Draws the timeline. Days count from the first visit handed in (from the earliest date without visits).
#[must_use]
pub fn timeline(page: &PatientPage) -> String {
    let mut tracks = vec![
        ("Imaging".to_owned(), imaging(page)),
        ("Treatment".to_owned(), treatments(page)),
        ("Events".to_owned(), events(page)),
    ];
    tracks.extend(markers(page));
    let days = || tracks.iter().flat_map(|(_, marks)| marks.iter().map(|mark| mark.day));
    let first = days().fold(0.0, f64::min);
    let last = days().fold(30.0, f64::max);
    let x = Scale { values: [first / DAYS_PER_MONTH, last / DAYS_PER_MONTH], pixels: [LEFT + 40.0, RIGHT - 50.0] };
    let placed: Vec<_> = tracks
        .into_iter()
        .filter(|(_, marks)| !marks.is_empty())
        .map(|(name, marks)| (name, place(marks, &x)))
        .collect();
    let height = 34.0 + LEGEND + placed.iter().map(|(_, track)| track.height()).sum::<f64>();
    let mut svg = Svg::new([WIDTH, height], summary(page));
    let axis_at = height - 24.0 - LEGEND;
    axis(&mut svg, &x, axis_at);
    let mut top = 0.0;
    for (name, track) in &placed {
        draw(&mut svg, name, &Row { track, x, top });
        top += track.height();
    }
    legend(&mut svg, &placed, height - 4.0);
    svg.finish()
}

/// What a symbol means, and which symbols are meant.
type Meaning = (&'static str, fn(&Shape) -> bool);

/// The symbols that were drawn, with their meaning.
fn legend(svg: &mut Svg, placed: &[(String, Track)], y: f64) {
    let meanings: [Meaning; 9] = [
        ("imaging, response in colour", |shape| matches!(shape, Shape::Verdict(_))),
        ("treatment", |shape| matches!(shape, Shape::Treatment)),
        ("progression", |shape| matches!(shape, Shape::Progression)),
        ("other event", |shape| matches!(shape, Shape::Event)),
        ("death", |shape| matches!(shape, Shape::Death)),
        ("last contact, alive", |shape| matches!(shape, Shape::LastContact)),
        ("censored", |shape| matches!(shape, Shape::Censored)),
        ("marker above normal", |shape| matches!(shape, Shape::Marker(true))),
        ("marker normal", |shape| matches!(shape, Shape::Marker(false))),
    ];
    let mut x = LEFT + 8.0;
    for (word, is_meant) in meanings {
        let drawn = placed.iter().flat_map(|(_, track)| &track.marks).find(|mark| is_meant(&mark.shape));
        let Some(mark) = drawn else { continue };
        let plain = if let Shape::Verdict(_) = mark.shape { Shape::Verdict(Tone::Neutral) } else { mark.shape };
        shape(svg, plain, [x, y - 5.0]);
        svg.text([x + 14.0, y], &format!(r#"font-size="11" fill="{MUTED}""#), word);
        x += 34.0 + text_width(word);
    }
}

fn summary(page: &PatientPage) -> String {
    format!(
        "Timeline: {} imaging visits, {} treatments, {} events; the tables below give the dates",
        page.visits.len(),
        page.treatments.len(),
        page.events.len()
    )
}

fn origin(page: &PatientPage) -> Option<Date> {
    let visits =
        page.visits.iter().find(|visit| visit.study_day == 0).or(page.visits.first()).map(|visit| visit.id.date());
    visits.or_else(|| page.events.iter().map(|event| event.date).chain(page.treatments.iter().map(|t| t.date)).min())
}

fn day(page: &PatientPage, date: Date) -> f64 {
    origin(page).map_or(0.0, |origin| Days::between(origin, date).0 as f64)
}

fn imaging(page: &PatientPage) -> Vec<Mark> {
    let criterion = page.criteria.first().map(|criterion| criterion.id.as_str());
    page.visits
        .iter()
        .map(|visit| {
            let code = page
                .verdicts
                .iter()
                .find(|verdict| verdict.row.visit == visit.id && Some(verdict.row.criterion.as_str()) == criterion)
                .map_or("", |verdict| crate::verdict_view::code(&verdict.row));
            let label = if code.is_empty() { visit.id.to_string() } else { format!("{} {}", visit.id, badge(code)) };
            let aside = ASIDE * f64::from(visit.id.ordinal() - 1);
            Mark { aside, day: day(page, visit.id.date()), label, shape: Shape::Verdict(tone(code)) }
        })
        .collect()
}

fn treatments(page: &PatientPage) -> Vec<Mark> {
    page.treatments
        .iter()
        .map(|treatment| {
            let targets = treatment.target_lesions.join(", ");
            let label = if targets.is_empty() {
                treatment.modality.clone()
            } else {
                format!("{} {targets}", treatment.modality)
            };
            Mark { aside: 0.0, day: day(page, treatment.date), label, shape: Shape::Treatment }
        })
        .collect()
}

fn events(page: &PatientPage) -> Vec<Mark> {
    // Treatments have their own track, and a death is drawn where observation ends.
    let dated =
        page.events.iter().filter(|event| !matches!(event.event.as_str(), "treatment" | "death")).map(|event| {
            let label = format!("{} {}", event_words(event), event.lesion_id).trim_end().to_owned();
            let shape = if event.event.contains("progression") { Shape::Progression } else { Shape::Event };
            Mark { aside: 0.0, day: day(page, event.date), label, shape }
        });
    let end = page.follow_up_end.iter().map(|end| {
        let (label, shape) = match end.kind {
            FollowUpEndKind::Death => ("death", Shape::Death),
            FollowUpEndKind::LastContact => ("last contact", Shape::LastContact),
            FollowUpEndKind::Censored => ("censored", Shape::Censored),
        };
        Mark { aside: 0.0, day: day(page, end.date), label: label.to_owned(), shape }
    });
    let mut marks: Vec<Mark> = dated.chain(end).collect();
    marks.sort_by(|a, b| a.day.total_cmp(&b.day));
    marks
}

/// A track for each marker: its values, above the upper limit of normal or not.
fn markers(page: &PatientPage) -> Vec<(String, Vec<Mark>)> {
    let mut tracks: Vec<(String, Vec<Mark>)> = Vec::new();
    let mut readings: Vec<_> = page.markers.iter().collect();
    readings.sort_by_key(|reading| (reading.marker, reading.date));
    for reading in readings {
        let name = reading.marker.to_string();
        if tracks.last().is_none_or(|(last, _)| *last != name) {
            tracks.push((name, Vec::new()));
        }
        let is_above = reading.value > reading.upper_limit;
        let label = format!("{} {}", reading.value, reading.unit).trim_end().to_owned();
        let mark = Mark { aside: 0.0, day: day(page, reading.date), label, shape: Shape::Marker(is_above) };
        if let Some((_, marks)) = tracks.last_mut() {
            marks.push(mark);
        }
    }
    tracks
}

struct Track {
    marks: Vec<Mark>,
    levels: Vec<usize>,
}

impl Track {
    fn n_levels(&self) -> usize {
        self.levels.iter().max().map_or(1, |level| level + 1)
    }
    fn height(&self) -> f64 {
        30.0 + LEVEL * self.n_levels() as f64
    }
}

fn place(marks: Vec<Mark>, x: &Scale) -> Track {
    let widths: Vec<(f64, f64)> = marks.iter().map(|mark| (mark.at(x), text_width(&mark.label))).collect();
    let levels = levels(&widths);
    Track { marks, levels }
}

struct Row<'a> {
    track: &'a Track,
    x: Scale,
    top: f64,
}

fn draw(svg: &mut Svg, name: &str, row: &Row<'_>) {
    let line = row.top + row.track.height() - 14.0;
    svg.text([4.0, line + 4.0], r#"font-weight="600""#, name);
    svg.line([LEFT, line], [RIGHT, line], r##"stroke="#b8c1cc" stroke-width="1.5""##);
    for (mark, &level) in row.track.marks.iter().zip(&row.track.levels) {
        let at = mark.at(&row.x);
        let text_at = line - 13.0 - LEVEL * level as f64;
        if level > 0 {
            svg.line([at, text_at + 3.0], [at, line - 8.0], r##"stroke="#b8c1cc""##);
        }
        shape(svg, mark.shape, [at, line]);
        svg.text([at, text_at], r#"text-anchor="middle""#, &mark.label);
    }
}

fn shape(svg: &mut Svg, shape: Shape, [x, y]: [f64; 2]) {
    let ink = format!(r#"stroke="{INK}" stroke-width="1.4""#);
    match shape {
        Shape::Verdict(look) => svg.circle([x, y], 7.0, &format!(r#"fill="{}" {ink}"#, look.fill())),
        Shape::Treatment => {
            svg.polygon(&[[x, y + 7.0], [x - 8.0, y - 6.0], [x + 8.0, y - 6.0]], &format!(r##"fill="#e0a526" {ink}"##));
        }
        Shape::Progression => svg.rect([x - 6.0, y - 6.0], [12.0, 12.0], &format!(r##"fill="#b3401f" {ink}"##)),
        Shape::Event => svg
            .polygon(&[[x, y - 7.0], [x + 7.0, y], [x, y + 7.0], [x - 7.0, y]], &format!(r##"fill="#ffffff" {ink}"##)),
        Shape::Death => {
            svg.line([x - 6.0, y - 6.0], [x + 6.0, y + 6.0], &format!(r#"stroke="{INK}" stroke-width="3""#));
            svg.line([x - 6.0, y + 6.0], [x + 6.0, y - 6.0], &format!(r#"stroke="{INK}" stroke-width="3""#));
        }
        Shape::LastContact => {
            svg.polygon(&[[x - 5.0, y - 7.0], [x + 8.0, y], [x - 5.0, y + 7.0]], &format!(r#"fill="{INK}""#));
        }
        Shape::Marker(is_above) => {
            let fill = if is_above { INK } else { "#ffffff" };
            svg.circle([x, y], 4.5, &format!(r#"fill="{fill}" {ink}"#));
        }
        Shape::Censored => svg.line([x, y - 8.0], [x, y + 8.0], &format!(r#"stroke="{INK}" stroke-width="3""#)),
    }
}

fn axis(svg: &mut Svg, x: &Scale, at: f64) {
    for tick in x.ticks(12) {
        svg.line([x.at(tick), 4.0], [x.at(tick), at], &format!(r#"stroke="{GRID}""#));
        let digits = usize::from(tick.fract() != 0.0);
        svg.text([x.at(tick), at + 16.0], &format!(r#"text-anchor="middle" fill="{MUTED}""#), &fixed(tick, digits));
    }
    svg.text([4.0, at + 16.0], &format!(r#"fill="{MUTED}""#), "months");
}
