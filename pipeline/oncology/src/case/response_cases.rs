//! Worked cases of responses: targets, selection, the combined table, best response, mRECIST.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1); Lencioni and Llovet 2010 (mRECIST).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{CaseError, CaseInput};
use crate::criteria::best_response::{BestResponseRules, VisitResponse, best_response};
use crate::criteria::course::{CourseVisit, follow};
use crate::criteria::pet_adjunct::{CtAtSite, Pet, PetFinding, new_lesion_by_pet};
use crate::criteria::response::{NewLesionResponse, NonTargetResponse, OverallResponse, TargetResponse};
use crate::criteria::selection::{
    Candidate, MeasuredOn, PriorTherapy, Subtype, measurability, role_of_rest, select_targets,
};
use crate::criteria::size::{SizedLesion, counted};
use crate::criteria::table::{Confirmation, CriterionTable, PostCr, SdBetween};
use crate::criteria::target::{TargetHistory, target_response};
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionKind, LesionRole, Organ, Size};

pub(super) fn bad(category: &'static str, message: &(impl ToString + ?Sized)) -> CaseError {
    CaseError::Input { category, message: message.to_string() }
}

pub(super) fn read<T: DeserializeOwned>(category: &'static str, value: &Value) -> Result<T, CaseError> {
    serde_json::from_value(value.clone()).map_err(|error| bad(category, &error))
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A criterion with the options of a case; an option it does not know is refused.
pub(super) fn table(id: &str, category: &'static str, options: &Value) -> Result<CriterionTable, CaseError> {
    let mut table = CriterionTable::built_in(id).map_err(|error| bad(category, &error))?;
    for (key, value) in options.as_object().into_iter().flatten() {
        match key.as_str() {
            "pr_persistence" => table.options.pr_persistence.value = read(category, value)?,
            "pd_abs_mm" => table.thresholds.pd_abs_mm.value = read(category, value)?,
            "post_cr" => table.options.post_cr.value = read(category, value)?,
            "post_cr_reappearance" => table.options.post_cr_reappearance.value = read(category, value)?,
            "pd_comparison" => table.options.pd_comparison.value = read(category, value)?,
            "selection" | "mode" => table.options.selection.value = read(category, value)?,
            "max_total" | "max_targets" => table.thresholds.max_targets.value = read(category, value)?,
            "max_per_organ" => table.thresholds.max_targets_per_organ.value = read(category, value)?,
            "confirm_days" => table.thresholds.confirm_days.value = read(category, value)?,
            "confirmation_required" if value == &Value::Bool(true) => {
                table.options.confirmation.value = Confirmation::Required;
            }
            "strict_gt" if value == &Value::Bool(true) => {
                table.options.pd_comparison.value = crate::criteria::table::PdComparison::MoreThan;
            }
            // Names the table itself.
            "criterion" => {}
            "confirmation_required" | "strict_gt" if value == &Value::Bool(false) => {}
            other => return Err(bad(category, &format!("unknown option {other:?} = {value}"))),
        }
    }
    Ok(table)
}

#[derive(Deserialize)]
struct TargetCase {
    kinds: Vec<LesionKind>,
    baseline: Vec<Value>,
    timepoints: Vec<TargetTimepoint>,
}

#[derive(Deserialize)]
struct TargetTimepoint {
    day: i64,
    values: Vec<Value>,
    previous_overall: Option<OverallResponse>,
}

fn coded(category: &'static str, value: &Value) -> Result<Size, CaseError> {
    match value {
        Value::Number(number) => number.to_string().parse().map(Size::Measured).map_err(|error| bad(category, &error)),
        Value::String(text) => match text.as_str() {
            "TSTM" => Ok(Size::TooSmallToMeasure),
            "ABSENT" => Ok(Size::Absent),
            "NE" => Ok(Size::NotEvaluable("coded NE".to_owned())),
            merged if merged.starts_with("MERGED_INTO") => Ok(Size::MergedInto(LesionId::new(merged))),
            other => Err(bad(category, &format!("expected mm, TSTM, ABSENT, NE or MERGED_INTO, found {other:?}"))),
        },
        other => Err(bad(category, &format!("expected a coded size, found {other}"))),
    }
}

fn coded_row(category: &'static str, kinds: &[LesionKind], row: &[Value]) -> Result<Vec<SizedLesion>, CaseError> {
    if kinds.len() != row.len() {
        return Err(bad(category, &format!("{} kinds but {} values", kinds.len(), row.len())));
    }
    let one = |(index, (kind, value)): (usize, (&LesionKind, &Value))| {
        let lesion = LesionId::new(format!("L{}", index + 1));
        Ok(SizedLesion { lesion, kind: *kind, size: coded(category, value)? })
    };
    kinds.iter().zip(row).enumerate().map(one).collect()
}

pub(super) fn target(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "recist_target";
    let input: TargetCase = read(CATEGORY, case.input)?;
    let table = table(case.options["criterion"].as_str().unwrap_or("recist_1_1"), CATEGORY, case.options)?;
    let at_baseline = coded_row(CATEGORY, &input.kinds, &input.baseline)?;
    let sizes: Result<Vec<Exact>, &str> =
        at_baseline.iter().map(|lesion| counted(&lesion.size, &table.thresholds)).collect();
    let baseline: Option<Exact> = sizes.ok().map(|sizes| sizes.into_iter().sum());
    let mut course = Vec::new();
    for timepoint in &input.timepoints {
        course.push(CourseVisit {
            day: timepoint.day,
            targets: coded_row(CATEGORY, &input.kinds, &timepoint.values)?,
            // Without a word on non-targets an overall CR is not taken for granted: only `previous_overall` says so.
            non_target: NonTargetResponse::Persistent,
            non_target_why: String::new(),
            non_targets_seen: Vec::new(),
            new_lesion: NewLesionResponse::No,
            new_lesion_why: String::new(),
            restart: None,
            complete_before: timepoint.previous_overall == Some(OverallResponse::Complete),
        });
    }
    let verdicts = follow(baseline, &course, &table);
    let change = |sum: Option<&Exact>, reference: Option<Exact>| {
        sum.zip(reference).and_then(|(sum, reference)| sum.ratio(reference)).map(|ratio| (ratio - 1.0) * 100.0)
    };
    let each = |of: &dyn Fn(&crate::criteria::VisitVerdict) -> Value| verdicts.iter().map(of).collect::<Vec<Value>>();
    Ok(object(json!({
        "target": each(&|verdict| json!(verdict.target)),
        "sum": each(&|verdict| json!(verdict.sum.value())),
        "nadir_before": each(&|verdict| json!(verdict.nadir)),
        "pct_nadir": each(&|verdict| json!(change(verdict.sum.value(), verdict.nadir))),
        "pct_baseline": each(&|verdict| json!(change(verdict.sum.value(), verdict.baseline))),
    })))
}

#[derive(Deserialize)]
struct SelectionCase {
    #[serde(default)]
    lesions: Vec<SelectionLesion>,
    #[serde(default)]
    items: Vec<SelectionLesion>,
}

#[derive(Deserialize)]
struct SelectionLesion {
    #[serde(default)]
    id: String,
    #[serde(default)]
    organ: String,
    kind: LesionKind,
    size: Exact,
    slice_mm: Option<Exact>,
    modality: Option<String>,
    measurable: Option<bool>,
    subtype: Option<String>,
    prior_local_therapy: Option<PriorTherapy>,
}

fn candidate(lesion: &SelectionLesion) -> Result<Candidate, CaseError> {
    const CATEGORY: &str = "recist_selection";
    let measured_on = match (lesion.measurable, lesion.modality.as_deref()) {
        (Some(false), _) | (_, Some("US" | "PET" | "bone_scan" | "endoscopy")) => MeasuredOn::Unmeasurable,
        (_, None | Some("CT" | "MRI" | "MR")) => MeasuredOn::CrossSection,
        (_, Some("CXR")) => MeasuredOn::ChestRadiograph,
        (_, Some("calliper" | "caliper")) => MeasuredOn::Calliper,
        (_, Some(other)) => return Err(bad(CATEGORY, &format!("unknown modality {other:?}"))),
    };
    let subtype = match lesion.subtype.as_deref() {
        None | Some("soft") => Subtype::Soft,
        Some("bone_lytic_soft") => Subtype::BoneWithSoftTissue,
        Some("bone_blastic") => Subtype::BoneOnly,
        Some("cystic_met") => Subtype::CysticMetastasis,
        Some("simple_cyst") => Subtype::SimpleCyst,
        Some("effusion") => Subtype::Diffuse,
        Some(other) => return Err(bad(CATEGORY, &format!("unknown subtype {other:?}"))),
    };
    Ok(Candidate {
        lesion: LesionId::new(lesion.id.clone()),
        organ: Organ::from(lesion.organ.clone()),
        kind: lesion.kind,
        size: Ok(lesion.size),
        slice_mm: lesion.slice_mm,
        measured_on,
        subtype,
        prior_therapy: lesion.prior_local_therapy.unwrap_or(PriorTherapy::None),
    })
}

pub(super) fn selection(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "recist_selection";
    let input: SelectionCase = read(CATEGORY, case.input)?;
    let table = table("recist_1_1", CATEGORY, case.options)?;
    let candidates: Vec<Candidate> = input.lesions.iter().map(candidate).collect::<Result<_, _>>()?;
    let items: Vec<Candidate> = input.items.iter().map(candidate).collect::<Result<_, _>>()?;
    let selected = select_targets(&candidates, &table);
    let rest = |role: LesionRole| -> Vec<&LesionId> {
        let is_rest =
            |candidate: &&Candidate| !selected.contains(&candidate.lesion) && role_of_rest(candidate, &table).0 == role;
        candidates.iter().filter(is_rest).map(|candidate| &candidate.lesion).collect()
    };
    let measurable: Vec<bool> = items.iter().map(|item| measurability(item, &table).measurable).collect();
    Ok(object(json!({
        "selected": selected,
        "non_target": rest(LesionRole::NonTarget),
        "not_recorded": rest(LesionRole::NotRecorded),
        "measurable": measurable,
    })))
}

#[derive(Deserialize)]
struct CombinedCase {
    rows: Vec<(TargetResponse, String, NewLesionResponse)>,
}

pub(super) fn combined(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "recist_combined";
    if case.input.get("followup_pet").is_some()
        || case.input.get("baseline_pet").is_some()
        || case.input.get("pet_date").is_some()
    {
        return pet(case);
    }
    let input: CombinedCase = read(CATEGORY, case.input)?;
    let table = table("recist_1_1", CATEGORY, case.options)?;
    let mut overall = Vec::new();
    for (target, non_target, new_lesion) in &input.rows {
        let word = if non_target == "NN" { "NON-CR/NON-PD" } else { non_target };
        let non_target: NonTargetResponse = word.parse().map_err(|error| bad(CATEGORY, &error))?;
        overall.push(table.overall.overall(*target, non_target, *new_lesion));
    }
    Ok(object(json!({ "overall": overall })))
}

fn pet(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "recist_combined";
    let text = |key: &str| case.input[key].as_str();
    let pet = |word: Option<&str>| match word {
        None | Some("none") => Ok(Pet::None),
        Some("negative") => Ok(Pet::Negative),
        Some("positive") => Ok(Pet::Positive),
        Some(other) => Err(bad(CATEGORY, &format!("expected PET none, negative or positive, found {other:?}"))),
    };
    let ct = |word: &str| match word.to_lowercase().as_str() {
        "unknown" => CtAtSite::Unknown,
        "negative" | "none" | "nothing" | "no" => CtAtSite::Nothing,
        known if known.contains("not progress") || known.contains("pre-existing") || known.contains("preexisting") => {
            CtAtSite::KnownNotProgressing
        }
        new if new.contains("new") || new == "yes" || new == "positive" => CtAtSite::New,
        _ => CtAtSite::Unknown,
    };
    // A PET date without a word on its result is a positive PET: the case is about its uptake.
    let follow_up = text("followup_pet").or_else(|| text("pet_date").map(|_| "positive"));
    let finding = PetFinding {
        baseline: pet(text("baseline_pet"))?,
        follow_up: pet(follow_up)?,
        pet_date: text("pet_date").and_then(|date| date.parse().ok()),
        ct_now: text("ct_now").or_else(|| text("ct_new_site")).map_or(CtAtSite::Unknown, ct),
        ct_later: text("later_ct").map(ct),
    };
    let (new_lesion, date) = new_lesion_by_pet(&finding);
    Ok(object(json!({ "new_lesion": new_lesion, "progression_date": date })))
}

#[derive(Deserialize)]
struct BestCase {
    sequence: Vec<(i64, OverallResponse)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BestOptions {
    min_sd_days: i64,
    confirm_days: Option<i64>,
    max_ne: usize,
    accept_sd_between: bool,
    post_cr: PostCr,
}

pub(super) fn best(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "recist_bor";
    let input: BestCase = read(CATEGORY, case.input)?;
    let options: BestOptions = read(CATEGORY, case.options)?;
    let rules = BestResponseRules {
        min_sd_days: options.min_sd_days,
        confirm_days: options.confirm_days,
        max_not_evaluable: options.max_ne,
        sd_between: if options.accept_sd_between { SdBetween::AcceptedOnce } else { SdBetween::Breaks },
        post_cr: options.post_cr,
    };
    let sequence: Vec<(i64, VisitResponse)> = input.sequence.iter().map(|(day, one)| (*day, (*one).into())).collect();
    Ok(object(json!({ "bor": best_response(&sequence, &rules) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MrecistCase {
    #[serde(rename = "baseline_viable_sum")]
    baseline: Exact,
    #[serde(rename = "nadir_viable_sum")]
    nadir: Exact,
    #[serde(rename = "current_viable_sum")]
    current: Exact,
}

pub(super) fn mrecist(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "mrecist";
    let input: MrecistCase = read(CATEGORY, case.input)?;
    let table = table("mrecist", CATEGORY, case.options)?;
    let size = Size::Measured(input.current);
    let lesion = SizedLesion { lesion: LesionId::new("sum"), kind: LesionKind::Lesion, size };
    let history = TargetHistory {
        baseline: Some(input.baseline),
        nadir: Some(input.nadir),
        partial_established: false,
        overall_complete_reached: false,
    };
    Ok(object(json!({ "mrecist_target": target_response(&[lesion], &history, &table).response })))
}
