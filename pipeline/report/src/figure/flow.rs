//! The patient flow: a box per step from top to bottom, beside the way down who left and why (after CONSORT, Schulz 2010).

use super::svg::{INK, MUTED, Svg};
use crate::cohort_overview::FlowStep;
use crate::error::ReportError;

const WIDTH: f64 = 720.0;
const BOX: [f64; 2] = [300.0, 40.0];
const SIDE_LEFT: f64 = 350.0;
const LINE: f64 = 16.0;
const GAP: f64 = 22.0;
/// Characters of a reason in the room it has; the ledger has it whole.
const MAX_REASON: usize = 56;

/// Draws the flow. Boxes that do not add up are refused.
pub fn flow(steps: &[FlowStep]) -> Result<String, ReportError> {
    for pair in steps.windows(2) {
        let left: i128 = pair[0].left.iter().map(|leaving| i128::from(leaving.n)).sum();
        let (expected, found) = (i128::from(pair[0].n) - left, i128::from(pair[1].n));
        if expected != found {
            return Err(ReportError::Flow { label: pair[0].label.clone(), expected, found });
        }
    }
    let height: f64 = steps.iter().map(step_height).sum::<f64>() + 4.0;
    let said: Vec<String> = steps.iter().map(|step| format!("{} {}", step.n, step.label)).collect();
    let mut svg = Svg::new([WIDTH, height], format!("Patient flow: {}", said.join(", then ")));
    let mut top = 2.0;
    for (index, step) in steps.iter().enumerate() {
        let is_last = index + 1 == steps.len();
        draw(&mut svg, step, top, is_last);
        top += step_height(step);
    }
    Ok(svg.finish())
}

fn side_height(step: &FlowStep) -> f64 {
    if step.left.is_empty() { 0.0 } else { LINE * step.left.len() as f64 + 12.0 }
}

fn step_height(step: &FlowStep) -> f64 {
    BOX[1] + GAP.max(side_height(step) + 14.0)
}

fn draw(svg: &mut Svg, step: &FlowStep, top: f64, is_last: bool) {
    let line = format!(r#"stroke="{MUTED}" stroke-width="1.3""#);
    svg.rect([2.0, top], BOX, &format!(r##"fill="#ffffff" rx="3" {line}"##));
    svg.text([14.0, top + 25.0], r#"font-weight="600" font-size="15""#, &step.n.to_string());
    svg.text([64.0, top + 25.0], "", &step.label);
    let (middle, bottom, next) = (152.0, top + BOX[1], top + step_height(step));
    if !is_last {
        svg.line([middle, bottom], [middle, next], &line);
        svg.polygon(
            &[[middle, next], [middle - 4.0, next - 7.0], [middle + 4.0, next - 7.0]],
            &format!(r#"fill="{MUTED}""#),
        );
    }
    if step.left.is_empty() {
        return;
    }
    let (side, height) = (bottom + 7.0, side_height(step));
    let from = if is_last { [2.0 + BOX[0], top + 20.0] } else { [middle, side + height / 2.0] };
    svg.line(from, [SIDE_LEFT, side + height / 2.0], &line);
    svg.rect([SIDE_LEFT, side], [WIDTH - SIDE_LEFT - 2.0, height], &format!(r##"fill="#f4f6f9" rx="3" {line}"##));
    for (row, leaving) in step.left.iter().enumerate() {
        let at = side + 6.0 + LINE * (row as f64 + 0.8);
        svg.text([SIDE_LEFT + 44.0, at], r#"text-anchor="end" font-weight="600""#, &leaving.n.to_string());
        svg.text([SIDE_LEFT + 54.0, at], &format!(r#"fill="{INK}""#), &clipped(&leaving.reason));
    }
}

fn clipped(reason: &str) -> String {
    if reason.chars().count() <= MAX_REASON {
        return reason.to_owned();
    }
    reason.chars().take(MAX_REASON - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort_overview::Leaving;

    fn step(label: &str, n: u64, left: &[(&str, u64)]) -> FlowStep {
        let left = left.iter().map(|(reason, n)| Leaving { reason: (*reason).to_owned(), n: *n }).collect();
        FlowStep { label: label.to_owned(), n, left }
    }

    #[test]
    fn boxes_that_do_not_add_up_are_refused() {
        let steps = [step("found", 10, &[("failed", 2), ("one visit", 1)]), step("followed", 7, &[])];
        let svg = flow(&steps).unwrap();
        assert!(svg.contains(">10</text>") && svg.contains(">one visit</text>"), "{svg}");
        let lost = [step("found", 10, &[("failed", 2)]), step("followed", 7, &[])];
        assert!(matches!(flow(&lost), Err(ReportError::Flow { expected: 8, found: 7, .. })));
        let born = [step("found", 1, &[("failed", 2)]), step("followed", 7, &[])];
        assert!(flow(&born).is_err());
    }
}
