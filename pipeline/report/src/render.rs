//! From a page's input to its HTML text.

use base64::Engine as _;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::cohort_page::CohortPage;
use crate::cohort_view::cohort_view;
use crate::error::ReportError;
use crate::patient_page::PatientPage;
use crate::patient_view::patient_view;
use crate::triage_page::TriagePage;
use crate::triage_view::triage_view;
use crate::viewer::Viewer;

/// Stands at the top of every page and on every printed sheet.
pub const RESEARCH_USE_NOTICE: &str = "Research use only. Not for diagnosis or treatment decisions.";

const TEMPLATES: [(&str, &str); 7] = [
    ("base.html", include_str!("../templates/base.html")),
    ("parts.html", include_str!("../templates/parts.html")),
    ("patient.html", include_str!("../templates/patient.html")),
    ("viewer.html", include_str!("../templates/viewer.html")),
    ("cohort.html", include_str!("../templates/cohort.html")),
    ("triage.html", include_str!("../templates/triage.html")),
    ("style.css", include_str!("../templates/style.css")),
];

/// What sorts and filters tables. A page says the same without it.
const SCRIPT: &str = include_str!("../templates/page.js");
/// The same with what lets a reader decide and save; for the patient's page.
const REVIEW_SCRIPT: &str = concat!(
    include_str!("../templates/page.js"),
    include_str!("../templates/calipers.js"),
    include_str!("../templates/review.js")
);
/// The same with what shows two visits side by side; for a patient's page with the viewer.
const VIEWER_SCRIPT: &str = concat!(
    include_str!("../templates/page.js"),
    include_str!("../templates/calipers.js"),
    include_str!("../templates/review.js"),
    include_str!("../templates/viewer.js")
);
/// How the viewer looks; no other page holds it.
const VIEWER_STYLE: &str = include_str!("../templates/viewer.css");

#[derive(Serialize)]
struct Whole<T> {
    notice: &'static str,
    /// Style of this page alone.
    more_style: &'static str,
    /// Digests of further scripts of this page alone, as the content security policy lists them.
    more_digests: String,
    /// The script, exactly as its digest was taken.
    script: &'static str,
    /// Its digest as a content security policy wants it: no other script runs.
    script_digest: String,
    page: T,
}

/// One patient's page as self-contained HTML.
pub fn render_patient(page: &PatientPage) -> Result<String, ReportError> {
    let script = if page.review.is_some() { REVIEW_SCRIPT } else { SCRIPT };
    render("patient.html", Own { script, style: "", library: None }, patient_view(page, None)?)
}

/// One patient's page with the viewer in it: library and volumes lie in the page, and nothing of them runs before it is opened.
pub fn render_patient_with_viewer(page: &PatientPage, viewer: &Viewer<'_>) -> Result<String, ReportError> {
    let own = Own { script: VIEWER_SCRIPT, style: VIEWER_STYLE, library: Some(viewer.library) };
    render("patient.html", own, patient_view(page, Some(viewer))?)
}

/// The cohort's page as self-contained HTML. It belongs into `cohort/`: its links lead to `../patients/<folder>/report.html`.
pub fn render_cohort(page: &CohortPage) -> Result<String, ReportError> {
    render("cohort.html", Own::PLAIN, cohort_view(page)?)
}

/// The page of an archive before anything is measured, as self-contained HTML.
pub fn render_triage(page: &TriagePage) -> Result<String, ReportError> {
    render("triage.html", Own::PLAIN, triage_view(page))
}

/// What belongs to one kind of page alone.
#[derive(Clone, Copy)]
struct Own<'a> {
    script: &'static str,
    style: &'static str,
    /// A script that the page's own one may start.
    library: Option<&'a str>,
}

impl Own<'_> {
    const PLAIN: Self = Self { script: SCRIPT, style: "", library: None };
}

fn digest(script: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script))
}

fn render<T: Serialize>(template: &'static str, own: Own<'_>, page: T) -> Result<String, ReportError> {
    let fail = |source| ReportError::Template { template, source };
    let mut environment = Environment::new();
    // A misspelt name in a template is an error, never an empty place.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text).map_err(fail)?;
    }
    let more_digests = own.library.map(|library| format!(" 'sha256-{}'", digest(library))).unwrap_or_default();
    let whole = Whole {
        notice: RESEARCH_USE_NOTICE,
        more_style: own.style,
        more_digests,
        script: own.script,
        script_digest: digest(own.script),
        page,
    };
    let html = environment.get_template(template).and_then(|template| template.render(Serde(&whole))).map_err(fail)?;
    Ok(visible(html))
}

/// Characters that are not seen but change what is seen (control characters, marks that turn the direction of writing) are
/// written as their number: an identifier from an archive must not pass for another.
///
/// Source: Unicode Technical Report 36, section 3.
fn visible(html: String) -> String {
    let unseen = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\r' | '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if !html.contains(unseen) {
        return html;
    }
    let shown = |c: char| if unseen(c) { format!("[U+{:04X}]", u32::from(c)) } else { c.to_string() };
    html.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out() {
        assert_eq!(visible("P-1\n\t<b>é</b>".to_owned()), "P-1\n\t<b>é</b>");
        assert_eq!(visible("P\u{202e}1-A\u{7}".to_owned()), "P[U+202E]1-A[U+0007]");
    }
}
