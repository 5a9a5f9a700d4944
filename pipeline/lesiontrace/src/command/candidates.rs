//! `candidates`: FDG-avid lesion candidates of one PET.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use formats::nifti;
use imaging::{Affine, LabelMap, Mask, Note, Volume, resample};
use oncology::Evaluable;
use oncology::measure::avid::{Avid, AvidRule, avid_lesions};
use oncology::measure::uptake_reference::{Reference, ReferenceUptake};
use serde::Serialize;

use crate::cli::{Candidates, CutOff};
use crate::exit::{self, Failure};
use crate::image_input::{self, InputImage};
use crate::out;

/// The unit a PET must have.
const UNIT: &str = "SUVbw";

/// What was found, by which rule, and what to doubt.
#[derive(Serialize)]
struct Document {
    cut_off_suv: f64,
    percent_of_max: Option<f64>,
    least_ml: f64,
    reference: Option<ReferenceUptake>,
    candidates: Vec<Avid>,
    notes: Vec<Note>,
}

/// Finds, writes, says.
pub(crate) fn run(args: &Candidates) -> Result<u8, Failure> {
    check(args).map_err(Failure::usage)?;
    let (document, outlines) = find(args).map_err(|error| image_input::refuse(args.json, error))?;
    if let Some(path) = &args.out {
        nifti::write_labels(path, &outlines)
            .with_context(|| format!("writing {}", path.display()))
            .map_err(Failure::io)?;
    }
    image_input::say(&document.notes);
    if args.json {
        out::print_json(&document).map_err(Failure::io)?;
    } else {
        out::print(&document.text()).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn check(args: &Candidates) -> anyhow::Result<()> {
    if let Some(percent) = args.percent_of_max
        && !(percent > 0.0 && percent <= 100.0)
    {
        anyhow::bail!("--percent-of-max: expected a percentage above 0 and up to 100, found {percent}");
    }
    if !(args.least_ml >= 0.0 && args.least_ml.is_finite()) {
        anyhow::bail!("--least-ml: expected a volume of 0 ml or more, found {}", args.least_ml);
    }
    if args.lesions.is_some() && matches!(args.cut_off, CutOff::Suv(_)) {
        anyhow::bail!("--lesions belongs to --cut-off liver or blood-pool: an SUV needs no reference");
    }
    match (args.cut_off, &args.liver, &args.aorta) {
        (CutOff::Liver, None, _) => anyhow::bail!("--cut-off liver needs the mask of the liver: name it with --liver"),
        (CutOff::BloodPool, _, None) => {
            anyhow::bail!("--cut-off blood-pool needs the mask of the descending aorta: name it with --aorta")
        }
        _ => Ok(()),
    }
}

fn find(args: &Candidates) -> anyhow::Result<(Document, LabelMap)> {
    let InputImage { image: pet, unit, mut notes, .. } = image_input::read(&args.pet, "image")?;
    let place = args.pet.display().to_string();
    match unit {
        Some(UNIT) => {}
        Some(found) => anyhow::bail!(
            "candidates are found in {UNIT}, the series holds {found}; see `lesiontrace suv` for why it has no SUV"
        ),
        None => {
            let message = format!("a NIfTI file does not state its unit; its values are taken for {UNIT}");
            notes.push(Note::info("unit_not_stated", place.clone(), message));
        }
    }
    refuse_non_finite(&pet)?;
    let (cut_off_suv, reference) = cut_off(args, &pet)?;
    let rule = AvidRule {
        cut_off_suv,
        share_of_max: args.percent_of_max.map(|percent| percent / 100.0),
        least_mm3: 1000.0 * args.least_ml,
    };
    let organs = args.organs.as_deref().map(|path| organs(args, path, &pet)).transpose()?;
    if organs.is_none() {
        let message = "no organ masks were given (--organs): uptake of brain, heart, kidneys, bladder and bowel is among \
                       the candidates";
        notes.push(Note::warning("physiologic_uptake_not_excluded", place.clone(), message.to_owned()));
    }
    if organs.as_ref().is_some_and(|(labels, _)| labels.labels_present().is_empty()) {
        let message = "no voxel of the organ masks (--organs) lies on the PET: nothing was set aside; check that they lie \
                       in its frame of reference";
        notes.push(Note::warning("physiologic_uptake_not_excluded", place.clone(), message.to_owned()));
    }
    let found = avid_lesions(&pet, &rule, organs.as_ref().map(|(labels, names)| (labels, names)))?;
    notes.extend(doubts(&found.list, &place));
    let document = Document {
        cut_off_suv,
        percent_of_max: args.percent_of_max,
        least_ml: args.least_ml,
        reference,
        candidates: found.list,
        notes,
    };
    Ok((document, found.outlines))
}

/// No sum, maximum or volume stands on voxels that are no number.
fn refuse_non_finite(pet: &Volume<f32>) -> anyhow::Result<()> {
    let n = pet.values().iter().filter(|value| !value.is_finite()).count();
    let Some(first) = pet.values().iter().position(|value| !value.is_finite()) else { return Ok(()) };
    let at = pet.shape().index(first);
    anyhow::bail!(
        "{n} voxel(s) of the PET are no number (infinite or NaN), the first at column {}, row {}, slice {}: write the image \
         again without them",
        at.i,
        at.j,
        at.k
    )
}

/// The cut-off and what it stands on.
fn cut_off(args: &Candidates, pet: &Volume<f32>) -> anyhow::Result<(f64, Option<ReferenceUptake>)> {
    let (reference, path) = match (args.cut_off, &args.liver, &args.aorta) {
        (CutOff::Liver, Some(path), _) => (Reference::Liver, path),
        (CutOff::BloodPool, _, Some(path)) => (Reference::BloodPool, path),
        (CutOff::Suv(suv), ..) => return Ok((suv, None)),
        _ => anyhow::bail!("the mask that the cut-off stands on is missing"),
    };
    let organ = healthy(image_input::read_mask_of(path, pet)?, args.lesions.as_deref(), pet)?;
    match reference.measure(pet, &organ) {
        Evaluable::Value(found) => Ok((found.cut_off_suv, Some(found))),
        Evaluable::NotEvaluable(reason) => {
            anyhow::bail!("no cut-off from {}: {reason}; name an SUV with --cut-off", path.display())
        }
    }
}

/// An organ's mask without the lesions in it.
fn healthy(organ: Mask, lesions: Option<&Path>, pet: &Volume<f32>) -> anyhow::Result<Mask> {
    let Some(path) = lesions else { return Ok(organ) };
    let lesions = image_input::read_mask_of(path, pet)?;
    let lesions = resample::resample_mask(&lesions, organ.grid(), &Affine::identity());
    let mut healthy = organ;
    healthy.values_mut().iter_mut().zip(lesions.values()).for_each(|(organ, lesion)| *organ &= !lesion);
    Ok(healthy)
}

/// The organs on the PET's grid, those without uptake of their own taken away, and their names.
fn organs(args: &Candidates, path: &Path, pet: &Volume<f32>) -> anyhow::Result<(LabelMap, BTreeMap<u16, String>)> {
    let labels = nifti::read_labels(path, pet.grid().frame().clone())?;
    let names: BTreeMap<u16, String> = args.organ.iter().map(|organ| (organ.label, organ.name.clone())).collect();
    let missing: Vec<String> =
        names.keys().filter(|label| !labels.labels_present().contains(label)).map(u16::to_string).collect();
    if !missing.is_empty() {
        anyhow::bail!("--organ: {} holds no label {}; correct the numbers", path.display(), missing.join(", "));
    }
    let wanted = |label: u16| names.is_empty() || names.contains_key(&label);
    let labels = labels.map(|label| if wanted(*label) { *label } else { 0 });
    Ok((resample::resample_labels(&labels, pet.grid(), &Affine::identity()), names))
}

impl Document {
    fn text(&self) -> String {
        let mut text = format!("cut-off SUV {:.2}", self.cut_off_suv);
        if let Some(found) = &self.reference {
            let _ = write!(
                text,
                " (reference mean {:.2}, SD {:.2}, {} voxels)",
                found.mean_suv, found.sd_suv, found.n_voxels
            );
        }
        text.push('\n');
        for c in &self.candidates {
            let [x, y, z] = c.hottest_lps_mm;
            let aside = c.set_aside.as_deref().map(|why| format!("; set aside: {why}")).unwrap_or_default();
            let touches = c.touches.as_deref().map(|organs| format!("; touches {organs}")).unwrap_or_default();
            let leak = c.mtv_ml.reason().map(|why| format!("; {why}")).unwrap_or_default();
            let _ = writeln!(
                text,
                "{:>3} SUVmax {:>6.2} mean {:>6} MTV {:>8} ml TLG {:>9} at {x:.1},{y:.1},{z:.1}{aside}{touches}{leak}",
                c.label,
                c.suv_max,
                or_dash(&c.suv_mean, 2),
                or_dash(&c.mtv_ml, 2),
                or_dash(&c.tlg_suv_ml, 1)
            );
        }
        if self.candidates.is_empty() {
            text.push_str("no candidate\n");
        }
        text
    }
}

/// A number for a terminal; a dash where there is none, whose reason stands behind it.
fn or_dash(number: &Evaluable<f64>, places: usize) -> String {
    number.value().map_or_else(|| "-".to_owned(), |number| format!("{number:.places$}"))
}

/// A warning for each candidate whose outline has no volume, and for each that touches an organ's uptake.
fn doubts(found: &[Avid], pet: &str) -> Vec<Note> {
    let doubt = |candidate: &Avid| {
        let subject = format!("{pet}, candidate {}", candidate.label);
        let leak = candidate.mtv_ml.reason().map(|why| ("outline_leaks", why.to_owned()));
        let touches = candidate.touches.as_deref().map(|organs| {
            let message = format!("it touches the uptake of {organs}, some of which may be in it; see where it ends");
            ("touches_organ", message)
        });
        let notes = leak.into_iter().chain(touches);
        notes.map(|(code, message)| Note::warning(code, subject.clone(), message)).collect::<Vec<_>>()
    };
    found.iter().flat_map(doubt).collect()
}
