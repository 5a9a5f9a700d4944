//! A contact sheet: slices of one visit side by side with their outlines, as one PNG to look through quickly.
//!
//! Colours are those of the page's key images; lines are anti-aliased (Wu 1991).

use image::codecs::png::CompressionType;
use image::{ExtendedColorType, Rgb, RgbImage, imageops};
use imageproc::drawing::draw_antialiased_line_segment_mut;
use imageproc::pixelops::interpolate;

use crate::error::{ReportError, finite};
use crate::key_image::{Outline, OutlineRole, png_file};

/// No sheet is wider, in pixels: it opens on any screen and in any viewer.
pub const MAX_SHEET_WIDTH: u32 = 1920;
/// Black pixels between two tiles.
const GAP: u32 = 4;
/// The largest enlargement of a tile's pixels; more shows nothing new.
const MAX_SCALE: f64 = 2.0;

/// One grey slice in display order with its outlines.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Grey values, row by row from the upper left corner, already windowed.
    pub pixels: Vec<u8>,
    /// Size of a pixel in mm, `[column distance, row distance]`.
    pub pixel_mm: [f64; 2],
    /// Outlines; coordinates `[x, y]` in pixels, the centre of the upper left pixel being `[0, 0]`.
    pub outlines: Vec<Outline>,
}

/// The tiles from the upper left, row by row, as the bytes of a PNG. All tiles are drawn at one scale in mm; the sheet is at
/// most [`MAX_SHEET_WIDTH`] wide.
pub fn contact_sheet(tiles: &[Tile], columns: usize) -> Result<Vec<u8>, ReportError> {
    for (n, tile) in tiles.iter().enumerate() {
        tile.check(n)?;
    }
    let columns = u32::try_from(columns.clamp(1, tiles.len().max(1))).unwrap_or(1);
    let Some(pixels_per_mm) = pixels_per_mm(tiles, columns) else { return Err(ReportError::NoTiles) };
    let drawn: Vec<RgbImage> = tiles.iter().map(|tile| tile.draw(pixels_per_mm)).collect();
    let cell = |size: fn(&RgbImage) -> u32| drawn.iter().map(size).max().unwrap_or(1);
    let (width, height) = (cell(RgbImage::width), cell(RgbImage::height));
    let rows = (drawn.len() as u32).div_ceil(columns);
    let mut sheet = RgbImage::new(columns * (width + GAP) - GAP, rows * (height + GAP) - GAP);
    for (n, tile) in (0_u32..).zip(&drawn) {
        let (x, y) = ((n % columns) * (width + GAP), (n / columns) * (height + GAP));
        imageops::replace(&mut sheet, tile, i64::from(x), i64::from(y));
    }
    let size = [sheet.width(), sheet.height()];
    png_file((size, ExtendedColorType::Rgb8), sheet.as_raw(), CompressionType::Default, "a contact sheet")
}

/// The scale at which the widest tile fills its share of the sheet, but no tile is enlarged too far.
fn pixels_per_mm(tiles: &[Tile], columns: u32) -> Option<f64> {
    let widest = tiles.iter().map(|t| f64::from(t.width) * t.pixel_mm[0]).reduce(f64::max)?;
    let finest = tiles.iter().map(|t| t.pixel_mm[0].min(t.pixel_mm[1])).reduce(f64::min)?;
    let share = f64::from(((MAX_SHEET_WIDTH + GAP) / columns).saturating_sub(GAP).max(1));
    Some((share / widest).min(MAX_SCALE / finest))
}

impl Tile {
    fn check(&self, n: usize) -> Result<(), ReportError> {
        let subject = format!("tile {} of a contact sheet", n + 1);
        let expected = self.width as usize * self.height as usize;
        if self.pixels.len() != expected {
            let (width, height, found) = (self.width, self.height, self.pixels.len());
            return Err(ReportError::ImageSize { subject, width, height, expected, found });
        }
        if expected == 0 || !self.pixel_mm.iter().all(|mm| mm.is_finite() && *mm > 0.0) {
            let [dx, dy] = self.pixel_mm;
            let found = format!("{} x {} pixels of {dx} x {dy} mm", self.width, self.height);
            return Err(ReportError::ImageExtent { subject, found });
        }
        for value in self.outlines.iter().flat_map(|outline| outline.points.iter().flatten()) {
            finite(*value, "corner of an outline", &subject)?;
        }
        Ok(())
    }

    /// Columns and rows of the tile at a scale, to the nearest pixel.
    pub(crate) fn size_at(&self, pixels_per_mm: f64) -> [u32; 2] {
        let size = |n: u32, mm: f64| (f64::from(n) * mm * pixels_per_mm).round().max(1.0) as u32;
        [size(self.width, self.pixel_mm[0]), size(self.height, self.pixel_mm[1])]
    }

    /// The tile at a scale, organ lowest, lesion uppermost.
    pub(crate) fn draw(&self, pixels_per_mm: f64) -> RgbImage {
        let [width, height] = self.size_at(pixels_per_mm);
        let mut colored = RgbImage::new(self.width, self.height);
        for (pixel, grey) in colored.pixels_mut().zip(&self.pixels) {
            *pixel = Rgb([*grey; 3]);
        }
        let mut image = imageops::resize(&colored, width, height, imageops::FilterType::Triangle);
        let scale = [f64::from(width) / f64::from(self.width), f64::from(height) / f64::from(self.height)];
        for role in OutlineRole::ALL.iter().rev() {
            for outline in self.outlines.iter().filter(|outline| outline.role == *role) {
                draw_outline(&mut image, outline, scale);
            }
        }
        image
    }
}

/// A closed outline, dashed as its role wants it.
fn draw_outline(image: &mut RgbImage, outline: &Outline, scale: [f64; 2]) {
    let (color, dash) = (Rgb(outline.role.color()), outline.role.dash());
    // Pixel centres lie at half a pixel from the image's edge, before and after scaling.
    let place = |p: &[f64; 2]| [0, 1].map(|axis| (p[axis] + 0.5) * scale[axis] - 0.5);
    let corners: Vec<[f64; 2]> = outline.points.iter().map(place).collect();
    let mut walked = 0.0;
    for (a, b) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        if dash.is_none_or(|[on, off]| walked % (on + off) < on) {
            let at = |p: &[f64; 2]| (p[0].round() as i32, p[1].round() as i32);
            draw_antialiased_line_segment_mut(image, at(a), at(b), color, interpolate);
        }
        walked += (a[0] - b[0]).hypot(a[1] - b[1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4 × 2 pixels of 1 × 2 mm, the upper left one white.
    fn tile(outlines: Vec<Outline>) -> Tile {
        let mut pixels = vec![0; 8];
        pixels[0] = 255;
        Tile { width: 4, height: 2, pixels, pixel_mm: [1.0, 2.0], outlines }
    }

    fn decoded(bytes: &[u8]) -> RgbImage {
        image::load_from_memory(bytes).unwrap().to_rgb8()
    }

    #[test]
    fn pixels_become_as_large_as_they_are_in_the_patient() {
        let sheet = decoded(&contact_sheet(&[tile(vec![])], 1).unwrap());
        assert_eq!(sheet.dimensions(), (8, 8));
        assert_eq!(sheet.get_pixel(0, 0), &Rgb([255; 3]));
        assert_eq!(sheet.get_pixel(7, 7), &Rgb([0; 3]));
    }

    #[test]
    fn tiles_stand_row_by_row_with_a_gap() {
        let tiles = [tile(vec![]), tile(vec![]), tile(vec![])];
        let sheet = decoded(&contact_sheet(&tiles, 2).unwrap());
        assert_eq!(sheet.dimensions(), (8 + 4 + 8, 8 + 4 + 8));
        for (x, y) in [(0, 0), (12, 0), (0, 12)] {
            assert_eq!(sheet.get_pixel(x, y), &Rgb([255; 3]));
        }
        assert_eq!(sheet.get_pixel(12, 12), &Rgb([0; 3]));
    }

    #[test]
    fn an_outline_lies_where_its_pixels_lie() {
        // One pixel of 1 × 2 mm becomes 2 × 4: the centre of column 2 comes to 4.5, of row 1 to 5.5.
        let points = vec![[2.0, 0.25], [2.0, 1.0]];
        let outline = Outline { role: OutlineRole::Lesion, points };
        let sheet = decoded(&contact_sheet(&[tile(vec![outline])], 1).unwrap());
        let blue = Rgb(OutlineRole::Lesion.color());
        let columns: Vec<u32> = (0..8).filter(|x| sheet.get_pixel(*x, 4) == &blue).collect();
        assert_eq!(columns, [5]);
        assert_ne!(sheet.get_pixel(5, 1), &blue);
    }

    #[test]
    fn wide_sheets_are_bounded() {
        let wide = Tile { width: 900, height: 3, pixels: vec![9; 2700], pixel_mm: [0.7; 2], outlines: vec![] };
        let sheet = decoded(&contact_sheet(&[wide.clone(), wide.clone(), wide], 3).unwrap());
        assert!(sheet.width() <= MAX_SHEET_WIDTH, "{}", sheet.width());
        assert!(sheet.width() > MAX_SHEET_WIDTH - 8, "{}", sheet.width());
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_by_name() {
        assert!(matches!(contact_sheet(&[], 3), Err(ReportError::NoTiles)));
        let short = Tile { pixels: vec![0; 7], ..tile(vec![]) };
        let error = contact_sheet(&[tile(vec![]), short], 3).unwrap_err().to_string();
        assert!(error.contains("tile 2") && error.contains("expected 8"), "{error}");
        let lost = Outline { role: OutlineRole::Organ, points: vec![[f64::NAN, 0.0]] };
        assert!(contact_sheet(&[tile(vec![lost])], 1).is_err());
    }
}
