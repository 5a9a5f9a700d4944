//! A key image as one picture, outlines, calipers and words burned in: for archives and slides, which draw nothing themselves.
//!
//! The drawing is that of the page; lines and fonts are the same on every machine.

use image::codecs::png::CompressionType;
use image::{ExtendedColorType, Rgb, RgbImage};

use crate::contact_sheet::Tile;
use crate::error::ReportError;
use crate::figure::{escape, rgba};
use crate::key_image::{KeyImage, png_file};
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
    /// Size of a pixel in mm, `[column distance, row distance]`: square but for what whole pixels make of the field of view.
    pub pixel_mm: [f64; 2],
}

impl KeyPicture {
    /// The same as a PNG.
    ///
    /// # Errors
    ///
    /// Where the picture cannot be drawn or written as PNG: its size is none, or memory is short.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        let size = [self.width, self.height];
        png_file((size, ExtendedColorType::Rgb8), &self.rgb, CompressionType::Default, "a key image")
    }
}

/// Draws a key image with pixels as square as whole ones allow, and below it lesion, visit and caption.
///
/// # Errors
/// Pixels do not fill the image, or a coordinate is no number.
pub fn key_picture(image: &KeyImage) -> Result<KeyPicture, ReportError> {
    image.check()?;
    let [width_mm, height_mm] = image.field_mm();
    let scale = scale(image);
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
        strip::drawing(image, [width / width_mm, field / height_mm]),
        lines(&words, field)
    );
    let drawn = rgba(&drawing)?;
    let mut picture = RgbImage::new(width as u32, height as u32);
    image::imageops::replace(&mut picture, &grey, 0, 0);
    for (pixel, over) in picture.pixels_mut().zip(drawn.chunks_exact(4)) {
        *pixel = laid_over(*pixel, over);
    }
    let pixel_mm = [width_mm / width, height_mm / field];
    let (width, height) = picture.dimensions();
    Ok(KeyPicture { width, height, rgb: picture.into_raw(), pixel_mm })
}

/// Pixels a millimetre.
fn scale(image: &KeyImage) -> f64 {
    let [width_mm, height_mm] = image.field_mm();
    let finest = image.pixel_mm[0].min(image.pixel_mm[1]);
    (1.0 / finest).max(LEAST / width_mm).min(MOST / width_mm.max(height_mm))
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
        assert_eq!((picture.width, picture.pixel_mm), (512, [1.0 / 12.8; 2]));
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

    /// A field of view whose edge is outlined.
    fn framed([width, height]: [u32; 2], pixel_mm: [f64; 2]) -> KeyImage {
        let corners = [[0, 0], [width, 0], [width, height], [0, height]];
        let points = corners.map(|corner| corner.map(|edge| f64::from(edge) - 0.5)).to_vec();
        KeyImage {
            width,
            height,
            pixels: vec![0; (width * height) as usize],
            pixel_mm,
            caption: "present".to_owned(),
            calipers: Vec::new(),
            outlines: vec![Outline { role: OutlineRole::Lesion, points }],
            ..image()
        }
    }

    #[test]
    fn of_any_field_of_view_the_longer_or_the_least_side_is_whole() {
        let sizes = (0..1920).map(|n| ([24 + n % 60, 20 + n % 45], 0.3 + 0.0011 * f64::from(n)));
        for ([width, height], mm) in sizes {
            let image = framed([width, height], [mm, 1.1 * mm]);
            let (outlines, pixels) = (Vec::new(), Vec::new());
            let [columns, rows] =
                Tile { width, height, pixels, pixel_mm: image.pixel_mm, outlines }.size_at(scale(&image));
            let finest = mm.min(1.1 * mm);
            let own = (f64::from(width) * mm / finest).round();
            let longest = columns.max(rows);
            assert!(
                columns == 512 || longest == 1024 || f64::from(columns) == own,
                "{width} of {mm} mm: {columns} x {rows}"
            );
        }
    }

    /// What is drawn and what is stated fill the picture to its edges.
    #[test]
    fn the_drawing_and_the_pixels_size_are_those_of_the_whole_picture() {
        for n in 0..12 {
            let image = framed([24 + 5 * n, 70 - 4 * n], [0.37 + 0.19 * f64::from(n), 0.41 + 0.17 * f64::from(n)]);
            let picture = key_picture(&image).unwrap();
            // Two lines of words stand below.
            let rows = picture.height - (LINE * 2.5) as u32;
            let [width_mm, height_mm] = image.field_mm();
            assert!((f64::from(picture.width) * picture.pixel_mm[0] - width_mm).abs() < 1e-9, "{n}");
            assert!((f64::from(rows) * picture.pixel_mm[1] - height_mm).abs() < 1e-9, "{n}");
            assert!((picture.pixel_mm[0] / picture.pixel_mm[1] - 1.0).abs() < 0.01, "{n}: nearly square");
            let blue_at = |x: u32, y: u32| picture.rgb[3 * (y * picture.width + x) as usize + 2];
            let (x, y) = (picture.width - 1, rows - 1);
            let on_edge = [blue_at(x, y / 3), blue_at(x / 3, y), blue_at(0, y / 3), blue_at(x / 3, 0)];
            assert!(on_edge.iter().all(|blue| *blue > 150), "{n}: {on_edge:?}");
        }
    }

    #[test]
    fn markup_in_a_name_is_drawn_as_it_is_and_no_number_is_refused() {
        let hostile = KeyImage { lesion_id: "<svg onload=x>&\"".to_owned(), ..image() };
        assert_eq!(key_picture(&hostile).unwrap().width, 512);
        let lost = KeyImage { calipers: vec![[[f64::NAN, 0.0], [1.0, 1.0]]], ..image() };
        assert!(key_picture(&lost).is_err());
    }
}
