//! Follows generated courses of patients and counts which links, new lesions and states are right, per error of the registration.
//!
//! `cargo xtask measure-tracking [--patients 200] [--seed N] [--store]`; `--store` writes `test_data/oracles/tracking/*.csv`.

#[path = "../tests/courses/mod.rs"]
mod courses;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use courses::{Score, Told, measured};

/// Errors of the registration, mm per axis.
const ERRORS_MM: [f64; 6] = [0.0, 1.0, 2.0, 3.0, 5.0, 8.0];
/// What the tracker is told: its name, the share of the error, whether images are looked at again.
const TOLD: [(&str, f64, bool); 3] = [
    ("error told, second look", 1.0, true),
    ("error told", 1.0, false),
    ("half the error told, second look", 0.5, true),
];

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        let text = at.and_then(|at| arguments.get(at + 1));
        text.map_or(Ok(default), |text| text.parse().map_err(std::io::Error::other))
    };
    let (n_patients, seed) = (number("--patients", 200)? as usize, number("--seed", 101)?);
    let mut curve = String::from(
        "told,error_mm,patients,links,precision,recall,true_new,new_recall,new_or_equivocal_recall,false_new_per_patient\n",
    );
    let mut reasons = String::from("told,error_mm,what,which,n\n");
    let mut states = String::from("told,error_mm,truth,given,n\n");
    let mut confidence = String::from("told,error_mm,confidence_from,links,right\n");
    for (name, share, second_look) in TOLD {
        for error_mm in ERRORS_MM {
            let score = measured(seed, n_patients, error_mm, Told { error_mm: share * error_mm, second_look });
            let key = format!("\"{name}\",{error_mm}");
            write_curve(&mut curve, &key, &score);
            rows(&mut reasons, &format!("{key},false new"), &score.false_new);
            rows(&mut reasons, &format!("{key},not called new"), &score.why_not_new);
            for ((truth, given), n) in &score.states {
                let _ = writeln!(states, "{key},{truth},{given},{n}");
            }
            for (tenth, (made, right)) in &score.confidence {
                let _ = writeln!(confidence, "{key},0.{tenth},{made},{right}");
            }
        }
    }
    print!("seed {seed}\n{curve}");
    if arguments.iter().any(|argument| argument == "--store") {
        let folder = Path::new("test_data/oracles/tracking");
        std::fs::create_dir_all(folder)?;
        for (name, text) in [("curve", curve), ("reasons", reasons), ("states", states), ("confidence", confidence)] {
            std::fs::write(folder.join(format!("{name}.csv")), text)?;
        }
    }
    Ok(())
}

fn write_curve(curve: &mut String, key: &str, score: &Score) {
    let equivocal = score.new_recall() + score.new_equivocal as f64 / score.new_true.max(1) as f64;
    let _ = writeln!(
        curve,
        "{key},{},{},{:.4},{:.4},{},{:.3},{equivocal:.3},{:.3}",
        score.n_patients,
        score.links_true,
        score.precision(),
        score.recall(),
        score.new_true,
        score.new_recall(),
        score.false_new_per_patient(),
    );
}

fn rows<K: std::fmt::Display>(table: &mut String, key: &str, counts: &BTreeMap<K, usize>) {
    for (what, n) in counts {
        let _ = writeln!(table, "{key},\"{what}\",{n}");
    }
}
