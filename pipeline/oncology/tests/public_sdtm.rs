//! Responses from the public SDTM example (pharmaversesdtm TU, TR, RS; Apache-2.0) agree with its RS domain.
//!
//! Read from `$LESIONTRACE_DATA/sdtm`; where there is none, the test says so.
#![expect(clippy::disallowed_methods, reason = "the data set lies outside the repository and is read where it lies")]

use std::collections::BTreeMap;
use std::path::Path;

use lesiontrace_oncology::criteria::CriterionTable;
use lesiontrace_oncology::criteria::table::PostCrReappearance;
use lesiontrace_oncology::sdtm::{RsRow, SdtmAssessment, TrRow, TuRow, assess_sdtm, rs_rows};

/// Rows of a CSV file without quoted commas, by column.
fn rows(folder: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(folder.join(format!("{name}.csv"))).expect("the data set holds this table");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a CSV file has a header").split(',').collect();
    let row =
        |line: &str| header.iter().map(|name| (*name).to_owned()).zip(line.split(',').map(str::to_owned)).collect();
    lines.map(row).collect()
}

fn assessed(folder: &Path, table: &CriterionTable) -> Vec<SdtmAssessment> {
    let tu: Vec<TuRow> = rows(folder, "tu_onco_recist")
        .iter()
        .map(|row| TuRow::from_columns(|name| row.get(name).map(String::as_str)).expect("a readable row"))
        .collect();
    let tr: Vec<TrRow> = rows(folder, "tr_onco_recist")
        .iter()
        .map(|row| TrRow::from_columns(|name| row.get(name).map(String::as_str)).expect("a readable row"))
        .collect();
    assess_sdtm(&tu, &tr, table)
}

/// The rows of RS whose overall response is another one by our rules.
fn differing(folder: &Path, table: &CriterionTable) -> Vec<String> {
    let assessed = assessed(folder, table);
    assert!(rs_rows(&assessed, table).iter().all(|row| !row.result.is_empty()));
    let expected = rows(folder, "rs_onco_recist");
    assert_eq!(expected.len(), 66);
    let mut differing = Vec::new();
    for rs in &expected {
        let [subject, visit, evaluator, id, response] =
            ["USUBJID", "VISIT", "RSEVAL", "RSEVALID", "RSORRES"].map(|name| rs.get(name).cloned().unwrap_or_default());
        let own = assessed.iter().find(|one| {
            (&one.subject, &one.visit, &one.evaluator, &one.evaluator_id) == (&subject, &visit, &evaluator, &id)
        });
        let got = own.map_or("no row", |one| one.overall.as_str());
        if got != response {
            differing.push(format!("{subject} {id} {visit}: {got} for {response}"));
        }
    }
    differing
}

#[test]
fn sixty_five_of_sixty_six_overall_responses_agree() {
    let Some(folder) = testkit::real_data("sdtm") else { return };
    let table = CriterionTable::built_in("recist_1_1").unwrap();
    // A diameter of 4.95 mm after an overall CR: PD by our rule, PR in the example.
    assert_eq!(differing(&folder, &table), ["01-701-1133 RADIOLOGIST 2 WEEK 9: PD for PR"]);
}

#[test]
fn irecist_gives_its_own_words() {
    let Some(folder) = testkit::real_data("sdtm") else { return };
    let recist = assessed(&folder, &CriterionTable::built_in("recist_1_1").unwrap());
    let immune = assessed(&folder, &CriterionTable::built_in("irecist").unwrap());
    for (recist, immune) in recist.iter().zip(&immune) {
        assert!(
            immune.overall.starts_with('i') || ["NE", "NED", "NON-iCR/NON-iUPD"].contains(&immune.overall.as_str())
        );
        if recist.overall == "PR" && !immune.overall.starts_with("iU") && immune.overall != "iCPD" {
            assert_eq!(immune.overall, "iPR");
        }
    }
}

#[test]
fn by_the_sum_after_complete_response_all_sixty_six_agree() {
    let Some(folder) = testkit::real_data("sdtm") else { return };
    let mut table = CriterionTable::built_in("recist_1_1").unwrap();
    table.options.post_cr_reappearance.value = PostCrReappearance::Sum;
    assert_eq!(differing(&folder, &table), Vec::<String>::new());
}

/// RSACPTFL of every row of the example, from the acceptance of visits in TR.
#[test]
fn the_accepted_readings_are_those_of_the_example() {
    let Some(folder) = testkit::real_data("sdtm") else { return };
    let table = CriterionTable::built_in("recist_1_1").unwrap();
    let own = rs_rows(&assessed(&folder, &table), &table);
    for rs in rows(&folder, "rs_onco_recist") {
        let [subject, visit, evaluator, id, accepted] = ["USUBJID", "VISIT", "RSEVAL", "RSEVALID", "RSACPTFL"]
            .map(|name| rs.get(name).cloned().unwrap_or_default());
        let same = |row: &&RsRow| {
            row.test == "OVRLRESP"
                && (&row.subject, &row.visit, &row.evaluator, &row.evaluator_id) == (&subject, &visit, &evaluator, &id)
        };
        assert_eq!(
            own.iter().find(same).map(|row| row.accepted.as_str()),
            Some(accepted.as_str()),
            "{subject} {id} {visit}"
        );
    }
}
