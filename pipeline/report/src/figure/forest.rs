//! The forest plot: hazard ratios with their 95 % intervals on a logarithmic axis, one row per term (Lewis & Clarke 2001).

use super::axis::Scale;
use super::svg::{GRID, INK, MUTED, Svg};
use crate::cohort_overview::{HazardRow, HazardTable};
use crate::error::{ReportError, finite};
use crate::numerals::coordinate;

const WIDTH: f64 = 620.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 600.0;
const ROW: f64 = 30.0;
const TOP: f64 = 14.0;
/// No axis is wider: an interval beyond it ends in an arrow.
const WIDEST: [f64; 2] = [0.01, 100.0];
/// Ratios that may be ticks.
const TICKS: [f64; 13] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];

/// Draws the rows of one model. Ratios that are not above 0 are refused.
pub fn forest(table: &HazardTable) -> Result<String, ReportError> {
    let mut shown = vec![0.5, 2.0];
    for row in &table.rows {
        let Some(ratio) = row.ratio.value() else { continue };
        for value in ratio {
            let found = if *value > 0.0 { *value } else { f64::NAN };
            finite(found, "hazard ratio above 0", &row.term)?;
            shown.push(value.clamp(WIDEST[0], WIDEST[1]));
        }
    }
    let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shown.iter().copied().fold(0.0, f64::max);
    let x = Scale { values: [low.ln() - 0.1, high.ln() + 0.1], pixels: [LEFT, RIGHT] };
    let bottom = TOP + ROW * table.rows.len() as f64;
    let mut svg =
        Svg::new([WIDTH, bottom + 44.0], format!("Hazard ratios, {}; the table below has the numbers", table.title));
    for tick in TICKS.into_iter().filter(|tick| (low * 0.999..=high * 1.001).contains(tick)) {
        let ink = if tick == 1.0 { INK } else { GRID };
        svg.line([x.at(tick.ln()), TOP], [x.at(tick.ln()), bottom], &format!(r#"stroke="{ink}""#));
        svg.text([x.at(tick.ln()), bottom + 16.0], r#"text-anchor="middle""#, &coordinate(tick));
    }
    for (index, row) in table.rows.iter().enumerate() {
        draw(&mut svg, row, &x, TOP + ROW * (index as f64 + 0.5));
    }
    let words = "hazard ratio (below 1: fewer events)";
    let middle = f64::midpoint(LEFT, RIGHT);
    svg.text([middle, bottom + 36.0], &format!(r#"text-anchor="middle" fill="{MUTED}""#), words);
    Ok(svg.finish())
}

fn draw(svg: &mut Svg, row: &HazardRow, x: &Scale, y: f64) {
    let name = if row.term.chars().count() <= 36 {
        row.term.clone()
    } else {
        row.term.chars().take(35).chain(['…']).collect()
    };
    svg.text([8.0, y + 4.0], "", &name);
    let Some(&[ratio, lower, upper]) = row.ratio.value() else {
        svg.rect([LEFT, y - 9.0], [RIGHT - LEFT, 18.0], r##"fill="#ffffff" stroke="#a9b7c4""##);
        svg.hatch([LEFT, y - 9.0], [RIGHT - LEFT, 18.0], r##"stroke="#d5dbe2""##);
        return;
    };
    let at = |value: f64| x.at(value.ln().clamp(x.values[0], x.values[1]));
    let ink = format!(r#"stroke="{INK}" stroke-width="1.6""#);
    svg.line([at(lower), y], [at(upper), y], &ink);
    for (end, beyond, towards) in [(lower, lower.ln() < x.values[0], 5.0), (upper, upper.ln() > x.values[1], -5.0)] {
        let [from, to] = if beyond { [[towards, -4.0], [towards, 4.0]] } else { [[0.0, -5.0], [0.0, 5.0]] };
        svg.line([at(end) + from[0], y + from[1]], [at(end), y], &ink);
        svg.line([at(end), y], [at(end) + to[0], y + to[1]], &ink);
    }
    let side = 8.0;
    svg.rect(
        [at(ratio) - side / 2.0, y - side / 2.0],
        [side, side],
        &format!(r##"class="ratio" fill="#1f5f92" stroke="{INK}""##),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use oncology::Evaluable;

    fn table(ratio: Evaluable<[f64; 3]>) -> HazardTable {
        let row = HazardRow { term: "margin per mm".into(), n: 20, events: 5, ratio, p: None };
        HazardTable { title: "local progression".into(), note: String::new(), rows: vec![row] }
    }

    #[test]
    fn a_ratio_of_one_lies_on_the_line_of_one() {
        let svg = forest(&table(Evaluable::Value([1.0, 0.5, 2.0]))).unwrap();
        // Symmetric in the logarithm: the middle of the axis, 425, less half the square.
        assert!(svg.contains(r#"<rect x="421" y="25" width="8" height="8" class="ratio""#), "{svg}");
    }

    #[test]
    fn a_term_without_a_ratio_keeps_its_row() {
        let svg = forest(&table(Evaluable::not("no events"))).unwrap();
        assert!(svg.contains("margin per mm") && !svg.contains("class=\"ratio\""));
        assert!(forest(&table(Evaluable::Value([1.0, 0.0, 2.0]))).is_err());
    }
}
