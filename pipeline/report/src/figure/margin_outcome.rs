//! Margins against what became of the lesion: a dot per ablation with its interval, a row per outcome.

use super::axis::Scale;
use super::svg::{GRID, INK, MUTED, Svg};
use crate::cohort_overview::{LocalOutcome, MarginOutcome};
use crate::error::{ReportError, finite};
use crate::numerals::fixed;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 704.0;
const TOP: f64 = 26.0;
const DOT: f64 = 9.0;
/// Dots of one row that would touch are stacked up to this many; further ones are drawn over the last.
const MAX_STACK: usize = 12;

/// Draws the dots. Ablations without a margin are counted beside their row: they are not left out.
pub fn margin_outcome(outcomes: &[MarginOutcome], threshold_mm: Option<f64>) -> Result<String, ReportError> {
    for outcome in outcomes {
        let subject = format!("margin of {} {}", outcome.patient_id, outcome.lesion_id);
        let interval = outcome.interval_mm.iter().flatten().copied();
        for value in outcome.min_margin_mm.into_iter().chain(interval).chain(threshold_mm) {
            finite(value, "margin", &subject)?;
        }
    }
    let margins = || outcomes.iter().filter_map(|outcome| outcome.min_margin_mm).chain(threshold_mm);
    let (low, high) = (margins().fold(-2.0, f64::min) - 1.0, margins().fold(10.0, f64::max) + 1.0);
    let x = Scale { values: [low, high], pixels: [LEFT, RIGHT] };
    let rows: Vec<(LocalOutcome, Vec<&MarginOutcome>)> = LocalOutcome::ALL
        .into_iter()
        .map(|kind| (kind, outcomes.iter().filter(|outcome| outcome.outcome == kind).collect::<Vec<_>>()))
        .filter(|(_, row)| !row.is_empty())
        .collect();
    let heights: Vec<f64> = rows.iter().map(|(_, row)| 36.0 + DOT * (stack(row, &x).1.max(1) as f64)).collect();
    let bottom = TOP + heights.iter().sum::<f64>();
    let mut svg = Svg::new([WIDTH, bottom + 46.0], label(&rows));
    axis(&mut svg, &x, threshold_mm, bottom);
    let mut top = TOP;
    for ((kind, row), height) in rows.iter().zip(&heights) {
        draw(&mut svg, *kind, row, &Place { x, base: top + height - 14.0 });
        top += height;
        svg.line([8.0, top], [RIGHT, top], &format!(r#"stroke="{GRID}""#));
    }
    Ok(svg.finish())
}

fn words(kind: LocalOutcome) -> &'static str {
    match kind {
        LocalOutcome::Progression => "local progression",
        LocalOutcome::Residual => "residual tumour",
        LocalOutcome::Free => "neither seen",
        LocalOutcome::Unknown => "not followed",
    }
}

fn label(rows: &[(LocalOutcome, Vec<&MarginOutcome>)]) -> String {
    let said: Vec<String> = rows.iter().map(|(kind, row)| format!("{} {}", row.len(), words(*kind))).collect();
    format!("Smallest margin of each ablation by what became of the lesion: {}", said.join(", "))
}

fn axis(svg: &mut Svg, x: &Scale, threshold_mm: Option<f64>, bottom: f64) {
    for tick in x.ticks(10) {
        let ink = if tick == 0.0 { INK } else { GRID };
        svg.line([x.at(tick), TOP - 6.0], [x.at(tick), bottom], &format!(r#"stroke="{ink}""#));
        svg.text(
            [x.at(tick), bottom + 16.0],
            r#"text-anchor="middle""#,
            &fixed(tick, usize::from(tick.fract() != 0.0)),
        );
    }
    if let Some(threshold) = threshold_mm {
        let at = x.at(threshold);
        svg.line([at, TOP - 6.0], [at, bottom], &format!(r#"stroke="{INK}" stroke-dasharray="4 3""#));
        svg.text([at, 12.0], r#"text-anchor="middle""#, &format!("wanted {} mm", fixed(threshold, 0)));
    }
    svg.text(
        [f64::midpoint(LEFT, RIGHT), bottom + 36.0],
        &format!(r#"text-anchor="middle" fill="{MUTED}""#),
        "smallest margin in mm, with its 95 % interval",
    );
}

/// Each dot's level above its row's base line, and the number of levels.
fn stack(row: &[&MarginOutcome], x: &Scale) -> (Vec<(f64, usize)>, usize) {
    let mut at: Vec<f64> = row.iter().filter_map(|outcome| outcome.min_margin_mm).map(|margin| x.at(margin)).collect();
    at.sort_by(f64::total_cmp);
    let mut ends = Vec::<f64>::new();
    let placed: Vec<(f64, usize)> = at
        .into_iter()
        .map(|at| {
            let free = ends.iter().position(|&end| end + DOT <= at).unwrap_or(ends.len()).min(MAX_STACK - 1);
            if free == ends.len() {
                ends.push(at);
            }
            ends[free] = at;
            (at, free)
        })
        .collect();
    (placed, ends.len())
}

struct Place {
    x: Scale,
    base: f64,
}

fn draw(svg: &mut Svg, kind: LocalOutcome, row: &[&MarginOutcome], place: &Place) {
    svg.text([8.0, place.base - 8.0], r#"font-weight="600""#, words(kind));
    let without = row.iter().filter(|outcome| outcome.min_margin_mm.is_none()).count();
    let said = if without == 0 { format!("{}", row.len()) } else { format!("{}, {without} without margin", row.len()) };
    svg.text([8.0, place.base + 7.0], &format!(r#"font-size="11" fill="{MUTED}""#), &said);
    // Whiskers only where they can be told apart.
    let intervals = row.iter().filter_map(|outcome| outcome.interval_mm).take(if row.len() <= 40 { 40 } else { 0 });
    for (n, [low, high]) in intervals.enumerate() {
        let y = place.base + 5.0 + 0.18 * n as f64;
        let [from, to] = [low, high].map(|value| place.x.at(value.clamp(place.x.values[0], place.x.values[1])));
        svg.line([from, y], [to, y], r##"stroke="#7b8794" stroke-opacity="0.7""##);
    }
    for (at, level) in stack(row, &place.x).0 {
        let y = place.base - DOT * level as f64;
        let ink = format!(r#"stroke="{INK}" stroke-width="1""#);
        match kind {
            LocalOutcome::Progression => {
                svg.rect([at - 4.0, y - 4.0], [8.0, 8.0], &format!(r##"class="dot" fill="#b3401f" {ink}"##));
            }
            LocalOutcome::Residual => svg.polygon(
                &[[at, y - 5.0], [at + 5.0, y + 4.0], [at - 5.0, y + 4.0]],
                &format!(r##"class="dot" fill="#e0a526" {ink}"##),
            ),
            LocalOutcome::Free => svg.circle([at, y], 4.0, &format!(r##"class="dot" fill="#2b6a99" {ink}"##)),
            LocalOutcome::Unknown => svg.circle([at, y], 4.0, &format!(r##"class="dot" fill="#ffffff" {ink}"##)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(margin: Option<f64>, outcome: LocalOutcome) -> MarginOutcome {
        MarginOutcome {
            patient_id: "P".into(),
            lesion_id: "L1".into(),
            treatment_date: "2024-01-31".parse().unwrap(),
            min_margin_mm: margin,
            interval_mm: margin.map(|m| [m - 1.0, m + 1.0]),
            verdict: "borderline".into(),
            outcome,
            followed_months: Some(6.0),
        }
    }

    #[test]
    fn every_ablation_is_a_dot_or_counted() {
        let all = [
            outcome(Some(-1.0), LocalOutcome::Progression),
            outcome(Some(6.0), LocalOutcome::Free),
            outcome(Some(6.1), LocalOutcome::Free),
            outcome(None, LocalOutcome::Free),
        ];
        let svg = margin_outcome(&all, Some(5.0)).unwrap();
        assert_eq!(svg.matches("class=\"dot\"").count(), 3);
        assert!(svg.contains("3, 1 without margin"), "{svg}");
        assert!(margin_outcome(&[outcome(Some(f64::NAN), LocalOutcome::Free)], None).is_err());
    }
}
