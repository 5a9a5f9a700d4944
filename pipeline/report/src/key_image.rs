//! A key image: grey values as PNG, outlines and calipers as a drawing above it that stays sharp at any size.
//!
//! Pixels come in display order (radiological convention: the patient's right at the image's left); the letters at the
//! edges are printed as given, never derived here.

use base64::Engine as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use oncology::VisitId;
use serde::{Deserialize, Serialize};

use crate::error::{ReportError, finite};

/// One lesion at one visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyImage {
    /// Lesion within the patient.
    pub lesion_id: String,
    /// The visit.
    pub visit: VisitId,
    /// Below the image: series, window, slice.
    pub caption: String,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Grey values, row by row from the upper left corner, already windowed; base64 on disk.
    #[serde(with = "pixel_text")]
    pub pixels: Vec<u8>,
    /// Size of a pixel in mm, `[column distance, row distance]`.
    pub pixel_mm: [f64; 2],
    /// Outlines; coordinates `[x, y]` in pixels, the centre of the upper left pixel being `[0, 0]`.
    pub outlines: Vec<Outline>,
    /// Calipers as measured, two ends each, in pixel coordinates.
    pub calipers: Vec<[[f64; 2]; 2]>,
    /// Length of the scale bar in mm.
    pub scale_bar_mm: f64,
    /// Letters at the edges.
    pub orientation: Orientation,
    /// Where pixels lie in the patient, for calipers drawn by a reader; `None`: none can be drawn.
    #[serde(default)]
    pub pixel_to_patient: Option<PixelToPatient>,
}

/// Where pixel `[x, y]` lies in the patient: `origin + x · column + y · row`, LPS mm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelToPatient {
    /// Centre of the upper left pixel.
    pub origin: [f64; 3],
    /// From one column to the next.
    pub column: [f64; 3],
    /// From one row to the next.
    pub row: [f64; 3],
}

/// A closed outline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outline {
    /// What it encloses.
    pub role: OutlineRole,
    /// Its corners in pixel coordinates.
    pub points: Vec<[f64; 2]>,
}

/// What an outline encloses; each has its own colour and dash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutlineRole {
    /// The lesion.
    Lesion,
    /// The ablation zone.
    Zone,
    /// Viable tumour.
    Viable,
    /// The organ.
    Organ,
}

impl OutlineRole {
    /// All of them, in the order of the legend.
    pub const ALL: [Self; 4] = [Self::Lesion, Self::Zone, Self::Viable, Self::Organ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Lesion => "lesion",
            Self::Zone => "ablation zone",
            Self::Viable => "viable tumour",
            Self::Organ => "organ",
        }
    }

    /// Colour, as red, green and blue; the same as in [`Self::stroke`].
    pub(crate) fn color(self) -> [u8; 3] {
        match self {
            Self::Lesion => [0x56, 0xb4, 0xe9],
            Self::Zone => [0xe6, 0x9f, 0x00],
            Self::Viable => [0xff, 0x8c, 0xc6],
            Self::Organ => [0xff, 0xff, 0xff],
        }
    }

    /// Pixels drawn and pixels left out; `None` for an unbroken line. The same as in [`Self::stroke`].
    pub(crate) fn dash(self) -> Option<[f64; 2]> {
        match self {
            Self::Lesion => None,
            Self::Zone => Some([7.0, 4.0]),
            Self::Viable => Some([3.0, 2.0]),
            Self::Organ => Some([1.0, 4.0]),
        }
    }

    /// Colour and dash; told apart in grey and by the colour-blind (after Okabe & Ito 2008).
    pub(crate) fn stroke(self) -> &'static str {
        match self {
            Self::Lesion => r##"stroke="#56b4e9" stroke-width="1.8""##,
            Self::Zone => r##"stroke="#e69f00" stroke-width="1.8" stroke-dasharray="7 4""##,
            Self::Viable => r##"stroke="#ff8cc6" stroke-width="1.8" stroke-dasharray="3 2""##,
            Self::Organ => r##"stroke="#ffffff" stroke-width="1.2" stroke-dasharray="1 4""##,
        }
    }
}

/// Letters at the image's edges, such as `R`, `L`, `A`, `P`, `H`, `F`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orientation {
    /// Left edge.
    pub left: String,
    /// Right edge.
    pub right: String,
    /// Upper edge.
    pub top: String,
    /// Lower edge.
    pub bottom: String,
}

impl KeyImage {
    /// Width and height of the field of view in mm.
    pub(crate) fn field_mm(&self) -> [f64; 2] {
        [f64::from(self.width) * self.pixel_mm[0], f64::from(self.height) * self.pixel_mm[1]]
    }

    fn subject(&self) -> String {
        format!("{} at {}", self.lesion_id, self.visit)
    }

    /// Refuses an image whose pixels do not fill it, or with a coordinate that is no number.
    pub(crate) fn check(&self) -> Result<(), ReportError> {
        let subject = self.subject();
        check_pixels([self.width, self.height], self.pixels.len(), self.pixel_mm, &subject)?;
        finite(self.scale_bar_mm, "length of the scale bar", &subject)?;
        for value in self.outlines.iter().flat_map(|outline| outline.points.iter().flatten()) {
            finite(*value, "corner of an outline", &subject)?;
        }
        for value in self.calipers.iter().flatten().flatten() {
            finite(*value, "end of a caliper", &subject)?;
        }
        Ok(())
    }

    /// The grey values as a PNG in a `data:` address.
    pub(crate) fn data_address(&self) -> Result<String, ReportError> {
        png_address([self.width, self.height], &self.pixels, &self.subject())
    }
}

/// Refuses an image whose `found` grey values do not fill its columns and rows, or whose pixels have no size.
pub(crate) fn check_pixels(
    [width, height]: [u32; 2],
    found: usize,
    pixel_mm: [f64; 2],
    subject: &str,
) -> Result<(), ReportError> {
    let subject = subject.to_owned();
    let expected = width as usize * height as usize;
    if found != expected {
        return Err(ReportError::ImageSize { subject, width, height, expected, found });
    }
    if expected == 0 || !pixel_mm.iter().all(|mm| mm.is_finite() && *mm > 0.0) {
        let [dx, dy] = pixel_mm;
        return Err(ReportError::ImageExtent {
            subject,
            found: format!("{width} x {height} pixels of {dx} x {dy} mm"),
        });
    }
    Ok(())
}

/// Grey values, row by row, as a PNG in a `data:` address.
pub(crate) fn png_address(size: [u32; 2], pixels: &[u8], subject: &str) -> Result<String, ReportError> {
    let png = png_file((size, ExtendedColorType::L8), pixels, CompressionType::Best, subject)?;
    Ok(format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(png)))
}

/// Pixels of columns times rows, row by row, as the bytes of a PNG.
pub(crate) fn png_file(
    ([width, height], color): ([u32; 2], ExtendedColorType),
    pixels: &[u8],
    compression: CompressionType,
    subject: &str,
) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, compression, FilterType::Adaptive)
        .write_image(pixels, width, height, color)
        .map_err(|source| ReportError::Png { subject: subject.to_owned(), source })?;
    Ok(bytes)
}

/// Grey values as base64 text, for `#[serde(with)]`.
pub mod pixel_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes them.
    pub fn serialize<S: Serializer>(pixels: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(pixels))
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(|error| D::Error::custom(format!("pixels: expected base64, {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_and_painted_outlines_look_the_same() {
        for role in OutlineRole::ALL {
            let [r, g, b] = role.color();
            assert!(role.stroke().contains(&format!("#{r:02x}{g:02x}{b:02x}")), "{role:?}");
            let dash = role.dash().map(|[on, off]| format!("stroke-dasharray=\"{on} {off}\""));
            assert_eq!(dash.is_some(), role.stroke().contains("dasharray"), "{role:?}");
            assert!(dash.is_none_or(|dash| role.stroke().contains(&dash)), "{role:?}");
        }
    }
}
