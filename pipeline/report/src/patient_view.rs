//! A patient's page as the template reads it: words, badges and drawings in the order of the page.

use oncology::{AssessmentRow, MarginRow};
use serde::Serialize;

use crate::doubts::{Doubt, NoteGroup, doubts, doubts_title, note_groups};
use crate::error::{ReportError, finite};
use crate::figure::{MarginHistogram, SpiderLine, SpiderPlot, margin_histogram, spider, timeline};
use crate::lesion_table::{LesionLine, lesion_lines};
use crate::numerals::{change_percent, fixed, mm, share, signed_mm, signed_percent};
use crate::patient_page::{Covariate, CriterionInfo, FollowUpEnd, FollowUpEndKind, PatientPage, Quality, Verdict};
use crate::provenance::{Provenance, RunBlock};
use crate::strip::{Strips, strips};
use crate::wording::{badge, counted, response, tone, words};

/// What the template `patient.html` reads.
#[derive(Serialize)]
pub(crate) struct PatientView<'a> {
    patient_id: &'a str,
    diagnosis: &'a str,
    covariates: &'a [Covariate],
    span: String,
    end: String,
    headlines: Vec<Headline>,
    doubts_title: String,
    doubts: Vec<Doubt>,
    timeline_svg: String,
    strips: Option<Strips>,
    criteria: Vec<String>,
    visits: Vec<VisitLine>,
    spiders: Vec<Drawing>,
    lesions: Vec<LesionLine>,
    margins: Vec<MarginView>,
    events: Vec<EventLine>,
    endpoints: Vec<EndpointLine>,
    treatments: Vec<TreatmentLine>,
    notes: Vec<NoteGroup>,
    methods: &'a [String],
    provenance: &'a Provenance,
    run: &'a RunBlock,
}

#[derive(Serialize)]
struct Headline {
    criterion: String,
    date: String,
    study_day: i64,
    box_: VerdictBox,
    prior: Option<Badge>,
}

#[derive(Serialize)]
struct Badge {
    code: String,
    class: &'static str,
    date: String,
}

#[derive(Serialize)]
struct VerdictBox {
    code: String,
    words: String,
    class: &'static str,
    sum: String,
    changes: Vec<String>,
    parts: String,
    why: String,
    flips_if: String,
    what_changed: Vec<String>,
    ablated: String,
}

#[derive(Serialize)]
struct VisitLine {
    date: String,
    study_day: i64,
    label: String,
    /// Parallel to the criteria.
    boxes: Vec<Option<VerdictBox>>,
    series: Vec<String>,
    quality: String,
    quality_class: &'static str,
    residual: String,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct Drawing {
    title: String,
    svg: String,
}

#[derive(Serialize)]
struct MarginView {
    lesion_id: String,
    treatment_date: String,
    study_date: String,
    minimum: String,
    interval: String,
    p5: String,
    bands: Vec<Band>,
    coverage: String,
    excluded: String,
    verdict: String,
    class: &'static str,
    reasons: String,
    histogram_svg: Option<String>,
}

#[derive(Serialize)]
struct Band {
    name: &'static str,
    share: String,
    class: &'static str,
}

#[derive(Serialize)]
struct EventLine {
    date: String,
    what: String,
    lesion_id: String,
    cause: String,
    cycle: String,
    free_until: String,
    needs_review: bool,
    why: String,
}

#[derive(Serialize)]
struct EndpointLine {
    endpoint: String,
    unit_id: String,
    origin: String,
    end: String,
    days: i64,
    months: String,
    outcome: String,
    event: bool,
    detail: String,
}

#[derive(Serialize)]
struct TreatmentLine {
    date: String,
    study_day: i64,
    modality: String,
    cycle: String,
    targets: String,
    complication: String,
}

/// Shapes a page for its template; refuses numbers that are none and images that do not fit.
pub(crate) fn patient_view(page: &PatientPage) -> Result<PatientView<'_>, ReportError> {
    page.verdicts.iter().try_for_each(check_sums)?;
    let doubts = doubts(page);
    Ok(PatientView {
        patient_id: &page.patient_id,
        diagnosis: &page.diagnosis,
        covariates: &page.covariates,
        span: span(page),
        end: page.follow_up_end.as_ref().map_or_else(|| "end of follow-up not stated".to_owned(), end),
        headlines: criteria(page).iter().filter_map(|criterion| headline(page, criterion)).collect(),
        doubts_title: doubts_title(doubts.len()),
        doubts,
        timeline_svg: timeline(page),
        strips: strips(page)?,
        criteria: criteria(page).into_iter().map(|criterion| criterion.title).collect(),
        visits: visit_lines(page)?,
        spiders: criteria(page).iter().filter_map(|criterion| sum_over_time(page, criterion)).collect(),
        lesions: lesion_lines(page)?,
        margins: page.margins.iter().map(|row| margin(row, page.margin_threshold_mm)).collect::<Result<_, _>>()?,
        events: event_lines(page),
        endpoints: endpoint_lines(page)?,
        treatments: treatment_lines(page),
        notes: note_groups(&page.notes),
        methods: &page.methods,
        provenance: &page.provenance,
        run: &page.run,
    })
}

fn check_sums(verdict: &Verdict) -> Result<(), ReportError> {
    let row = &verdict.row;
    for value in [row.sum_mm, row.baseline_mm, row.nadir_mm].into_iter().flatten() {
        finite(value, "sum of diameters", &format!("{} at {}", row.criterion, row.date))?;
    }
    Ok(())
}

/// Criteria named by the page, then those only its verdicts name: no verdict is left out.
fn criteria(page: &PatientPage) -> Vec<CriterionInfo> {
    let mut criteria = page.criteria.clone();
    for verdict in &page.verdicts {
        let id = &verdict.row.criterion;
        if criteria.iter().all(|criterion| criterion.id != *id) {
            criteria.push(CriterionInfo {
                id: id.clone(),
                title: id.clone(),
                response_percent: None,
                progression_percent: None,
            });
        }
    }
    criteria
}

fn span(page: &PatientPage) -> String {
    let visits = counted(page.visits.len(), "imaging visit", "imaging visits");
    match (page.visits.first(), page.visits.last()) {
        (Some(first), Some(last)) if page.visits.len() > 1 => format!("{visits}, {} to {}", first.date, last.date),
        (Some(only), _) => format!("{visits}, {}", only.date),
        _ => visits,
    }
}

fn end(end: &FollowUpEnd) -> String {
    let what = match end.kind {
        FollowUpEndKind::Death => "died",
        FollowUpEndKind::LastContact => "last known alive",
        FollowUpEndKind::Censored => "observation ended",
    };
    let detail = if end.detail.is_empty() { String::new() } else { format!(", {}", end.detail) };
    format!("{what} {} (day {}){detail}", end.date, end.study_day)
}

fn verdicts_of<'a>(page: &'a PatientPage, criterion: &str) -> Vec<&'a Verdict> {
    page.verdicts.iter().filter(|verdict| verdict.row.criterion == criterion).collect()
}

fn headline(page: &PatientPage, criterion: &CriterionInfo) -> Option<Headline> {
    let verdicts = verdicts_of(page, &criterion.id);
    let latest = verdicts.iter().max_by_key(|verdict| verdict.row.date)?;
    let prior =
        verdicts.iter().filter(|verdict| verdict.row.date < latest.row.date).max_by_key(|verdict| verdict.row.date);
    Some(Headline {
        criterion: criterion.title.clone(),
        date: latest.row.date.to_string(),
        study_day: latest.row.study_day,
        box_: verdict_box(latest),
        prior: prior.map(|verdict| Badge {
            code: badge(&verdict.row.overall),
            class: tone(&verdict.row.overall).class(),
            date: verdict.row.date.to_string(),
        }),
    })
}

fn verdict_box(verdict: &Verdict) -> VerdictBox {
    let row = &verdict.row;
    VerdictBox {
        code: badge(&row.overall),
        words: response(&row.overall),
        class: tone(&row.overall).class(),
        sum: row.sum_mm.map_or_else(|| "no complete sum".to_owned(), |sum| format!("sum {} mm", mm(sum))),
        changes: sum_changes(row),
        parts: parts(row),
        why: row.why.clone(),
        flips_if: row.flips_if.clone(),
        what_changed: verdict.what_changed.clone(),
        ablated: if row.ablated_target.is_empty() {
            String::new()
        } else {
            format!("ablated targets counted as {}", words(&row.ablated_target))
        },
    }
}

fn sum_changes(row: &AssessmentRow) -> Vec<String> {
    let Some(sum) = row.sum_mm.filter(|_| row.overall != "BASELINE") else { return Vec::new() };
    let against = |reference: Option<f64>, name: &str| {
        let reference = reference?;
        let percent = change_percent(sum, reference)?;
        Some(format!(
            "{} ({} mm) from {name} {} mm",
            signed_percent(percent),
            signed_mm(sum - reference),
            mm(reference)
        ))
    };
    [against(row.baseline_mm, "baseline"), against(row.nadir_mm, "nadir")].into_iter().flatten().collect()
}

fn parts(row: &AssessmentRow) -> String {
    let new_lesion = match row.new_lesion.as_str() {
        "Y" => "new lesion: yes",
        "N" => "new lesion: no",
        "E" => "new lesion: equivocal",
        _ => "new lesion: not stated",
    };
    if row.overall == "BASELINE" {
        return String::new();
    }
    format!("target {}, non-target {}, {new_lesion}", badge(&row.target), badge(&row.non_target))
}

fn visit_lines(page: &PatientPage) -> Result<Vec<VisitLine>, ReportError> {
    let criteria = criteria(page);
    let line = |visit: &crate::patient_page::Visit| {
        let boxes = criteria.iter().map(|criterion| {
            let found = page.verdicts.iter().find(|v| v.row.criterion == criterion.id && v.row.date == visit.date);
            found.map(verdict_box)
        });
        let registration = visit.registration.as_ref();
        let residual = registration.and_then(|registration| registration.residual_mm);
        if let Some(residual) = residual {
            finite(residual, "residual registration error", &format!("visit {}", visit.date))?;
        }
        Ok(VisitLine {
            date: visit.date.to_string(),
            study_day: visit.study_day,
            label: visit.label.clone(),
            boxes: boxes.collect(),
            series: visit
                .series
                .iter()
                .map(|s| {
                    [words(&s.role), s.description.clone(), s.spacing.clone()]
                        .into_iter()
                        .filter(|part| !part.is_empty())
                        .collect::<Vec<_>>()
                        .join(" · ")
                })
                .collect(),
            quality: registration.map_or("reference", |registration| quality(registration.quality).0).to_owned(),
            quality_class: registration.map_or("neutral", |registration| quality(registration.quality).1),
            residual: residual.map_or_else(String::new, |residual| format!("{} mm", mm(residual))),
            reasons: registration.map_or_else(Vec::new, |registration| registration.reasons.clone()),
        })
    };
    page.visits.iter().map(line).collect()
}

fn quality(quality: Quality) -> (&'static str, &'static str) {
    match quality {
        Quality::Pass => ("pass", "response"),
        Quality::Review => ("review", "unconfirmed"),
        Quality::Fail => ("fail", "progression"),
    }
}

fn sum_over_time(page: &PatientPage, criterion: &CriterionInfo) -> Option<Drawing> {
    let mut rows: Vec<&AssessmentRow> =
        verdicts_of(page, &criterion.id).into_iter().map(|verdict| &verdict.row).collect();
    rows.sort_by_key(|row| row.date);
    let mut line = SpiderLine {
        name: page.patient_id.clone(),
        points: Vec::new(),
        responses: Vec::new(),
        progression: Vec::new(),
    };
    for row in rows {
        let day = row.study_day as f64;
        let Some(percent) = row.sum_mm.zip(row.baseline_mm).and_then(|(sum, baseline)| change_percent(sum, baseline))
        else {
            continue;
        };
        line.points.push([day, percent]);
        line.responses.push(badge(&row.overall));
        let above = criterion.progression_percent.zip(row.nadir_mm).zip(row.baseline_mm);
        let above = above.and_then(|((rise, nadir), baseline)| change_percent(nadir * (1.0 + rise / 100.0), baseline));
        line.progression.extend(above.map(|percent| [day, percent]));
    }
    let label = format!(
        "Sum of diameters by {} over time, in percent of baseline; the table beside it has the numbers",
        criterion.title
    );
    let plot = SpiderPlot {
        label,
        width: 600.0,
        response_percent: criterion.response_percent,
        progression_percent: criterion.progression_percent,
        lines: vec![line],
    };
    (plot.lines[0].points.len() > 1).then(|| Drawing { title: criterion.title.clone(), svg: spider(&plot) })
}

fn margin(row: &MarginRow, threshold_mm: Option<f64>) -> Result<MarginView, ReportError> {
    let subject = format!("{} treated on {}", row.lesion_id, row.treatment_date);
    for value in [row.min_margin_mm, row.low_mm, row.high_mm, row.p5_mm, threshold_mm].into_iter().flatten() {
        finite(value, "margin", &subject)?;
    }
    let fractions =
        [row.frac_lt0, row.frac_0_5, row.frac_5_10, row.frac_ge10, row.excluded_capsule_fraction, row.tumour_coverage];
    for value in fractions.into_iter().flatten() {
        finite(value, "share of the surface", &subject)?;
    }
    let none = || "not evaluable".to_owned();
    let bands = [
        ("below 0 mm", row.frac_lt0, "lt0"),
        ("0 to 5 mm", row.frac_0_5, "m0to5"),
        ("5 to 10 mm", row.frac_5_10, "m5to10"),
        ("10 mm and more", row.frac_ge10, "ge10"),
    ];
    Ok(MarginView {
        lesion_id: row.lesion_id.clone(),
        treatment_date: row.treatment_date.to_string(),
        study_date: row.study_date.to_string(),
        minimum: row.min_margin_mm.map_or_else(none, |value| format!("{} mm", mm(value))),
        interval: row
            .low_mm
            .zip(row.high_mm)
            .map_or_else(|| "interval unknown".to_owned(), |(low, high)| format!("{} to {} mm", mm(low), mm(high))),
        p5: row.p5_mm.map_or_else(none, |value| format!("{} mm", mm(value))),
        bands: bands
            .map(|(name, fraction, class)| Band { name, share: fraction.map_or_else(none, share), class })
            .into(),
        coverage: row.tumour_coverage.map_or_else(none, share),
        excluded: row.excluded_capsule_fraction.map_or_else(none, share),
        verdict: words(&row.verdict),
        class: margin_class(&row.verdict),
        reasons: row.reasons.clone(),
        histogram_svg: histogram(row, threshold_mm)?,
    })
}

fn margin_class(verdict: &str) -> &'static str {
    match verdict {
        "adequate" => "response",
        "inadequate" => "progression",
        "borderline" => "unconfirmed",
        _ => "not-evaluable",
    }
}

/// The row's counts: 1 mm bins from −15 mm, as the column says.
fn histogram(row: &MarginRow, threshold_mm: Option<f64>) -> Result<Option<String>, ReportError> {
    let counts: Option<Vec<u64>> = row.histogram_counts.split_whitespace().map(|word| word.parse().ok()).collect();
    let Some(counts) = counts else {
        let subject = format!("{} treated on {}", row.lesion_id, row.treatment_date);
        return Err(ReportError::Histogram { subject, found: row.histogram_counts.clone() });
    };
    let label = format!("Histogram of the margin around {}; the table beside it has the shares", row.lesion_id);
    let input =
        MarginHistogram { label, from_mm: -15.0, bin_mm: 1.0, counts, min_margin_mm: row.min_margin_mm, threshold_mm };
    Ok((input.counts.iter().sum::<u64>() > 0).then(|| margin_histogram(&input)))
}

fn event_lines(page: &PatientPage) -> Vec<EventLine> {
    page.events
        .iter()
        .map(|event| EventLine {
            date: event.date.to_string(),
            what: if event.class.is_empty() {
                words(&event.event)
            } else {
                format!("{}, {}", words(&event.event), words(&event.class))
            },
            lesion_id: event.lesion_id.clone(),
            cause: if event.cause.is_empty() { String::new() } else { words(&event.cause) },
            cycle: event.cycle.map_or_else(String::new, |cycle| cycle.to_string()),
            free_until: event.interval_low_date.map_or_else(String::new, |date| date.to_string()),
            needs_review: event.needs_review,
            why: event.why.clone(),
        })
        .collect()
}

fn endpoint_lines(page: &PatientPage) -> Result<Vec<EndpointLine>, ReportError> {
    let line = |row: &oncology::EndpointRow| {
        finite(row.months, "time in months", &format!("{} of {}", row.endpoint, row.unit_id))?;
        let parts = [words_or_empty(&row.cause), words_or_empty(&row.competing), row.censor_reason.clone()];
        Ok(EndpointLine {
            endpoint: row.endpoint.replace('_', " "),
            unit_id: row.unit_id.clone(),
            origin: row.origin_date.to_string(),
            end: row.end_date.to_string(),
            days: row.days,
            months: fixed(row.months, 1),
            outcome: if row.event == 1 { "event" } else { "censored" }.to_owned(),
            event: row.event == 1,
            detail: parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; "),
        })
    };
    page.endpoints.iter().map(line).collect()
}

fn words_or_empty(code: &str) -> String {
    if code.is_empty() { String::new() } else { words(code) }
}

fn treatment_lines(page: &PatientPage) -> Vec<TreatmentLine> {
    page.treatments
        .iter()
        .map(|treatment| TreatmentLine {
            date: treatment.date.to_string(),
            study_day: treatment.study_day,
            modality: treatment.modality.clone(),
            cycle: treatment.cycle.map_or_else(String::new, |cycle| cycle.to_string()),
            targets: treatment.target_lesions.join(", "),
            complication: treatment.complication_grade.clone(),
        })
        .collect()
}
