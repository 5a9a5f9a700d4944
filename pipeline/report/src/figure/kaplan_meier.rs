//! The Kaplan–Meier figure: steps, 95 % band, censor ticks, and the numbers at risk below their times.
//!
//! Source of the form: Pocock, Clayton and Altman 2002, Lancet 359:1686 (curves with numbers at risk, not beyond the data).

use super::axis::Scale;
use super::svg::{GRID, INK, MUTED, Svg};
use crate::cohort_page::{EndpointCurves, KmCurve};
use crate::error::{ReportError, finite};
use crate::numerals::fixed;

const WIDTH: f64 = 620.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 236.0;
const RISK_TOP: f64 = 292.0;
const RISK_ROW: f64 = 18.0;
/// Stroke and dash per group: apart in colour (Okabe & Ito 2008) and in grey.
pub(crate) const STROKES: [(&str, &str); 5] =
    [("#1f5f92", ""), ("#b3401f", "7 4"), ("#8a6100", "2 3"), ("#5b4a8a", "9 3 2 3"), ("#1b2430", "4 2")];

/// Draws the curves of one endpoint. Lists of unequal length and numbers that are none are refused.
pub fn kaplan_meier(endpoint: &EndpointCurves) -> Result<String, ReportError> {
    for curve in &endpoint.curves {
        check(endpoint, curve)?;
    }
    let height = RISK_TOP + RISK_ROW * endpoint.curves.len() as f64 + 8.0;
    let mut svg = Svg::new([WIDTH, height], label(endpoint));
    let longest = endpoint.curves.iter().map(|curve| curve.last_time).fold(0.0, f64::max);
    let last = endpoint.risk_times.iter().copied().fold(longest, f64::max).max(f64::MIN_POSITIVE);
    let x = Scale { values: [0.0, last], pixels: [LEFT, RIGHT] };
    let y = Scale { values: [0.0, 100.0], pixels: [BOTTOM, TOP] };
    axes(&mut svg, endpoint, &[x, y]);
    for (index, curve) in endpoint.curves.iter().enumerate() {
        draw(&mut svg, curve, &Place { x, y, stroke: STROKES[index % STROKES.len()] });
    }
    risk_table(&mut svg, endpoint, &x);
    Ok(svg.finish())
}

fn label(endpoint: &EndpointCurves) -> String {
    let groups: Vec<String> = endpoint
        .curves
        .iter()
        .map(|curve| format!("{}: {} of {} with an event", name(curve), curve.events, curve.n))
        .collect();
    format!("Kaplan–Meier curve of {}, {}", endpoint.title, groups.join("; "))
}

fn name(curve: &KmCurve) -> &str {
    if curve.group.is_empty() { "all" } else { &curve.group }
}

fn check(endpoint: &EndpointCurves, curve: &KmCurve) -> Result<(), ReportError> {
    let subject = format!("curve of {}, group {}", endpoint.endpoint, name(curve));
    let same = |quantity: &'static str, found: usize, expected: usize| {
        if found == expected {
            return Ok(());
        }
        Err(ReportError::Length { subject: subject.clone(), quantity, expected, found })
    };
    same("survival", curve.survival.len(), curve.time.len())?;
    same("lower bound", curve.lower.len(), curve.time.len())?;
    same("upper bound", curve.upper.len(), curve.time.len())?;
    same("number at risk", curve.n_risk.len(), endpoint.risk_times.len())?;
    let bounds = curve.lower.iter().chain(&curve.upper).flatten();
    let times = curve.time.iter().chain(&curve.censored).chain(&endpoint.risk_times);
    for value in bounds.chain(&curve.survival).chain(times).chain([&curve.last_time]) {
        finite(*value, "time or probability", &subject)?;
    }
    Ok(())
}

fn axes(svg: &mut Svg, endpoint: &EndpointCurves, scales: &[Scale; 2]) {
    let [x, y] = scales;
    for tick in [0.0, 25.0, 50.0, 75.0, 100.0] {
        svg.line([LEFT, y.at(tick)], [RIGHT, y.at(tick)], &format!(r#"stroke="{GRID}""#));
        svg.text([LEFT - 8.0, y.at(tick) + 4.0], &format!(r#"text-anchor="end" fill="{MUTED}""#), &format!("{tick} %"));
    }
    let middle = f64::midpoint(TOP, BOTTOM);
    let upright = format!(r#"text-anchor="middle" fill="{MUTED}" transform="rotate(-90 34 {middle})""#);
    svg.text([34.0, middle], &upright, &endpoint.endpoint.replace('_', " "));
    svg.line([LEFT, BOTTOM], [RIGHT, BOTTOM], &format!(r#"stroke="{INK}""#));
    for &time in &endpoint.risk_times {
        svg.line([x.at(time), BOTTOM], [x.at(time), BOTTOM + 5.0], &format!(r#"stroke="{INK}""#));
        svg.text([x.at(time), BOTTOM + 19.0], r#"text-anchor="middle""#, &short(time));
    }
    svg.text(
        [f64::midpoint(LEFT, RIGHT), BOTTOM + 36.0],
        &format!(r#"text-anchor="middle" fill="{MUTED}""#),
        &endpoint.time_unit,
    );
}

fn short(time: f64) -> String {
    if time.fract() == 0.0 { fixed(time, 0) } else { fixed(time, 1) }
}

struct Place {
    x: Scale,
    y: Scale,
    stroke: (&'static str, &'static str),
}

fn draw(svg: &mut Svg, curve: &KmCurve, place: &Place) {
    let (colour, dash) = place.stroke;
    band(svg, curve, place);
    let mut points = vec![[place.x.at(0.0), place.y.at(100.0)]];
    let mut level = place.y.at(100.0);
    for (&time, &survival) in curve.time.iter().zip(&curve.survival) {
        points.push([place.x.at(time), level]);
        level = place.y.at(100.0 * survival);
        points.push([place.x.at(time), level]);
    }
    points.push([place.x.at(curve.last_time), level]);
    svg.path(
        &points,
        &format!(r#"fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}" stroke-linejoin="round""#),
    );
    for &time in &curve.censored {
        let at = place.y.at(100.0 * survival_at(curve, time));
        svg.line(
            [place.x.at(time), at - 5.0],
            [place.x.at(time), at + 5.0],
            &format!(r#"class="censor" stroke="{colour}" stroke-width="1.6""#),
        );
    }
}

fn survival_at(curve: &KmCurve, time: f64) -> f64 {
    match curve.time.iter().take_while(|&&step| step <= time).count() {
        0 => 1.0,
        n => curve.survival[n - 1],
    }
}

/// One rectangle per step between its bounds: where a bound does not exist, nothing is drawn.
fn band(svg: &mut Svg, curve: &KmCurve, place: &Place) {
    for index in 0..curve.time.len() {
        let until = curve.time.get(index + 1).copied().unwrap_or(curve.last_time);
        if let (Some(lower), Some(upper)) = (curve.lower[index], curve.upper[index]) {
            let (from, top) = (place.x.at(curve.time[index]), place.y.at(100.0 * upper));
            let size = [place.x.at(until) - from, place.y.at(100.0 * lower) - top];
            svg.rect([from, top], size, &format!(r#"fill="{}" fill-opacity="0.13""#, place.stroke.0));
        }
    }
}

fn risk_table(svg: &mut Svg, endpoint: &EndpointCurves, x: &Scale) {
    svg.text([8.0, RISK_TOP - 2.0], &format!(r#"fill="{MUTED}""#), "at risk");
    for (index, curve) in endpoint.curves.iter().enumerate() {
        let at = RISK_TOP + RISK_ROW * (index + 1) as f64 - 6.0;
        let (colour, dash) = STROKES[index % STROKES.len()];
        svg.line(
            [8.0, at - 4.0],
            [30.0, at - 4.0],
            &format!(r#"stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}""#),
        );
        svg.text([36.0, at], r#"font-weight="600""#, &clipped(name(curve)));
        for (&time, &n) in endpoint.risk_times.iter().zip(&curve.n_risk) {
            svg.text([x.at(time), at], r#"class="at-risk" text-anchor="middle""#, &n.to_string());
        }
    }
}

/// A group's name in the room it has; the table beside the figure has it whole.
pub(crate) fn clipped(name: &str) -> String {
    if name.chars().count() <= 9 { name.to_owned() } else { name.chars().take(8).chain(['…']).collect() }
}
