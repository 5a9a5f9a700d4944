//! Grey images of a made-up liver: smooth tissue, vessels, a darker lesion, a zone after ablation.

use lesiontrace_report::{
    BlockMark, KeyImage, Orientation, Outline, OutlineRole, PixelToPatient, RegistrationPicture, StretchMap,
};

const SIDE: u32 = 128;
/// 90 mm field of view.
const PIXEL_MM: f64 = 90.0 / SIDE as f64;

/// What lies in one image; diameters in mm.
pub(crate) struct Scene<'a> {
    pub(crate) lesion_id: &'a str,
    pub(crate) date: &'a str,
    pub(crate) caption: &'a str,
    pub(crate) long_mm: f64,
    pub(crate) short_mm: f64,
    pub(crate) tilt: f64,
    pub(crate) zone_mm: Option<f64>,
    pub(crate) viable_mm: Option<f64>,
    pub(crate) seed: u32,
}

fn ellipse(centre: [f64; 2], [long, short]: [f64; 2], tilt: f64) -> Vec<[f64; 2]> {
    (0..72)
        .map(|step| {
            let angle = f64::from(step) / 72.0 * std::f64::consts::TAU;
            let wobble = 1.0 + 0.05 * (3.0 * angle + tilt).sin();
            let (x, y) = (long / 2.0 * angle.cos() * wobble / PIXEL_MM, short / 2.0 * angle.sin() * wobble / PIXEL_MM);
            [centre[0] + x * tilt.cos() - y * tilt.sin(), centre[1] + x * tilt.sin() + y * tilt.cos()]
        })
        .collect()
}

/// 0 outside, 1 inside, soft at the border.
fn inside(x: f64, y: f64, centre: [f64; 2], [long, short]: [f64; 2], tilt: f64) -> f64 {
    let (dx, dy) = ((x - centre[0]) * PIXEL_MM, (y - centre[1]) * PIXEL_MM);
    let (u, v) = (dx * tilt.cos() + dy * tilt.sin(), -dx * tilt.sin() + dy * tilt.cos());
    let radius = (2.0 * u / long).hypot(2.0 * v / short);
    1.0 / (1.0 + (12.0 * (radius - 1.0)).exp())
}

fn noise(x: u32, y: u32, seed: u32) -> f64 {
    let mut h = x.wrapping_mul(374_761_393) ^ y.wrapping_mul(668_265_263) ^ seed.wrapping_mul(2_246_822_519);
    h = (h ^ (h >> 13)).wrapping_mul(1_274_126_177);
    f64::from((h ^ (h >> 16)) & 0xff) / 255.0 - 0.5
}

pub(crate) fn key_image(scene: &Scene<'_>) -> KeyImage {
    let centre = [66.0, 61.0];
    let mut pixels = Vec::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (px, py) = (f64::from(x), f64::from(y));
            let mut grey = 132.0 + 6.0 * (px / 17.0).sin() * (py / 23.0).cos();
            grey += 52.0 * inside(px, py, [24.0, 92.0], [38.0, 5.0], 0.7)
                + 45.0 * inside(px, py, [106.0, 30.0], [30.0, 4.0], -0.5);
            grey += (20.0 - grey) * inside(px, py, [128.0, 128.0], [52.0, 44.0], 0.4);
            if let Some(zone) = scene.zone_mm {
                grey += (74.0 - grey) * inside(px, py, centre, [zone, zone * 0.86], scene.tilt);
            } else {
                grey += (92.0 - grey) * inside(px, py, centre, [scene.long_mm, scene.short_mm], scene.tilt);
            }
            if let Some(viable) = scene.viable_mm {
                grey += (168.0 - grey) * inside(px, py, [88.0, 48.0], [viable, viable * 0.7], 0.9);
            }
            grey += 16.0 * (noise(x, y, scene.seed) + noise(x / 2, y / 2, scene.seed + 7));
            pixels.push(grey.clamp(0.0, 255.0).round() as u8);
        }
    }
    let mut outlines = vec![];
    if scene.long_mm > 0.0 {
        outlines.push(Outline {
            role: OutlineRole::Lesion,
            points: ellipse(centre, [scene.long_mm, scene.short_mm], scene.tilt),
        });
    }
    outlines.extend(
        scene
            .zone_mm
            .map(|zone| Outline { role: OutlineRole::Zone, points: ellipse(centre, [zone, zone * 0.86], scene.tilt) }),
    );
    outlines.extend(scene.viable_mm.map(|viable| Outline {
        role: OutlineRole::Viable,
        points: ellipse([88.0, 48.0], [viable, viable * 0.7], 0.9),
    }));
    let caliper = |length: f64, tilt: f64, at: [f64; 2]| {
        let (dx, dy) = (length / 2.0 / PIXEL_MM * tilt.cos(), length / 2.0 / PIXEL_MM * tilt.sin());
        [[at[0] - dx, at[1] - dy], [at[0] + dx, at[1] + dy]]
    };
    let calipers = match scene.viable_mm {
        Some(viable) => vec![caliper(viable, 0.9, [88.0, 48.0])],
        None if scene.long_mm > 0.0 => {
            vec![
                caliper(scene.long_mm, scene.tilt, centre),
                caliper(scene.short_mm, scene.tilt + std::f64::consts::FRAC_PI_2, centre),
            ]
        }
        None => vec![],
    };
    let letter = |text: &str| text.to_owned();
    KeyImage {
        lesion_id: scene.lesion_id.to_owned(),
        visit: scene.date.parse().unwrap(),
        caption: scene.caption.to_owned(),
        width: SIDE,
        height: SIDE,
        pixels,
        pixel_mm: [PIXEL_MM, PIXEL_MM],
        outlines,
        calipers,
        scale_bar_mm: 20.0,
        orientation: Orientation { left: letter("R"), right: letter("L"), top: letter("A"), bottom: letter("P") },
        pixel_to_patient: Some(place()),
    }
}

fn place() -> PixelToPatient {
    PixelToPatient { origin: [-30.0, -42.5, 18.0], column: [PIXEL_MM, 0.0, 0.0], row: [0.0, PIXEL_MM, 0.0] }
}

/// Two smooth images, one shifted by two pixels, with a swelling in the middle and three blocks.
pub(crate) fn chequered() -> RegistrationPicture {
    let side = 64;
    let smooth = |shift: f64| {
        let grey = |n: u32| {
            let (x, y) = (f64::from(n % side) + shift, f64::from(n / side));
            (200.0 * inside(x, y, [32.0, 32.0], [30.0, 22.0], 0.3) + 30.0).round() as u8
        };
        (0..side * side).map(grey).collect()
    };
    let letter = |text: &str| text.to_owned();
    RegistrationPicture {
        title: letter("axial, through the middle of the liver"),
        width: side,
        height: side,
        baseline_pixels: smooth(0.0),
        follow_up_pixels: smooth(2.0),
        pixel_mm: [3.0, 3.0],
        square: 8,
        baseline_outlines: vec![ellipse([32.0, 32.0], [30.0, 22.0], 0.3)],
        follow_up_outlines: vec![ellipse([30.0, 32.0], [30.0, 22.0], 0.3)],
        orientation: Orientation { left: letter("R"), right: letter("L"), top: letter("A"), bottom: letter("P") },
        stretch: Some(swelling()),
        blocks: [(60.0, 96.0, Some(0.8)), (96.0, 96.0, Some(3.1)), (132.0, 96.0, None)]
            .map(|(x, y, left_mm)| BlockMark { at_mm: [x, y], left_mm })
            .into(),
    }
}

/// More volume in the middle, less round it, within a disc.
fn swelling() -> StretchMap {
    let side = 32;
    let times = |n: u32| {
        let from_middle = f64::from(n % side).mul_add(1.0, -15.5).hypot(f64::from(n / side) - 15.5);
        (from_middle < 13.0).then_some(1.3 - 0.04 * from_middle)
    };
    StretchMap { width: side, height: side, pixel_mm: [6.0, 6.0], times: (0..side * side).map(times).collect() }
}
