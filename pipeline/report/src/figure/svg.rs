//! A drawing under construction: few shapes, escaped text, coordinates with two decimals, the same bytes every time.

use std::fmt::Write as _;

use crate::numerals::coordinate;

/// Ink of text and axes.
pub(crate) const INK: &str = "#1b2430";
/// Ink of secondary text (7:1 on white).
pub(crate) const MUTED: &str = "#4f5a68";
/// Grid lines.
pub(crate) const GRID: &str = "#e3e7ec";

/// A drawing. The unit is one CSS pixel at its natural width.
pub(crate) struct Svg {
    size: [f64; 2],
    label: String,
    body: String,
}

impl Svg {
    /// An empty drawing; `label` says in a sentence what it shows.
    pub(crate) fn new(size: [f64; 2], label: impl Into<String>) -> Self {
        Self { size, label: label.into(), body: String::new() }
    }

    /// A line from `a` to `b`; `attributes` are trusted.
    pub(crate) fn line(&mut self, a: [f64; 2], b: [f64; 2], attributes: &str) {
        let [x1, y1, x2, y2] = [a[0], a[1], b[0], b[1]].map(coordinate);
        let _ = write!(self.body, r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" {attributes}/>"#);
    }

    /// A rectangle with its upper left corner at `at`, nothing where it has no extent; `attributes` are trusted.
    pub(crate) fn rect(&mut self, at: [f64; 2], size: [f64; 2], attributes: &str) {
        if size[0] <= 0.0 || size[1] <= 0.0 {
            return;
        }
        let [x, y, width, height] = [at[0], at[1], size[0], size[1]].map(coordinate);
        let _ = write!(self.body, r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" {attributes}/>"#);
    }

    /// A circle; `attributes` are trusted.
    pub(crate) fn circle(&mut self, at: [f64; 2], radius: f64, attributes: &str) {
        let [cx, cy, r] = [at[0], at[1], radius].map(coordinate);
        let _ = write!(self.body, r#"<circle cx="{cx}" cy="{cy}" r="{r}" {attributes}/>"#);
    }

    /// An open path through `points`; `attributes` are trusted.
    pub(crate) fn path(&mut self, points: &[[f64; 2]], attributes: &str) {
        self.shape(points, "", attributes);
    }

    /// A closed path through `points`; `attributes` are trusted.
    pub(crate) fn polygon(&mut self, points: &[[f64; 2]], attributes: &str) {
        self.shape(points, "Z", attributes);
    }

    fn shape(&mut self, points: &[[f64; 2]], end: &str, attributes: &str) {
        if points.is_empty() {
            return;
        }
        let _ = write!(self.body, r#"<path d="{}{end}" {attributes}/>"#, path_data(points));
    }

    /// Text with its baseline at `at`; it is escaped, `attributes` are trusted.
    pub(crate) fn text(&mut self, at: [f64; 2], attributes: &str, text: &str) {
        let [x, y] = at.map(coordinate);
        let _ = write!(self.body, r#"<text x="{x}" y="{y}" {attributes}>{}</text>"#, escape(text));
    }

    /// Slanted lines inside a rectangle: what is marked is marked without colour too.
    pub(crate) fn hatch(&mut self, at: [f64; 2], size: [f64; 2], attributes: &str) {
        const STEP: f64 = 6.0;
        let [width, height] = size;
        let mut offset = STEP / 2.0;
        while offset < width + height {
            // The line x + y = offset, cut by the rectangle.
            let (x0, y0) = if offset <= height { (0.0, offset) } else { (offset - height, height) };
            let (x1, y1) = if offset <= width { (offset, 0.0) } else { (width, offset - width) };
            self.line([at[0] + x0, at[1] + y0], [at[0] + x1, at[1] + y1], attributes);
            offset += STEP;
        }
    }

    /// The finished drawing as an `<svg>` element.
    pub(crate) fn finish(self) -> String {
        let [width, height] = self.size.map(coordinate);
        format!(
            r#"<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{}" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif" font-size="12" fill="{INK}">{}</svg>"#,
            escape(&self.label),
            self.body
        )
    }
}

/// `M x y L x y …`.
pub(crate) fn path_data(points: &[[f64; 2]]) -> String {
    let mut data = String::new();
    for (index, point) in points.iter().enumerate() {
        let [x, y] = point.map(coordinate);
        let _ = write!(data, "{}{x} {y}", if index == 0 { "M" } else { "L" });
    }
    data
}

/// Text that stays text in HTML and SVG. Characters that XML does not know (1.0, section 2.2) become U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Width a text will need at 12 px, roughly: enough to keep labels apart.
pub(crate) fn text_width(text: &str) -> f64 {
    6.6 * text.chars().count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hatching_stays_inside_its_rectangle() {
        let mut svg = Svg::new([100.0, 100.0], "test");
        svg.hatch([10.0, 20.0], [30.0, 12.0], "");
        let numbers = |key: &str| -> Vec<f64> {
            svg.body
                .split(&format!("{key}=\""))
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
                .collect()
        };
        assert!(!numbers("x1").is_empty());
        for x in numbers("x1").into_iter().chain(numbers("x2")) {
            assert!((10.0..=40.0).contains(&x), "{x}");
        }
        for y in numbers("y1").into_iter().chain(numbers("y2")) {
            assert!((20.0..=32.0).contains(&y), "{y}");
        }
    }

    #[test]
    fn text_cannot_leave_its_element() {
        let mut svg = Svg::new([1.0, 1.0], "a\"><script>");
        svg.text([0.0, 0.0], "", "</text><script>alert('x')</script>");
        let drawing = svg.finish();
        assert!(!drawing.contains("<script>"), "{drawing}");
        assert!(drawing.contains("&lt;script&gt;"));
        assert_eq!(escape("a\u{1b}[2J\u{7}\u{ffff}\tb"), "a\u{fffd}[2J\u{fffd}\u{fffd}\tb");
    }
}
