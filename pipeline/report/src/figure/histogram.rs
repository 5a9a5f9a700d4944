//! The margin histogram: how much of the tumour's surface has which margin.
//!
//! Bins are those handed in (1 mm from −15 mm); their bands (below 0, 0–5, 5–10, 10 mm and more) are the ones the margin
//! table reports, and each has its own fill and its own texture.

use super::axis::Scale;
use super::svg::{GRID, INK, MUTED, Svg};
use crate::numerals::fixed;

/// Counts per bin of a margin map.
#[derive(Debug, Clone, PartialEq)]
pub struct MarginHistogram {
    /// Said to who cannot see the drawing.
    pub label: String,
    /// Lower edge of the first bin in mm.
    pub from_mm: f64,
    /// Width of a bin in mm.
    pub bin_mm: f64,
    /// Counts, the first and the last including whatever lies beyond.
    pub counts: Vec<u64>,
    /// Minimal margin in mm, marked below the axis.
    pub min_margin_mm: Option<f64>,
    /// Margin wanted in mm, drawn as a line.
    pub threshold_mm: Option<f64>,
}

const SIZE: [f64; 2] = [420.0, 190.0];
const PLOT: [f64; 4] = [44.0, 26.0, 408.0, 132.0];

/// Below 0: red, hatched. 0–5 mm: yellow, ruled. 5–10 mm: green. 10 mm and more: dark green. The hues are those of a traffic
/// light, shifted to stay apart for the colour-blind (vermilion and bluish green of Okabe & Ito 2008) and apart in lightness.
pub(crate) fn fill(lower_mm: f64) -> &'static str {
    match lower_mm {
        mm if mm < 0.0 => "#b3401f",
        mm if mm < 5.0 => "#eab94f",
        mm if mm < 10.0 => "#5fc0a0",
        _ => "#0f6b52",
    }
}

/// Draws the histogram. Bars are as high as their share of all counts; an empty one is drawn as an empty axis.
#[must_use]
pub fn margin_histogram(input: &MarginHistogram) -> String {
    let mut svg = Svg::new(SIZE, input.label.as_str());
    let [left, top, right, bottom] = PLOT;
    let total = input.counts.iter().sum::<u64>().max(1) as f64;
    let highest = input.counts.iter().copied().max().unwrap_or(0) as f64 / total;
    let to_mm = input.from_mm + input.bin_mm * input.counts.len() as f64;
    let x = Scale { values: [input.from_mm, to_mm], pixels: [left, right] };
    let y = Scale { values: [0.0, (100.0 * highest).max(1.0)], pixels: [bottom, top] };
    for tick in y.ticks(3) {
        svg.line([left, y.at(tick)], [right, y.at(tick)], &format!(r#"stroke="{GRID}""#));
        svg.text([left - 6.0, y.at(tick) + 4.0], &format!(r#"text-anchor="end" fill="{MUTED}""#), &fixed(tick, 0));
    }
    for (index, &count) in input.counts.iter().enumerate() {
        let lower_mm = input.from_mm + input.bin_mm * index as f64;
        bar(
            &mut svg,
            [x.at(lower_mm), x.at(lower_mm + input.bin_mm)],
            &Bar { lower_mm, count, share: count as f64 / total, y },
        );
    }
    axis(&mut svg, &x, bottom);
    marks(&mut svg, input, &x);
    svg.finish()
}

struct Bar {
    lower_mm: f64,
    count: u64,
    share: f64,
    y: Scale,
}

fn bar(svg: &mut Svg, x: [f64; 2], bar: &Bar) {
    if bar.count == 0 {
        return;
    }
    let top = bar.y.at(100.0 * bar.share);
    let (at, size) = ([x[0] + 0.5, top], [x[1] - x[0] - 1.0, bar.y.pixels[0] - top]);
    svg.rect(at, size, &format!(r#"class="bar" data-count="{}" fill="{}""#, bar.count, fill(bar.lower_mm)));
    if bar.lower_mm < 0.0 {
        svg.hatch(at, size, r##"stroke="#ffffff" stroke-width="1""##);
    } else if bar.lower_mm < 5.0 {
        let mut rule = at[1] + 3.0;
        while rule < at[1] + size[1] {
            svg.line([at[0], rule], [at[0] + size[0], rule], r##"stroke="#7a5a10" stroke-width="0.8""##);
            rule += 5.0;
        }
    }
}

fn axis(svg: &mut Svg, x: &Scale, bottom: f64) {
    svg.line([x.pixels[0], bottom], [x.pixels[1], bottom], &format!(r#"stroke="{INK}""#));
    for tick in x.ticks(8) {
        svg.line([x.at(tick), bottom], [x.at(tick), bottom + 4.0], &format!(r#"stroke="{INK}""#));
        svg.text([x.at(tick), bottom + 17.0], r#"text-anchor="middle""#, &fixed(tick, 0));
    }
    let middle = f64::midpoint(x.pixels[0], x.pixels[1]);
    svg.text(
        [middle, SIZE[1] - 8.0],
        &format!(r#"text-anchor="middle" fill="{MUTED}""#),
        "margin in mm (share of the tumour surface in %)",
    );
}

fn marks(svg: &mut Svg, input: &MarginHistogram, x: &Scale) {
    let [_, top, _, bottom] = PLOT;
    let inside = |mm: f64| mm.clamp(x.values[0], x.values[1]);
    if let Some(threshold) = input.threshold_mm {
        let at = x.at(inside(threshold));
        svg.line([at, top], [at, bottom], &format!(r#"stroke="{INK}" stroke-dasharray="4 3""#));
        svg.text([at, top - 8.0], r#"text-anchor="middle""#, &format!("wanted {} mm", fixed(threshold, 0)));
    }
    if let Some(minimum) = input.min_margin_mm {
        let at = x.at(inside(minimum));
        svg.polygon(
            [[at, bottom + 20.0], [at - 5.0, bottom + 29.0], [at + 5.0, bottom + 29.0]].as_slice(),
            &format!(r#"fill="{INK}""#),
        );
        svg.text([at + 8.0, bottom + 31.0], r#"font-weight="600""#, &format!("smallest {} mm", fixed(minimum, 1)));
    }
}
