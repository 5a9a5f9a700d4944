//! Every worked case of the built categories passes.

use lesiontrace_oncology::case::run_case;
use serde_json::Value;

const FILES: [(&str, &str); 18] = [
    ("recist_target", include_str!("../../../test_data/criteria/recist_target.json")),
    ("recist_selection", include_str!("../../../test_data/criteria/recist_selection.json")),
    ("recist_combined", include_str!("../../../test_data/criteria/recist_combined.json")),
    ("recist_bor", include_str!("../../../test_data/criteria/recist_bor.json")),
    ("mrecist", include_str!("../../../test_data/criteria/mrecist.json")),
    ("easl", include_str!("../../../test_data/criteria/easl.json")),
    ("extent", include_str!("../../../test_data/criteria/extent.json")),
    ("irecist", include_str!("../../../test_data/criteria/irecist.json")),
    ("irecist_ibor", include_str!("../../../test_data/criteria/irecist_ibor.json")),
    ("percist", include_str!("../../../test_data/criteria/percist.json")),
    ("eortc_pet", include_str!("../../../test_data/criteria/eortc_pet.json")),
    ("deauville", include_str!("../../../test_data/criteria/deauville.json")),
    ("narayanan2024_response", include_str!("../../../test_data/criteria/narayanan2024_response.json")),
    ("margin", include_str!("../../../test_data/criteria/margin.json")),
    ("stats", include_str!("../../../test_data/criteria/stats.json")),
    ("ablation_events", include_str!("../../../test_data/criteria/ablation_events.json")),
    ("tte", include_str!("../../../test_data/criteria/tte.json")),
    ("presets", include_str!("../../../test_data/criteria/presets.json")),
];

#[test]
fn every_case_of_every_built_category_passes() {
    let mut failures = Vec::new();
    let mut n_cases = 0;
    for (category, text) in FILES {
        let cases: Vec<Value> = serde_json::from_str(text).unwrap();
        assert!(!cases.is_empty(), "{category}");
        for case in &cases {
            n_cases += 1;
            let outcome = run_case(case);
            if !outcome.pass {
                failures.push(format!("{}: got {} expected {}", outcome.id, outcome.got, outcome.expected));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {n_cases} fail:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(n_cases, 84);
}
