//! `warp`: carries an image onto the grid of another one through a map found before, by this program or another one.

use formats::nifti;
use imaging::{FrameId, Grid, Interpolation};
use serde::Serialize;

use crate::cli::{Between, Warp};
use crate::exit::{self, Failure};
use crate::image_input::{self, InputImage};
use crate::out;
use crate::transform_file::TransformFile;

/// What was written.
#[derive(Serialize)]
struct Warped {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    covered_fraction: f64,
    outside_value: f32,
}

/// Reads the map and both images, writes the carried image; refuses a map that leads beside the image.
pub(crate) fn run(args: &Warp) -> Result<u8, Failure> {
    let refused = |error| image_input::refuse(args.json, error);
    let image = image_input::read(&args.image, "moving").map_err(refused)?;
    let like = grid_of(args).map_err(refused)?;
    let transform = TransformFile::read_chain(&args.transform).map_err(refused)?;
    transform.check_frames(like.frame(), image.image.grid().frame()).map_err(refused)?;
    let covered_fraction = transform.map.covered(&like, image.image.grid());
    if covered_fraction == 0.0 {
        let message = "the map carries no part of the image onto the grid: it may belong to other images, or lead the other way (expected: from points of the fixed image to the moving one, as ITK resamples)";
        return Err(refused(anyhow::anyhow!(message)));
    }
    image_input::say(&image.notes);
    write(args, &image, &like, &transform, covered_fraction)
}

fn grid_of(args: &Warp) -> anyhow::Result<Grid> {
    if args.like.is_dir() {
        return Ok(image_input::read(&args.like, "fixed")?.image.grid().clone());
    }
    Ok(nifti::read_header_grid(&args.like, FrameId::new("fixed"))?)
}

fn write(
    args: &Warp,
    image: &InputImage,
    like: &Grid,
    transform: &TransformFile,
    covered_fraction: f64,
) -> Result<u8, Failure> {
    let how = match args.interpolation {
        Between::Nearest => Interpolation::Nearest,
        Between::Linear => Interpolation::Linear,
        Between::Cubic => Interpolation::Cubic,
    };
    let outside_value = image.outside_value();
    let warped = transform.map.warp(&image.image, like, how, outside_value);
    nifti::write_image_narrow(&args.out, &warped).map_err(Failure::io)?;
    let shape = like.shape();
    let document = Warped {
        shape: [shape.ni, shape.nj, shape.nk],
        spacing_mm: like.spacing_mm(),
        covered_fraction,
        outside_value,
    };
    if args.json {
        out::print_json(&document).map_err(Failure::io)?;
    } else {
        let percent = 100.0 * covered_fraction;
        let text = format!("{}: {percent:.0} % of it is covered by the image\n", args.out.display());
        out::print(&text).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}
