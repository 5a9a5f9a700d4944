//! Two hundred damaged criteria and as many damaged presets: each is one or an error, never a panic.

use lesiontrace_oncology::criteria::deauville::DeauvilleTable;
use lesiontrace_oncology::criteria::enhancement::EnhancementTable;
use lesiontrace_oncology::criteria::eortc::EortcTable;
use lesiontrace_oncology::criteria::extent::ExtentTable;
use lesiontrace_oncology::criteria::family::text_of;
use lesiontrace_oncology::criteria::percist::PercistTable;
use lesiontrace_oncology::criteria::table::CriterionTable;
use lesiontrace_oncology::endpoint::preset::Preset;
use testkit::damage::damaged;

const N_DAMAGED: u64 = 200;

/// Every built-in criterion.
const CRITERIA: [&str; 10] = [
    "deauville",
    "easl",
    "eortc_1999",
    "irecist",
    "mrecist",
    "narayanan2024_response",
    "percist_1_0",
    "qeasl",
    "recist_1_1",
    "vrecist",
];

/// Whether a reader takes the text for what it reads.
fn is_taken(text: &str) -> bool {
    [
        CriterionTable::parse(text).is_ok(),
        DeauvilleTable::parse(text).is_ok(),
        EnhancementTable::parse(text).is_ok(),
        EortcTable::parse(text).is_ok(),
        ExtentTable::parse(text).is_ok(),
        PercistTable::parse(text).is_ok(),
        Preset::parse(text).is_ok(),
    ]
    .contains(&true)
}

/// Damages the texts in turn.
fn damage_all(whole: &[&str]) {
    for (n, text) in whole.iter().enumerate() {
        assert!(is_taken(text), "text {n} is whole and must be read");
    }
    let texts = (0..N_DAMAGED).zip(whole.iter().cycle()).map(|(number, text)| damaged(text.as_bytes(), number));
    // What is no text any more is refused before it is parsed.
    let results: Vec<bool> = texts.filter_map(|bytes| String::from_utf8(bytes).ok()).map(|t| is_taken(&t)).collect();
    assert!(results.len() > 100, "{} damaged copies are text", results.len());
    assert!(results.contains(&false), "damage that no reader notices is none");
}

#[test]
fn damaged_criteria_are_criteria_or_errors() {
    damage_all(&CRITERIA.map(|id| text_of(id).expect("a built-in criterion")));
}

#[test]
fn damaged_presets_are_presets_or_errors() {
    let presets = ["default", "ema", "fda2018", "narayanan2024", "sio_datecan2021", "xu2021"];
    let presets = presets.map(|id| Preset::built_in(id).expect("a built-in preset"));
    damage_all(&presets.each_ref().map(Preset::text));
}
