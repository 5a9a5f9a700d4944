//! The study file: which images, models, criteria and endpoints; TOML, unknown keys refused, every default written down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use formats::dicom::SeriesRules;
use oncology::adam::DayCount;
use oncology::visit_window::VisitWindows;
use serde::{Deserialize, Serialize};

use crate::out;
use judging::own_files;
pub(crate) use judging::{Criteria, Endpoints, OwnFiles};
pub(crate) use series::Series;

#[path = "config/judging.rs"]
mod judging;
#[path = "config/series.rs"]
pub(crate) mod series;

/// The built-in study file, used when none is given.
pub(crate) const DEFAULT: &str = include_str!("../../../configs/study/default.toml");

/// A study: everything that decides what comes out, apart from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Study {
    /// Who is in the cohort.
    pub(crate) cohort: Cohort,
    /// Where the clinical tables lie.
    pub(crate) clinical: Clinical,
    /// Which series are measured.
    pub(crate) series: Series,
    /// Windows by which visits are named.
    #[serde(default = "built_in_timeline")]
    pub(crate) timeline: VisitWindows,
    /// Where masks come from.
    pub(crate) models: Models,
    /// What regions of structure sets are, by name.
    #[serde(default = "Structures::built_in")]
    pub(crate) structures: Structures,
    /// How visits are carried to baseline.
    pub(crate) registration: RegistrationKeys,
    /// How lesions keep their identity.
    pub(crate) tracking: Tracking,
    /// By which criteria response is assessed.
    pub(crate) criteria: Criteria,
    /// Which endpoints are dated.
    pub(crate) endpoints: Endpoints,
    /// What the reports show.
    pub(crate) reports: Reports,
    /// Which files are kept.
    pub(crate) outputs: Outputs,
}

/// Who is in the cohort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cohort {
    /// Name of the cohort in reports.
    pub(crate) name: String,
    /// Only these patients; everybody when empty.
    pub(crate) patients: Vec<String>,
}

/// Where the clinical tables lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clinical {
    /// Folder, relative to the archive.
    pub(crate) folder: PathBuf,
}

/// What regions of structure sets are, by name; `*` stands for anything, and case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Structures {
    /// Names of lesions that are no lymph nodes.
    pub(crate) lesion: Vec<String>,
    /// Names of lymph nodes.
    pub(crate) node: Vec<String>,
    /// Names of the organ.
    pub(crate) organ: Vec<String>,
    /// Names of ablation zones.
    pub(crate) ablation_zone: Vec<String>,
    /// Names that are none of these and need not be said.
    pub(crate) ignore: Vec<String>,
    /// Organ of the lesions; empty when it is not known.
    pub(crate) lesion_organ: String,
}

impl Structures {
    /// The built-in study file's, for study files from before this section.
    fn built_in() -> Self {
        #[derive(Deserialize)]
        struct Only {
            structures: Structures,
        }
        toml::from_str::<Only>(DEFAULT).expect("the built-in study file holds the section; a test reads it").structures
    }
}

/// The built-in study file's windows, for study files from before this section.
fn built_in_timeline() -> VisitWindows {
    #[derive(Deserialize)]
    struct Only {
        timeline: VisitWindows,
    }
    toml::from_str::<Only>(DEFAULT).expect("the built-in study file holds the section; a test reads it").timeline
}

/// Where masks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MaskSource {
    /// Imported where a visit has imported masks, else the model.
    ImportedOrModel,
    /// Imported masks only.
    Imported,
    /// The model only.
    Model,
}

/// On which voxels the masks of the mask folder may lie. A NIfTI or NRRD file names no frame of reference, so nothing but the study
/// can say that one on other voxels lies in the measured series'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MaskGrid {
    /// On those of the measured series; others are refused.
    #[default]
    Series,
    /// On any in the measured series' frame of reference; others are resampled, with a note.
    Frame,
}

/// A modality that lesions are outlined on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Modality {
    /// Computed tomography.
    Ct,
    /// Magnetic resonance.
    Mr,
    /// Positron emission tomography.
    Pt,
}

impl Modality {
    /// Of a DICOM Modality (0008,0060); `None` for others.
    pub(crate) fn of(text: &str) -> Option<Self> {
        [Self::Ct, Self::Mr, Self::Pt].into_iter().find(|modality| modality.to_string() == text)
    }
}

impl std::fmt::Display for Modality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ct => "CT",
            Self::Mr => "MR",
            Self::Pt => "PT",
        })
    }
}

/// Where masks come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Models {
    /// Imported masks, the model, or the one after the other.
    pub(crate) source: MaskSource,
    /// Folder of imported masks, relative to the archive.
    pub(crate) masks: PathBuf,
    /// On which voxels they may lie.
    #[serde(default)]
    pub(crate) mask_grid: MaskGrid,
    /// Model folder; empty for the model shipped with the program.
    pub(crate) segmentation: PathBuf,
    /// Folders of models that outline what a reader marked and nobody outlined, by modality.
    #[serde(default)]
    pub(crate) prompted: BTreeMap<Modality, PathBuf>,
    /// Device: cpu, cuda:N.
    pub(crate) device: String,
    /// Model findings below this volume are not lesions.
    pub(crate) min_lesion_volume_mm3: f64,
}

/// How visits are carried to baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistrationKeys {
    /// The family of maps.
    pub(crate) transform: VisitTransform,
    /// Intensities outside are clamped (CT, HU).
    pub(crate) clamp_hu: [f32; 2],
    /// Seed of the sampling.
    pub(crate) seed: u64,
}

/// The family of maps that carry a visit to baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VisitTransform {
    /// Rotation and translation.
    Rigid,
    /// Rotation, translation, scaling and shear.
    Affine,
    /// A rigid map, then bending that leaves lesions their shape, where two images of one modality are the better for it.
    Deformable,
}

/// How lesions keep their identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tracking {
    /// Two findings farther apart than this, centre to centre after registration, are not the same lesion.
    pub(crate) max_distance_mm: f64,
    /// A second candidate whose cost is within this share of the best makes the match uncertain.
    pub(crate) uncertain_ratio: f64,
    /// A reader's mark outside every outline names the nearest one within this distance.
    #[serde(default = "ten")]
    pub(crate) mark_distance_mm: f64,
    /// Whether what would be new is looked for again on its own image and on the first that shows its place.
    #[serde(default = "yes")]
    pub(crate) second_look: bool,
}

/// `second_look` of study files from before this key.
fn yes() -> bool {
    true
}

/// `mark_distance_mm` of study files from before this key.
fn ten() -> f64 {
    10.0
}

/// What the reports show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reports {
    /// Edge of the key images, mm.
    pub(crate) key_image_mm: f64,
}

/// Which files are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outputs {
    /// Of `image`, `lesions`, `organ`, `ablation_zone`, `overlay`.
    pub(crate) keep: Vec<String>,
    /// How ADTTE counts days; runs of older versions did not say.
    #[serde(default)]
    pub(crate) adam_days: DayCount,
}

/// A study with the text it came from.
#[derive(Debug, Clone)]
pub(crate) struct LoadedStudy {
    /// The checked values.
    pub(crate) study: Study,
    /// SHA-256 of the text.
    pub(crate) digest: String,
    /// The rules that give a series its role.
    pub(crate) rules: SeriesRules,
    /// The file of own rules, if there is one.
    pub(crate) rules_file: Option<RulesFile>,
    /// The study's own criteria and preset.
    pub(crate) own_rules: OwnFiles,
}

/// A file of own series rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RulesFile {
    /// As the study file names it.
    pub(crate) name: String,
    /// SHA-256 of its text.
    pub(crate) digest: String,
}

/// Reads a study file, or the built-in one.
pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<LoadedStudy> {
    let (text, name) = match path {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| {
                format!("cannot read the study file {}; `lesiontrace init` writes one to start from", path.display())
            })?;
            (text, path.display().to_string())
        }
        None => (DEFAULT.to_owned(), "the built-in study file".to_owned()),
    };
    let study = parse(&text).with_context(|| {
        format!("{name} is not a study file; `lesiontrace init` writes a commented one to compare with")
    })?;
    let (rules, rules_file) = series_rules(path, &study.series.rules)?;
    let own_rules = own_files(path, &study)?;
    Ok(LoadedStudy { study, digest: out::sha256_hex(text.as_bytes()), rules, rules_file, own_rules })
}

/// The rules of `[series] rules`, a path relative to the study file, before the built-in ones.
fn series_rules(study: Option<&Path>, rules: &Path) -> anyhow::Result<(SeriesRules, Option<RulesFile>)> {
    if rules.as_os_str().is_empty() {
        return Ok((SeriesRules::built_in().clone(), None));
    }
    let path = study.and_then(Path::parent).unwrap_or(Path::new("")).join(rules);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("[series] rules: expected a file of series rules at {} (relative to the study file)", path.display())
    })?;
    let read = SeriesRules::beside_built_in(&text).with_context(|| format!("[series] rules: {}", path.display()))?;
    let file = RulesFile { name: rules.display().to_string(), digest: out::sha256_hex(text.as_bytes()) };
    Ok((read, Some(file)))
}

/// Identifiers stand in folders, tables and headers of an archive alike: they are replaced in a copy of it, not in a run.
const PSEUDONYMS: &str = "[cohort] pseudonymise: a run keeps the identifiers of its archive; `lesiontrace deidentify ARCHIVE COPY --key FILE` writes a copy with pseudonyms: run on that one";

fn parse(text: &str) -> anyhow::Result<Study> {
    let file: toml::Table = text.parse()?;
    anyhow::ensure!(file.get("cohort").and_then(|cohort| cohort.get("pseudonymise")).is_none(), PSEUDONYMS);
    let study: Study = toml::from_str(text)?;
    anyhow::ensure!(!study.series.measure.is_empty(), "[series] measure: expected at least one role, found none");
    anyhow::ensure!(!study.criteria.ids.is_empty(), "[criteria] ids: expected at least one criterion, found none");
    study.series.check_roles()?;
    study.timeline.check().context("[timeline]")?;
    let known = ["image", "lesions", "organ", "ablation_zone", "overlay"];
    for kept in &study.outputs.keep {
        anyhow::ensure!(known.contains(&kept.as_str()), "[outputs] keep: expected one of {known:?}, found {kept:?}");
    }
    check_numbers(&study)?;
    Ok(study)
}

/// TOML writes `nan` and `inf`, and no comparison with them means anything.
fn check_numbers(study: &Study) -> anyhow::Result<()> {
    for (key, value) in [
        ("[models] min_lesion_volume_mm3", study.models.min_lesion_volume_mm3),
        ("[tracking] max_distance_mm", study.tracking.max_distance_mm),
        ("[tracking] uncertain_ratio", study.tracking.uncertain_ratio),
        ("[tracking] mark_distance_mm", study.tracking.mark_distance_mm),
        ("[endpoints] margin_threshold_mm", study.endpoints.margin_threshold_mm),
        ("[reports] key_image_mm", study.reports.key_image_mm),
    ] {
        anyhow::ensure!(value.is_finite() && value >= 0.0, "{key}: expected a number of 0 or more, found {value}");
    }
    let [low, high] = study.registration.clamp_hu;
    anyhow::ensure!(
        low.is_finite() && high.is_finite() && low < high,
        "[registration] clamp_hu: expected a lower and a higher number, found {low} and {high}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_study_file_is_valid() {
        assert_eq!(load(None).unwrap().study.criteria.ids[0], "recist_1_1");
    }

    #[test]
    fn pseudonyms_are_made_in_a_copy() {
        let asked = DEFAULT.replacen("[cohort]\n", "[cohort]\npseudonymise = true\n", 1);
        assert_ne!(asked, DEFAULT);
        assert!(parse(&asked).unwrap_err().to_string().contains("lesiontrace deidentify ARCHIVE COPY"));
    }

    #[test]
    fn a_role_that_no_series_has_is_refused_by_its_key() {
        for (key, line) in [("measure", "measure = [\"ct_portal_venous\""), ("arterial", "arterial = [\"ct_arterial\"")]
        {
            let wrong = DEFAULT.replacen(line, &line.replace("ct_", "ct-"), 1);
            assert_ne!(wrong, DEFAULT, "{key}");
            let said = parse(&wrong).unwrap_err().to_string();
            assert!(said.contains(&format!("[series] {key}")) && said.contains("ct_arterial"), "{said}");
        }
    }

    #[test]
    fn a_study_file_from_before_a_key_means_what_it_meant() {
        let without = |text: &str, from: &str, to: &str| {
            let [from, to] = [from, to].map(|section| text.find(section).unwrap());
            format!("{}{}", &text[..from], &text[to..])
        };
        let older = without(DEFAULT, "[structures]", "[registration]");
        let older: String = without(&older, "[timeline]", "[models]")
            .lines()
            .filter(|line| {
                !["nifti_frame", "mark_distance_mm", "second_look", "rules"].iter().any(|key| line.starts_with(key))
            })
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(parse(&older).unwrap(), parse(DEFAULT).unwrap());
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let text = DEFAULT.replace("max_distance_mm", "max_distnace_mm");
        let error = format!("{:#}", parse(&text).unwrap_err());
        assert!(error.contains("max_distnace_mm"), "{error}");
    }

    #[test]
    fn numbers_that_no_comparison_means_anything_with_are_refused_by_key() {
        for (key, value) in
            [("margin_threshold_mm", "nan"), ("max_distance_mm", "inf"), ("min_lesion_volume_mm3", "-1.0")]
        {
            let line = DEFAULT.lines().find(|line| line.starts_with(key)).unwrap();
            let error = parse(&DEFAULT.replace(line, &format!("{key} = {value}"))).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
        let line = DEFAULT.lines().find(|line| line.starts_with("clamp_hu")).unwrap();
        assert!(parse(&DEFAULT.replace(line, "clamp_hu = [300.0, -100.0]")).is_err());
    }

    #[test]
    fn damaged_study_files_are_study_files_or_errors() {
        let damaged = (0..200).map(|number| testkit::damage::damaged(DEFAULT.as_bytes(), number));
        // What is no text any more is refused before it is parsed.
        let texts: Vec<String> = damaged.filter_map(|bytes| String::from_utf8(bytes).ok()).collect();
        let n_refused = texts.iter().filter(|text| parse(text).is_err()).count();
        assert!(n_refused > 50, "{n_refused} of {} are refused", texts.len());
    }
}
