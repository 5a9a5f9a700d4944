//! A key image as one picture, outlines, calipers and words burned in: for archives and slides, which draw nothing themselves.
//!
//! The drawing is that of the page; lines and fonts are the same on every machine.

use image::{ImageEncoder as _, Rgb, RgbImage};

use crate::contact_sheet::Tile;
use crate::error::ReportError;
use crate::figure::{escape, rgba};
use crate::key_image::KeyImage;
use crate::strip;

/// Pixels the field of view is wide at least; the source's own where these are more, up to [`MOST`].
const LEAST: f64 = 512.0;
/// Pixels it is wide at most.
const MOST: f64 = 1024.0;
/// Height of a line of words below the image, pixels.
const LINE: f64 = 18.0;
/// Width of a letter on average, pixels: that of DejaVu Sans at [`LETTER_SIZE`].
const LETTER: f64 = 7.0;
/// Size of the letters, pixels.
const LETTER_SIZE: f64 = 12.0;

/// A picture in colour.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyPicture {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green and blue of each pixel, row by row from the upper left.
    pub rgb: Vec<u8>,
    /// Edge of a pixel, mm.
    pub pixel_mm: f64,
}

impl KeyPicture {
    /// The same as a PNG.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        use image::codecs::png::{CompressionType, FilterType, PngEncoder};
        let mut bytes = Vec::new();
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
            .write_image(&self.rgb, self.width, self.height, image::ExtendedColorType::Rgb8)
            .map_err(|source| ReportError::Png { subject: "a key image".to_owned(), source })?;
        Ok(bytes)
    }
}

/// Draws a key image with square pixels, and below it lesion, visit and caption.
///
/// # Errors
/// Pixels do not fill the image, or a coordinate is no number.
pub fn key_picture(image: &KeyImage) -> Result<KeyPicture, ReportError> {
    image.check()?;
    let [width_mm, height_mm] = image.field_mm();
    let finest = image.pixel_mm[0].min(image.pixel_mm[1]);
    let scale = (1.0 / finest).max(LEAST / width_mm).min(MOST / width_mm.max(height_mm));
    let tile = Tile {
        width: image.width,
        height: image.height,
        pixels: image.pixels.clone(),
        pixel_mm: image.pixel_mm,
        outlines: Vec::new(),
    };
    let grey = tile.draw(scale);
    let (width, field) = (f64::from(grey.width()), f64::from(grey.height()));
    let words = words(image, (width / LETTER) as usize);
    let height = field + LINE * (words.len() as f64 + 0.5);
    let drawing = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" fill="none"><svg width="{width}" height="{field}">{}</svg>{}</svg>"#,
        strip::drawing(image, scale),
        lines(&words, field)
    );
    let drawn = rgba(&drawing)?;
    let mut picture = RgbImage::new(width as u32, height as u32);
    image::imageops::replace(&mut picture, &grey, 0, 0);
    for (pixel, over) in picture.pixels_mut().zip(drawn.chunks_exact(4)) {
        *pixel = laid_over(*pixel, over);
    }
    let (width, height) = picture.dimensions();
    Ok(KeyPicture { width, height, rgb: picture.into_raw(), pixel_mm: 1.0 / scale })
}

/// A colour that is multiplied with its opacity already, over another.
fn laid_over(Rgb(below): Rgb<u8>, over: &[u8]) -> Rgb<u8> {
    let through = 255 - u32::from(over[3]);
    Rgb(std::array::from_fn(|n| (u32::from(over[n]) + (u32::from(below[n]) * through + 127) / 255).min(255) as u8))
}

/// What stands below the image, in lines of at most as many letters.
fn words(image: &KeyImage, most: usize) -> Vec<String> {
    let head = format!("{}  ·  {}  ·  lesiontrace, research use only", image.lesion_id, image.visit);
    let mut lines = vec![head, String::new()];
    for word in image.caption.split_whitespace() {
        let last = lines.last_mut().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > most {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn lines(words: &[String], top: f64) -> String {
    let line = |(n, text): (usize, &String)| {
        let (y, text) = (top + LINE * (n as f64 + 0.9), escape(text));
        format!(
            r##"<text x="4" y="{y}" font-size="{LETTER_SIZE}" fill="#ffffff" font-family="sans-serif">{text}</text>"##
        )
    };
    words.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use oncology::Date;
    use oncology::VisitId;

    use super::*;
    use crate::key_image::{Orientation, Outline, OutlineRole};

    /// 40 × 20 pixels of 1 × 2 mm, black but for the upper left one, a square outline and a caliper.
    fn image() -> KeyImage {
        let mut pixels = vec![0; 800];
        pixels[0] = 255;
        let points = vec![[10.0, 5.0], [20.0, 5.0], [20.0, 10.0], [10.0, 10.0]];
        let [left, right, top, bottom] = ["R", "L", "A", "P"].map(str::to_owned);
        KeyImage {
            lesion_id: "L1".to_owned(),
            visit: VisitId::first(Date::constant(2020, 3, 2)),
            caption: "present · ct portal venous · slice 7 · window -140 to 260 HU ".repeat(2),
            width: 40,
            height: 20,
            pixels,
            pixel_mm: [1.0, 2.0],
            outlines: vec![Outline { role: OutlineRole::Lesion, points }],
            calipers: vec![[[12.0, 15.0], [30.0, 15.0]]],
            scale_bar_mm: 10.0,
            orientation: Orientation { left, right, top, bottom },
            pixel_to_patient: None,
        }
    }

    #[test]
    fn outlines_calipers_and_words_are_burned_in_where_they_belong() {
        let picture = key_picture(&image()).unwrap();
        // 40 mm become 512 pixels: 12.8 a millimetre.
        assert_eq!((picture.width, picture.pixel_mm), (512, 1.0 / 12.8));
        let at = |x: f64, y: f64| {
            let [x, y] = [x, y].map(|v| v as usize);
            let from = 3 * (y * picture.width as usize + x);
            [picture.rgb[from], picture.rgb[from + 1], picture.rgb[from + 2]]
        };
        assert_eq!(at(2.0, 2.0), [255; 3], "the white pixel");
        // The middle of the outline's left side: column 10, rows 5 to 10; its inside is not touched.
        assert_eq!(at(10.5 * 12.8, 16.0 * 12.8), OutlineRole::Lesion.color());
        assert_eq!(at(15.0 * 12.8, 16.0 * 12.8), [0; 3]);
        let [red, green, blue] = at(20.0 * 12.8, 31.0 * 12.8);
        assert!(red > 200 && green > 190 && blue < 140, "the caliper is yellow: {red} {green} {blue}");
        let below = &picture.rgb[3 * 512 * 512..];
        assert!(below.iter().filter(|value| **value > 200).count() > 500, "words below the image");
        assert!(picture.height > 512 + 3 * 18, "a long caption takes two lines: {}", picture.height);
        let png = image::load_from_memory(&picture.png().unwrap()).unwrap().to_rgb8();
        assert_eq!(png.into_raw(), picture.rgb);
    }

    #[test]
    fn markup_in_a_name_is_drawn_as_it_is_and_no_number_is_refused() {
        let hostile = KeyImage { lesion_id: "<svg onload=x>&\"".to_owned(), ..image() };
        assert_eq!(key_picture(&hostile).unwrap().width, 512);
        let lost = KeyImage { calipers: vec![[[f64::NAN, 0.0], [1.0, 1.0]]], ..image() };
        assert!(key_picture(&lost).is_err());
    }
}
