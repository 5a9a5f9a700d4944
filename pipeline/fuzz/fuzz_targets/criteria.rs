//! A criterion of any family, or a preset of endpoints.
#![no_main]

use lesiontrace_fuzz as fuzz;
use libfuzzer_sys::fuzz_target;
use oncology::criteria::deauville::DeauvilleTable;
use oncology::criteria::enhancement::EnhancementTable;
use oncology::criteria::eortc::EortcTable;
use oncology::criteria::extent::ExtentTable;
use oncology::criteria::percist::PercistTable;
use oncology::criteria::table::CriterionTable;
use oncology::endpoint::preset::Preset;

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
