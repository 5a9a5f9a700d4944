//! Beside a registration's picture: how the bend stretched tissue, and what blocks of the region still want to move.

use std::fmt::Write as _;

use base64::Engine as _;
use image::ExtendedColorType;
use image::codecs::png::CompressionType;
use serde::{Deserialize, Serialize};

use crate::error::{ReportError, finite};
use crate::key_image::{check_pixels, png_file};
use crate::numerals::{coordinate, mm};
use crate::registration_picture::{RegistrationPicture, outline_paths, size_mm};

/// How many times its volume tissue has in the follow-up, pixel by pixel: the Jacobian determinant of the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StretchMap {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Size of a pixel in mm, `[column distance, row distance]`; the upper left corner is that of the picture.
    pub pixel_mm: [f64; 2],
    /// The factor, row by row; `None` outside the organ. 0 or less where the map folds.
    pub times: Vec<Option<f64>>,
}

/// A block of the region near a picture's plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockMark {
    /// Its middle in the picture, mm from the upper left corner.
    pub at_mm: [f64; 2],
    /// How far its tissue still wants to move, mm, in three dimensions; `None` where it was not found again.
    pub left_mm: Option<f64>,
}

/// A map as the template reads it.
#[derive(Debug, Serialize)]
pub(crate) struct PanelMap {
    title: String,
    svg: String,
    width_px: String,
}

/// Width of a map on the page, in CSS pixels; the picture beside it has 300.
const MAP_PX: f64 = 240.0;
/// Factor at which the colours end; their other end is one over it.
const LARGEST_FACTOR: f64 = 1.5;
/// Colours of tissue that has less volume, as much, and more (Okabe & Ito 2008: readable with any colour vision).
const LESS: [f64; 3] = [0.0, 114.0, 178.0];
const SAME: [f64; 3] = [255.0, 255.0, 255.0];
const MORE: [f64; 3] = [213.0, 94.0, 0.0];
/// Blocks up to so many mm, with fill and ink; the second limit is what a registration passes with.
const STEPS: [(f64, &str, &str); 4] =
    [(1.0, "#fff7bc", "#000"), (2.5, "#fec44f", "#000"), (5.0, "#c4540b", "#fff"), (f64::INFINITY, "#5f1a04", "#fff")];
const OUTLINE: &str = r##"stroke="#333" stroke-width="1.4" fill="none" vector-effect="non-scaling-stroke""##;

/// The stretch of a bent map; `None` where the map does not bend.
pub(crate) fn stretch_map(picture: &RegistrationPicture, visit: &str) -> Result<Option<PanelMap>, ReportError> {
    let Some(map) = &picture.stretch else { return Ok(None) };
    let subject = format!("stretch of visit {visit}");
    check_pixels([map.width, map.height], map.times.len(), map.pixel_mm, &subject)?;
    let known: Vec<f64> = map.times.iter().flatten().copied().collect();
    for value in &known {
        finite(*value, "volume factor", &subject)?;
    }
    let Some((low, high)) = known.iter().fold(None, |range: Option<(f64, f64)>, v| {
        Some(range.map_or((*v, *v), |(low, high)| (low.min(*v), high.max(*v))))
    }) else {
        return Ok(None);
    };
    let pixels: Vec<u8> = map.times.iter().flat_map(|times| color(*times)).collect();
    let size = ([map.width, map.height], ExtendedColorType::Rgba8);
    let png =
        base64::engine::general_purpose::STANDARD.encode(png_file(size, &pixels, CompressionType::Best, &subject)?);
    let [width, height] =
        [f64::from(map.width) * map.pixel_mm[0], f64::from(map.height) * map.pixel_mm[1]].map(coordinate);
    let image = format!(r#"<image href="data:image/png;base64,{png}" width="{width}" height="{height}"/>"#);
    let range = format!("{low:.2} to {high:.2} times the volume at baseline");
    let label = format!("Volume of tissue at visit {visit} relative to baseline, {}: {range}", picture.title);
    let svg = drawing(picture, &label, &(image + &outlines(picture)), &stretch_legend);
    let folds = if low <= 0.0 { "; black: the map folds" } else { "" };
    Ok(Some(PanelMap { title: format!("Tissue of the visit: {range}{folds}"), svg, width_px: coordinate(MAP_PX) }))
}

/// What blocks near the plane still want to move; `None` where there is none.
pub(crate) fn block_map(picture: &RegistrationPicture, visit: &str) -> Result<Option<PanelMap>, ReportError> {
    let subject = format!("blocks of visit {visit}");
    for value in picture.blocks.iter().flat_map(|b| b.at_mm.into_iter().chain(b.left_mm)) {
        finite(value, "block", &subject)?;
    }
    if picture.blocks.is_empty() {
        return Ok(None);
    }
    let unit = size_mm(picture)[0] / MAP_PX;
    let mut marks = outlines(picture);
    for block in &picture.blocks {
        let [x, y] = block.at_mm.map(coordinate);
        let (fill, ink, text) = match block.left_mm {
            Some(left) => {
                // By what is printed, so that equal figures have one colour.
                let printed = (10.0 * left).round() / 10.0;
                let (_, fill, ink) = STEPS.into_iter().find(|(most, _, _)| printed <= *most).unwrap_or(STEPS[3]);
                (fill, ink, mm(left))
            }
            None => ("#fff", "#000", "?".to_owned()),
        };
        let (radius, size, base) =
            (coordinate(11.0 * unit), coordinate(11.0 * unit), coordinate(block.at_mm[1] + 4.0 * unit));
        let _ = write!(
            marks,
            r##"<circle cx="{x}" cy="{y}" r="{radius}" fill="{fill}" stroke="#333" stroke-width="1" vector-effect="non-scaling-stroke"/><text x="{x}" y="{base}" font-size="{size}" text-anchor="middle" fill="{ink}">{text}</text>"##
        );
    }
    let (found, lost): (Vec<_>, Vec<_>) = picture.blocks.iter().map(|b| b.left_mm).partition(Option::is_some);
    let largest = found.iter().flatten().fold(0.0_f64, |largest, v| largest.max(*v));
    let mut title = format!("Left over in blocks near this plane: up to {} mm", mm(largest));
    if found.is_empty() {
        "No block near this plane was found again".clone_into(&mut title);
    } else if !lost.is_empty() {
        let _ = write!(title, "; ?: {} not found again", lost.len());
    }
    let label = format!("Visit {visit}, {}. {title}", picture.title);
    let svg = drawing(picture, &label, &marks, &|_| String::new());
    Ok(Some(PanelMap { title, svg, width_px: coordinate(MAP_PX) }))
}

fn outlines(picture: &RegistrationPicture) -> String {
    outline_paths(picture, &picture.baseline_outlines, OUTLINE).concat()
}

/// A picture's plane with something in it and a legend below, which is given a page pixel's size in mm.
fn drawing(picture: &RegistrationPicture, label: &str, inside: &str, legend: &dyn Fn([f64; 3]) -> String) -> String {
    let [width, height] = size_mm(picture);
    let unit = width / MAP_PX;
    let legend = legend([width, height, unit]);
    let below = if legend.is_empty() { 0.0 } else { 30.0 * unit };
    let (width, height) = (coordinate(width), coordinate(height + below));
    let label = label.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    format!(r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{inside}{legend}</svg>"#)
}

fn stretch_legend([width, height, unit]: [f64; 3]) -> String {
    const N: u32 = 32;
    let mut legend = String::new();
    let (left, reach) = (0.1 * width, 0.8 * width);
    for n in 0..N {
        let part = f64::from(n) / f64::from(N);
        let [r, g, b, _] = color(Some(LARGEST_FACTOR.powf(2.0 * (part + 0.5 / f64::from(N)) - 1.0)));
        let [x, y, w, h] =
            [left + part * reach, height + 4.0 * unit, 1.02 * reach / f64::from(N), 8.0 * unit].map(coordinate);
        let _ = write!(legend, r##"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="#{r:02x}{g:02x}{b:02x}"/>"##);
    }
    let least = 1.0 / LARGEST_FACTOR;
    for (part, text) in
        [(0.0, format!("×{least:.2}")), (0.5, "as at baseline".to_owned()), (1.0, format!("×{LARGEST_FACTOR}"))]
    {
        let [x, y, size] = [left + part * reach, height + 25.0 * unit, 11.0 * unit].map(coordinate);
        let _ = write!(legend, r#"<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle">{text}</text>"#);
    }
    legend
}

/// Red, green, blue, opacity.
fn color(times: Option<f64>) -> [u8; 4] {
    let Some(times) = times else { return [0; 4] };
    if times <= 0.0 {
        return [0, 0, 0, 255];
    }
    let part = (times.ln() / LARGEST_FACTOR.ln()).clamp(-1.0, 1.0);
    let end = if part < 0.0 { LESS } else { MORE };
    let [r, g, b]: [u8; 3] = std::array::from_fn(|a| (SAME[a] + part.abs() * (end[a] - SAME[a])).round() as u8);
    [r, g, b, 255]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_end_at_the_stated_factor_and_a_fold_is_black() {
        assert_eq!(color(Some(1.0)), [255, 255, 255, 255]);
        assert_eq!(color(Some(1.5)), [213, 94, 0, 255]);
        assert_eq!(color(Some(9.0)), color(Some(1.5)));
        assert_eq!(color(Some(1.0 / 1.5)), [0, 114, 178, 255]);
        assert_eq!(color(Some(0.0)), [0, 0, 0, 255]);
        assert_eq!(color(None)[3], 0, "outside the organ");
    }
}
