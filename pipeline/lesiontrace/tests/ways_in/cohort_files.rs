//! What `collect` writes for papers: figures, workbook, tables in three forms, methods; and rules of the study's own.

use std::io::Read as _;

use crate::calls::{call, run};
use crate::cohort::Cohort;

/// Two patients of two diagnoses with a follow-up, the second one ablated.
fn cohort() -> Cohort {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let patients =
        "patient_id,diagnosis,death_date,last_contact_date\nA-1,HCC,,2020-06-01\nB-2,CRLM,2020-06-20,2020-06-20\n";
    cohort.write("archive/clinical/patients.csv", patients);
    cohort
}

fn part(cohort: &Cohort, name: &str) -> String {
    let file = std::fs::File::open(cohort.path("out/cohort/tables.xlsx")).unwrap();
    let mut text = String::new();
    zip::ZipArchive::new(file).unwrap().by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn figures_tables_and_methods_are_files_of_their_own() {
    let cohort = cohort();
    assert_eq!(run(&cohort, "out", &[]).0, 0);
    for name in
        ["km_os", "km_pfs", "flow", "swimmer", "waterfall_recist_1_1", "spider_recist_1_1", "margins_by_outcome"]
    {
        let svg = cohort.read(&format!("out/cohort/figures/{name}.svg"));
        assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>"), "{name}");
        let png = std::fs::read(cohort.path(&format!("out/cohort/figures/{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 2_000, "{name}: {} bytes", png.len());
    }
    for name in ["lesions", "endpoints", "table_survival", "table_cox", "abscopal"] {
        let parquet = std::fs::read(cohort.path(&format!("out/cohort/{name}.parquet"))).unwrap();
        assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"), "{name}");
    }
    let sheets = part(&cohort, "xl/workbook.xml");
    for sheet in ["contents", "print_table_baseline", "table_survival", "measurements", "endpoints"] {
        assert!(sheets.contains(&format!("name=\"{sheet}\"")), "{sheet} in {sheets}");
    }
    let texts = part(&cohort, "xl/sharedStrings.xml");
    assert!(texts.contains("Research use only") && texts.contains("CRLM"), "{texts}");

    let methods = cohort.read("out/cohort/methods.md");
    for said in [
        "2 patients with 4 imaging visits",
        "RECIST 1.1 (version 2) [",
        "Eisenhauer et al. 2009",
        "1 treatments of lesions",
        "Kaplan and Meier 1958",
        "at least 20 % and 5 mm",
        "Mantel 1966",
    ] {
        assert!(methods.contains(said), "{said} in {methods}");
    }
    assert!(
        !methods.contains("decisions of") && !methods.contains("frozen"),
        "what did not happen is not told: {methods}"
    );
    // A figure that is no longer drawn goes.
    cohort.write("out/cohort/figures/km_old.svg", "<svg/>");
    let out = cohort.path("out").display().to_string();
    assert_eq!(call(&["collect", &out]).0, 0);
    assert!(!cohort.path("out/cohort/figures/km_old.svg").exists());
}

/// Every table is described column by column, and every cell is what its column is said to hold.
#[test]
fn the_data_package_describes_what_lies_beside_it() {
    let cohort = cohort();
    assert_eq!(run(&cohort, "out", &[]).0, 0);
    let package: serde_json::Value = serde_json::from_str(&cohort.read("out/cohort/datapackage.json")).unwrap();
    let resources = package["resources"].as_array().unwrap();
    assert!(resources.len() >= 20, "{}", resources.len());
    let mut n_cells = 0;
    for resource in resources {
        let path = resource["path"].as_str().unwrap();
        let text = cohort.read(&format!("out/cohort/{path}"));
        assert_eq!(resource["bytes"].as_u64(), Some(text.len() as u64), "{path}");
        let mut table = csv::Reader::from_reader(text.as_bytes());
        let fields = resource["schema"]["fields"].as_array().unwrap();
        let names: Vec<&str> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
        assert_eq!(table.headers().unwrap().iter().collect::<Vec<_>>(), names, "{path}");
        for record in table.records() {
            for (cell, field) in record.unwrap().iter().zip(fields).filter(|(cell, _)| !cell.is_empty()) {
                let holds = match field["type"].as_str().unwrap() {
                    "number" => cell.parse::<f64>().is_ok_and(f64::is_finite),
                    "integer" => cell.parse::<i64>().is_ok(),
                    "date" => cell.parse::<jiff::civil::Date>().is_ok(),
                    "boolean" => matches!(cell, "true" | "false"),
                    _ => true,
                };
                assert!(holds, "{path}: {field} holds {cell:?}");
                n_cells += 1;
            }
        }
    }
    assert!(n_cells > 500, "{n_cells}");
}

#[test]
fn a_study_may_alter_the_rules_and_every_output_says_so() {
    let cohort = cohort();
    let study = cohort.read("study.toml");
    let preset = "preset = \"xu2021\"";
    cohort.write("study.toml", &study.replace("preset = \"default\"", preset));
    assert_eq!(run(&cohort, "published", &[]).0, 0);
    let page = cohort.read("published/cohort/report.html");
    // Visits of 2020-05-11 lie before 2020-06-30.
    assert!(!page.contains("after_cutoff"));

    let altered = study
        .replace("preset = \"default\"", &format!("{preset}\noptions.cutoff = \"2020-04-01\""))
        .replace("files = []", "files = [\"mine.toml\"]\noptions.recist_1_1.thresholds.pd_increase_percent = 60")
        .replace("ids = [\"recist_1_1\", \"mrecist\"]", "ids = [\"mine\", \"recist_1_1\"]");
    cohort.write("study.toml", &altered);
    let (code, said) = run(&cohort, "out", &[]);
    assert!(code == 2 && said.contains("mine.toml"), "{code} {said}");
    let own = include_str!("../../../../configs/criteria/recist_1_1.toml");
    cohort.write("mine.toml", &own.replacen("\"recist_1_1\"", "\"mine\"", 1).replacen("\"RECIST 1.1\"", "\"Ours\"", 1));
    let (code, said) = run(&cohort, "out", &["--freeze"]);
    assert_eq!(code, 0, "{said}");
    let page = cohort.read("out/cohort/report.html");
    for told in ["after_cutoff", "2 visits of 2 patients", "cutoff = 2020-04-01", "pd_increase_percent = 60", "Ours"] {
        assert!(page.contains(told), "{told}");
    }
    // The lesion of A-1 grows by less than 60 %: progression by the one, not by the altered one.
    let rows = cohort.read("out/cohort/assessments.csv");
    let overall = |criterion: &str| {
        let row = rows.lines().find(|row| row.starts_with(&format!("A-1,{criterion}")) && row.contains(",2020-05-11,"));
        row.unwrap_or_else(|| panic!("{criterion} in {rows}")).split(',').nth(10).unwrap().to_owned()
    };
    assert_eq!((overall("mine,"), overall("recist_1_1+")), ("PD".to_owned(), "SD".to_owned()));
    // The progression of 2020-05-11 lies before the preset's cut-off and after the study's own.
    let pfs = |out: &str| {
        let rows = cohort.read(&format!("{out}/cohort/endpoints.csv"));
        let row = rows.lines().find(|row| row.starts_with("A-1,A-1,PFS,")).unwrap_or_else(|| panic!("{rows}"));
        let cells: Vec<&str> = row.split(',').collect();
        (cells[4].to_owned(), cells[7].to_owned())
    };
    assert_eq!(pfs("published"), ("2020-05-11".to_owned(), "1".to_owned()));
    let (end, event) = pfs("out");
    assert!(end.as_str() <= "2020-04-01" && event == "0", "{end} {event}");

    cohort.write("study.toml", &altered.replace("= 60", "= 70"));
    let (code, said) = run(&cohort, "out", &["--resume"]);
    assert!(code == 2 && said.contains("frozen"), "{code} {said}");
}
