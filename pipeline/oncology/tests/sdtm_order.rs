//! The order of the rows of TU and TR never matters.

use lesiontrace_oncology::Exact;
use lesiontrace_oncology::adam::{adrs_rows, adtr_rows};
use lesiontrace_oncology::criteria::CriterionTable;
use lesiontrace_oncology::sdtm::{TrRow, TuRow, assess_sdtm, rs_rows};
use proptest::prelude::*;

/// What a visit says of a lesion.
const SIZES: [&str; 6] = ["50", "30", "3.5", "TSTM", "ABSENT", ""];
const STATES: [&str; 5] = ["PRESENT", "ABSENT", "EQUIVOCAL", "UNEQUIVOCAL PROGRESSION", ""];
const DATES: [&str; 6] = ["2024-01-01", "2024-02-20", "2024-02", "2024-04-01", "2024", ""];

/// One cell of the tables: subject, visit, lesion, reader, and what is said, as small numbers.
type Cell = (usize, i32, usize, usize, usize, usize);

fn tu_rows() -> Vec<TuRow> {
    let mut rows = Vec::new();
    for subject in 0..2 {
        for reader in 0..2 {
            for (lesion, role, visit) in
                [("T1", "TARGET", 1), ("T2", "TARGET", 1), ("N1", "NON-TARGET", 1), ("W1", "NEW", 2), ("W1", "NEW", 4)]
            {
                rows.push(TuRow {
                    subject: format!("S{subject}"),
                    visit_num: Exact::whole(visit),
                    visit: format!("V{visit}"),
                    link: lesion.to_owned(),
                    role: role.to_owned(),
                    location: if lesion == "T2" { "LYMPH NODE" } else { "LIVER" }.to_owned(),
                    evaluator: "INDEPENDENT ASSESSOR".to_owned(),
                    evaluator_id: format!("R{reader}"),
                    accepted: if reader == 0 { "Y".to_owned() } else { String::new() },
                });
            }
        }
    }
    rows
}

fn tr_row((subject, visit, lesion, reader, said, date): Cell) -> TrRow {
    let (link, test, result, unit) = match lesion {
        0 => ("T1", "LDIAM", SIZES[said % 6], "mm"),
        1 => ("T2", "LPERP", SIZES[said % 6], if said % 2 == 0 { "cm" } else { "mm" }),
        2 => ("N1", "TUMSTATE", STATES[said % 5], ""),
        3 => ("W1", "TUMSTATE", STATES[said % 5], ""),
        _ => ("", "SUMDIAM", "53.5", "mm"),
    };
    TrRow {
        subject: format!("S{subject}"),
        visit_num: Exact::whole(visit),
        // Two names of one visit: which one is kept must not hang on the order either.
        visit: format!("V{visit}{}", if said == 0 { "a" } else { "" }),
        link: link.to_owned(),
        link_group: format!("A{visit}"),
        test: test.to_owned(),
        result: result.to_owned(),
        unit: unit.to_owned(),
        status: String::new(),
        reason_not_done: String::new(),
        evaluator: "INDEPENDENT ASSESSOR".to_owned(),
        evaluator_id: format!("R{reader}"),
        accepted: if (said + reader) % 2 == 0 { "Y".to_owned() } else { String::new() },
        date: DATES[date].to_owned(),
    }
}

/// Everything that comes of the tables, as text.
fn everything(tu: &[TuRow], tr: &[TrRow], criterion: &str) -> String {
    let table = CriterionTable::built_in(criterion).expect("a built-in criterion");
    let found = assess_sdtm(tu, tr, &table);
    format!("{found:#?} {:#?} {:#?} {:#?}", rs_rows(&found, &table), adrs_rows(&found, &table), adtr_rows(&found))
}

fn shuffled_tables() -> impl Strategy<Value = (Vec<TuRow>, Vec<TrRow>, Vec<TrRow>)> {
    let cells = prop::collection::vec((0..2_usize, 1..6_i32, 0..5_usize, 0..2_usize, 0..30_usize, 0..6_usize), 10..60);
    let rows = cells.prop_map(|cells: Vec<Cell>| cells.into_iter().map(tr_row).collect::<Vec<TrRow>>());
    let with_shuffle = rows.prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()));
    (Just(tu_rows()).prop_shuffle(), with_shuffle).prop_map(|(tu, (rows, shuffled))| (tu, rows, shuffled))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn rows_in_any_order_say_the_same((tu, rows, shuffled) in shuffled_tables()) {
        for criterion in ["recist_1_1", "irecist"] {
            prop_assert_eq!(everything(&tu_rows(), &rows, criterion), everything(&tu, &shuffled, criterion));
        }
    }
}
