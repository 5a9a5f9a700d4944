//! What a reader points at, and where that lies on the image's axes.

use imaging::{Grid, Index3, Patient, Point, Shape};
use serde::Serialize;
use thiserror::Error;

/// What a reader points at. Coordinates are DICOM LPS, mm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Prompt {
    /// A point in the lesion.
    #[serde(rename = "point_lps_mm")]
    Point([f64; 3]),
    /// Two opposite corners of a box round the lesion; its edges run along the image's own axes.
    #[serde(rename = "box_lps_mm")]
    Box([[f64; 3]; 2]),
}

impl std::fmt::Display for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |[x, y, z]: &[f64; 3]| format!("{x},{y},{z}");
        match self {
            Self::Point(at) => write!(f, "point {}", of(at)),
            Self::Box([a, b]) => write!(f, "box {},{}", of(a), of(b)),
        }
    }
}

impl Prompt {
    /// `point` or `box`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Point(_) => "point",
            Self::Box(_) => "box",
        }
    }
}

/// Why a prompt cannot be followed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PromptError {
    /// More than labels can number.
    #[error("expected at most 65534 prompts on one image, found {found}; cut them into several calls")]
    TooMany {
        /// How many.
        found: usize,
    },
    /// NaN or infinity.
    #[error("{prompt}: expected coordinates in mm, found one that is not a finite number")]
    NotFinite {
        /// The prompt.
        prompt: Prompt,
    },
    /// Nothing of it lies in the image.
    #[error(
        "{prompt}: expected it inside the image, which reaches {extent}; found it at {found}; coordinates are DICOM LPS, mm (RAS: the signs of x and y change)"
    )]
    Outside {
        /// The prompt.
        prompt: Prompt,
        /// How far the image reaches, mm and voxels.
        extent: String,
        /// Where the prompt lies, voxels.
        found: String,
    },
    /// A box without volume.
    #[error(
        "{prompt}: expected two corners that differ along each of the image's axes, found a box of {voxels} voxels; the image reaches {extent}"
    )]
    Empty {
        /// The prompt.
        prompt: Prompt,
        /// Its size along the image's axes.
        voxels: String,
        /// How far the image reaches, mm and voxels.
        extent: String,
    },
}

/// A prompt on the axes x, y, z of an image turned to the card's orientation: positions in voxels, centres at whole numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placed {
    /// The point, or the middle of what of the box lies in the image.
    pub(crate) click: [f64; 3],
    /// Smallest and largest position of what of the box lies in the image.
    pub(crate) boxed: Option<[[f64; 3]; 2]>,
}

/// What a coordinate may lie beyond the image, voxels: the rounding of an edge that was printed to some decimals and typed again.
const ROUNDING: f64 = 1e-2;

/// How far inside the outermost edge a point on it is put, voxels.
const INSIDE: f64 = 1e-6;

/// A box thinner than this, in voxels, has no volume.
const THINNEST_BOX: f64 = 1e-3;

/// Finds a prompt on an image's axes; `oriented` is the grid of the image turned to the card's orientation.
pub(crate) fn place(prompt: &Prompt, oriented: &Grid) -> Result<Placed, PromptError> {
    let corners: &[[f64; 3]] = match prompt {
        Prompt::Point(at) => &[*at],
        Prompt::Box(corners) => corners,
    };
    if corners.iter().flatten().any(|v| !v.is_finite()) {
        return Err(PromptError::NotFinite { prompt: *prompt });
    }
    let place = |at: [f64; 3]| oriented.patient_to_voxel().apply(Point::<Patient>::from(at)).to_array();
    let placed: Vec<[f64; 3]> = corners.iter().map(|at| place(*at)).collect();
    let last = size(oriented).map(|n| n as f64 - 0.5);
    let outside = || PromptError::Outside { prompt: *prompt, extent: extent(oriented), found: listed(&placed) };
    let [first, second] = [placed[0], placed[placed.len() - 1]];
    let low: [f64; 3] = std::array::from_fn(|a| first[a].min(second[a]));
    let high: [f64; 3] = std::array::from_fn(|a| first[a].max(second[a]));
    if (0..3).any(|a| high[a] < -0.5 - ROUNDING || low[a] > last[a] + ROUNDING) {
        return Err(outside());
    }
    if let Prompt::Point(_) = prompt {
        // A point on the outermost edge lies in the image, as the cube's own rule has it, only this much farther in.
        let click = std::array::from_fn(|a| first[a].clamp(-0.5 + INSIDE, last[a] - INSIDE));
        return Ok(Placed { click, boxed: None });
    }
    let within = |at: [f64; 3]| std::array::from_fn(|a| at[a].clamp(-0.5, last[a]));
    let boxed: [[f64; 3]; 2] = [within(low), within(high)];
    if (0..3).any(|a| boxed[1][a] - boxed[0][a] < THINNEST_BOX) {
        let voxels = (0..3).map(|a| format!("{:.3}", high[a] - low[a])).collect::<Vec<_>>().join(" x ");
        return Err(PromptError::Empty { prompt: *prompt, voxels, extent: extent(oriented) });
    }
    let click = std::array::from_fn(|a| f64::midpoint(boxed[0][a], boxed[1][a]));
    Ok(Placed { click, boxed: Some(boxed) })
}

fn size(grid: &Grid) -> [usize; 3] {
    let Shape { ni, nj, nk } = grid.shape();
    [ni, nj, nk]
}

fn listed(placed: &[[f64; 3]]) -> String {
    let of = |at: &[f64; 3]| format!("voxel ({:.1}, {:.1}, {:.1})", at[0], at[1], at[2]);
    placed.iter().map(of).collect::<Vec<_>>().join(" to ")
}

/// From where to where an image reaches: its outer edges in mm, and its voxels along the axes turned to the card's orientation.
fn extent(grid: &Grid) -> String {
    let size = size(grid);
    let mut low = [f64::INFINITY; 3];
    let mut high = [f64::NEG_INFINITY; 3];
    for corner in 0..8_usize {
        let at: [f64; 3] = std::array::from_fn(|a| if corner >> a & 1 == 0 { -0.5 } else { size[a] as f64 - 0.5 });
        let mm = grid.voxel_to_patient().apply(Point::new(at[0], at[1], at[2])).to_array();
        for a in 0..3 {
            low[a] = low[a].min(mm[a]);
            high[a] = high[a].max(mm[a]);
        }
    }
    let ranges: Vec<String> =
        (0..3).map(|a| format!("from {} {:.3} to {:.3}", ["x", "y", "z"][a], low[a], high[a])).collect();
    format!("{} mm ({} x {} x {} voxels)", ranges.join(", "), size[0], size[1], size[2])
}

/// The voxel nearest to a position, halves to the even number (numpy's `round`), kept inside the shape.
pub(crate) fn nearest_voxel(at: [f64; 3], shape: Shape) -> Index3 {
    let [i, j, k] = [(at[0], shape.ni), (at[1], shape.nj), (at[2], shape.nk)]
        .map(|(v, n)| v.round_ties_even().clamp(0.0, (n - 1) as f64) as usize);
    Index3 { i, j, k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::FrameId;
    use nalgebra::{Matrix3, Rotation3};

    fn grid() -> Grid {
        let tilt = *Rotation3::from_euler_angles(0.15, -0.1, 0.2).matrix() * Matrix3::identity();
        let shape = Shape { ni: 20, nj: 16, nk: 10 };
        Grid::from_directions(shape, Point::new(80.0, -30.0, 410.0), [1.5, 1.4, 3.0], tilt, FrameId::new("f")).unwrap()
    }

    fn at(v: [f64; 3]) -> [f64; 3] {
        grid().voxel_to_patient().apply(Point::new(v[0], v[1], v[2])).to_array()
    }

    #[test]
    fn a_point_lies_where_the_grid_says_up_to_the_outer_corner_and_no_farther() {
        let placed = place(&Prompt::Point(at([3.0, 5.5, 7.0])), &grid()).unwrap();
        assert!((0..3).all(|a| (placed.click[a] - [3.0, 5.5, 7.0][a]).abs() < 1e-9) && placed.boxed.is_none());
        let corner = place(&Prompt::Point(at([-0.5, 15.5, 9.5])), &grid()).unwrap();
        assert_eq!(nearest_voxel(corner.click, grid().shape()), Index3 { i: 0, j: 15, k: 9 });
        for beyond in [[-0.6, 3.0, 3.0], [3.0, 15.6, 3.0], [3.0, 3.0, 9.6]] {
            let message = place(&Prompt::Point(at(beyond)), &grid()).unwrap_err().to_string();
            assert!(message.starts_with("point ") && message.contains("20 x 16 x 10 voxels"), "{message}");
            assert!(message.contains("LPS") && message.contains("from z 4"), "{message}");
        }
        let message = place(&Prompt::Point([f64::NAN, 0.0, 0.0]), &grid()).unwrap_err().to_string();
        assert!(message.contains("not a finite number"), "{message}");
    }

    /// The edge that an error names, typed again to three decimals, is still the image's.
    #[test]
    fn an_edge_rounded_to_micrometres_lies_in_the_image() {
        for corner in [[-0.5, 3.0, 3.0], [19.5, 15.5, 9.5], [-0.5, -0.5, -0.5]] {
            for rounded in [f64::floor, f64::ceil] {
                let typed = at(corner).map(|mm| rounded(mm * 1000.0) / 1000.0);
                assert!(place(&Prompt::Point(typed), &grid()).is_ok(), "{typed:?}");
            }
        }
    }

    #[test]
    fn a_box_is_that_between_its_corners_and_what_of_it_the_image_holds() {
        let boxed = |a: [f64; 3], b: [f64; 3]| place(&Prompt::Box([at(a), at(b)]), &grid());
        let placed = boxed([8.0, 3.0, 7.0], [2.0, 9.0, 30.0]).unwrap();
        let [low, high] = placed.boxed.unwrap();
        let near = |a: [f64; 3], b: [f64; 3]| (0..3).all(|n| (a[n] - b[n]).abs() < 1e-9);
        assert!(near(low, [2.0, 3.0, 7.0]) && near(high, [8.0, 9.0, 9.5]), "{low:?} {high:?}");
        assert!(near(placed.click, [5.0, 6.0, 8.25]));
        let outside = boxed([30.0, 3.0, 7.0], [40.0, 9.0, 9.0]).unwrap_err();
        assert!(matches!(outside, PromptError::Outside { .. }), "{outside}");
        let empty = boxed([3.0, 3.0, 7.0], [3.0, 9.0, 9.0]).unwrap_err();
        assert!(matches!(empty, PromptError::Empty { .. }), "{empty}");
    }
}
