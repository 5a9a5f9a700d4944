//! Response by FDG uptake on a patient's own PETs: EORTC, PERCIST, Lugano.
//!
//! A new lesion counts by PERCIST and Lugano when its uptake does: from the liver's 1.5 × mean + 2 SD on, and above the liver's
//! hottest voxel. By EORTC, which knows no reference, the leading criterion's new lesion counts. Likeness to the background is not
//! read: CMR by PERCIST is said where every lesion lies below the liver's mean. Glycolysis (TLG) by PERCIST is the sum over all lesions; a
//! lesion without a value leaves it out, and the sentence says so.

use super::scan::Scan;
use super::{FurtherInput, Judged};
use crate::cohort::PetReferenceRow;
use crate::criteria::change::{Limit, has_fallen, has_risen, signed_percent};
use crate::criteria::deauville::{Deauville, DeauvilleTable, LymphomaFinding, Uptake, UptakeChange, deauville, lugano};
use crate::criteria::eortc::{EortcInput, EortcTable, eortc};
use crate::criteria::metabolic::MetabolicResponse;
use crate::criteria::percist::{
    Finding, PercistInput, PercistTable, Reference, ScanConditions, is_measurable, percist, quality_faults,
};
use crate::criteria::reasoned::Reasoned;
use crate::evaluable::Evaluable;
use crate::exact::Exact;

/// By EORTC: SUVmax of the hottest lesion.
pub(super) fn by_eortc(input: &FurtherInput<'_>, table: &EortcTable) -> Vec<Judged> {
    let first = at(input, "suv_max", 0).and_then(|scan| scan.certain_hottest());
    let mut rows = vec![told_baseline(first.as_ref().map(|hottest| format!("hottest SUVmax {hottest}")))];
    for n in 1..input.leading.len() {
        let leading = &input.leading[n];
        let is_new = leading.new_lesion == "Y";
        let n_cycles = input.systemic.iter().filter(|date| **date <= leading.date).count() as u32;
        let scan = at(input, "suv_max", n);
        let hottest = scan.as_ref().ok().and_then(Scan::hottest);
        rows.push(match (&first, &scan, hottest) {
            (Err(reason), ..) => Judged::not(&format!("baseline: {reason}")),
            (_, Err(reason), _) if !is_new => Judged::not(reason),
            (_, Ok(scan), None) if !is_new => Judged::not(&scan.doubt().unwrap_or_default()),
            (Ok(before), scan, now) => {
                let finding = match (is_new, now) {
                    (true, _) => Finding::NewLesion,
                    (_, Some(Exact::ZERO)) => Finding::AllAtBackground,
                    _ => Finding::Uptake,
                };
                let pair = EortcInput {
                    baseline_suv: *before,
                    follow_up_suv: now.unwrap_or(*before),
                    n_cycles,
                    finding,
                    extent_mm: None,
                };
                unless_doubtful(eortc(&pair, table), scan.as_ref().ok().and_then(Scan::doubt))
            }
        });
    }
    rows
}

/// By PERCIST: SULpeak of the hottest lesion, on scans that may be compared.
pub(super) fn by_percist(input: &FurtherInput<'_>, table: &PercistTable) -> Vec<Judged> {
    let first = percist_baseline(input, table);
    let mut rows = vec![told_baseline(first.as_ref().map(|(_, _, why)| why.clone()))];
    for n in 1..input.leading.len() {
        rows.push(match (&first, at(input, "sul_peak", n)) {
            (Err(reason), _) => Judged::not(&format!("baseline: {reason}")),
            (_, Err(reason)) => Judged::not(&reason),
            (Ok((before, hottest, _)), Ok(now)) => {
                percist_pair(before, *hottest, &now, glycolysis(input, table, n), table)
            }
        });
    }
    rows
}

/// The baseline scan with its hottest lesion, if that is measurable, and the sentence that says so.
fn percist_baseline<'a>(input: &FurtherInput<'a>, table: &PercistTable) -> Result<(Scan<'a>, Exact, String), String> {
    let scan = at(input, "sul_peak", 0)?;
    let hottest = scan.certain_hottest()?;
    let liver = liver_sul(scan.pet)?;
    let told = is_measurable(hottest, Reference::Liver { mean: liver.mean, sd: liver.sd }, table);
    if told.response { Ok((scan, hottest, told.why)) } else { Err(format!("not measurable by PERCIST: {}", told.why)) }
}

/// Total lesion glycolysis at baseline and at the nth visit, SUL·ml; why there is none.
fn glycolysis(input: &FurtherInput<'_>, table: &PercistTable, n: usize) -> Result<(Exact, Exact), String> {
    let quantity = format!("tlg_{}", table.rules.tlg_threshold.value.code());
    let total = |n: usize| {
        let scan = at(input, &quantity, n)?;
        let ratio = scan.pet.sul_per_suv.ok_or_else(|| format!("no SUL: {}", scan.pet.sul_reason))?;
        Exact::from_image(scan.total()?.to_f64() * ratio).ok_or_else(|| "glycolysis out of range".to_owned())
    };
    let before = total(0).map_err(|reason| format!("baseline: {reason}"))?;
    if before == Exact::ZERO {
        let words = table.rules.tlg_threshold.value.words();
        return Err(format!("baseline: no voxel from {words} on"));
    }
    Ok((before, total(n)?))
}

fn percist_pair(
    before: &Scan<'_>,
    hottest: Exact,
    now: &Scan<'_>,
    tlg: Result<(Exact, Exact), String>,
    table: &PercistTable,
) -> Judged {
    let liver = liver_sul(now.pet);
    let avid = liver.as_ref().ok().and_then(|liver| now.new_from(liver.measurable_from(table)));
    let (known, compared) = (now.hottest(), comparable(before.pet, now.pet, table));
    let follow_up_sul_peak = match (known, compared) {
        (_, Err(reason)) => Evaluable::not(reason),
        (None, _) => Evaluable::not(now.doubt().unwrap_or_default()),
        (Some(value), Ok(())) => Evaluable::Value(value),
    };
    let finding = match (&avid, &liver) {
        (Some(_), _) => Finding::NewLesion,
        (None, Ok(liver)) if now.all_below(liver.mean) => Finding::AllAtBackground,
        _ => Finding::Uptake,
    };
    let not_followed = tlg.as_ref().err().map(|reason| format!("; glycolysis not followed: {reason}"));
    let input = PercistInput { baseline_sul_peak: hottest, follow_up_sul_peak, finding, tlg: tlg.ok() };
    let mut told = percist(&input, table);
    if let Some((id, value)) = avid {
        told.why = format!("new lesion {id} with SULpeak {value}: PMD");
    }
    if let (MetabolicResponse::Complete, Ok(liver)) = (told.response, &liver) {
        told.why = format!(
            "every lesion below the liver's mean SUL {}; likeness to the background is not read: CMR",
            liver.mean
        );
    }
    if !matches!(told.response, MetabolicResponse::Progressive | MetabolicResponse::NotEvaluable) {
        told.why.extend(not_followed);
    }
    unless_doubtful(told, now.doubt())
}

/// By Lugano: the Deauville score of the hottest lesion, and its change.
pub(super) fn by_lugano(input: &FurtherInput<'_>, table: &DeauvilleTable) -> Vec<Judged> {
    let first = at(input, "suv_max", 0).and_then(|scan| {
        let hottest = scan.certain_hottest()?;
        let told = deauville(&uptake(hottest, liver_max(scan.pet)?, LymphomaFinding::Known), table);
        Ok((hottest, told.why))
    });
    let mut rows = vec![told_baseline(first.as_ref().map(|(_, why)| why.clone()))];
    for n in 1..input.leading.len() {
        rows.push(match (&first, at(input, "suv_max", n)) {
            (Err(reason), _) => Judged::not(&format!("baseline: {reason}")),
            (_, Err(reason)) => Judged::not(&reason),
            (Ok((before, _)), Ok(now)) => lugano_pair(*before, &now, table),
        });
    }
    rows
}

fn lugano_pair(before: Exact, now: &Scan<'_>, table: &DeauvilleTable) -> Judged {
    let liver = match liver_max(now.pet) {
        Ok(liver) => liver,
        Err(reason) => return Judged::not(&reason),
    };
    let Some(hottest) = now.hottest() else { return Judged::not(&now.doubt().unwrap_or_default()) };
    let new = now.new_from(liver).filter(|(_, value)| *value > liver);
    let finding = if new.is_some() { LymphomaFinding::NewLesion } else { LymphomaFinding::Known };
    let scored = deauville(&uptake(hottest, liver, finding), table);
    let percent = table.rules.uptake_change_percent.value;
    let change = if new.is_some() || has_risen(hottest, before, percent, Limit::AtLeast) {
        UptakeChange::Increased
    } else if has_fallen(hottest, before, percent, Limit::AtLeast) {
        UptakeChange::Decreased
    } else {
        UptakeChange::Unchanged
    };
    let class = lugano(scored.response, change);
    let why = match new {
        Some((id, value)) => format!("new lesion {id} with SUVmax {value} > liver {liver}: Deauville 5, {class}"),
        None => format!(
            "Deauville by {}; against baseline {before} {} (limit {percent} %): {class}",
            scored.why,
            signed_percent(hottest, before)
        ),
    };
    let judged = unless_doubtful(Reasoned { response: class, why, flips_if: String::new() }, now.doubt());
    match scored.response {
        Deauville::Score(score) if judged.response != "NE" => Judged { target: format!("Deauville {score}"), ..judged },
        _ => judged,
    }
}

fn uptake(hottest: Exact, liver: Exact, finding: LymphomaFinding) -> Uptake {
    let lesion = (hottest > Exact::ZERO).then_some(hottest);
    Uptake { lesion, mediastinum: None, liver, finding }
}

/// The scan of the nth visit of the leading criterion.
fn at<'a>(input: &FurtherInput<'a>, quantity: &str, n: usize) -> Result<Scan<'a>, String> {
    Scan::of(input, quantity, input.leading[n].visit)
}

fn told_baseline(why: Result<String, &String>) -> Judged {
    Judged::baseline(match why {
        Ok(why) => format!("baseline: {why}"),
        Err(reason) => format!("baseline not evaluable: {reason}"),
    })
}

/// A lesion without a value can only be hotter: progression stands, everything else falls.
fn unless_doubtful(told: Reasoned<MetabolicResponse>, doubt: Option<String>) -> Judged {
    match doubt {
        Some(doubt) if told.response != MetabolicResponse::Progressive => Judged::not(&doubt),
        _ => Judged::new(told.response.as_str(), told.why, told.flips_if),
    }
}

/// The liver's uptake by lean body mass.
struct LiverSul {
    mean: Exact,
    sd: Exact,
}

impl LiverSul {
    /// From this SULpeak on a lesion is measurable, rounded up to a millionth.
    fn measurable_from(&self, table: &PercistTable) -> Exact {
        let product = |a: Exact, b: Exact| i128::from(a.millionths()) * i128::from(b.millionths());
        let rules = &table.rules;
        let limit = product(rules.liver_factor.value, self.mean) + product(rules.liver_sd_factor.value, self.sd);
        Exact::from_millionths(((limit + 999_999) / 1_000_000) as i64)
    }
}

fn liver_sul(pet: &PetReferenceRow) -> Result<LiverSul, String> {
    let (Some(mean), Some(sd)) = (pet.mean, pet.sd) else { return Err(format!("no liver reference: {}", pet.reason)) };
    let Some(ratio) = pet.sul_per_suv else { return Err(format!("no SUL: {}", pet.sul_reason)) };
    let rounded = |value: f64| millionths((value * 1e4).round() / 1e4);
    Ok(LiverSul { mean: rounded(mean * ratio), sd: rounded(sd * ratio) })
}

fn liver_max(pet: &PetReferenceRow) -> Result<Exact, String> {
    pet.max.map(millionths).ok_or_else(|| format!("no liver reference: {}", pet.reason))
}

fn millionths(value: f64) -> Exact {
    Exact::from_millionths((value * 1e6).round_ties_even() as i64)
}

/// Why two PETs must not be compared by PERCIST.
fn comparable(before: &PetReferenceRow, now: &PetReferenceRow, table: &PercistTable) -> Result<(), String> {
    let conditions = |pet: &PetReferenceRow| {
        let liver_sul = liver_sul(pet)?.mean;
        let minutes = pet.uptake_min.ok_or_else(|| format!("time from injection to scan: {}", pet.uptake_reason))?;
        Ok::<_, String>(ScanConditions { liver_sul, uptake_min: millionths(minutes) })
    };
    let mut faults = quality_faults(conditions(before)?, conditions(now)?, table);
    if !before.scanner.is_empty() && !now.scanner.is_empty() && before.scanner != now.scanner {
        faults.push(format!("another scanner ({}, then {})", before.scanner, now.scanner));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

#[cfg(test)]
mod tests;
