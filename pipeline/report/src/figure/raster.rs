//! A drawing as pixels, for papers that take no SVG: with the fonts this crate brings along, so that the bytes are the same on
//! every machine.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::error::ReportError;

/// DejaVu Sans, Latin, Greek and the signs of the figures (`fonts/README.md`).
const FONTS: [&[u8]; 2] =
    [include_bytes!("../../fonts/DejaVuSans-subset.ttf"), include_bytes!("../../fonts/DejaVuSans-Bold-subset.ttf")];
const FAMILY: &str = "DejaVu Sans";

/// Pixels per CSS pixel: a figure 600 wide is 6.25 inches at 288 dots an inch.
pub const PRINT_SCALE: f32 = 3.0;

/// No picture is larger than this on a side: a cohort of thousands of lanes is drawn coarser, not refused.
const LARGEST_PIXELS: f32 = 16_000.0;

static OPTIONS: LazyLock<Options<'static>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    for font in FONTS {
        fonts.load_font_data(font.to_vec());
    }
    fonts.set_sans_serif_family(FAMILY);
    Options { font_family: FAMILY.to_owned(), fontdb: Arc::new(fonts), ..Options::default() }
});

/// A whole SVG file as PNG on white, `scale` pixels per CSS pixel.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>, ReportError> {
    drawn(svg, scale, Color::WHITE)?.encode_png().map_err(|error| failed(error.to_string()))
}

/// A drawing on nothing, a pixel per CSS pixel: red, green, blue and opacity, the colours multiplied with it.
pub(crate) fn rgba(svg: &str) -> Result<Vec<u8>, ReportError> {
    drawn(svg, 1.0, Color::TRANSPARENT).map(Pixmap::take)
}

fn drawn(svg: &str, scale: f32, ground: Color) -> Result<Pixmap, ReportError> {
    let tree = Tree::from_str(svg, &OPTIONS).map_err(|error| failed(error.to_string()))?;
    let size = tree.size();
    let scale = scale.min(LARGEST_PIXELS / size.width().max(size.height()));
    let [width, height] = [size.width(), size.height()].map(|side| (side * scale).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).ok_or_else(|| failed(format!("{width} x {height} pixels")))?;
    pixels.fill(ground);
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels)
}

fn failed(message: String) -> ReportError {
    ReportError::Raster { message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::standalone;
    use crate::figure::svg::Svg;

    fn drawn(text: &str) -> image::RgbImage {
        let mut svg = Svg::new([100.0, 40.0], "test");
        svg.text([10.0, 30.0], r#"font-weight="600""#, text);
        let bytes = png(&standalone(&svg.finish()), 2.0).unwrap();
        image::load_from_memory(&bytes).unwrap().to_rgb8()
    }

    #[test]
    fn text_is_drawn_with_the_fonts_at_hand_on_white() {
        let (written, empty) = (drawn("PFS ≤ 12"), drawn(""));
        assert_eq!(written.dimensions(), (200, 80));
        assert!(empty.pixels().all(|pixel| pixel.0 == [255; 3]));
        let dark = |rows: std::ops::Range<u32>| {
            rows.flat_map(|y| (0..200).map(move |x| (x, y)))
                .filter(|&(x, y)| written.get_pixel(x, y).0[0] < 128)
                .count()
        };
        assert!(dark(36..64) > 200, "{}", dark(36..64));
        assert_eq!(dark(68..80) + dark(0..30), 0, "letters stand on their line");
    }

    #[test]
    fn a_drawing_too_tall_is_drawn_coarser() {
        let svg = standalone(&Svg::new([100.0, 20_000.0], "test").finish());
        let picture = image::load_from_memory(&png(&svg, PRINT_SCALE).unwrap()).unwrap();
        assert_eq!((picture.width(), picture.height()), (80, 16_000));
    }

    #[test]
    fn what_is_no_drawing_is_refused() {
        assert!(matches!(png("<svg", 1.0), Err(ReportError::Raster { .. })));
    }
}
