//! The swimmer plot: one lane per patient, its response over time, treatments, progressions and how observation ended.

use super::axis::Scale;
use super::spider::DAYS_PER_MONTH;
use super::svg::{GRID, INK, MUTED, Svg};
use crate::cohort_page::{SwimmerEnd, SwimmerLane, SwimmerMark};
use crate::numerals::fixed;
use crate::wording::{Tone, tone};

const WIDTH: f64 = 1240.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = 1200.0;
const LANE: f64 = 26.0;

/// Draws the lanes in the order handed in.
#[must_use]
pub fn swimmer(lanes: &[SwimmerLane]) -> String {
    let height = LANE * lanes.len() as f64 + 66.0;
    let mut svg = Svg::new(
        [WIDTH, height],
        format!("Swimmer plot of {} patients: response, treatments and progressions over time", lanes.len()),
    );
    let days = lanes.iter().flat_map(|lane| lane.marks.iter().map(mark_day).chain([lane.end_day]));
    let (first, last) = days.fold((0, 30), |(low, high), day| (day.min(low), day.max(high)));
    let x =
        Scale { values: [first as f64 / DAYS_PER_MONTH, last as f64 / DAYS_PER_MONTH], pixels: [LEFT, RIGHT - 20.0] };
    let bottom = LANE * lanes.len() as f64 + 6.0;
    for tick in x.ticks(12) {
        svg.line([x.at(tick), 2.0], [x.at(tick), bottom], &format!(r#"stroke="{GRID}""#));
        let digits = usize::from(tick.fract() != 0.0);
        svg.text([x.at(tick), bottom + 15.0], &format!(r#"text-anchor="middle" fill="{MUTED}""#), &fixed(tick, digits));
    }
    svg.text([8.0, bottom + 15.0], &format!(r#"fill="{MUTED}""#), "months");
    for (index, lane) in lanes.iter().enumerate() {
        draw(&mut svg, lane, &Place { x, middle: LANE * index as f64 + LANE / 2.0 + 2.0 });
    }
    legend(&mut svg, bottom + 44.0);
    svg.finish()
}

fn mark_day(mark: &SwimmerMark) -> i64 {
    match mark {
        SwimmerMark::Treatment { day, .. } | SwimmerMark::Progression { day, .. } => *day,
    }
}

struct Place {
    x: Scale,
    middle: f64,
}

impl Place {
    fn day(&self, day: i64) -> f64 {
        self.x.at(day as f64 / DAYS_PER_MONTH)
    }
}

fn draw(svg: &mut Svg, lane: &SwimmerLane, place: &Place) {
    let y = place.middle;
    let name = if lane.patient_id.chars().count() <= 16 {
        lane.patient_id.clone()
    } else {
        lane.patient_id.chars().take(15).chain(['…']).collect()
    };
    svg.text([LEFT - 10.0, y + 4.0], r#"text-anchor="end""#, &name);
    let (from, to) = (place.day(0), place.day(lane.end_day));
    svg.rect([from, y - 8.0], [to - from, 16.0], r##"fill="#eef1f5""##);
    let mut before = "";
    for segment in &lane.segments {
        let (from, to) = (place.day(segment.from_day), place.day(segment.to_day));
        let look = tone(&segment.response);
        svg.rect([from, y - 8.0], [to - from, 16.0], &format!(r#"fill="{}""#, look.fill()));
        if look == Tone::NotEvaluable {
            svg.hatch([from, y - 8.0], [to - from, 16.0], r##"stroke="#a9b7c4""##);
        }
        if to - from > 40.0 && segment.response != before {
            let ink = if matches!(look, Tone::Response | Tone::Progression) { "#ffffff" } else { INK };
            svg.text([from + 14.0, y + 4.0], &format!(r#"font-size="11" fill="{ink}""#), &segment.response);
        }
        before = &segment.response;
    }
    svg.rect([from, y - 8.0], [to - from, 16.0], r##"fill="none" stroke="#7b8794""##);
    for mark in &lane.marks {
        symbol(svg, mark, [place.day(mark_day(mark)), y]);
    }
    end(svg, lane.end, [to, y]);
}

fn symbol(svg: &mut Svg, mark: &SwimmerMark, [x, y]: [f64; 2]) {
    match mark {
        SwimmerMark::Treatment { .. } => treatment(svg, [x, y]),
        SwimmerMark::Progression { .. } => progression(svg, [x, y]),
    }
}

fn treatment(svg: &mut Svg, [x, y]: [f64; 2]) {
    svg.polygon(
        &[[x, y + 8.0], [x - 7.0, y - 5.0], [x + 7.0, y - 5.0]],
        &format!(r##"fill="#e0a526" stroke="{INK}" stroke-width="1.2""##),
    );
}

fn progression(svg: &mut Svg, [x, y]: [f64; 2]) {
    svg.rect([x - 5.0, y - 5.0], [10.0, 10.0], r##"fill="#ffffff" stroke="#b3401f" stroke-width="3""##);
}

fn end(svg: &mut Svg, end: SwimmerEnd, [x, y]: [f64; 2]) {
    let stroke = format!(r#"stroke="{INK}" stroke-width="3""#);
    match end {
        SwimmerEnd::Death => {
            svg.line([x + 4.0, y - 5.0], [x + 14.0, y + 5.0], &stroke);
            svg.line([x + 4.0, y + 5.0], [x + 14.0, y - 5.0], &stroke);
        }
        SwimmerEnd::Ongoing => {
            svg.polygon(&[[x + 4.0, y - 6.0], [x + 15.0, y], [x + 4.0, y + 6.0]], &format!(r#"fill="{INK}""#));
        }
        SwimmerEnd::Censored => svg.line([x + 5.0, y - 8.0], [x + 5.0, y + 8.0], &stroke),
    }
}

fn legend(svg: &mut Svg, y: f64) {
    let mut x = LEFT;
    let mut word = |svg: &mut Svg, text: &str, mark: &dyn Fn(&mut Svg, [f64; 2])| {
        mark(svg, [x, y - 4.0]);
        svg.text([x + 20.0, y], r#"font-size="11""#, text);
        x += 38.0 + 6.2 * text.chars().count() as f64;
    };
    word(svg, "treatment", &treatment);
    word(svg, "progression", &progression);
    word(svg, "death", &|svg, [x, y]| end(svg, SwimmerEnd::Death, [x - 8.0, y]));
    word(svg, "under observation", &|svg, [x, y]| end(svg, SwimmerEnd::Ongoing, [x - 8.0, y]));
    word(svg, "censored", &|svg, [x, y]| end(svg, SwimmerEnd::Censored, [x, y]));
    for (text, look) in [
        ("response", Tone::Response),
        ("stable", Tone::Stable),
        ("unconfirmed", Tone::Unconfirmed),
        ("progression", Tone::Progression),
    ] {
        word(svg, text, &|svg, [x, y]| {
            svg.rect([x - 6.0, y - 6.0], [18.0, 12.0], &format!(r#"fill="{}""#, look.fill()));
        });
    }
}
