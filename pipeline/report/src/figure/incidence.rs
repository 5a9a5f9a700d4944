//! Cumulative incidence: rising steps per cause with their 95 % bands, and the numbers at risk below their times.
//!
//! Source of the form: Pocock, Clayton and Altman 2002, Lancet 359:1686; shown upwards, because causes compete.

use super::axis::Scale;
use super::kaplan_meier::{STROKES, clipped};
use super::svg::{GRID, INK, MUTED, Svg};
use crate::cohort_overview::{IncidenceCurve, IncidenceCurves};
use crate::error::{ReportError, finite};
use crate::numerals::fixed;

const WIDTH: f64 = 620.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 216.0;
const RISK: f64 = 274.0;
const ROW: f64 = 18.0;

/// Draws the curves of one endpoint. Lists of unequal length and numbers that are none are refused.
pub fn incidence(curves: &IncidenceCurves) -> Result<String, ReportError> {
    check(curves)?;
    let height = RISK + ROW * (curves.causes.len() as f64 + 1.0) + 6.0;
    let said: Vec<String> = curves.causes.iter().map(|c| format!("{} with {}", c.events, c.cause)).collect();
    let mut svg = Svg::new(
        [WIDTH, height],
        format!("Cumulative incidence, {}, of {}: {}", curves.title, curves.n, said.join("; ")),
    );
    let tops = curves.causes.iter().flat_map(|cause| cause.upper.iter().flatten().chain(&cause.estimate));
    let top = tops.copied().fold(0.25, f64::max).min(1.0);
    let last = curves.risk_times.iter().copied().fold(curves.last_time, f64::max).max(f64::MIN_POSITIVE);
    let x = Scale { values: [0.0, last], pixels: [LEFT, RIGHT] };
    let y = Scale { values: [0.0, 100.0 * top], pixels: [BOTTOM, TOP] };
    axes(&mut svg, curves, &[x, y]);
    for (index, cause) in curves.causes.iter().enumerate() {
        draw(&mut svg, cause, &Place { x, y, last: curves.last_time, stroke: STROKES[index % STROKES.len()] });
    }
    for (index, cause) in curves.causes.iter().enumerate() {
        let (colour, dash) = STROKES[index % STROKES.len()];
        let at = RISK + ROW * (index as f64 + 1.0);
        let stroke = format!(r#"stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}""#);
        svg.line([LEFT, at - 4.0], [LEFT + 24.0, at - 4.0], &stroke);
        svg.text([LEFT + 32.0, at], "", &format!("{} ({} events)", cause.cause, cause.events));
    }
    Ok(svg.finish())
}

fn check(curves: &IncidenceCurves) -> Result<(), ReportError> {
    let subject = format!("cumulative incidence of {}", curves.endpoint);
    let same = |quantity: &'static str, found: usize, expected: usize| {
        let subject = subject.clone();
        if found == expected { Ok(()) } else { Err(ReportError::Length { subject, quantity, expected, found }) }
    };
    same("number at risk", curves.n_risk.len(), curves.risk_times.len())?;
    for cause in &curves.causes {
        same("cumulative incidence", cause.estimate.len(), cause.time.len())?;
        same("lower bound", cause.lower.len(), cause.time.len())?;
        same("upper bound", cause.upper.len(), cause.time.len())?;
        let bounds = cause.lower.iter().chain(&cause.upper).flatten();
        for value in bounds.chain(&cause.estimate).chain(&cause.time) {
            finite(*value, "time or probability", &subject)?;
        }
    }
    for value in curves.risk_times.iter().chain([&curves.last_time]) {
        finite(*value, "time", &subject)?;
    }
    Ok(())
}

fn axes(svg: &mut Svg, curves: &IncidenceCurves, scales: &[Scale; 2]) {
    let [x, y] = scales;
    for tick in y.ticks(5) {
        svg.line([LEFT, y.at(tick)], [RIGHT, y.at(tick)], &format!(r#"stroke="{GRID}""#));
        let text = format!("{} %", fixed(tick, usize::from(tick.fract() != 0.0)));
        svg.text([LEFT - 8.0, y.at(tick) + 4.0], &format!(r#"text-anchor="end" fill="{MUTED}""#), &text);
    }
    svg.line([LEFT, BOTTOM], [RIGHT, BOTTOM], &format!(r#"stroke="{INK}""#));
    for (&time, &n) in curves.risk_times.iter().zip(&curves.n_risk) {
        svg.line([x.at(time), BOTTOM], [x.at(time), BOTTOM + 5.0], &format!(r#"stroke="{INK}""#));
        let digits = usize::from(time.fract() != 0.0);
        svg.text([x.at(time), BOTTOM + 19.0], r#"text-anchor="middle""#, &fixed(time, digits));
        svg.text([x.at(time), RISK - 4.0], r#"class="at-risk" text-anchor="middle""#, &n.to_string());
    }
    svg.text([8.0, RISK - 4.0], &format!(r#"fill="{MUTED}""#), "at risk");
    svg.text([8.0, BOTTOM + 19.0], &format!(r#"fill="{MUTED}""#), &clipped(&curves.time_unit));
}

struct Place {
    x: Scale,
    y: Scale,
    last: f64,
    stroke: (&'static str, &'static str),
}

fn draw(svg: &mut Svg, cause: &IncidenceCurve, place: &Place) {
    let mut level = place.y.at(0.0);
    let mut points = vec![[place.x.at(0.0), level]];
    for index in 0..cause.time.len() {
        let until = cause.time.get(index + 1).copied().unwrap_or(place.last);
        let (from, to) = (place.x.at(cause.time[index]), place.x.at(until));
        if let (Some(lower), Some(upper)) = (cause.lower[index], cause.upper[index]) {
            let top = place.y.at(100.0 * upper).max(TOP);
            let size = [to - from, place.y.at(100.0 * lower) - top];
            svg.rect([from, top], size, &format!(r#"fill="{}" fill-opacity="0.13""#, place.stroke.0));
        }
        points.push([from, level]);
        level = place.y.at(100.0 * cause.estimate[index]);
        points.push([from, level]);
    }
    points.push([place.x.at(place.last), level]);
    let (colour, dash) = place.stroke;
    svg.path(
        &points,
        &format!(r#"class="incidence" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}""#),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves() -> IncidenceCurves {
        IncidenceCurves {
            endpoint: "LTPFS".into(),
            title: "local progression".into(),
            time_unit: "months".into(),
            risk_times: vec![0.0, 5.0, 10.0],
            n_risk: vec![4, 3, 1],
            n: 4,
            last_time: 10.0,
            causes: vec![IncidenceCurve {
                cause: "local progression".into(),
                events: 1,
                time: vec![5.0],
                estimate: vec![0.5],
                lower: vec![None],
                upper: vec![Some(1.0)],
            }],
        }
    }

    #[test]
    fn steps_rise_at_their_times_to_their_height() {
        let svg = incidence(&curves()).unwrap();
        // 0 to 10 months over 110 to 600, 0 to 100 % over 216 to 16.
        assert!(svg.contains(r#"<path d="M110 216L355 216L355 116L600 116" class="incidence""#), "{svg}");
        assert_eq!(svg.matches("class=\"at-risk\"").count(), 3);
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let mut short = curves();
        short.causes[0].upper.pop();
        assert!(matches!(incidence(&short), Err(ReportError::Length { expected: 1, found: 0, .. })));
    }
}
