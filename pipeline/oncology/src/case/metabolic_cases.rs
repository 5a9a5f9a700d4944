//! Worked cases of areas, volumes, uptake and enhancement: EASL and its relatives, PERCIST, EORTC, Deauville, the four-level
//! response.
//!
//! Source: the criteria's own.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::response_cases::{bad, object, read};
use super::{CaseError, CaseInput};
use crate::criteria::deauville::{Deauville, DeauvilleTable, LymphomaFinding, Uptake, UptakeChange, deauville, lugano};
use crate::criteria::enhancement::{EnhancementTable, SiteFinding, SiteStudy, StudyKind, enhancement_response};
use crate::criteria::eortc::{EortcInput, EortcTable, PartialRule, eortc};
use crate::criteria::extent::{Extent, ExtentTable, NewEnhancement, extent_response};
use crate::criteria::percist::{Finding, PercistInput, PercistTable, percist};
use crate::criteria::response::TargetResponse;
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use crate::measure::lean_body_mass::{LeanFormula, Sex, lean_body_mass};

/// Options by name; one that is not listed is refused.
fn check_options(case: &CaseInput<'_>, category: &'static str, known: &[&str]) -> Result<(), CaseError> {
    let unknown = case.options.as_object().into_iter().flatten().find(|(key, _)| !known.contains(&key.as_str()));
    unknown.map_or(Ok(()), |(key, value)| Err(bad(category, &format!("unknown option {key:?} = {value}"))))
}

fn criterion<'a>(case: &'a CaseInput<'_>, default: &'a str) -> &'a str {
    case.options["criterion"].as_str().unwrap_or(default)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtentCase {
    #[serde(alias = "baseline_volume")]
    baseline_area: Exact,
    #[serde(alias = "nadir_volume")]
    nadir_area: Exact,
    #[serde(alias = "current_volume")]
    current_area: Option<Exact>,
    #[serde(default)]
    new: bool,
}

pub(super) fn extent(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "easl";
    check_options(case, CATEGORY, &["criterion"])?;
    let input: ExtentCase = read(CATEGORY, case.input)?;
    let id = criterion(case, "easl");
    let table = ExtentTable::built_in(id).map_err(|error| bad(CATEGORY, &error))?;
    let extent = Extent {
        baseline: input.baseline_area,
        nadir: input.nadir_area,
        current: input.current_area,
        new_enhancement: if input.new { NewEnhancement::Yes } else { NewEnhancement::No },
    };
    let verdict = extent_response(&extent, &table);
    let mut all = object(json!({ "why": verdict.why, "flips_if": verdict.flips_if }));
    all.insert(id.to_owned(), json!(verdict.response));
    Ok(all)
}

fn finding(new: bool, background: bool) -> Finding {
    match (new, background) {
        (true, _) => Finding::NewLesion,
        (false, true) => Finding::AllAtBackground,
        (false, false) => Finding::Uptake,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PercistCase {
    sulpeak_baseline_hottest: Exact,
    sulpeak_followup_hottest: Option<Exact>,
    #[serde(default)]
    new: bool,
    #[serde(default)]
    fu_background: bool,
    tlg_baseline: Option<Exact>,
    tlg_followup: Option<Exact>,
}

pub(super) fn percist_case(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "percist";
    check_options(case, CATEGORY, &[])?;
    let input: PercistCase = read(CATEGORY, case.input)?;
    let table = PercistTable::built_in("percist_1_0").map_err(|error| bad(CATEGORY, &error))?;
    let pair = PercistInput {
        baseline_sul_peak: input.sulpeak_baseline_hottest,
        follow_up_sul_peak: input
            .sulpeak_followup_hottest
            .map_or_else(|| Evaluable::not("no comparable follow-up"), Evaluable::Value),
        finding: finding(input.new, input.fu_background),
        tlg: input.tlg_baseline.zip(input.tlg_followup),
    };
    let verdict = percist(&pair, &table);
    Ok(object(json!({ "percist": verdict.response, "why": verdict.why, "flips_if": verdict.flips_if })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EortcCase {
    suv_baseline: Exact,
    suv_followup: Exact,
    cycles: u32,
    #[serde(default)]
    new: bool,
    #[serde(default)]
    fu_background: bool,
    extent_baseline_mm: Option<Exact>,
    extent_followup_mm: Option<Exact>,
}

pub(super) fn eortc_case(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "eortc_pet";
    check_options(case, CATEGORY, &["pmr15"])?;
    let input: EortcCase = read(CATEGORY, case.input)?;
    let mut table = EortcTable::built_in("eortc_1999").map_err(|error| bad(CATEGORY, &error))?;
    if case.options["pmr15"] == json!(true) {
        table.rules.pmr_rule.value = PartialRule::FirstCycleAlways;
    }
    let pair = EortcInput {
        baseline_suv: input.suv_baseline,
        follow_up_suv: input.suv_followup,
        n_cycles: input.cycles,
        finding: finding(input.new, input.fu_background),
        extent_mm: input.extent_baseline_mm.zip(input.extent_followup_mm),
    };
    let verdict = eortc(&pair, &table);
    Ok(object(json!({ "eortc": verdict.response, "why": verdict.why, "flips_if": verdict.flips_if })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeanCase {
    sex: Sex,
    weight_kg: f64,
    height_cm: f64,
}

pub(super) fn lean(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "pet";
    let input: LeanCase = read(CATEGORY, case.input)?;
    let by = |formula| {
        lean_body_mass(input.weight_kg, input.height_cm, input.sex, formula).map_err(|error| bad(CATEGORY, &error))
    };
    Ok(object(json!({
        "janma_kg": by(LeanFormula::Janmahasatian)?,
        "james128_kg": by(LeanFormula::James128)?,
        "james120_kg": by(LeanFormula::James120)?,
        "james_kg": by(LeanFormula::James128)?,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeauvilleCase {
    lesion_suvmax: Option<Exact>,
    mediastinum_suvmax: Exact,
    liver_suvmax: Exact,
    #[serde(default)]
    new: bool,
    #[serde(default)]
    unrelated: bool,
    change: Option<String>,
}

pub(super) fn deauville_case(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "deauville";
    check_options(case, CATEGORY, &["markedly_factor"])?;
    let input: DeauvilleCase = read(CATEGORY, case.input)?;
    let mut table = DeauvilleTable::built_in("deauville").map_err(|error| bad(CATEGORY, &error))?;
    if let Some(factor) = case.options.get("markedly_factor") {
        table.rules.markedly_factor.value = read(CATEGORY, factor)?;
    }
    let uptake = Uptake {
        lesion: input.lesion_suvmax,
        mediastinum: Some(input.mediastinum_suvmax),
        liver: input.liver_suvmax,
        finding: match (input.new, input.unrelated) {
            (true, _) => LymphomaFinding::NewLesion,
            (false, true) => LymphomaFinding::Unrelated,
            (false, false) => LymphomaFinding::Known,
        },
    };
    let verdict = deauville(&uptake, &table);
    let change = match input.change.as_deref() {
        None | Some("unchanged") => UptakeChange::Unchanged,
        Some("decreased") => UptakeChange::Decreased,
        Some("increased") => UptakeChange::Increased,
        Some(other) => return Err(bad(CATEGORY, &format!("unknown change {other:?}"))),
    };
    let score = match verdict.response {
        Deauville::Score(score) => json!(score),
        Deauville::X => json!("X"),
    };
    Ok(object(json!({ "score": score, "lugano": lugano(verdict.response, change), "why": verdict.why })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TreatedSite {
    #[serde(rename = "id")]
    _id: Option<String>,
    /// Uptake or enhancement before ablation; the findings are already told against it.
    #[serde(rename = "pre")]
    _pre: Option<String>,
    post: Option<String>,
    modality: Option<String>,
    days_post: Option<i64>,
    #[serde(default)]
    studies: Vec<SiteStudyCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteStudyCase {
    post: Option<String>,
    modality: String,
    days_post: i64,
}

fn site_study(study: &SiteStudyCase) -> Result<SiteStudy, CaseError> {
    const CATEGORY: &str = "narayanan2024_response";
    let kind = match study.modality.to_uppercase().as_str() {
        "CT" | "CECT" => StudyKind::Ct,
        "MR" | "MRI" => StudyKind::Mr,
        "PET" | "PET-CT" | "PET/CT" => StudyKind::Pet,
        other => return Err(bad(CATEGORY, &format!("unknown modality {other:?}"))),
    };
    let finding = match study.post.as_deref() {
        None | Some("NE") => None,
        Some("none") => Some(SiteFinding::Gone),
        Some("residual_decreased" | "decreased" | "residual") => Some(SiteFinding::Less),
        Some("unchanged") => Some(SiteFinding::Unchanged),
        Some("increased") => Some(SiteFinding::More),
        Some(other) => return Err(bad(CATEGORY, &format!("unknown finding {other:?}"))),
    };
    Ok(SiteStudy { kind, days_after: study.days_post, finding })
}

pub(super) fn enhancement(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "narayanan2024_response";
    check_options(case, CATEGORY, &["ct_mr_min_d", "pet_min_d", "same_day"])?;
    let mut table = EnhancementTable::built_in(CATEGORY).map_err(|error| bad(CATEGORY, &error))?;
    let rules = &mut table.rules;
    for (key, value) in case.options.as_object().into_iter().flatten() {
        match key.as_str() {
            "ct_mr_min_d" => rules.ct_mr_min_days.value = read(CATEGORY, value)?,
            "pet_min_d" => rules.pet_min_days.value = read(CATEGORY, value)?,
            _ => rules.same_day.value = read(CATEGORY, value)?,
        }
    }
    let sites: Vec<TreatedSite> = read(CATEGORY, &case.input["lesions"])?;
    let mut responses = Vec::new();
    for site in sites {
        let mut studies = site.studies;
        if let (Some(modality), Some(days_post)) = (site.modality, site.days_post) {
            studies.push(SiteStudyCase { post: site.post, modality, days_post });
        }
        let studies: Vec<SiteStudy> = studies.iter().map(site_study).collect::<Result<_, _>>()?;
        responses.push(enhancement_response(&studies, &table).response);
    }
    let n_evaluable = responses.iter().filter(|one| **one != TargetResponse::NotEvaluable).count();
    let responds = |one: &&TargetResponse| matches!(one, TargetResponse::Complete | TargetResponse::Partial);
    let n_responders = responses.iter().filter(responds).count();
    Ok(object(json!({ "response": responses, "responders": format!("{n_responders}/{n_evaluable} evaluable") })))
}
