//! Six patients: two ablated well, one progressing, one not evaluable, one that failed.

use imaging::{Note, Severity};
use lesiontrace_report::{
    BestResponse, CohortPage, Component, Count, EndpointCurves, Flag, FlowStep, HazardRow, HazardTable, IncidenceCurve,
    IncidenceCurves, KmCurve, LandmarkRate, Leaving, LedgerRow, LocalOutcome, MarginOutcome, PatientLine, Provenance,
    QualityOverview, ResponseCount, ResponseTable, RunBlock, StudyTable, SumOverTime, SwimmerEnd, SwimmerLane,
    SwimmerMark, SwimmerSegment,
};
use oncology::Evaluable;

use crate::patient::criteria;

fn text(text: &str) -> String {
    text.to_owned()
}

struct Patient {
    id: &'static str,
    diagnosis: &'static str,
    best: [&'static str; 2],
    latest: [&'static str; 2],
    change: Option<f64>,
    points: &'static [[f64; 2]],
    segments: &'static [(i64, i64, &'static str)],
    treated: &'static [i64],
    progressed: &'static [i64],
    end: (i64, SwimmerEnd),
    margin: &'static str,
    doubts: u64,
}

const PATIENTS: [Patient; 6] = [
    Patient {
        id: "HCC-0042",
        diagnosis: "Hepatocellular carcinoma",
        best: ["PR", "PR"],
        latest: ["PD", "PD"],
        change: Some(-66.25),
        points: &[[0.0, 0.0], [49.0, -60.6], [133.0, -66.25], [322.0, -26.9]],
        segments: &[(49, 133, "PR"), (133, 224, "PR"), (224, 322, "NE"), (322, 371, "PD")],
        treated: &[21],
        progressed: &[224, 322],
        end: (371, SwimmerEnd::Ongoing),
        margin: "−1.4 mm, inadequate",
        doubts: 4,
    },
    Patient {
        id: "HCC-0043",
        diagnosis: "Hepatocellular carcinoma",
        best: ["CR", "CR"],
        latest: ["CR", "CR"],
        change: Some(-100.0),
        points: &[[0.0, 0.0], [42.0, -100.0], [140.0, -100.0], [410.0, -100.0]],
        segments: &[(42, 470, "CR")],
        treated: &[14],
        progressed: &[],
        end: (470, SwimmerEnd::Ongoing),
        margin: "5.8 mm, adequate",
        doubts: 0,
    },
    Patient {
        id: "CRLM-007",
        diagnosis: "Colorectal liver metastases",
        best: ["SD", "SD"],
        latest: ["PD", "PD"],
        change: Some(-12.4),
        points: &[[0.0, 0.0], [60.0, -12.4], [150.0, 3.0], [240.0, 24.8]],
        segments: &[(60, 240, "SD"), (240, 300, "PD")],
        treated: &[7, 160],
        progressed: &[240],
        end: (300, SwimmerEnd::Death),
        margin: "2.1 mm, borderline",
        doubts: 2,
    },
    Patient {
        id: "CRLM-011",
        diagnosis: "Colorectal liver metastases",
        best: ["PD", "PD"],
        latest: ["PD", "PD"],
        change: Some(31.5),
        points: &[[0.0, 0.0], [55.0, 31.5], [110.0, 58.0]],
        segments: &[(55, 190, "PD")],
        treated: &[10],
        progressed: &[55],
        end: (190, SwimmerEnd::Death),
        margin: "",
        doubts: 1,
    },
    Patient {
        id: "NET-003",
        diagnosis: "Neuroendocrine tumour",
        best: ["NE", "NE"],
        latest: ["NE", "NE"],
        change: None,
        points: &[],
        segments: &[(30, 120, "NE")],
        treated: &[],
        progressed: &[],
        end: (120, SwimmerEnd::Censored),
        margin: "",
        doubts: 3,
    },
    Patient {
        id: "ICC-001",
        diagnosis: "Intrahepatic cholangiocarcinoma",
        best: ["", ""],
        latest: ["", ""],
        change: None,
        points: &[],
        segments: &[],
        treated: &[],
        progressed: &[],
        end: (0, SwimmerEnd::Censored),
        margin: "",
        doubts: 0,
    },
];

fn responses(criterion: &str) -> ResponseTable {
    let count = |response: &str, n| ResponseCount { response: text(response), n };
    ResponseTable {
        criterion: text(criterion),
        n: 5,
        rows: vec![count("CR", 1), count("PR", 1), count("SD", 1), count("PD", 1), count("NE", 1)],
        summary: vec![text(
            "Objective response (CR or PR): 2 of 5, 40 % (95 % Clopper–Pearson interval 5 to 85 %). NE counts as no response.",
        )],
    }
}

fn curves() -> Vec<EndpointCurves> {
    let curve = |group: &str, median: Evaluable<f64>, n_risk: [u64; 4]| KmCurve {
        group: text(group),
        n: n_risk[0],
        events: 2,
        time: vec![6.2, 7.9, 9.9, 15.4],
        survival: vec![0.8, 0.6, 0.6, 0.6],
        lower: vec![Some(0.516), Some(0.293), Some(0.293), Some(0.293)],
        upper: vec![Some(1.0); 4],
        censored: vec![9.9, 15.4],
        n_risk: n_risk.to_vec(),
        last_time: 15.4,
        median,
        median_interval: [Some(6.2), None],
        landmarks: vec![
            LandmarkRate { time: 6.0, survival: Evaluable::Value(0.8), interval: [Some(0.516), Some(1.0)], n_risk: 4 },
            LandmarkRate {
                time: 24.0,
                survival: Evaluable::not("nobody was observed so long"),
                interval: [None; 2],
                n_risk: 0,
            },
        ],
    };
    let ablated = KmCurve {
        time: vec![5.3, 9.9],
        survival: vec![0.667, 0.333],
        lower: vec![Some(0.3), Some(0.07)],
        upper: vec![Some(1.0), Some(1.0)],
        censored: vec![15.4],
        ..curve("ablated", Evaluable::Value(9.9), [3, 2, 1, 1])
    };
    let systemic = KmCurve {
        time: vec![1.8],
        survival: vec![0.5],
        lower: vec![Some(0.125)],
        upper: vec![Some(1.0)],
        events: 1,
        censored: vec![3.9],
        last_time: 3.9,
        ..curve("systemic", Evaluable::not("not evaluable: fewer than half had an event while observed"), [2, 0, 0, 0])
    };
    vec![
        EndpointCurves {
            endpoint: text("OS"),
            title: text("overall survival"),
            definition: text("From first treatment to death; alive at last contact is censored."),
            time_unit: text("months"),
            risk_times: vec![0.0, 5.0, 10.0, 15.0],
            curves: vec![curve("", Evaluable::not("not reached"), [5, 4, 2, 1])],
            comparison: String::new(),
            cautions: Vec::new(),
        },
        EndpointCurves {
            endpoint: text("LTPFS"),
            title: text("local tumour progression-free survival"),
            definition: text("From ablation to local progression or death, per patient."),
            time_unit: text("months"),
            risk_times: vec![0.0, 5.0, 10.0, 15.0],
            curves: vec![ablated, systemic],
            comparison: text("Log-rank test: chi-squared 0.42 on 1 degree of freedom, p = 0.52."),
            cautions: vec![text("several rows share a cluster: the test assumes independent rows")],
        },
    ]
}

fn lane(patient: &Patient) -> SwimmerLane {
    let segment = |&(from_day, to_day, response): &(i64, i64, &str)| SwimmerSegment {
        from_day,
        to_day,
        response: text(response),
    };
    let treated = patient.treated.iter().map(|&day| SwimmerMark::Treatment { day, label: text("MWA") });
    let progressed = patient.progressed.iter().map(|&day| SwimmerMark::Progression { day, label: text("local") });
    SwimmerLane {
        patient_id: text(patient.id),
        end_day: patient.end.0,
        end: patient.end.1,
        segments: patient.segments.iter().map(segment).collect(),
        marks: treated.chain(progressed).collect(),
    }
}

fn line(patient: &Patient) -> PatientLine {
    let reported = patient.end.0 > 0;
    PatientLine {
        patient_id: text(patient.id),
        folder: reported.then(|| text(patient.id)),
        diagnosis: text(patient.diagnosis),
        n_visits: if reported { 4 } else { 0 },
        n_lesions: if reported { 3 } else { 0 },
        imaging: reported.then(|| ["2024-01-10".parse().unwrap(), "2024-11-27".parse().unwrap()]),
        best: patient.best.map(text).to_vec(),
        latest: patient.latest.map(text).to_vec(),
        min_margin_mm: patient.margin.split(' ').next().and_then(|word| word.replace('−', "-").parse().ok()),
        margin_verdict: patient.margin.rsplit(", ").next().map(text).unwrap_or_default(),
        margin: text(patient.margin),
        n_doubts: patient.doubts,
    }
}

fn ledger(patient: &Patient) -> LedgerRow {
    if patient.id == "ICC-001" {
        return LedgerRow {
            patient_id: text(patient.id),
            state: text("failed"),
            stage: text("index"),
            code: text("no_usable_series"),
            message: text("Expected at least one CT or MR series of the abdomen, found 1 localizer with 3 slices."),
            remedy: text("Add the missing series to the archive, then run again with --only failed."),
        };
    }
    LedgerRow {
        patient_id: text(patient.id),
        state: text("done"),
        stage: String::new(),
        code: String::new(),
        message: String::new(),
        remedy: String::new(),
    }
}

fn flow() -> Vec<FlowStep> {
    let leaving = |reason: &str, n| Leaving { reason: text(reason), n };
    vec![
        FlowStep { label: text("in the archive"), n: 6, left: vec![leaving("failed: no usable series", 1)] },
        FlowStep { label: text("processed"), n: 5, left: vec![leaving("no measurable lesion", 1)] },
        FlowStep { label: text("with an evaluable response"), n: 4, left: vec![] },
    ]
}

fn incidence() -> IncidenceCurves {
    let curve = |cause: &str, time: &[f64], estimate: &[f64]| IncidenceCurve {
        cause: text(cause),
        events: time.len() as u64,
        time: time.to_vec(),
        estimate: estimate.to_vec(),
        lower: estimate.iter().map(|e| Some(e / 3.0)).collect(),
        upper: estimate.iter().map(|e| Some((e * 2.0).min(1.0))).collect(),
    };
    IncidenceCurves {
        endpoint: text("LTPFS"),
        title: text("local progression, with death as competing event"),
        time_unit: text("months"),
        risk_times: vec![0.0, 5.0, 10.0, 15.0],
        n_risk: vec![5, 4, 2, 1],
        n: 5,
        last_time: 15.4,
        causes: vec![curve("local progression", &[5.3, 9.9], &[0.2, 0.467]), curve("death", &[7.9], &[0.267])],
    }
}

fn hazards() -> HazardTable {
    let row = |term: &str, ratio, p| HazardRow { term: text(term), n: 5, events: 2, ratio, p };
    HazardTable {
        title: text("local progression, each term alone"),
        note: text("Few events: read the intervals, not the p-values."),
        rows: vec![
            row("smallest margin, per mm", Evaluable::Value([0.71, 0.42, 1.2]), Some(0.21)),
            row("diameter, per 10 mm", Evaluable::not("no events in one group"), None),
        ],
    }
}

fn margin_outcomes() -> Vec<MarginOutcome> {
    let outcome = |patient: &str, margin: Option<f64>, verdict: &str, outcome| MarginOutcome {
        patient_id: text(patient),
        lesion_id: text("L1"),
        treatment_date: "2024-01-31".parse().unwrap(),
        min_margin_mm: margin,
        interval_mm: margin.map(|margin| [margin - 2.2, margin + 2.2]),
        verdict: text(verdict),
        outcome,
        followed_months: Some(8.0),
    };
    vec![
        outcome("HCC-0042", Some(-1.4), "inadequate", LocalOutcome::Progression),
        outcome("HCC-0043", Some(5.8), "adequate", LocalOutcome::Free),
        outcome("CRLM-007", Some(2.1), "borderline", LocalOutcome::Residual),
        outcome("CRLM-011", None, "not_reportable", LocalOutcome::Unknown),
    ]
}

fn quality() -> QualityOverview {
    QualityOverview {
        registrations: [14, 1, 0],
        figures: vec![Count { label: text("residual error, median"), value: text("1.9 mm") }],
        flags: vec![Flag {
            code: text("registration_quality"),
            severity: Severity::Warning,
            n_notes: 1,
            patients: vec![text("HCC-0042")],
            example: text("2024-08-21: registration to baseline: the dome moved"),
        }],
    }
}

fn characteristics() -> StudyTable {
    let head = ["Characteristic", "all (n = 6)"].map(str::to_owned).to_vec();
    let mut table = StudyTable::new("baseline", "Characteristics at baseline", head);
    table.heading("Patients");
    table.line("age (years), median (range)", [text("66.0 (51.0–79.0)")]);
    table.line("sex: M, n (%)", [text("4 (80.0 %)")]);
    table.line("sex: not evaluable, n", [text("1")]);
    table.note("Sex, not evaluable: 1 not recorded.");
    table
}

pub(crate) fn page() -> CohortPage {
    let count = |label: &str, value: &str| Count { label: text(label), value: text(value) };
    let known = || PATIENTS.iter().filter(|patient| patient.end.0 > 0);
    let best = |patient: &Patient| {
        criteria()
            .into_iter()
            .zip(patient.best)
            .map(|(criterion, response)| BestResponse {
                patient_id: text(patient.id),
                criterion: criterion.id,
                response: text(response),
                best_change_percent: patient
                    .change
                    .map_or_else(|| Evaluable::not("no complete sum after baseline"), Evaluable::Value),
            })
            .collect::<Vec<_>>()
    };
    CohortPage {
        title: text("Liver ablation pilot"),
        counts: vec![
            count("Patients", "6"),
            count("With a report", "5"),
            count("Lesions", "15"),
            count("Visits", "20"),
            count("Ablations", "5"),
            count("Failed", "1"),
        ],
        flow: flow(),
        criteria: criteria(),
        responses: vec![responses("recist_1_1"), responses("mrecist")],
        best_responses: known().flat_map(best).collect(),
        sums: known()
            .filter(|patient| !patient.points.is_empty())
            .map(|patient| SumOverTime {
                patient_id: text(patient.id),
                criterion: text("recist_1_1"),
                points: patient.points.to_vec(),
            })
            .collect(),
        study_tables: vec![characteristics()],
        endpoints: curves(),
        incidences: vec![incidence()],
        hazards: vec![hazards()],
        margin_outcomes: margin_outcomes(),
        margin_threshold_mm: Some(5.0),
        quality: quality(),
        swimmer: known().map(lane).collect(),
        patients: PATIENTS.iter().map(line).collect(),
        ledger: PATIENTS.iter().map(ledger).collect(),
        notes: vec![Note::warning(
            "small_cohort",
            "LTPFS",
            "Fewer than 10 events: intervals are wide and the log-rank test has little power.",
        )],
        methods: vec![text("Survival by Kaplan and Meier [1], intervals on the log scale (Greenwood).")],
        references: vec![text("Kaplan and Meier 1958, J Am Stat Assoc 53:457-481")],
        provenance: Provenance {
            components: vec![Component { what: text("lesiontrace"), version: text("0.1.0"), digest: String::new() }],
        },
        run: RunBlock { generated_at: Some(text("2025-02-01T09:30:00Z")), ..RunBlock::default() },
    }
}
