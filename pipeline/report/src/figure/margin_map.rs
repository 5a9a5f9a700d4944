//! The margin map: the tumour's surface as seen from its centre, two discs, with the smallest margin of each direction.
//!
//! Both discs lie as an axial slice is shown: the patient's right at the left, front above. The middle of the left disc is
//! straight up to the head, of the right one straight down to the feet; both rims are the plane through the centre
//! (azimuthal equidistant projection: distance from the middle is the angle).

use std::f64::consts::{FRAC_PI_2, TAU};

use super::histogram::fill;
use super::svg::{INK, MUTED, Svg};
use crate::error::{ReportError, finite};
use crate::margin_map::MarginMap;

const SIZE: [f64; 2] = [420.0, 232.0];
const RADIUS: f64 = 88.0;
const CENTRES: [[f64; 2]; 2] = [[106.0, 118.0], [314.0, 118.0]];
/// Corners of an arc per cell.
const ARC_STEPS: usize = 3;

/// Draws a map. A list that does not fill the cells, and a number that is none, are refused.
pub fn margin_map(map: &MarginMap) -> Result<String, ReportError> {
    let subject = format!("margin map of {} treated on {}", map.lesion_id, map.treatment_date);
    let expected = 2 * map.n_rings * map.n_sectors;
    if map.smallest_mm.len() != expected || expected == 0 {
        let (quantity, found) = ("smallest margin per cell", map.smallest_mm.len());
        return Err(ReportError::Length { subject, quantity, expected, found });
    }
    for value in map.smallest_mm.iter().flatten().chain(map.thinnest.iter().flatten()) {
        finite(*value, "margin or direction", &subject)?;
    }
    let label = format!(
        "Map of the margin around {}: the tumour's surface seen from its centre, above and below; thinnest {}",
        map.lesion_id,
        if map.thinnest_words.is_empty() { "nowhere" } else { &map.thinnest_words }
    );
    let mut svg = Svg::new(SIZE, label);
    for (half, word) in ["upper half", "lower half"].into_iter().enumerate() {
        disc(&mut svg, map, half);
        frame(&mut svg, CENTRES[half], word);
    }
    if let Some(direction) = map.thinnest {
        thinnest(&mut svg, direction);
    }
    Ok(svg.finish())
}

fn disc(svg: &mut Svg, map: &MarginMap, half: usize) {
    for ring in 0..map.n_rings {
        for sector in 0..map.n_sectors {
            let value = map.smallest_mm[(half * map.n_rings + ring) * map.n_sectors + sector];
            let edge = |n: usize| RADIUS * n as f64 / map.n_rings as f64;
            let at = |n: usize, of: usize| TAU * (sector as f64 + n as f64 / of as f64) / map.n_sectors as f64;
            let point = |radius: f64, angle: f64| on_disc(half, radius, angle);
            let outer = (0..=ARC_STEPS).map(|n| point(edge(ring + 1), at(n, ARC_STEPS)));
            let inner = (0..=ARC_STEPS).rev().map(|n| point(edge(ring), at(n, ARC_STEPS)));
            let corners: Vec<[f64; 2]> =
                if ring == 0 { outer.chain([CENTRES[half]]).collect() } else { outer.chain(inner).collect() };
            let Some(margin) = value else {
                svg.polygon(&corners, r##"class="cell" fill="#f4f6f9" stroke="#d5dbe2" stroke-width="0.5""##);
                continue;
            };
            let colour = fill(margin);
            svg.polygon(&corners, &format!(r#"class="cell" fill="{colour}" stroke="{colour}" stroke-width="0.5""#));
            if margin < 0.0 {
                let [x, y] = point(f64::midpoint(edge(ring), edge(ring + 1)), at(1, 2));
                svg.line([x - 1.5, y - 1.5], [x + 1.5, y + 1.5], r##"stroke="#ffffff""##);
                svg.line([x - 1.5, y + 1.5], [x + 1.5, y - 1.5], r##"stroke="#ffffff""##);
            }
        }
    }
}

/// A place on a disc: the angle runs from the patient's left (right on the page) over the back (down).
fn on_disc(half: usize, radius: f64, angle: f64) -> [f64; 2] {
    let [x, y] = CENTRES[half];
    [x + radius * angle.cos(), y + radius * angle.sin()]
}

fn frame(svg: &mut Svg, [x, y]: [f64; 2], word: &str) {
    svg.circle([x, y], RADIUS, &format!(r#"fill="none" stroke="{MUTED}""#));
    svg.text([x, 12.0], r#"text-anchor="middle" font-weight="600""#, word);
    let muted = format!(r#"text-anchor="middle" fill="{MUTED}""#);
    svg.text([x, y - RADIUS - 5.0], &muted, "A");
    svg.text([x, y + RADIUS + 14.0], &muted, "P");
    svg.text([x - RADIUS - 9.0, y + 4.0], &muted, "R");
    svg.text([x + RADIUS + 9.0, y + 4.0], &muted, "L");
}

/// A ring round the direction of the smallest margin.
fn thinnest(svg: &mut Svg, [left, back, head]: [f64; 3]) {
    let flat = left.hypot(back);
    let half = usize::from(head < 0.0);
    let radius = RADIUS * flat.atan2(head.abs()) / FRAC_PI_2;
    let at = on_disc(half, radius, back.atan2(left));
    svg.circle(at, 6.0, r##"fill="none" stroke="#ffffff" stroke-width="4""##);
    svg.circle(at, 6.0, &format!(r#"class="thinnest" fill="none" stroke="{INK}" stroke-width="2""#));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> MarginMap {
        MarginMap {
            lesion_id: "L1".into(),
            treatment_date: "2024-01-31".parse().unwrap(),
            n_rings: 2,
            n_sectors: 4,
            smallest_mm: vec![Some(6.0); 16],
            thinnest: Some([1.0, 0.0, -1.0]),
            thinnest_words: "left and towards the feet".into(),
        }
    }

    #[test]
    fn left_and_down_lies_halfway_out_to_the_right_of_the_lower_disc() {
        let svg = margin_map(&map()).unwrap();
        // 45° from the pole: half the radius of 88, to the right of the lower disc's middle at 314, 118.
        assert!(svg.contains(r#"<circle cx="358" cy="118" r="6" class="thinnest""#), "{svg}");
        assert_eq!(svg.matches("class=\"cell\"").count(), 16);
    }

    #[test]
    fn the_first_sector_lies_between_left_and_back() {
        let mut one = map();
        one.smallest_mm = vec![None; 16];
        // The outer ring of the upper half, first sector.
        one.smallest_mm[4] = Some(-2.0);
        let svg = margin_map(&one).unwrap();
        let cell = svg.split("<path ").find(|path| path.contains("#b3401f")).unwrap();
        // From the patient's left (194, 118) to the back (106, 206) along the rim.
        assert!(cell.starts_with("d=\"M194 118L") && cell.contains("L106 206L"), "{cell}");
    }

    #[test]
    fn a_map_with_a_missing_cell_is_refused() {
        let mut short = map();
        short.smallest_mm.pop();
        assert!(matches!(margin_map(&short), Err(ReportError::Length { expected: 16, found: 15, .. })));
        let mut lost = map();
        lost.smallest_mm[0] = Some(f64::NAN);
        assert!(matches!(margin_map(&lost), Err(ReportError::NotFinite { .. })));
    }
}
