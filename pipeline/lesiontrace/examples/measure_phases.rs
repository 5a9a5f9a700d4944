//! Reads the contrast phase of synthetic abdomens in all four phases at several noise levels, and of real CTs of known phase below
//! `LESIONTRACE_DATA`; prints one row of CSV each. `cargo xtask measure-phases` runs it and prints the counts.

use std::collections::BTreeMap;

use formats::dicom::pet::SuvOptions;
use formats::dicom::series::read_series;
use imaging::{Connectivity, Mask, Mm, Volume, components, morphology};
use oncology::Evaluable;
use oncology::measure::contrast_phase::{ContrastPhase, LiverOutline, PhaseReading, PhaseVerdict, contrast_phase};
use oncology::measure::viable::liver_reference;
use phantom::{Phase, phase_case};

const PHASES: [(Phase, ContrastPhase); 4] = [
    (Phase::Native, ContrastPhase::Native),
    (Phase::Arterial, ContrastPhase::Arterial),
    (Phase::PortalVenous, ContrastPhase::PortalVenous),
    (Phase::Delayed, ContrastPhase::Delayed),
];
const NOISE_HU: [f32; 3] = [8.0, 15.0, 25.0];

fn main() {
    let n_seeds: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(12);
    println!(
        "case,noise_hu,phase,aorta_hu,liver_hu,cortex_hu,medulla_hu,excreted_ml,portal_vein_hu,possible,right_label,wrong_labels_doubted,not_read"
    );
    let mut counts: BTreeMap<String, [usize; 6]> = BTreeMap::new();
    for seed in 0..n_seeds {
        let case = phase_case(9000 + seed);
        let liver = case.liver();
        for noise in NOISE_HU {
            for (phase, truth) in PHASES {
                let ct = case.ct(phase, noise);
                row(&format!("phantom {seed}"), &format!("{noise}"), truth, &ct, Some(&liver), &mut counts);
                row(&format!("phantom {seed} no outline"), &format!("{noise}"), truth, &ct, None, &mut counts);
            }
        }
    }
    real(&mut counts);
    eprintln!("set, phase: confirmed, cannot tell, doubted, not evaluable; wrong labels doubted of wrong labels");
    for (set, [yes, open, no, none, caught, wrong]) in counts {
        eprintln!("{set}: {yes}, {open}, {no}, {none}; {caught} of {wrong}");
    }
}

/// The portal venous CT of a patient with liver metastases (TCIA Colorectal-Liver-Metastases), with a rough outline grown here.
fn real(counts: &mut BTreeMap<String, [usize; 6]>) {
    let Some(folder) = testkit::real_data("ct_liver_mets/CRLM-CT-1004/image") else { return };
    let index = formats::archive::index(&folder).expect("the folder holds a series");
    let headers = &index.value.series().next().expect("one series").headers.unpack();
    let ct = read_series(headers, &SuvOptions::STANDARD).expect("a plain series").value.volume.to_values();
    let outline = rough_liver(&ct);
    row("CRLM-CT-1004", "", ContrastPhase::PortalVenous, &ct, Some(&outline), counts);
    row("CRLM-CT-1004 no outline", "", ContrastPhase::PortalVenous, &ct, None, counts);
}

/// The largest even body of a liver's brightness: no outline to measure with, enough to find the hilum.
fn rough_liver(ct: &Volume<f32>) -> Mask {
    let smooth = imaging::intensity::smooth(ct, Mm(1.5));
    let body = morphology::open(&smooth.map(|hu| (85.0..150.0).contains(hu)), Mm(6.0)).expect("perpendicular axes");
    let parts = components(&body, Connectivity::Faces);
    parts.mask(parts.largest().expect("a liver").label)
}

fn row(
    case: &str,
    noise: &str,
    truth: ContrastPhase,
    ct: &Volume<f32>,
    liver: Option<&Mask>,
    counts: &mut BTreeMap<String, [usize; 6]>,
) {
    let lesions = ct.map(|_| false);
    let liver_hu = liver.and_then(|liver| liver_reference(ct, liver).value().copied());
    let reading = contrast_phase(ct, liver_hu, liver.map(|liver| LiverOutline { liver, lesions: &lesions }));
    let set = match (case.starts_with("phantom"), liver.is_some()) {
        (true, true) => format!("phantom, {noise} HU, {truth}"),
        (true, false) => format!("phantom without outline, {noise} HU, {truth}"),
        (false, _) => format!("{case}, {truth}"),
    };
    let count = counts.entry(set).or_default();
    match &reading {
        Evaluable::NotEvaluable(reason) => {
            count[3] += 1;
            println!("{case},{noise},{truth},,,,,,,,not evaluable,,\"{reason}\"");
        }
        Evaluable::Value(reading) => {
            let verdict = reading.verdict(truth);
            let wrong = PHASES.iter().map(|(_, phase)| *phase).filter(|phase| *phase != truth);
            let caught = wrong.filter(|phase| reading.verdict(*phase) == PhaseVerdict::Doubted).count();
            count[match verdict {
                PhaseVerdict::Confirmed => 0,
                PhaseVerdict::CannotTell => 1,
                PhaseVerdict::Doubted => 2,
            }] += 1;
            count[4] += caught;
            count[5] += 3;
            print_reading(case, noise, truth, reading, caught);
        }
    }
}

fn print_reading(case: &str, noise: &str, truth: ContrastPhase, reading: &PhaseReading, caught: usize) {
    let hu = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.0}"));
    let kidneys = reading.kidneys.value();
    let possible: Vec<String> = reading.possible.iter().map(ToString::to_string).collect();
    let reasons = [reading.aorta_hu.reason(), reading.kidneys.reason(), reading.portal_vein_hu.reason()];
    let reasons: Vec<&str> = reasons.into_iter().flatten().collect();
    println!(
        "{case},{noise},{truth},{},{},{},{},{},{},{},{:?},{caught} of 3,\"{}\"",
        hu(reading.aorta_hu.value().copied()),
        hu(reading.liver_hu),
        hu(kidneys.map(|k| k.cortex_hu)),
        hu(kidneys.map(|k| k.medulla_hu)),
        kidneys.map_or_else(String::new, |k| format!("{:.1}", k.excreted_ml)),
        hu(reading.portal_vein_hu.value().copied()),
        possible.join(" or "),
        reading.verdict(truth),
        reasons.join("; ")
    );
}
