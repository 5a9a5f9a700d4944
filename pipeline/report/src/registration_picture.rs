//! Baseline and a follow-up in one picture: squares of the one and the other by turns, as in a chequerboard; on a screen also the one
//! and the other in turn.
//!
//! Where the follow-up lies well on baseline, edges run on across the squares; where it does not, they break.

use serde::{Deserialize, Serialize};

use crate::error::{ReportError, finite};
use crate::figure::path_data;
use crate::key_image::{Orientation, check_pixels, pixel_text, png_address};
use crate::numerals::coordinate;
use crate::registration_map::{BlockMark, PanelMap, StretchMap, block_map, stretch_map};
use crate::strip::edge_letters;

/// One plane through baseline and the follow-up carried there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationPicture {
    /// Plane and place, such as `axial, through the middle of the liver`.
    pub title: String,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Grey values of baseline, row by row from the upper left corner, already windowed; base64 on disk.
    #[serde(with = "pixel_text")]
    pub baseline_pixels: Vec<u8>,
    /// Grey values of the follow-up at the same places.
    #[serde(with = "pixel_text")]
    pub follow_up_pixels: Vec<u8>,
    /// Size of a pixel in mm, `[column distance, row distance]`.
    pub pixel_mm: [f64; 2],
    /// Side of a square in pixels.
    pub square: u32,
    /// Outlines of the organ at baseline, closed, in pixels, the centre of the upper left pixel being `[0, 0]`.
    pub baseline_outlines: Vec<Vec<[f64; 2]>>,
    /// Outlines of the organ of the follow-up, carried to baseline.
    pub follow_up_outlines: Vec<Vec<[f64; 2]>>,
    /// Letters at the edges.
    pub orientation: Orientation,
    /// How tissue was stretched; `None` where the map does not bend.
    pub stretch: Option<StretchMap>,
    /// Blocks near the plane, and what each still wants to move.
    pub blocks: Vec<BlockMark>,
}

/// A picture as the template reads it.
#[derive(Debug, Serialize)]
pub(crate) struct PanelPicture {
    title: String,
    /// Squares of both.
    address: String,
    /// Baseline alone and the visit alone.
    alone: [String; 2],
    alt: String,
    overlay: String,
    aspect: String,
    width_px: String,
    maps: Vec<PanelMap>,
}

/// Width of a picture on the page, in CSS pixels.
const PICTURE_PX: f64 = 300.0;
/// Stroke of the organ at baseline (solid) and of the follow-up (dashed), after Okabe & Ito 2008.
pub(crate) const STROKES: [&str; 2] =
    [r##"stroke="#56b4e9" stroke-width="1.6""##, r##"stroke="#e69f00" stroke-width="1.6" stroke-dasharray="6 4""##];

/// Shapes a picture for the page; `visit` names it in errors.
pub(crate) fn panel_picture(picture: &RegistrationPicture, visit: &str) -> Result<PanelPicture, ReportError> {
    let subject = format!("registration of visit {visit}");
    let dimensions = [picture.width, picture.height];
    for pixels in [&picture.baseline_pixels, &picture.follow_up_pixels] {
        check_pixels(dimensions, pixels.len(), picture.pixel_mm, &subject)?;
    }
    let outlines = [&picture.baseline_outlines, &picture.follow_up_outlines];
    for value in outlines.into_iter().flatten().flatten().flatten() {
        finite(*value, "corner of an outline", &subject)?;
    }
    let address = |pixels: &[u8]| png_address(dimensions, pixels, &subject);
    let size = size_mm(picture);
    let maps = [stretch_map(picture, visit)?, block_map(picture, visit)?];
    Ok(PanelPicture {
        title: picture.title.clone(),
        address: address(&by_turns(picture))?,
        alone: [address(&picture.baseline_pixels)?, address(&picture.follow_up_pixels)?],
        alt: format!(
            "Baseline and visit {visit} in squares of {} mm by turns, {}; {} outlines of the organ at baseline, {} of the \
             visit",
            coordinate(f64::from(picture.square) * picture.pixel_mm[0]),
            picture.title,
            picture.baseline_outlines.len(),
            picture.follow_up_outlines.len()
        ),
        overlay: overlay(picture, size),
        aspect: format!("{} / {}", coordinate(size[0]), coordinate(size[1])),
        width_px: coordinate(PICTURE_PX),
        maps: maps.into_iter().flatten().collect(),
    })
}

/// Width and height, mm.
pub(crate) fn size_mm(picture: &RegistrationPicture) -> [f64; 2] {
    [f64::from(picture.width) * picture.pixel_mm[0], f64::from(picture.height) * picture.pixel_mm[1]]
}

/// The squares.
fn by_turns(picture: &RegistrationPicture) -> Vec<u8> {
    let (width, square) = (picture.width as usize, picture.square.max(1) as usize);
    let images = [&picture.baseline_pixels, &picture.follow_up_pixels];
    let turn = |n: usize| (n % width / square + n / width / square) % 2;
    (0..picture.baseline_pixels.len()).map(|n| images[turn(n)][n]).collect()
}

fn overlay(picture: &RegistrationPicture, size: [f64; 2]) -> String {
    let marks: String = [&picture.baseline_outlines, &picture.follow_up_outlines]
        .into_iter()
        .zip(STROKES)
        .flat_map(|(outlines, stroke)| outline_paths(picture, outlines, stroke))
        .collect();
    format!(
        r#"<svg class="overlay" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true" fill="none">{marks}{}</svg>"#,
        coordinate(size[0]),
        coordinate(size[1]),
        edge_letters(&picture.orientation, size)
    )
}

/// Outlines in the picture's mm.
pub(crate) fn outline_paths(picture: &RegistrationPicture, outlines: &[Vec<[f64; 2]>], stroke: &str) -> Vec<String> {
    let to_mm = |point: &[f64; 2]| [(point[0] + 0.5) * picture.pixel_mm[0], (point[1] + 0.5) * picture.pixel_mm[1]];
    let path = |outline: &Vec<[f64; 2]>| {
        let data = path_data(&outline.iter().map(to_mm).collect::<Vec<_>>());
        (!data.is_empty()).then(|| format!(r#"<path d="{data}Z" {stroke}/>"#))
    };
    outlines.iter().filter_map(path).collect()
}
