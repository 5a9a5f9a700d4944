//! The spider plot: change of the sum of diameters from baseline over time.
//!
//! The response line is level (it counts from baseline); the progression line is drawn per line as steps, because it counts
//! from the nadir handed in for each visit.

use super::axis::Scale;
use super::svg::{GRID, INK, MUTED, Svg};
use crate::numerals::{fixed, signed_percent};
use crate::wording::tone;

/// Days per month on time axes.
pub(crate) const DAYS_PER_MONTH: f64 = 30.4375;

/// A spider plot.
#[derive(Debug, Clone, PartialEq)]
pub struct SpiderPlot {
    /// Said to who cannot see the drawing.
    pub label: String,
    /// Natural width in pixels.
    pub width: f64,
    /// One line per patient or criterion.
    pub lines: Vec<SpiderLine>,
    /// Change from baseline that is a response, in percent.
    pub response_percent: Option<f64>,
    /// Change that is a progression, in percent: a level line where [`SpiderLine::progression`] is empty everywhere.
    pub progression_percent: Option<f64>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct SpiderLine {
    /// Written at its end.
    pub name: String,
    /// `[days since baseline, change from baseline in percent]`.
    pub points: Vec<[f64; 2]>,
    /// Overall response at each point; empty for none.
    pub responses: Vec<String>,
    /// `[days, percent]` of the progression line that holds at that visit, counted from the nadir before it.
    pub progression: Vec<[f64; 2]>,
}

/// A label beside a point: white around the letters keeps them readable across lines.
const LABEL: &str = r##"text-anchor="middle" font-size="11" stroke="#ffffff" stroke-width="3" paint-order="stroke""##;
/// Lines that are named at their ends; more names would only cover each other.
const MAX_NAMES: usize = 12;
/// From one name to the next below it.
const NAME: f64 = 11.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 54.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 204.0;

/// Draws the plot. Points are marked by response, in shape and colour.
#[must_use]
pub fn spider(plot: &SpiderPlot) -> String {
    let mut svg = Svg::new([plot.width, HEIGHT], plot.label.as_str());
    let [x, y] = scales(plot);
    axes(&mut svg, &[x, y]);
    level_lines(&mut svg, plot, &[x, y]);
    for line in &plot.lines {
        draw(&mut svg, line, &[x, y]);
    }
    names(&mut svg, plot, &[x, y]);
    svg.finish()
}

fn scales(plot: &SpiderPlot) -> [Scale; 2] {
    let points = || plot.lines.iter().flat_map(|line| line.points.iter().chain(&line.progression));
    let last_day = points().map(|point| point[0]).fold(30.0, f64::max);
    let low = points().map(|point| point[1]).fold(-40.0, f64::min) - 16.0;
    let high = points().map(|point| point[1]).fold(30.0, f64::max) + 6.0;
    [
        Scale { values: [0.0, last_day / DAYS_PER_MONTH], pixels: [LEFT, plot.width - 92.0] },
        Scale { values: [low, high], pixels: [BOTTOM, TOP] },
    ]
}

fn axes(svg: &mut Svg, [x, y]: &[Scale; 2]) {
    for tick in y.ticks(6) {
        let (ink, width) = if tick == 0.0 { (INK, 1.0) } else { (GRID, 1.0) };
        svg.line([LEFT, y.at(tick)], [x.pixels[1], y.at(tick)], &format!(r#"stroke="{ink}" stroke-width="{width}""#));
        svg.text(
            [LEFT - 6.0, y.at(tick) + 4.0],
            &format!(r#"text-anchor="end" fill="{MUTED}""#),
            &format!("{} %", fixed(tick, 0)),
        );
    }
    for tick in x.ticks(7) {
        svg.line([x.at(tick), BOTTOM], [x.at(tick), BOTTOM + 4.0], &format!(r#"stroke="{MUTED}""#));
        let digits = usize::from(tick.fract() != 0.0);
        svg.text([x.at(tick), BOTTOM + 17.0], r#"text-anchor="middle""#, &fixed(tick, digits));
    }
    let middle = f64::midpoint(LEFT, x.pixels[1]);
    svg.text(
        [middle, HEIGHT - 8.0],
        &format!(r#"text-anchor="middle" fill="{MUTED}""#),
        "months since baseline imaging",
    );
}

fn level_lines(svg: &mut Svg, plot: &SpiderPlot, [x, y]: &[Scale; 2]) {
    let mut level = |percent: f64, colour: &str, word: &str| {
        svg.line(
            [LEFT, y.at(percent)],
            [x.pixels[1], y.at(percent)],
            &format!(r#"stroke="{colour}" stroke-width="1.2" stroke-dasharray="6 4""#),
        );
        svg.text(
            [x.pixels[1] + 5.0, y.at(percent) + 4.0],
            &format!(r#"font-size="11" fill="{colour}""#),
            &format!("{}\u{a0}% {word}", signed_whole(percent)),
        );
    };
    if let Some(percent) = plot.response_percent {
        level(percent, "#1f5f92", "PR");
    }
    let stepped = plot.lines.iter().any(|line| !line.progression.is_empty());
    if let Some(percent) = plot.progression_percent.filter(|_| !stepped) {
        level(percent, "#a33a1c", "");
    }
}

fn signed_whole(percent: f64) -> String {
    let text = fixed(percent, 0);
    if percent > 0.0 { format!("+{text}") } else { text }
}

fn draw(svg: &mut Svg, line: &SpiderLine, [x, y]: &[Scale; 2]) {
    let at = |point: &[f64; 2]| [x.at(point[0] / DAYS_PER_MONTH), y.at(point[1])];
    steps(svg, &line.progression.iter().map(at).collect::<Vec<_>>());
    let points: Vec<[f64; 2]> = line.points.iter().map(at).collect();
    svg.path(&points, &format!(r#"fill="none" stroke="{INK}" stroke-width="1.8" stroke-linejoin="round""#));
    for (index, &[cx, cy]) in points.iter().enumerate() {
        let Some(code) = line.responses.get(index) else {
            svg.circle([cx, cy], 2.5, &format!(r#"fill="{INK}""#));
            continue;
        };
        let attributes = format!(r#"fill="{}" stroke="{INK}" stroke-width="1.2""#, tone(code).fill());
        if tone(code) == crate::wording::Tone::Progression {
            svg.rect([cx - 5.0, cy - 5.0], [10.0, 10.0], &attributes);
        } else {
            svg.circle([cx, cy], 5.0, &attributes);
        }
        let text = if index == 0 { String::new() } else { format!("{code} {}", signed_percent(line.points[index][1])) };
        let falls = index > 0 && line.points[index][1] < line.points[index - 1][1];
        let above = !falls && cy - 10.0 > TOP + 6.0;
        svg.text([cx, if above { cy - 10.0 } else { cy + 20.0 }], LABEL, &text);
    }
}

/// The progression line: it holds from the visit before to the visit it was counted for.
fn steps(svg: &mut Svg, points: &[[f64; 2]]) {
    let Some(&[_, first]) = points.first() else { return };
    let mut path = vec![[LEFT, first]];
    for pair in points.windows(2) {
        path.push(pair[0]);
        path.push([pair[0][0], pair[1][1]]);
    }
    let last = points[points.len() - 1];
    path.push(last);
    svg.path(&path, r##"fill="none" stroke="#a33a1c" stroke-width="1.2" stroke-dasharray="6 4""##);
    svg.text([last[0] + 5.0, last[1] + 4.0], r##"font-size="11" fill="#a33a1c""##, "PD above this");
}

fn names(svg: &mut Svg, plot: &SpiderPlot, [x, y]: &[Scale; 2]) {
    if !(2..=MAX_NAMES).contains(&plot.lines.len()) {
        return;
    }
    let mut ends: Vec<([f64; 2], &str)> = plot
        .lines
        .iter()
        .filter_map(|line| {
            line.points.last().map(|point| ([x.at(point[0] / DAYS_PER_MONTH), y.at(point[1])], line.name.as_str()))
        })
        .collect();
    ends.sort_by(|a, b| a.0[1].total_cmp(&b.0[1]).then(a.1.cmp(b.1)));
    // Names of lines that end close together stand below each other, the lowest on the axis.
    let mut levels = Vec::with_capacity(ends.len());
    for ([_, at_y], _) in &ends {
        levels.push((at_y + 4.0).max(levels.last().map_or(f64::NEG_INFINITY, |above| above + NAME)));
    }
    let mut lowest = BOTTOM;
    for level in levels.iter_mut().rev() {
        *level = level.min(lowest);
        lowest = *level - NAME;
    }
    for (([at_x, _], name), level) in ends.iter().zip(levels) {
        svg.text([at_x + 6.0, level], r#"font-size="11""#, name);
    }
}
