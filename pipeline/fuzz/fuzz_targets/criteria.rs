//! A criterion of any family, or a preset of endpoints.
#![no_main]

use lesiontrace_fuzz as fuzz;
use lesiontrace_oncology::criteria::deauville::DeauvilleTable;
use lesiontrace_oncology::criteria::enhancement::EnhancementTable;
use lesiontrace_oncology::criteria::eortc::EortcTable;
use lesiontrace_oncology::criteria::extent::ExtentTable;
use lesiontrace_oncology::criteria::percist::PercistTable;
use lesiontrace_oncology::criteria::table::CriterionTable;
use lesiontrace_oncology::endpoint::preset::Preset;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fuzz::let_caught_panics_pass(), |data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = CriterionTable::parse(text);
    let _ = DeauvilleTable::parse(text);
    let _ = EnhancementTable::parse(text);
    let _ = EortcTable::parse(text);
    let _ = ExtentTable::parse(text);
    let _ = PercistTable::parse(text);
    let _ = Preset::parse(text);
});
