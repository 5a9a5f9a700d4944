//! Who decided, and when: names with blanks, times to come, words said twice, readers who agree and adjudicators who do not.

use super::*;

fn kept(cohort: &Cohort) -> Value {
    serde_json::from_str(&cohort.read("out/patients/A-1/reads.json")).unwrap()
}

#[test]
fn a_name_with_a_blank_more_is_the_same_reader_and_tomorrow_is_refused() {
    let cohort = finished();
    let data = page_data(&cohort, "out", "A-1");
    let of = |reader: &str, value: &str, at: &str| {
        let mut read = read(&data, 0, "", "finding", value);
        (read["reader"], read["read_at"]) = (json!(reader), json!(at));
        read
    };
    let rows = [of("Dr A", "reject", "2026-03-04T09:30:00Z"), of("Dr  A ", "accept", "2026-03-05T09:30:00Z")];
    let (code, stderr) = apply(&cohort, &save(&cohort, "a.json", &rows));
    assert_eq!(code, DONE, "{stderr}");
    let outcomes: Vec<Value> =
        kept(&cohort)["reads"].as_array().unwrap().iter().map(|r| r["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("applied"), json!("superseded")]);
    let before = comparable(&cohort.path("out"));
    let (code, stderr) = apply(&cohort, &save(&cohort, "b.json", &[of("Dr A", "reject", "9999-01-01T00:00:00Z")]));
    assert!(code == BAD_INPUT && stderr.contains("lies in the future"), "{stderr}");
    let text = std::fs::read_to_string(cohort.path("a.json")).unwrap();
    cohort.write("c.json", &text.replacen("\"value\":", "\"value\":\"accept\",\"value\":", 1));
    let (code, stderr) = apply(&cohort, &cohort.path("c.json").display().to_string());
    assert!(code == BAD_INPUT && stderr.contains("stands twice"), "{stderr}");
    assert_eq!(changed(&before, &comparable(&cohort.path("out"))), [""; 0]);
    // What an editor of another system saved.
    cohort.write("d.json", &format!("\u{feff}{text}"));
    assert_eq!(apply(&cohort, &cohort.path("d.json").display().to_string()).0, DONE);
}

#[test]
fn a_reader_who_confirms_the_program_opposes_one_who_does_not() {
    let cohort = finished();
    let data = page_data(&cohort, "out", "A-1");
    let of = |reader: &str, value: &str| {
        let mut read = read(&data, 0, "", "finding", value);
        read["reader"] = json!(reader);
        read
    };
    assert_eq!(apply(&cohort, &save(&cohort, "a.json", &[of("A", "accept")])).0, DONE);
    assert!(cohort.read("out/patients/A-1/report.html").contains("accept (confirmed)"));
    assert!(cohort.read("out/patients/A-1/notes.json").contains("finding of L1: accept confirmed (A"));
    assert_eq!(apply(&cohort, &save(&cohort, "b.json", &[of("B", "reject")])).0, DONE);
    assert!(cohort.read("out/cohort/lesions.csv").contains("A-1,L1,"), "nobody adjudicated");
    assert!(cohort.read("out/patients/A-1/report.html").contains("readers disagree"));
}
