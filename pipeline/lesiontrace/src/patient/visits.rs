//! The visits of one patient: load, segment, register and measure, and the margins between them. The costly steps go through the
//! cache.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use formats::stored;
use imaging::registration::Registration;
use imaging::{Mask, Note, Window};
use inference::Prompt;
use rayon::prelude::*;

use super::Reached;
use crate::cache::{Cache, content, outlines::Outlines};
use crate::config::{MaskSource, Modality, Study};
use crate::manifest::Equipment;
use crate::models::Opened;
use crate::observed::RegisteredPair;
use crate::out;
use crate::plan::{PatientPlan, VisitPlan};
use crate::source_record;
use crate::stages::find::{SeriesFacts, VisitFacts};
use crate::stages::import::import;
use crate::stages::load::{LoadedSeries, load, load_if_sound};
use crate::stages::marks::{Marked, lay, say_why};
use crate::stages::measure::{Arterial, Beside};
use crate::stages::pet::PetFacts;
use crate::stages::prompted::{self, Doubted, Marks};
use crate::stages::register::{How, Side, to_fixed};
use crate::stages::segment::{Found, StageError, infer};
use crate::stages::track::Tracked;
use crate::stages::{self, critical, dose, margin, measure, overlay, phase};

/// Images of a visit, in memory only while they are needed.
struct Loaded {
    measured: Measured,
    found: Found,
    outlines_digest: OnceLock<String>,
}

impl Loaded {
    fn new(measured: Measured, found: Found) -> Self {
        Self { measured, found, outlines_digest: OnceLock::new() }
    }

    fn outlines_digest(&self) -> &str {
        self.outlines_digest.get_or_init(|| Outlines::of(&self.found).digest())
    }
}

/// A series in memory, and the digest of its content once something asked for it.
struct Measured {
    series: LoadedSeries,
    digest: OnceLock<String>,
}

impl Measured {
    fn load(plan: &VisitPlan, notes: &mut Vec<Note>) -> Result<Self, StageError> {
        Ok(Self { series: load(&plan.measure, notes)?, digest: OnceLock::new() })
    }

    fn digest(&self) -> &str {
        self.digest.get_or_init(|| content::of_series(&self.series))
    }
}

/// What the stages of one patient need besides the patient.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) equipment: &'a Equipment,
    pub(super) cache: &'a Cache,
}

/// Load, segment, register and measure, visit by visit; only baseline and the present visit are in memory.
pub(super) fn read_visits(
    patient: &PatientPlan,
    setting: Setting<'_>,
    folder: &Path,
    reached: Reached<'_>,
) -> Result<Vec<VisitFacts>, StageError> {
    let equipment = setting.equipment;
    let mark_distance_mm = equipment.study.study.tracking.mark_distance_mm;
    let mut baseline: Option<Loaded> = None;
    let mut visits = Vec::with_capacity(patient.visits.len());
    for plan in &patient.visits {
        let mut notes = Vec::new();
        if let (None, Some(_)) = (&baseline, &plan.given_map) {
            let why = "this visit is baseline, so its map to baseline is not used; maps of other visits made for another baseline are wrong";
            notes.push(Note::warning("map_of_baseline", plan.measure.role.clone(), why));
        }
        reached("load")?;
        let measured = Measured::load(plan, &mut notes)?;
        reached("segment")?;
        let (mut found, doubted) = find(plan, &measured, setting, &mut notes)?;
        let mut marked = lay(&plan.marks, &mut found, mark_distance_mm, &mut notes);
        say_why(&doubted, &mut marked, &mut notes);
        let loaded = Loaded::new(measured, found);
        reached("register")?;
        let to_baseline = match &baseline {
            None => Registration::identity_same_frame(loaded.measured.series.image.grid().frame().clone()),
            Some(fixed) => registered(fixed, &loaded, plan.given_map.as_deref(), setting, &mut notes)?,
        };
        reached("measure")?;
        let kept_in = folder.join(plan.id.to_string()).join(&plan.measure.role);
        let (facts, kept) = rayon::join(
            || facts(plan, &loaded, to_baseline, notes, &equipment.study.study),
            || keep_masks(equipment, &kept_in, &loaded),
        );
        kept?;
        visits.push(VisitFacts { marked, ..facts? });
        baseline.get_or_insert(loaded);
    }
    Ok(visits)
}

/// The registration of two visits, from the cache where images, outlines and settings are the same.
fn registered(
    fixed: &Loaded,
    moving: &Loaded,
    given: Option<&Path>,
    setting: Setting<'_>,
    notes: &mut Vec<Note>,
) -> Result<Registration, StageError> {
    let keys = &setting.equipment.study.study.registration;
    let map = given.map(map_digest).transpose()?;
    let digests = |loaded: &'_ Loaded| {
        rayon::join(|| loaded.measured.digest().to_owned(), || loaded.outlines_digest().to_owned())
    };
    let ((fixed_image, fixed_outlines), (moving_image, moving_outlines)) =
        rayon::join(|| digests(fixed), || digests(moving));
    let parts: [&str; 7] = [
        &stages::versioned("register"),
        &fixed_image,
        &moving_image,
        &fixed_outlines,
        &moving_outlines,
        &format!("{keys:?}"),
        map.as_deref().unwrap_or("found here"),
    ];
    let how = How { keys, given };
    setting.cache.kept("register", &parts, notes, |notes| to_fixed(side(fixed), side(moving), how, notes))
}

fn map_digest(path: &Path) -> Result<String, StageError> {
    let bytes = stored::read(path);
    bytes
        .map(|bytes| out::sha256_hex(&bytes))
        .map_err(|error| StageError::new("register", "given_map", format!("reading {}: {error}", path.display())))
}

fn side(loaded: &Loaded) -> Side<'_> {
    Side { series: &loaded.measured.series, found: &loaded.found }
}

/// Everything outlined on a visit: imported or by the model, then what a reader marked and neither of them holds.
fn find(
    plan: &VisitPlan,
    measured: &Measured,
    setting: Setting<'_>,
    notes: &mut Vec<Note>,
) -> Result<(Found, Doubted), StageError> {
    let mut found = find_unprompted(plan, measured, setting, notes)?;
    let series = &measured.series;
    let opened = Modality::of(&series.modality).and_then(|modality| setting.equipment.prompted.get(&modality));
    let Some(Opened { network, digest }) = opened else { return Ok((found, Doubted::new())) };
    let max_distance_mm = setting.equipment.study.study.tracking.mark_distance_mm;
    let ask = |prompts: &[Prompt], notes: &mut Vec<Note>| {
        let parts: [&str; 4] = [&stages::versioned("segment"), digest, measured.digest(), &format!("{prompts:?}")];
        setting.cache.kept("prompt", &parts, notes, |_| prompted::ask(network, series, prompts))
    };
    let marks = Marks { seeds: &plan.marks, max_distance_mm };
    let doubted = prompted::outline(marks, series, (network.card(), &ask), &mut found, notes)?;
    Ok((found, doubted))
}

fn find_unprompted(
    plan: &VisitPlan,
    measured: &Measured,
    setting: Setting<'_>,
    notes: &mut Vec<Note>,
) -> Result<Found, StageError> {
    let equipment = setting.equipment;
    let image = &measured.series.image;
    let study = &equipment.study.study;
    let keys = &study.models;
    match (&plan.masks, keys.source, &equipment.segmenter) {
        (Some(masks), MaskSource::Imported | MaskSource::ImportedOrModel, _) => import(masks, image, study, notes),
        (_, _, Some(finder)) => by_model(measured, finder, setting, notes),
        (_, MaskSource::Imported, _) if !plan.marks.is_empty() => Ok(Found::nothing(image.grid(), "reader_marks")),
        (_, _, None) => Err(StageError::new(
            "segment",
            "no_masks",
            format!("{}: no masks and no model: {}", plan.id, equipment.no_model),
        )),
    }
}

/// The model's outlines, from the cache where image, model and settings are the same.
fn by_model(
    measured: &Measured,
    finder: &Opened,
    setting: Setting<'_>,
    notes: &mut Vec<Note>,
) -> Result<Found, StageError> {
    let min_volume_mm3 = setting.equipment.study.study.models.min_lesion_volume_mm3;
    let parts: [&str; 4] =
        [&stages::versioned("segment"), &finder.digest, measured.digest(), &min_volume_mm3.to_string()];
    let outlines = setting.cache.kept("segment", &parts, notes, |notes| {
        infer(&finder.network, &measured.series, min_volume_mm3, notes).map(|found| Outlines::of(&found))
    })?;
    outlines.on(measured.series.image.grid()).ok_or_else(|| {
        let message = "the kept outlines are not those of this image; run again with --force";
        StageError::new("segment", "cache", message)
    })
}

/// Series of a visit beside the measured one, in memory.
struct Further {
    arterial: Option<LoadedSeries>,
    pet: Option<LoadedSeries>,
    /// Or why it cannot be read.
    adc: Option<Result<LoadedSeries, String>>,
}

impl Further {
    fn load(plan: &VisitPlan, notes: &mut Vec<Note>) -> Result<Self, StageError> {
        Ok(Self {
            arterial: plan.arterial.as_ref().map(|series| load(series, notes)).transpose()?,
            pet: plan.pet.as_ref().map(|series| load(series, notes)).transpose()?,
            adc: plan.adc.as_ref().map(|series| load_if_sound(series, notes)).transpose()?,
        })
    }

    fn beside<'a>(&'a self, arterial: Option<&'a Arterial<'a>>) -> Beside<'a> {
        Beside { arterial, pet: self.pet.as_ref(), adc: self.adc.as_ref().map(Result::as_ref) }
    }

    fn is_adc_unread(&self) -> bool {
        self.adc.as_ref().is_some_and(Result::is_err)
    }
}

/// Measures what needs the images and lets them go.
fn facts(
    plan: &VisitPlan,
    loaded: &Loaded,
    to_baseline: Registration,
    mut notes: Vec<Note>,
    study: &Study,
) -> Result<VisitFacts, StageError> {
    let Loaded { measured: Measured { series: measured, .. }, found, .. } = loaded;
    let further = Further::load(plan, &mut notes)?;
    let pet_facts = plan.pet.as_ref().zip(further.pet.as_ref());
    let pet_facts = pet_facts.map(|(plan, pet)| PetFacts::of(pet, plan, found, study.series.lean_body_mass));
    let mut of_sizes = Vec::new();
    let (of_phase, (mut sizes, arterial_unfit)) = rayon::join(
        || {
            let mut of_phase = Vec::new();
            phase::check(measured, &measure::healthy_liver(measured, measured, found), found, &mut of_phase);
            of_phase
        },
        || {
            let of_arterial = |series| measure::arterial(series, measured, found, &mut of_sizes);
            let arterial = further.arterial.as_ref().map(of_arterial);
            let sizes = measure::measure(measured, found, further.beside(arterial.as_ref()), &mut of_sizes);
            (sizes, arterial.and_then(|arterial| arterial.unfit()))
        },
    );
    notes.extend(of_phase.into_iter().chain(of_sizes));
    dose::add(&plan.doses, &found.lesions, &mut sizes, &mut notes);
    let critical = critical::distances(&plan.critical, &measured.image, found, study.models.mask_grid, &mut notes);
    measure::mark_cut(&mut sizes, found, plan.shortened.as_deref(), &mut notes);
    for note in &mut notes {
        note.message = format!("{}: {}", plan.id, note.message);
    }
    let cut = |mask: &Mask| {
        Window::around(mask, [2; 3]).and_then(|w| w.within(mask.shape())).and_then(|w| w.cut(mask, false).ok())
    };
    Ok(VisitFacts {
        id: plan.id,
        label: plan.label.clone(),
        purpose: plan.purpose,
        slices: source_record::slices(
            measured.image.grid(),
            &measured.sop_instance_uids,
            &plan.measure.entry.headers.unpack(),
        ),
        measured: SeriesFacts::of(measured),
        arterial: further.arterial.as_ref().map(SeriesFacts::of),
        arterial_unfit,
        pet: further.pet.as_ref().map(SeriesFacts::of),
        adc: further.adc.as_ref().and_then(|read| read.as_ref().ok()).map(SeriesFacts::of),
        adc_unread: plan.adc.as_ref().filter(|_| further.is_adc_unread()).map(|plan| plan.role.clone()),
        pet_facts,
        lesions: found.lesions.clone(),
        zones: found.zones.clone(),
        sizes,
        critical,
        organ: found.organ.as_ref().and_then(cut),
        to_baseline,
        source: found.source.clone(),
        outlined_by: found.outlined_by.clone(),
        marked: Marked::default(),
        side: plan.side,
        doubts: BTreeMap::new(),
        in_doubt: found.in_doubt.clone(),
        looked_in: found.looked_in.clone(),
        second_choice: plan.second_choice.clone(),
        notes,
    })
}

fn keep_masks(equipment: &Equipment, folder: &Path, loaded: &Loaded) -> Result<(), StageError> {
    use formats::nifti;
    let wanted = |name: &str| equipment.study.study.outputs.keep.iter().any(|kept| kept == name);
    let written = |result: Result<(), nifti::NiftiError>| result.map_err(|error| write_error(&error.into()));
    let Loaded { measured: Measured { series, .. }, found, .. } = loaded;
    let write = |name: &&str| match *name {
        "image" => written(nifti::write_image(&folder.join("image.nii.gz"), &series.image)),
        "lesions" => written(nifti::write_labels(&folder.join("lesions.nii.gz"), &found.lesion_map)),
        "ablation_zone" => written(nifti::write_labels(&folder.join("ablation_zone.nii.gz"), &found.zone_map)),
        "organ" => {
            found.organ.as_ref().map_or(Ok(()), |organ| written(nifti::write_mask(&folder.join("organ.nii.gz"), organ)))
        }
        _ => {
            let png = overlay::sheet(series, found)?;
            out::write_atomic(&folder.join("overlay.png"), &png).map_err(|error| write_error(&error))
        }
    };
    let files = ["overlay", "image", "lesions", "organ", "ablation_zone"];
    let wanted: Vec<&str> = files.into_iter().filter(|name| wanted(name)).collect();
    wanted.par_iter().try_for_each(write)
}

pub(crate) fn write_error(error: &anyhow::Error) -> StageError {
    let transient = crate::exit::is_transient(error);
    StageError { stage: "report", code: "write".to_owned(), message: format!("{error:#}"), transient }
}

/// Visits round an ablation registered directly to each other, where the first of them is not baseline.
pub(super) fn register_pairs(
    patient: &PatientPlan,
    setting: Setting<'_>,
    visits: &[VisitFacts],
    tracked: &Tracked,
) -> Result<Vec<RegisteredPair>, StageError> {
    let mut registered: Vec<RegisteredPair> = Vec::new();
    for pair in margin::pairs(visits, tracked) {
        let (before, after) = (pair.before, pair.after);
        if before > 0 && !registered.iter().any(|known| (known.before, known.after) == (before, after)) {
            let mut notes = Vec::new();
            let registration = register_pair(patient, setting, before, after, &mut notes)?;
            registered.push(RegisteredPair { before, after, registration, notes });
        }
    }
    Ok(registered)
}

/// A visit registered directly to an earlier one that is not baseline; both are read once more.
pub(super) fn register_pair(
    patient: &PatientPlan,
    setting: Setting<'_>,
    before: usize,
    after: usize,
    notes: &mut Vec<Note>,
) -> Result<Registration, StageError> {
    let read = |n: usize, notes: &mut Vec<Note>| {
        let plan = &patient.visits[n];
        let measured = Measured::load(plan, notes)?;
        let (found, _) = find(plan, &measured, setting, notes)?;
        Ok::<_, StageError>(Loaded::new(measured, found))
    };
    // What was noted on the first reading of these images stands already.
    let (fixed, moving) = (read(before, &mut Vec::new())?, read(after, &mut Vec::new())?);
    registered(&fixed, &moving, None, setting, notes)
}
