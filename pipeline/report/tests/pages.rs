//! Whole pages: what they say, what they refuse, and that nothing hostile or foreign gets in.
#![expect(clippy::unwrap_used, reason = "the sample pages are fixed input")]

use base64::Engine as _;
use imaging::Note;
use lesiontrace_report::figure::{MarginHistogram, kaplan_meier, margin_histogram, standalone};
use lesiontrace_report::{
    KeyImage, Outline, OutlineRole, PatientPage, RESEARCH_USE_NOTICE, ReportError, RunBlock, ShownFirst, Viewer,
    ViewerLesion, ViewerSighting, ViewerVolume, render_cohort, render_patient, render_patient_with_viewer,
};
use sha2::{Digest as _, Sha256};

#[path = "sample_page/cohort.rs"]
mod cohort;
#[path = "sample_page/image.rs"]
mod image;
#[path = "sample_page/patient.rs"]
mod patient;

/// The sample patient with few pictures: coding them takes longer than everything else.
fn sample_patient() -> PatientPage {
    let mut page = patient::page();
    page.key_images.truncate(2);
    for registration in page.visits.iter_mut().skip(2).filter_map(|visit| visit.registration.as_mut()) {
        registration.pictures.clear();
    }
    page
}

/// Two visits, one lesion with one image of 2 × 2 pixels.
fn small_page() -> PatientPage {
    let mut page = sample_patient();
    page.visits.truncate(2);
    page.lesions.truncate(1);
    page.criteria.truncate(1);
    page.margins.clear();
    page.events.clear();
    page.review = None;
    page.endpoints.truncate(1);
    for registration in page.visits.iter_mut().filter_map(|visit| visit.registration.as_mut()) {
        registration.pictures.clear();
    }
    let last = page.visits[1].id;
    page.verdicts.retain(|verdict| verdict.row.criterion == "recist_1_1" && verdict.row.visit <= last);
    page.measurements.retain(|row| row.lesion_id == "L1" && row.visit <= last);
    page.key_images = vec![KeyImage {
        width: 2,
        height: 2,
        pixels: vec![0, 80, 160, 255],
        pixel_mm: [10.0, 5.0],
        outlines: vec![Outline { role: OutlineRole::Lesion, points: vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]] }],
        calipers: vec![[[0.0, 0.0], [1.0, 0.0]]],
        ..page.key_images[0].clone()
    }];
    page
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap();
    let end = start + text[start..].find(to).unwrap();
    &text[start..end]
}

#[test]
fn a_small_page_reads_as_it_did() {
    let html = render_patient(&small_page()).unwrap();
    insta::assert_snapshot!("small_patient_page", between(&html, "<header class=\"page\">", "</main>"));
}

#[test]
fn the_same_input_gives_the_same_bytes_and_only_the_run_block_differs_between_runs() {
    let page = sample_patient();
    let html = render_patient(&page).unwrap();
    assert_eq!(html, render_patient(&page).unwrap());
    let run = RunBlock { generated_at: Some("another day".into()), ..RunBlock::default() };
    let other = render_patient(&PatientPage { run, ..page }).unwrap();
    let without_run = |html: &str| html.replace(between(html, "<footer class=\"run\"", "</footer>"), "");
    assert_ne!(html, other);
    assert_eq!(without_run(&html), without_run(&other));
}

#[test]
fn a_page_survives_its_own_json() {
    let page = small_page();
    let text = serde_json::to_string(&page).unwrap();
    assert_eq!(serde_json::from_str::<PatientPage>(&text).unwrap(), page);
    assert!(text.contains(r#""pixels":"AFCg/w==""#), "grey values are base64");
}

#[test]
fn pages_need_no_network_and_say_what_they_are_for() {
    for html in [render_patient(&sample_patient()).unwrap(), render_cohort(&cohort::page()).unwrap()] {
        // What is inside the images is letters by chance.
        let html: String = html
            .split("data:image")
            .enumerate()
            .map(|(n, part)| if n == 0 { part } else { &part[part.find('"').unwrap()..] })
            .collect();
        for foreign in
            ["http:", "https:", "//www", "url(", "@import", "<script ", "<link", "<iframe", "fetch(", "import("]
        {
            assert!(!html.contains(foreign), "{foreign}");
        }
        let script = between(&html, "<script>", "</script>");
        assert!(!html.replace(script, "").contains("NaN"), "a number that is none was printed");
        assert_eq!(html.matches("<script").count(), 1, "the page's own script alone");
        assert!(html.contains(RESEARCH_USE_NOTICE));
        assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
        let described = ["Key image of ", "Baseline and visit ", "Baseline alone, ", "Visit "];
        let described: usize = described.map(|words| html.matches(&format!("alt=\"{words}")).count()).iter().sum();
        assert_eq!(html.matches("<img ").count(), described);
        assert_eq!(
            html.matches("<th>").count() + html.matches("<th class").count(),
            0,
            "every header cell has a scope"
        );
    }
}

#[test]
fn a_registration_shows_the_stretch_of_tissue_and_what_is_left_over() {
    let mut page = sample_patient();
    let html = render_patient(&page).unwrap();
    assert!(html.contains("Tissue of the visit: 0.78 to 1.27 times the volume at baseline</figcaption>"), "stretch");
    assert!(html.contains("Left over in blocks near this plane: up to 3.1 mm; ?: 1 not found again"), "blocks");
    for (n, words) in [("squares", "squares of 24 mm"), ("baseline", "Baseline alone"), ("visit", "Visit ")] {
        let image = between(&html, "class=\"turning\"", "</figure>").to_owned();
        let turn = image.split("<img ").find(|part| part.contains(&format!("data-turn=\"{n}\""))).expect(n);
        assert!(turn.contains(words) && turn.contains("hidden") == (n != "squares"), "{n}");
    }
    let pictures = |page: &mut PatientPage, change: fn(&mut lesiontrace_report::RegistrationPicture)| {
        let registrations = page.visits.iter_mut().filter_map(|v| v.registration.as_mut());
        registrations.flat_map(|r| r.pictures.iter_mut()).for_each(change);
    };
    pictures(&mut page, |picture| picture.stretch.as_mut().unwrap().times[500] = Some(-0.2));
    assert!(render_patient(&page).unwrap().contains("; black: the map folds"));
    pictures(&mut page, |picture| (picture.stretch, picture.blocks) = (None, Vec::new()));
    assert!(
        !render_patient(&page).unwrap().contains("class=\"map\""),
        "a straight map without blocks shows the images alone"
    );
    pictures(&mut page, |picture| picture.follow_up_pixels.truncate(9));
    assert!(render_patient(&page).is_err(), "an image that does not fill its rectangle is refused");
}

#[test]
fn a_reader_can_decide_and_what_was_decided_is_shown_whatever_it_says() {
    let mut page = sample_patient();
    let hostile = "</section><script>alert(1)</script>\u{202e}'\"&";
    let review = page.review.as_mut().unwrap();
    let read = &mut review.reads[0];
    (read.reader, read.comment, read.reason) = (hostile.to_owned(), hostile.to_owned(), hostile.to_owned());
    page.patient_id = hostile.to_owned();
    let html = render_patient(&page).unwrap();
    assert_eq!(html.matches("<script").count(), 1, "the page's own script alone");
    assert!(html.contains("Readers' decisions") && html.contains("in force"));
    let data = between(&html, "data-review=\"", "\"></div>").trim_start_matches("data-review=\"");
    let data = data.replace("&quot;", "\"").replace("&#x2f;", "/");
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["patient_id"], hostile, "a saved file is of this patient");
    assert_eq!(data["review"]["reads"][0]["reader"], hostile);
    let picture = &data["pictures"]["L1|2024-01-10"];
    assert!(
        picture["calipers"].as_array().unwrap().len() == 2 && picture["column"][0].as_f64() > Some(0.0),
        "{picture}"
    );
}

#[test]
fn hostile_text_stays_text() {
    const HOSTILE: &str = r"</title></text>'><script>alert(1)</script><img src=x onerror='alert(2)'>{{ 7*7 }}";
    let hostile = || HOSTILE.replacen('\'', "\"", 1);
    let mut page = small_page();
    page.patient_id = hostile();
    page.diagnosis = hostile();
    page.covariates[0].value = hostile();
    page.notes = vec![Note::warning(&hostile(), hostile(), hostile())];
    page.visits[0].label = hostile();
    page.visits[0].series[0].description = hostile();
    page.treatments[0].modality = hostile();
    page.lesions[0].organ = hostile();
    page.verdicts[1].row.overall = hostile();
    page.verdicts[1].row.why = hostile();
    page.measurements[0].reason = hostile();
    page.key_images[0].caption = hostile();
    page.key_images[0].orientation.left = hostile();
    page.methods = vec![hostile()];
    page.lesions[0].lesion_id = hostile();
    page.key_images[0].lesion_id = hostile();
    page.visits[1].registration.as_mut().unwrap().figures[0].value = hostile();
    page.verdicts[1].confidence_lowered_by = vec![hostile()];
    page.verdicts[1].what_changed = vec![hostile()];
    page.run.command_line = Some(hostile());
    let mut cohort = cohort::page();
    cohort.title = hostile();
    cohort.patients[0].patient_id = hostile();
    cohort.patients[0].folder = Some(hostile());
    cohort.swimmer[0].patient_id = hostile();
    cohort.endpoints[1].curves[0].group = hostile();
    cohort.best_responses[0].response = hostile();
    cohort.ledger[5].message = hostile();
    cohort.flow[0].label = hostile();
    cohort.flow[0].left[0].reason = hostile();
    cohort.hazards[0].rows[0].term = hostile();
    cohort.incidences[0].causes[0].cause = hostile();
    cohort.quality.flags[0].example = hostile();
    cohort.quality.flags[0].patients[0] = hostile();
    cohort.patients[0].margin_verdict = hostile();
    cohort.patients[0].best[0] = hostile();
    cohort.run.command_line = Some(hostile());
    for html in [render_patient(&page).unwrap(), render_cohort(&cohort).unwrap()] {
        assert_eq!(html.matches("<script").count(), 1, "a script got in beside the page's own");
        assert!(!html.contains("<img src=x"), "an element got in");
        assert!(html.contains("{{ 7*7 }}"), "the text was run as a template");
        assert!(html.contains("&lt;script&gt;alert"), "the text is no longer there");
        assert_eq!(html.matches("</title>").count(), 1);
    }
}

#[test]
fn only_the_script_whose_digest_the_policy_names_is_there() {
    let html = render_patient(&small_page()).unwrap();
    let script = &between(&html, "<script>", "</script>")["<script>".len()..];
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script));
    assert!(html.contains(&format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )));
}

#[test]
fn a_baseline_is_called_so_and_an_ablated_lesion_says_what_is_left() {
    let mut page = small_page();
    let baseline = page.verdicts.iter_mut().find(|verdict| verdict.row.study_day == 0).unwrap();
    baseline.row.overall.clear();
    let ablated = page.visits[1].id;
    let mut row = page.measurements.iter().find(|row| row.visit == ablated).unwrap().clone();
    page.measurements.retain(|row| row.visit != ablated);
    row.quantity = "viable_long_axis".into();
    (row.value, row.state, row.reason) = (Some(0.0), "ablated".into(), "zone without viable tumour".into());
    page.measurements.push(row);
    let html = render_patient(&page).unwrap();
    assert!(html.contains(">baseline</span>") && !html.contains("not stated</p>"));
    let lesion = between(&html, "<b>L1</b>", "</tr>");
    assert!(lesion.contains("<p class=\"main\">no viable tumour</p>"), "{lesion}");
    assert!(lesion.contains("zone without viable tumour") && !lesion.contains("not evaluable"), "{lesion}");
}

#[test]
fn a_registration_in_doubt_is_told_once() {
    let mut page = sample_patient();
    let visit = page.visits[3].clone();
    let reasons = visit.registration.unwrap().reasons;
    let told = |page: &PatientPage| render_patient(page).unwrap().contains("4 things to doubt");
    assert!(told(&page));
    // The same reason as a note of that visit takes the place of the registration's own line.
    let message = format!("{}: registration to baseline: {}", visit.id, reasons.join("; "));
    page.notes.push(Note::warning("registration_quality", "another folder", message));
    assert!(told(&page));
    // Of another visit it does not.
    page.notes.last_mut().unwrap().message = format!("2019-01-01: registration to baseline: {}", reasons.join("; "));
    assert!(!told(&page));
}

#[test]
fn residual_tumour_is_not_named_twice() {
    let mut page = sample_patient();
    (page.events[0].event, page.events[0].class) = ("residual".into(), "residual".into());
    let html = render_patient(&page).unwrap();
    assert!(
        html.contains("residual L1") && !html.contains("residual residual") && !html.contains("residual, residual")
    );
}

#[test]
fn a_margin_stands_at_the_visit_that_shows_its_zone() {
    let html = render_patient(&sample_patient()).unwrap();
    let lesion = between(&html, "<b>L1</b>", "</tr>");
    assert_eq!(lesion.matches("margin \u{2212}1.4 mm").count(), 1, "{lesion}");
    assert!(html.contains("class=\"cell\"") && html.contains("the thinnest place, towards the right"));
}

#[test]
fn a_verdict_says_how_firmly_it_stands() {
    let mut page = small_page();
    let row = &mut page.verdicts[1].row;
    (row.next_target, row.next_target_mm, row.sum_half_width_mm) = ("SD".into(), Some(1.25), Some(2.0));
    (row.within_error, row.over_selections, row.n_selections) = (Some(true), "PR|SD".into(), Some(3));
    let html = render_patient(&page).unwrap();
    assert!(html.contains("target response SD at +1.3 mm of the sum; 95 % band of the sum ± 2.0 mm"));
    assert!(
        html.contains(
            "SD lies within the error of the sum; over the 3 legal choices of targets the response is PR or SD"
        )
    );
    page.verdicts[1].row.next_target_mm = Some(f64::INFINITY);
    assert!(render_patient(&page).is_err());
}

#[test]
fn what_is_not_evaluable_has_its_reason_in_a_hatched_cell() {
    let html = render_patient(&sample_patient()).unwrap();
    let cell = between(&html, "<td class=\"hatched\" data-key=\"\">", "</td>");
    assert!(cell.contains("not evaluable: motion: breathing doubled"), "{cell}");
    let mut page = sample_patient();
    page.measurements.retain(|row| row.evaluable);
    page.verdicts.retain(|verdict| verdict.row.criterion != "mrecist" || verdict.row.study_day == 0);
    let html = render_patient(&page).unwrap();
    assert!(html.contains("not evaluable: no measurement of this visit was handed in"));
    assert_eq!(html.matches("not evaluable: this criterion did not assess the visit").count(), 4);
    assert!(!html.contains("<td></td>"), "no cell is blank");
}

#[test]
fn doubts_are_counted_at_the_top() {
    let html = render_patient(&sample_patient()).unwrap();
    assert!(html.contains("4 things to doubt"), "one error, one warning, one registration, one event to review");
    let mut page = sample_patient();
    page.notes.clear();
    page.events.clear();
    page.visits[3].registration = None;
    assert!(render_patient(&page).unwrap().contains("Nothing noted to doubt"));
}

#[test]
fn a_zone_is_not_compared_with_a_tumour() {
    let html = render_patient(&sample_patient()).unwrap();
    let zone = between(&html, "<b>L1</b>", "</tr>");
    assert!(zone.contains("no viable tumour") && zone.contains("whole 44.2 × 38.0 mm"), "{zone}");
    assert!(!zone.contains("class=\"change\""), "{zone}");
    let other = between(&html, "<b>L2</b>", "</tr>");
    // 21.3 against 19.6 at baseline and 16.2 at nadir.
    assert!(other.contains("<b>+8.7\u{a0}%</b> baseline · <b>+31.5\u{a0}%</b> nadir"), "{other}");
}

#[test]
fn outlines_and_calipers_lie_where_the_pixels_are() {
    // Pixels of 10 × 5 mm: the centre of pixel (1, 1) lies at 15, 7.5 mm of a field of 20 × 10 mm.
    let html = render_patient(&small_page()).unwrap();
    assert!(html.contains(r#"viewBox="0 0 20 10""#));
    assert!(html.contains(r#"<path d="M5 2.5L15 2.5L15 7.5Z""#));
    assert!(html.contains(r#"class="caliper" d="M5 2.5L15 2.5M5 2.06L5 2.94M15 2.06L15 2.94""#));
}

#[test]
fn images_and_numbers_that_are_none_are_refused() {
    let mut page = small_page();
    page.key_images[0].pixels.pop();
    let error = render_patient(&page).unwrap_err();
    assert_eq!(error.to_string(), "image of L1 at 2024-01-10: expected 4 grey values (2 x 2), found 3");
    let mut page = small_page();
    page.measurements[0].value = Some(f64::NAN);
    assert!(matches!(render_patient(&page), Err(ReportError::NotFinite { .. })));
    let mut page = sample_patient();
    page.margins[0].histogram_counts = "1 2 x".into();
    assert!(matches!(render_patient(&page), Err(ReportError::Histogram { .. })));
    let mut cohort = cohort::page();
    cohort.endpoints[0].curves[0].n_risk.pop();
    assert!(matches!(render_cohort(&cohort), Err(ReportError::Length { expected: 4, found: 3, .. })));
}

#[test]
fn histogram_bars_add_up_to_the_counts() {
    let counts = vec![0, 3, 0, 7, 12, 5];
    let input = MarginHistogram {
        label: "test".into(),
        from_mm: -2.0,
        bin_mm: 2.0,
        counts: counts.clone(),
        min_margin_mm: None,
        threshold_mm: Some(5.0),
    };
    let svg = margin_histogram(&input);
    let bar = |bar: &str| -> (u64, f64) {
        let value = |key: &str| bar.split(&format!("{key}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
        (value("data-count").parse().unwrap(), value(" height").parse().unwrap())
    };
    let bars: Vec<(u64, f64)> = svg.split("<rect ").skip(1).map(bar).collect();
    assert_eq!(bars.iter().map(|bar| bar.0).sum::<u64>(), counts.iter().sum::<u64>());
    assert_eq!(bars.len(), 4, "empty bins have no bar");
    // Heights are proportional to the counts; coordinates have two decimals.
    assert!(bars.iter().all(|bar| (bar.1 / bars[2].1 - bar.0 as f64 / 12.0).abs() < 1e-3), "{bars:?}");
}

#[test]
fn numbers_at_risk_stand_below_their_times() {
    let cohort = cohort::page();
    let svg = kaplan_meier(&cohort.endpoints[0]).unwrap();
    let at_risk: Vec<(&str, &str)> = svg
        .split("<text ")
        .filter(|text| text.contains("class=\"at-risk\""))
        .map(|text| (&between(text, "x=\"", "\" y=")[3..], &between(text, ">", "</text>")[1..]))
        .collect();
    // 0 to 15.4 months over 490 pixels from 110: 5 months are 159.09 pixels.
    assert_eq!(at_risk, [("110", "5"), ("269.09", "4"), ("428.18", "2"), ("587.27", "1")]);
    assert_eq!(svg.matches("class=\"censor\"").count(), 2);
    assert!(standalone(&svg).starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="));
}

#[test]
fn the_patient_list_leads_to_the_folder_on_disk() {
    let mut page = cohort::page();
    page.patients[0].folder = Some("P%2F1".into());
    let html = render_cohort(&page).unwrap().replace("&#x2f;", "/");
    assert!(html.contains("href=\"../patients/P%252F1/report.html\""));
    assert!(html.contains("(no report)"), "a patient without a report has no link");
}

/// A viewer of the sample's first two visits, the second of them in its own frame.
fn volumes() -> Vec<ViewerVolume> {
    let volume = |n: usize, not_linked: &str| ViewerVolume {
        visit: sample_patient().visits[n].id,
        not_linked: not_linked.to_owned(),
        link_in_doubt: if n == 0 { "points <b>miss themselves".to_owned() } else { String::new() },
        role: "ct_portal_venous".to_owned(),
        unit: "HU".to_owned(),
        spacing_mm: [2.0, 2.0, 2.5],
        window: [-150.0, 250.0],
        image: vec![1, 2, 3],
        outlined: vec![4, 5, 6],
        labels: vec![7],
    };
    vec![volume(0, ""), volume(1, "registration to baseline failed: </script><b>")]
}

fn viewer<'a>(volumes: &'a [ViewerVolume], library: &'a str) -> Viewer<'a> {
    let seen = ViewerSighting { center: Some([-40.0, 12.5, 80.0]), numbers: vec![1] };
    let lesion =
        ViewerLesion { id: "L1".into(), what: "liver, target".into(), at: vec![seen, ViewerSighting::default()] };
    Viewer {
        volumes,
        lesions: vec![lesion],
        first: ShownFirst { prior: 0, current: 1, nadir: None },
        library,
        library_version: "0.69.0",
    }
}

#[test]
fn a_viewer_brings_its_library_with_digest_and_licence_and_leaves_the_page_as_it_was() {
    let (page, volumes) = (sample_patient(), volumes());
    let library = "(function () { globalThis.niivue = \"é <script\"; })();\n";
    let html = render_patient_with_viewer(&page, &viewer(&volumes, library)).unwrap();
    assert_eq!(html, render_patient_with_viewer(&page, &viewer(&volumes, library)).unwrap());
    assert_eq!(between(&html, "id=\"viewer-library\">", "</script>").split_once('>').unwrap().1, library);
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(library));
    assert!(between(&html, "Content-Security-Policy", ">").contains(&format!("'sha256-{digest}'")));
    assert!(html.contains("Copyright (c) 2021, Niivue") && html.contains("Redistributions in binary form"));
    assert!(
        html.contains(r#""linkInDoubt":"points \u003cb>miss themselves""#),
        "what is to be doubted stands in the data"
    );
    assert!(html.contains(">AQID</script>") && html.contains(">BAUG</script>"));
    assert!(!html.contains("</script><b>") && html.contains("\\u003c/script>"), "a reason is no script");
    for said in ["soft tissue (W 400, L 50)", "lung (W 1500, L -600)", "1 of 2 visits", "data-lesion=\"0\""] {
        assert!(html.contains(said), "{said}");
    }
    let section = between(&html, "<section class=\"viewer\"", "<section aria-labelledby=\"visits-title\">");
    let rest = |html: &str| between(html, "<main id=\"main\">", "</main>").replace(section, "").replace('\n', "");
    assert!(rest(&html) == rest(&render_patient(&page).unwrap()), "the page beside the viewer is another one");
}

#[test]
fn a_page_without_a_viewer_holds_nothing_of_it() {
    let html = render_patient(&sample_patient()).unwrap();
    for word in ["viewer", "niivue", "Niivue"] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn a_window_that_is_no_number_is_refused() {
    let mut volumes = volumes();
    volumes[0].window[0] = f64::NAN;
    let error = render_patient_with_viewer(&sample_patient(), &viewer(&volumes, "")).unwrap_err();
    assert!(error.to_string().contains("viewer"), "{error}");
}
