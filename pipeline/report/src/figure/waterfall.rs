//! The waterfall: best change of the sum from baseline, one bar per patient, from growth to shrinkage.

use super::axis::Scale;
use super::svg::{GRID, INK, MUTED, Svg};
use crate::cohort_page::BestResponse;
use crate::error::{ReportError, finite};
use crate::numerals::{fixed, signed_percent};
use crate::patient_page::CriterionInfo;
use crate::wording::{Tone, tone};

const HEIGHT: f64 = 270.0;
const WIDTH: f64 = 450.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 402.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 222.0;

/// Draws the bars of one criterion. Patients without a value stand at the right as hatched cells: they are not left out.
pub fn waterfall(criterion: &CriterionInfo, responses: &[BestResponse]) -> Result<String, ReportError> {
    let mut bars: Vec<(&BestResponse, Option<f64>)> = Vec::new();
    for response in responses.iter().filter(|response| response.criterion == criterion.id) {
        let value = response.best_change_percent.value().copied();
        if let Some(percent) = value {
            finite(percent, "best change", &format!("patient {}", response.patient_id))?;
        }
        bars.push((response, value));
    }
    bars.sort_by(|a, b| {
        let key = |bar: &(&BestResponse, Option<f64>)| bar.1.unwrap_or(f64::NEG_INFINITY);
        key(b).total_cmp(&key(a)).then_with(|| a.0.patient_id.cmp(&b.0.patient_id))
    });
    Ok(draw(criterion, &bars))
}

fn draw(criterion: &CriterionInfo, bars: &[(&BestResponse, Option<f64>)]) -> String {
    let mut svg = Svg::new(
        [WIDTH, HEIGHT],
        format!("Best change of the sum of diameters by {}, {} patients", criterion.title, bars.len()),
    );
    let values = || bars.iter().filter_map(|bar| bar.1);
    let y = Scale {
        values: [values().fold(-40.0, f64::min) - 18.0, values().fold(30.0, f64::max) + 10.0],
        pixels: [BOTTOM, TOP],
    };
    for tick in y.ticks(6) {
        svg.line(
            [LEFT, y.at(tick)],
            [RIGHT, y.at(tick)],
            &format!(r#"stroke="{}""#, if tick == 0.0 { INK } else { GRID }),
        );
        svg.text(
            [LEFT - 6.0, y.at(tick) + 4.0],
            &format!(r#"text-anchor="end" fill="{MUTED}""#),
            &format!("{} %", fixed(tick, 0)),
        );
    }
    let step = ((RIGHT - LEFT) / bars.len().max(1) as f64).min(86.0);
    for (index, &(response, value)) in bars.iter().enumerate() {
        bar(&mut svg, &Bar { response, value, left: LEFT + step * index as f64, width: step, y });
    }
    if let Some(percent) = criterion.response_percent {
        svg.line(
            [LEFT, y.at(percent)],
            [RIGHT, y.at(percent)],
            r##"stroke="#1f5f92" stroke-width="1.2" stroke-dasharray="6 4""##,
        );
        svg.text(
            [RIGHT + 4.0, y.at(percent) + 4.0],
            r##"font-size="11" fill="#1f5f92""##,
            &format!("{} %", fixed(percent, 0)),
        );
    }
    svg.finish()
}

struct Bar<'a> {
    response: &'a BestResponse,
    value: Option<f64>,
    left: f64,
    width: f64,
    y: Scale,
}

fn bar(svg: &mut Svg, bar: &Bar<'_>) {
    let (zero, gap) = (bar.y.at(0.0), (bar.width * 0.12).min(8.0));
    let (left, width, middle) = (bar.left + gap, bar.width - 2.0 * gap, bar.left + bar.width / 2.0);
    let roomy = bar.width > 44.0;
    let look = tone(&bar.response.response);
    if let Some(percent) = bar.value {
        let at = bar.y.at(percent);
        svg.rect([left, at.min(zero)], [width, (at - zero).abs().max(1.5)], &format!(r#"fill="{}""#, look.fill()));
        if look == Tone::Progression {
            svg.hatch([left, at.min(zero)], [width, (at - zero).abs()], r##"stroke="#ffffff" stroke-width="1""##);
        }
        if roomy {
            let above = if percent >= 0.0 { at - 5.0 } else { at + 14.0 };
            svg.text([middle, above], r#"text-anchor="middle" font-size="11""#, &signed_percent(percent));
        }
    } else {
        svg.rect([left, zero - 14.0], [width, 28.0], &format!(r##"fill="#ffffff" stroke="{MUTED}""##));
        svg.hatch([left, zero - 14.0], [width, 28.0], r##"stroke="#a9b7c4""##);
    }
    if roomy {
        svg.text([middle, BOTTOM + 18.0], r#"text-anchor="middle" font-weight="600""#, &bar.response.response);
        svg.text(
            [middle, BOTTOM + 34.0],
            &format!(r#"text-anchor="middle" font-size="11" fill="{MUTED}""#),
            &clipped(&bar.response.patient_id),
        );
    }
}

fn clipped(id: &str) -> String {
    if id.chars().count() <= 12 { id.to_owned() } else { id.chars().take(11).chain(['…']).collect() }
}
