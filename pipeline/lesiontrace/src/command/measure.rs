//! `measure`: size, position and uptake of every lesion of a mask.

use std::fmt::Write as _;

use formats::nifti;
use imaging::diameter::mask_centroid;
use imaging::intensity::Statistics;
use imaging::surface::box_touches_border;
use imaging::{
    Aligned, Chord, Component, Components, Connectivity, FrameId, LabelMap, LesionDiameters, Mask, Pieces, Shape,
    Surface, Volume, Window, components, intensity, lesion_diameters,
};
use oncology::Evaluable;
use oncology::measure::suv_peak::suv_peak;
use serde::Serialize;

use crate::cli::Measure;
use crate::exit::{self, Failure};
use crate::image_input::{self, or_reason};
use crate::out;

/// All lesions of one mask.
#[derive(Serialize)]
struct Document {
    /// Unit of the values.
    unit: Evaluable<String>,
    lesions: Vec<Lesion>,
}

/// One component of one label.
#[derive(Serialize)]
struct Lesion {
    label: u16,
    component: u32,
    kind: &'static str,
    voxels: usize,
    volume_mm3: f64,
    long_axis_mm: f64,
    short_axis_mm: f64,
    slice_k: i64,
    long_axis_lps: [[f64; 3]; 2],
    short_axis_lps: [[f64; 3]; 2],
    max_3d_diameter_mm: f64,
    surface_area_mm2: Evaluable<f64>,
    surface_volume_mm3: Evaluable<f64>,
    sphericity: Evaluable<f64>,
    /// The lesion reaches the outermost voxels: it may go on outside the image.
    touches_image_edge: bool,
    centroid_lps: [f64; 3],
    #[serde(flatten)]
    values: LesionValues,
}

/// Percentiles told of a lesion's values.
const PERCENTS: [f64; 3] = [10.0, 50.0, 90.0];

/// Values of an image in a lesion, in its unit; for a map of diffusion its ADC.
#[derive(Serialize)]
struct LesionValues {
    mean: Evaluable<f64>,
    /// Sample standard deviation (n − 1).
    sd: Evaluable<f64>,
    min: Evaluable<f32>,
    /// Percentiles after Hyndman and Fan 1996, type 7.
    p10: Evaluable<f64>,
    median: Evaluable<f64>,
    p90: Evaluable<f64>,
    max: Evaluable<f32>,
    suv_peak: Evaluable<f64>,
}

/// The image measured on, if there is one.
struct Values {
    image: Volume<f32>,
    unit: Evaluable<String>,
}

/// Measures every 26-connected component of every label; of the labels named by `--as-one` all components together.
pub(crate) fn run(args: &Measure) -> Result<u8, Failure> {
    let values = values(args).map_err(|error| image_input::refuse(args.json, error))?;
    let frame = values.as_ref().map_or_else(|| FrameId::new("mask"), |found| found.image.grid().frame().clone());
    let labels = nifti::read_labels(&args.mask, frame).map_err(|error| image_input::refuse(args.json, error))?;
    if let Some(values) = &values {
        let on_one_grid = Aligned::new(&values.image, &labels).map(drop);
        on_one_grid.map_err(|error| image_input::refuse(args.json, error))?;
    }
    let mut lesions = Vec::new();
    for label in labels.labels_present().into_iter().filter(|label| *label != 0) {
        let kind = if args.nodes.contains(&label) { "node" } else { "lesion" };
        let asked = Asked { label, kind, as_one: args.as_one.contains(&label) };
        measure_label(&labels, &asked, values.as_ref(), &mut lesions).map_err(Failure::internal)?;
    }
    let unit = values.map_or_else(|| Evaluable::not("no --image was given"), |values| values.unit);
    let document = Document { unit, lesions };
    if args.json {
        out::print_json(&document).map_err(Failure::io)?;
    } else {
        out::print(&as_text(&document)).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn values(args: &Measure) -> anyhow::Result<Option<Values>> {
    let Some(path) = &args.image else { return Ok(None) };
    let input = image_input::read(path, "image")?;
    image_input::say(&input.notes);
    let unit = match (input.unit, &args.unit) {
        (Some(found), Some(stated)) if found != stated => {
            anyhow::bail!("--unit says {stated}, but the series holds {found}; leave --unit out")
        }
        (Some(found), _) => Evaluable::Value(found.to_owned()),
        (None, Some(stated)) => Evaluable::Value(stated.clone()),
        (None, None) => Evaluable::not("a NIfTI file does not state its unit; name it with --unit"),
    };
    Ok(Some(Values { image: input.image, unit }))
}

/// One label and what was said about it.
struct Asked {
    label: u16,
    kind: &'static str,
    /// All pieces are one lesion.
    as_one: bool,
}

fn measure_label(
    labels: &LabelMap,
    asked: &Asked,
    values: Option<&Values>,
    lesions: &mut Vec<Lesion>,
) -> anyhow::Result<()> {
    let whole = labels.label_mask(asked.label);
    let pieces = if asked.as_one { together(&whole) } else { components(&whole, Connectivity::Corners) };
    for component in &pieces.list {
        let window = box_of(component);
        let mask = window.cut(&pieces.labels, 0)?.map(|value| *value == component.label);
        let lesion = measure_component(component, &mask, &window, values, asked.as_one)?;
        let touches_image_edge = box_touches_border((component.low, component.high), labels.shape());
        lesions.push(Lesion { label: asked.label, kind: asked.kind, touches_image_edge, ..lesion });
    }
    Ok(())
}

/// All voxels of a mask as one component, whether they touch or not.
fn together(mask: &Mask) -> Components {
    let labels = mask.map(|set| u32::from(*set));
    let whole = mask.bounding_box().zip(mask.indices_set().next()).zip(mask_centroid(mask));
    let one = |(((low, high), first), centroid)| Component {
        label: 1,
        first,
        n_voxels: mask.n_voxels_set(),
        low,
        high,
        centroid,
    };
    Components { labels, list: whole.map(one).into_iter().collect() }
}

/// The component's box with a rim of one background voxel, so that work on a lesion costs what the lesion costs.
fn box_of(component: &Component) -> Window {
    let (low, high) = (component.low, component.high);
    Window {
        low: [low.i, low.j, low.k].map(|index| index as i64 - 1),
        shape: Shape { ni: high.i - low.i + 3, nj: high.j - low.j + 3, nk: high.k - low.k + 3 },
    }
}

fn measure_component(
    component: &Component,
    mask: &Mask,
    window: &Window,
    values: Option<&Values>,
    as_one: bool,
) -> anyhow::Result<Lesion> {
    let pieces = if as_one { Pieces::AsOne } else { Pieces::EachByItself };
    let found = lesion_diameters(mask, pieces);
    let Some(LesionDiameters { planar, in_space, surface }) = found else {
        anyhow::bail!("component {} holds voxels but has no outline", component.label)
    };
    let ends = |chord: &Chord| [chord.start.to_array(), chord.end.to_array()];
    let values = lesion_values(mask, window, values)?;
    let shape = |of: fn(&Surface) -> f64| match &surface {
        Ok(surface) => Evaluable::Value(of(surface)),
        Err(reason) => Evaluable::not(reason.to_string()),
    };
    Ok(Lesion {
        label: 0,
        component: component.label,
        kind: "lesion",
        voxels: component.n_voxels,
        volume_mm3: component.n_voxels as f64 * mask.grid().voxel_volume_mm3(),
        long_axis_mm: planar.long_axis.length().0,
        short_axis_mm: planar.short_axis.length().0,
        slice_k: planar.slice_k as i64 + window.low[2],
        long_axis_lps: ends(&planar.long_axis),
        short_axis_lps: ends(&planar.short_axis),
        max_3d_diameter_mm: in_space.length().0,
        surface_area_mm2: shape(|s| s.area().0),
        surface_volume_mm3: shape(|s| s.volume().0),
        sphericity: shape(Surface::sphericity),
        touches_image_edge: false,
        centroid_lps: component.centroid.to_array(),
        values,
    })
}

fn lesion_values(mask: &Mask, window: &Window, values: Option<&Values>) -> anyhow::Result<LesionValues> {
    let Some(Values { image, unit }) = values else {
        let none = "no --image was given";
        return Ok(LesionValues::of(None, none, Evaluable::not(none)));
    };
    let cut = window.cut(image, f32::NAN)?;
    let pair = Aligned::new(&cut, mask)?;
    let inside: Vec<f32> = pair.iter().filter(|(_, is_inside)| **is_inside).map(|(value, _)| *value).collect();
    let statistics = intensity::statistics(&pair).zip(intensity::percentiles(&inside, &PERCENTS));
    let peak = match unit {
        Evaluable::Value(unit) if unit.eq_ignore_ascii_case("SUVbw") => {
            suv_peak(image, mask.indices_set().filter_map(|at| window.to_volume(at, image.shape())))
        }
        Evaluable::Value(unit) => Evaluable::not(format!("the image holds {unit}, not SUVbw")),
        Evaluable::NotEvaluable(reason) => Evaluable::not(reason.clone()),
    };
    Ok(LesionValues::of(statistics.as_ref(), "a voxel of the lesion holds no number", peak))
}

impl LesionValues {
    /// Of statistics with the percentiles of [`PERCENTS`].
    fn of(known: Option<&(Statistics, Vec<f64>)>, otherwise: &str, suv_peak: Evaluable<f64>) -> Self {
        let number = |of: fn(&Statistics) -> f64| or_reason(known.map(|(s, _)| of(s)), otherwise);
        let end = |of: fn(&Statistics) -> f32| or_reason(known.map(|(s, _)| of(s)), otherwise);
        let percentile = |n: usize| or_reason(known.and_then(|(_, all)| all.get(n).copied()), otherwise);
        let sd = match known {
            Some((Statistics { sd: None, .. }, _)) => Evaluable::not("one voxel has no spread"),
            known => or_reason(known.and_then(|(s, _)| s.sd), otherwise),
        };
        Self {
            mean: number(|s| s.mean),
            sd,
            min: end(|s| s.min),
            p10: percentile(0),
            median: percentile(1),
            p90: percentile(2),
            max: end(|s| s.max),
            suv_peak,
        }
    }
}

fn as_text(document: &Document) -> String {
    let mut text = String::from("label component   long mm  short mm  volume mm³  slice\n");
    for lesion in &document.lesions {
        let _ = write!(
            text,
            "{:>5} {:>9} {:>9.2} {:>9.2} {:>11.1} {:>6}",
            lesion.label,
            lesion.component,
            lesion.long_axis_mm,
            lesion.short_axis_mm,
            lesion.volume_mm3,
            lesion.slice_k
        );
        if let (Some(mean), Some(max)) = (lesion.values.mean.value(), lesion.values.max.value()) {
            let unit = document.unit.value().map_or("(unit not stated)", String::as_str);
            let _ = write!(text, "  mean {mean:.2}, max {max:.2} {unit}");
        }
        text.push('\n');
    }
    if document.lesions.is_empty() {
        text.push_str("the mask holds no voxel that is not 0\n");
    }
    text
}
