//! Baseline and a follow-up in one picture: squares of the one and the other by turns, as in a chequerboard.
//!
//! Where the follow-up lies well on baseline, edges run on across the squares; where it does not, they break.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::error::{ReportError, finite};
use crate::figure::path_data;
use crate::key_image::{Orientation, check_pixels, pixel_text, png_address};
use crate::numerals::coordinate;
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
    /// Grey values, row by row from the upper left corner, already windowed and put together; base64 on disk.
    #[serde(with = "pixel_text")]
    pub pixels: Vec<u8>,
    /// Size of a pixel in mm, `[column distance, row distance]`.
    pub pixel_mm: [f64; 2],
    /// Side of a square in mm.
    pub square_mm: f64,
    /// Outlines of the organ at baseline, closed, in pixels, the centre of the upper left pixel being `[0, 0]`.
    pub baseline_outlines: Vec<Vec<[f64; 2]>>,
    /// Outlines of the organ of the follow-up, carried to baseline.
    pub follow_up_outlines: Vec<Vec<[f64; 2]>>,
    /// Letters at the edges.
    pub orientation: Orientation,
}

/// A picture as the template reads it.
#[derive(Debug, Serialize)]
pub(crate) struct PanelPicture {
    title: String,
    address: String,
    alt: String,
    overlay: String,
    aspect: String,
    width_px: String,
}

/// Width of a picture on the page, in CSS pixels.
const PICTURE_PX: f64 = 300.0;
/// Stroke of the organ at baseline (solid) and of the follow-up (dashed), after Okabe & Ito 2008.
pub(crate) const STROKES: [&str; 2] =
    [r##"stroke="#56b4e9" stroke-width="1.6""##, r##"stroke="#e69f00" stroke-width="1.6" stroke-dasharray="6 4""##];

/// Shapes a picture for the page; `visit` names it in errors.
pub(crate) fn panel_picture(picture: &RegistrationPicture, visit: &str) -> Result<PanelPicture, ReportError> {
    let subject = format!("registration of visit {visit}");
    check_pixels([picture.width, picture.height], picture.pixels.len(), picture.pixel_mm, &subject)?;
    let outlines = [&picture.baseline_outlines, &picture.follow_up_outlines];
    for value in outlines.into_iter().flatten().flatten().flatten() {
        finite(*value, "corner of an outline", &subject)?;
    }
    let size = [f64::from(picture.width) * picture.pixel_mm[0], f64::from(picture.height) * picture.pixel_mm[1]];
    Ok(PanelPicture {
        title: picture.title.clone(),
        address: png_address([picture.width, picture.height], &picture.pixels, &subject)?,
        alt: format!(
            "Baseline and visit {visit} in squares of {} mm by turns, {}; {} outlines of the organ at baseline, {} of the \
             visit",
            coordinate(picture.square_mm),
            picture.title,
            picture.baseline_outlines.len(),
            picture.follow_up_outlines.len()
        ),
        overlay: overlay(picture, size),
        aspect: format!("{} / {}", coordinate(size[0]), coordinate(size[1])),
        width_px: coordinate(PICTURE_PX),
    })
}

fn overlay(picture: &RegistrationPicture, size: [f64; 2]) -> String {
    let to_mm = |point: &[f64; 2]| [(point[0] + 0.5) * picture.pixel_mm[0], (point[1] + 0.5) * picture.pixel_mm[1]];
    let mut marks = String::new();
    for (outlines, stroke) in [&picture.baseline_outlines, &picture.follow_up_outlines].into_iter().zip(STROKES) {
        for outline in outlines {
            let data = path_data(&outline.iter().map(to_mm).collect::<Vec<_>>());
            if !data.is_empty() {
                let _ = write!(marks, r#"<path d="{data}Z" {stroke}/>"#);
            }
        }
    }
    format!(
        r#"<svg class="overlay" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true" fill="none">{marks}{}</svg>"#,
        coordinate(size[0]),
        coordinate(size[1]),
        edge_letters(&picture.orientation, size)
    )
}
