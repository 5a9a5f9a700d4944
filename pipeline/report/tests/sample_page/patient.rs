//! Five visits, three lesions, one ablation, one local progression, and notes.

use lesiontrace_report::{
    Covariate, CriterionInfo, FollowUpEnd, FollowUpEndKind, MarginMap, PatientPage, Quality, RegistrationQuality,
    Review, ReviewLesion, ReviewVisit, SeriesUsed, Treatment, Verdict, Visit,
};
use oncology::marker::{Marker, MarkerReading};
use oncology::reads::{Outcome, ReadRow};
use oncology::{AssessmentRow, EndpointRow, EventRow, LesionRow, MarginRow};

use crate::image::{Scene, chequered, key_image};

#[path = "made.rs"]
mod made;
#[path = "sizes.rs"]
mod sizes;

const ID: &str = "HCC-0042";
const DATES: [(&str, i64, &str); 5] = [
    ("2024-01-10", 0, "baseline"),
    ("2024-02-28", 49, "control after ablation"),
    ("2024-05-22", 133, "follow-up 2"),
    ("2024-08-21", 224, "follow-up 3"),
    ("2024-11-27", 322, "follow-up 4"),
];

fn text(text: &str) -> String {
    text.to_owned()
}

pub(crate) fn criteria() -> Vec<CriterionInfo> {
    vec![
        CriterionInfo {
            id: text("recist_1_1"),
            title: text("RECIST 1.1"),
            response_percent: Some(-30.0),
            progression_percent: Some(20.0),
        },
        CriterionInfo {
            id: text("mrecist"),
            title: text("mRECIST"),
            response_percent: Some(-30.0),
            progression_percent: Some(20.0),
        },
    ]
}

fn visits() -> Vec<Visit> {
    let quality = |quality, residual_mm, reasons: &[&str]| {
        let reasons = reasons.iter().map(|r| text(r)).collect();
        let figures = vec![Covariate { name: text("error when started from elsewhere, mean"), value: text("0.8 mm") }];
        Some(RegistrationQuality { quality, residual_mm, reasons, figures, pictures: vec![chequered()] })
    };
    let registrations = [
        None,
        quality(Quality::Pass, Some(1.6), &[]),
        quality(Quality::Pass, Some(1.9), &[]),
        quality(
            Quality::Review,
            Some(4.2),
            &["the liver dome moved 11 mm between breath-holds; margins within 4 mm of it are uncertain"],
        ),
        quality(Quality::Pass, Some(2.1), &[]),
    ];
    DATES
        .iter()
        .zip(registrations)
        .map(|(&(date, study_day, label), registration)| Visit {
            id: date.parse().unwrap(),
            study_day,
            label: text(label),
            not_assessed: String::new(),
            series: vec![
                SeriesUsed {
                    role: text("ct_arterial"),
                    description: text("ABD ART 2.0"),
                    spacing: text("0.74 × 0.74 × 2 mm"),
                },
                SeriesUsed {
                    role: text("ct_portal_venous"),
                    description: text("ABD PV 2.0"),
                    spacing: text("0.74 × 0.74 × 2 mm"),
                },
            ],
            registration,
        })
        .collect()
}

fn lesion(id: &str, role: &str, first: usize, state: &str) -> LesionRow {
    LesionRow {
        patient_id: text(ID),
        lesion_id: text(id),
        tracking_uid: format!("2.25.1{}", &id[1..]),
        organ: text("liver"),
        kind: text("lesion"),
        role: text(role),
        first_seen_date: DATES[first].0.parse().unwrap(),
        state: text(state),
        x_mm: -62.0,
        y_mm: -14.5,
        z_mm: 118.0,
        source: text("reader"),
        first_seen_visit: DATES[first].0.parse().unwrap(),
    }
}

struct Said<'a> {
    criterion: &'a str,
    visit: usize,
    sums: [Option<f64>; 3],
    parts: [&'a str; 4],
    why: &'a str,
    flips_if: &'a str,
    changed: &'a [&'a str],
}

fn verdict(said: &Said<'_>) -> Verdict {
    let (date, study_day, _) = DATES[said.visit];
    let [target, non_target, new_lesion, overall] = said.parts.map(text);
    let row = AssessmentRow {
        patient_id: text(ID),
        criterion: text(said.criterion),
        date: date.parse().unwrap(),
        study_day,
        sum_mm: said.sums[0],
        baseline_mm: said.sums[1],
        nadir_mm: said.sums[2],
        target,
        non_target,
        new_lesion,
        overall,
        why: text(said.why),
        flips_if: text(said.flips_if),
        ablated_target: text("viable"),
        next_target: String::new(),
        next_target_mm: None,
        sum_half_width_mm: None,
        within_error: None,
        over_selections: String::new(),
        n_selections: None,
        non_target_seen: None,
        visit: date.parse().unwrap(),
    };
    let confidence_lowered_by =
        if row.overall == "NE" { vec![text("registration needs a look: the dome moved")] } else { vec![] };
    Verdict { row, what_changed: said.changed.iter().map(|change| text(change)).collect(), confidence_lowered_by }
}

fn verdicts() -> Vec<Verdict> {
    let mut all = Vec::new();
    for criterion in ["recist_1_1", "mrecist"] {
        all.push(verdict(&Said {
            criterion,
            visit: 0,
            sums: [Some(48.0), Some(48.0), None],
            parts: ["BASELINE", "BASELINE", "N", "BASELINE"],
            why: "Baseline: two target lesions, sum 48.0 mm.",
            flips_if: "",
            changed: &[],
        }));
        all.push(verdict(&Said { criterion, visit: 1, sums: [Some(18.9), Some(48.0), Some(48.0)], parts: ["PR", "NA", "N", "PR"], why: "Sum 18.9 mm is 60.6 % below baseline (48.0 mm): at least 30 % is a partial response. L1 is an ablation zone without viable tumour and counts 0.", flips_if: "the sum were above 33.6 mm (+14.7 mm)", changed: &["L1 ablated 2024-01-31"] }));
        all.push(verdict(&Said {
            criterion,
            visit: 2,
            sums: [Some(16.2), Some(48.0), Some(18.9)],
            parts: ["PR", "NA", "N", "PR"],
            why: "Sum 16.2 mm is 66.3 % below baseline (48.0 mm).",
            flips_if: "the sum were above 33.6 mm (+17.4 mm)",
            changed: &["L2 2.7 mm smaller"],
        }));
        all.push(verdict(&Said { criterion, visit: 3, sums: [None, Some(48.0), Some(16.2)], parts: ["NE", "NA", if criterion == "mrecist" { "E" } else { "N" }, "NE"], why: "Not evaluable, because target L2 was not measured (motion). A progression was not shown: no new lesion of 10 mm or more.", flips_if: "L2 were measured: above 21.2 mm progression, else partial response", changed: &["L3 first seen, 9.2 mm, equivocal"] }));
    }
    all.push(verdict(&Said { criterion: "recist_1_1", visit: 4, sums: [Some(35.1), Some(48.0), Some(16.2)], parts: ["PD", "NA", "Y", "PD"], why: "Sum 35.1 mm is 116.7 % and 18.9 mm above the nadir (16.2 mm): at least 20 % and 5 mm is progression. L3 (14.1 mm) is a new lesion, which alone is progression too.", flips_if: "the sum were below 21.2 mm (−13.9 mm) and L3 were not a new lesion", changed: &["viable tumour of 13.8 mm at the zone of L1", "L3 grew from 9.2 to 14.1 mm"] }));
    all.push(verdict(&Said { criterion: "mrecist", visit: 4, sums: [Some(35.1), Some(48.0), Some(16.2)], parts: ["PD", "NA", "Y", "PD"], why: "Sum of viable diameters 35.1 mm is 116.7 % above the nadir (16.2 mm); L3 shows the typical pattern and is a new lesion of 10 mm or more.", flips_if: "the sum were below 19.44 mm and L3 were not a new lesion", changed: &["viable tumour of 13.8 mm at the zone of L1"] }));
    all
}

fn margin() -> MarginRow {
    MarginRow {
        patient_id: text(ID),
        lesion_id: text("L1"),
        treatment_date: "2024-01-31".parse().unwrap(),
        study_date: DATES[1].0.parse().unwrap(),
        min_margin_mm: Some(-1.4),
        low_mm: Some(-3.6),
        high_mm: Some(0.8),
        p5_mm: Some(0.7),
        frac_lt0: Some(0.021),
        frac_0_5: Some(0.366),
        frac_5_10: Some(0.521),
        frac_ge10: Some(0.092),
        excluded_capsule_fraction: Some(0.06),
        verdict: text("inadequate"),
        reasons: text(
            "the upper end of the interval, 0.8 mm, is not above 5 mm; thinnest at the cranial and lateral border",
        ),
        tumour_coverage: Some(0.994),
        histogram_counts: text(
            "0 0 0 0 0 0 0 0 0 0 0 0 0 12 30 64 98 170 204 198 240 302 312 260 214 160 92 60 24 8 0 0",
        ),
        tumour_visit: DATES[0].0.parse().unwrap(),
        zone_visit: DATES[1].0.parse().unwrap(),
        p1_mm: Some(-0.3),
        p10_mm: Some(1.6),
        p50_mm: Some(6.1),
        residual_mm3: Some(84.0),
        residual_fraction: Some(0.006),
        thinnest_direction: text("right cranial"),
        residual_direction: String::new(),
    }
}

/// Thin towards the head and the right.
fn margin_map() -> MarginMap {
    let (n_rings, n_sectors) = (6, 24);
    let mut smallest_mm = Vec::new();
    for half in 0..2 {
        for ring in 0..n_rings {
            for sector in 0..n_sectors {
                let towards = (f64::from(sector - 12) / 24.0 * std::f64::consts::TAU).cos();
                let margin = 6.0 + 6.0 * f64::from(half) - 7.5 * towards * f64::from(ring) / 5.0;
                smallest_mm.push((half == 0 || sector % 9 != 0).then_some(margin));
            }
        }
    }
    MarginMap {
        lesion_id: text("L1"),
        treatment_date: "2024-01-31".parse().unwrap(),
        n_rings: 6,
        n_sectors: 24,
        smallest_mm,
        thinnest: Some([-1.0, 0.0, 0.1]),
        thinnest_words: text("towards the right"),
    }
}

fn event(date: &str, event: &str, class: &str, lesion: &str) -> EventRow {
    EventRow {
        patient_id: text(ID),
        lesion_id: text(lesion),
        date: date.parse().unwrap(),
        event: text(event),
        class: text(class),
        cause: String::new(),
        cycle: Some(1),
        interval_low_date: None,
        needs_review: false,
        why: String::new(),
        distance_mm: None,
        distance_low_mm: None,
        distance_high_mm: None,
        rule_mm: None,
        other_class: String::new(),
    }
}

fn events() -> Vec<EventRow> {
    let low = |visit: usize| Some(DATES[visit].0.parse().unwrap());
    vec![
        EventRow {
            why: text("no viable tumour in or at the zone on the first control"),
            ..event("2024-02-28", "complete_ablation", "", "L1")
        },
        EventRow {
            cause: text("new"),
            interval_low_date: low(2),
            needs_review: true,
            why: text("9.2 mm, 31 mm from the nearest zone, washout not certain at this size"),
            ..event("2024-08-21", "progression", "distant_intrahepatic", "L3")
        },
        EventRow {
            cause: text("focus_at_zone"),
            interval_low_date: low(3),
            why: text("viable focus of 13.8 mm touching the zone of L1 after complete ablation had been documented"),
            ..event("2024-11-27", "progression", "local", "L1")
        },
    ]
}

fn endpoint(name: &str, unit: &str, end: &str, days: i64, cause: &str, censored: &str) -> EndpointRow {
    EndpointRow {
        patient_id: text(ID),
        unit_id: text(unit),
        endpoint: text(name),
        origin_date: "2024-01-31".parse().unwrap(),
        end_date: end.parse().unwrap(),
        days,
        months: days as f64 / 30.4375,
        event: u8::from(!cause.is_empty()),
        cause: text(cause),
        competing: String::new(),
        censor_reason: text(censored),
        interval_low_date: None,
    }
}

fn images() -> Vec<lesiontrace_report::KeyImage> {
    sizes::SIZES
        .iter()
        .enumerate()
        .map(|(index, &(lesion_id, visit, long_mm, short_mm, _, state, viable))| {
            let zone = state != "present";
            let caption = if let Some(viable) = viable.filter(|viable| *viable > 0.0) {
                format!("zone {long_mm} × {short_mm} mm, viable {viable} mm")
            } else if zone {
                format!("zone {long_mm} × {short_mm} mm, no viable tumour")
            } else {
                format!("{long_mm} × {short_mm} mm, portal venous")
            };
            key_image(&Scene {
                lesion_id,
                date: DATES[visit].0,
                caption: &caption,
                long_mm: if zone { 0.0 } else { long_mm },
                short_mm: if zone { 0.0 } else { short_mm },
                tilt: 0.45,
                zone_mm: zone.then_some(long_mm),
                viable_mm: viable.filter(|viable| *viable > 0.0),
                seed: index as u32,
            })
        })
        .collect()
}

fn review() -> Review {
    let lesion = |id: &str, role: &str| ReviewLesion {
        lesion_id: text(id),
        tracking_uid: format!("2.25.{}", id.len()),
        role: text(role),
        kind: text("lesion"),
        in_doubt: false,
        based_on: text("00d1e5f2a3b4c5d6"),
        visits: visits()
            .iter()
            .map(|visit| ReviewVisit {
                visit: visit.id,
                state: text("present"),
                based_on: text("11d1e5f2a3b4c5d6"),
                long_axis: text("23.10 mm (1.00 2.00 3.00; 24.10 2.00 3.00)"),
                short_axis: String::new(),
                is_seen: true,
            })
            .collect(),
    };
    let read = ReadRow {
        patient_id: text(ID),
        lesion_id: text("L2"),
        item: text("role"),
        value: text("non_target"),
        reader: text("Reader A"),
        read_at: text("2025-01-20T10:00:00Z"),
        comment: text("cystic"),
        old: text("target"),
        outcome: Outcome::Applied,
        ..ReadRow::default()
    };
    Review { lesions: vec![lesion("L1", "target"), lesion("L2", "target")], reads: vec![read] }
}

fn afp(day: &str, value: &str) -> MarkerReading {
    MarkerReading {
        marker: Marker::Afp,
        date: day.parse().unwrap(),
        value: value.parse().unwrap(),
        unit: text("ng/mL"),
        upper_limit: "10".parse().unwrap(),
    }
}

pub(crate) fn page() -> PatientPage {
    let covariate = |name: &str, value: &str| Covariate { name: text(name), value: text(value) };
    PatientPage {
        patient_id: text(ID),
        diagnosis: text("Hepatocellular carcinoma, BCLC A, on cirrhosis"),
        covariates: vec![
            covariate("Age", "60–69"),
            covariate("Child-Pugh", "A6"),
            covariate("AFP at baseline", "84 ng/mL"),
        ],
        criteria: criteria(),
        visits: visits(),
        earlier_visits: Vec::new(),
        treatments: vec![Treatment {
            date: "2024-01-31".parse().unwrap(),
            study_day: 21,
            cycle: Some(1),
            modality: text("MWA"),
            target_lesions: vec![text("L1")],
            complication_grade: text("CTCAE 1"),
        }],
        markers: [("2024-01-10", "84"), ("2024-05-22", "8"), ("2024-11-27", "61")]
            .map(|(day, value)| afp(day, value))
            .to_vec(),
        follow_up_end: Some(FollowUpEnd {
            date: "2025-01-15".parse().unwrap(),
            study_day: 371,
            kind: FollowUpEndKind::LastContact,
            detail: text("outpatient visit"),
        }),
        verdicts: verdicts(),
        lesions: vec![
            lesion("L1", "target", 0, "local_progression"),
            lesion("L2", "target", 0, "present"),
            lesion("L3", "new", 3, "present"),
        ],
        measurements: sizes::measurements(),
        margins: vec![margin()],
        margin_maps: vec![margin_map()],
        margin_threshold_mm: Some(5.0),
        events: events(),
        endpoints: vec![
            endpoint("OS", ID, "2025-01-15", 350, "", "alive at last contact"),
            endpoint("PFS", ID, "2024-11-27", 301, "progression", ""),
            endpoint("LTPFS", "L1", "2024-11-27", 301, "local progression", ""),
        ],
        key_images: images(),
        review: Some(review()),
        notes: made::notes(),
        methods: made::methods(),
        provenance: made::provenance(),
        run: made::run(),
    }
}
