//! The tables of a study, from a cohort of three: one untreated, one ablated, one irradiated at a lesion that a reader named.

use crate::calls::{call, run};
use crate::cohort::{BASELINE, Cohort, FOLLOW_UP};

/// The middle of the test cohort's lesion, LPS mm.
const LESION_LPS: &str = "7.6,46.7,-23.8";

fn cohort() -> Cohort {
    let cohort = Cohort::new(&["A-1", "B-2", "C-3"]);
    let patients = "patient_id,diagnosis,death_date,last_contact_date,age_years,sex,death_cause\n\
                    A-1,HCC,,2020-06-01,61,M,\nB-2,CRLM,2020-06-20,2020-06-20,74,F,disease\nC-3,HCC,,2020-12-01,58,,\n";
    cohort.write("archive/clinical/patients.csv", patients);
    let treatments = "patient_id,date,session,modality,target_lesions,complication_grade\n\
                      B-2,2020-03-20,1,MWA,,CD IIIa\nC-3,2020-03-20,1,HDR brachytherapy,T1,\n";
    cohort.write("archive/clinical/treatments.csv", treatments);
    let marks = format!(
        "patient_id,lesion_id,study_date,x_mm,y_mm,z_mm,organ,role\nC-3,T1,{BASELINE},{LESION_LPS},liver,target\n"
    );
    cohort.write("archive/clinical/lesions.csv", &marks);
    let markers = "patient_id,date,marker,value,unit,upper_limit\nC-3,2020-03-10,AFP,400,ng/ml,10\n";
    cohort.write("archive/clinical/markers.csv", markers);
    cohort
}

/// The one line of a table that begins so.
fn line(table: &str, begins: &str) -> String {
    let mut found = table.lines().filter(|line| line.starts_with(begins));
    let line = found.next().unwrap_or_else(|| panic!("no line {begins:?} in\n{table}"));
    assert!(found.next().is_none(), "two lines {begins:?} in\n{table}");
    line.to_owned()
}

#[test]
fn every_table_of_a_study_is_written_and_says_who_is_not_in_a_number() {
    let cohort = cohort();
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, 0, "{stderr}");
    let table = |name: &str| cohort.read(&format!("out/cohort/{name}.csv"));
    let baseline = table("table_baseline");
    assert!(line(&baseline, "all,patients,age_years,").contains(",3,3,,64.3333"), "{baseline}");
    let male = line(&baseline, "all,patients,sex,M,");
    assert!(male.contains(",1,2,50.0") && male.ends_with(",1,1 not recorded"), "{male}");
    assert!(line(&baseline, "HCC,patients,AFP,").contains("1 no AFP within 28 days before treatment"));
    assert!(line(&baseline, "all,patients,target_lesions,").contains("1 no treated lesion is known"));
    let grade = line(&table("table_complications"), "all,MWA,Clavien–Dindo,IIIa,1,1,");
    assert!(grade.ends_with(",1,yes"), "{grade}");
    assert!(line(&table("table_complications"), "all,HDR brachytherapy,,not recorded,1,1,").ends_with("not evaluable"));
    let efficacy = table("table_efficacy");
    let primary = line(&efficacy, "all,primary_efficacy,");
    assert!(primary.contains(",1,1,100.0,1,1 the modality leaves no ablation zone"), "{primary}");
    // Day 52 after treatment, and day 70 after baseline of the untreated.
    let responses = table("table_response");
    assert!(line(&responses, "all,recist_1_1,8 weeks,42,76,PD,").contains(",2,3,"), "{responses}");
    assert!(line(&responses, "all,recist_1_1,3 months,77,120,not evaluable,").contains("progression before"));
    let patterns = table("table_patterns");
    assert!(line(&patterns, "all,first,local,").contains("local,1,3,"), "{patterns}");
    assert!(line(&patterns, "all,first,distant_intrahepatic,").contains(",1,3,"), "{patterns}");
    assert!(line(&table("table_survival"), "OS,all,3,1,").contains(",R,"));
    assert!(line(&table("table_cox"), "PFS,univariable,age_years,").contains("1 years"));
    assert!(line(&table("table_oligometastatic"), "all,baseline,oligometastatic,").contains(",3,3,100.0,"));
    assert_eq!(table("abscopal").lines().count(), 1);
    let page = cohort.read("out/cohort/report.html");
    for title in ["Characteristics at baseline", "Complications by session", "Patterns of progression", "Predictors"] {
        assert!(page.contains(title), "{title}");
    }
    assert!(table("print_table_survival").starts_with("Endpoint and group,n,Events,"));
}

#[test]
fn a_lesion_named_in_the_treatments_is_treated_although_it_has_no_zone() {
    let cohort = cohort();
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, 0, "{stderr}");
    let events = cohort.read("out/cohort/events.csv");
    assert!(events.contains("C-3,T1,2020-03-20,treatment,,HDR brachytherapy"), "{events}");
    let local = line(&events, &format!("C-3,T1,{FOLLOW_UP},progression,"));
    assert!(local.contains(",local,growth_of_treated,"), "{local}");
    let ltpfs = line(&cohort.read("out/cohort/endpoints.csv"), "C-3,T1,LTPFS,2020-03-20,");
    assert!(ltpfs.contains(&format!(",{FOLLOW_UP},52,")), "{ltpfs}");
}

#[test]
fn a_preset_lays_the_tables_out_as_its_study_and_collecting_again_changes_nothing() {
    let cohort = cohort();
    let study = cohort.read("study.toml").replace("preset = \"default\"", "preset = \"xu2021\"");
    cohort.write("study.toml", &study);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, 0, "{stderr}");
    let third = cohort.read("out/cohort/print_table_3.csv");
    assert!(third.starts_with("Survival data (months),HCC,CRLM,p-value\n"), "{third}");
    // 92 days of the preset's 30: the death of B-2.
    assert!(line(&third, "OS Median,").contains("N/A,3.07"), "{third}");
    assert!(
        cohort.read("out/cohort/print_table_2.csv").starts_with("Response,8 weeks: HCC (n = 2),8 weeks: CRLM (n = 1)")
    );
    assert!(cohort.read("out/cohort/print_table_4.csv").contains("Multivariate analysis"));
    assert!(cohort.read("out/cohort/report.html").contains("months of 30 days"));
    let before = crate::cohort::comparable(&cohort.path("out/cohort"));
    let out = cohort.path("out").display().to_string();
    assert_eq!(call(&["collect", &out]).0, 0);
    assert_eq!(crate::cohort::comparable(&cohort.path("out/cohort")), before);
}
