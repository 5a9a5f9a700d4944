//! The figures of a cohort's page as drawings of their own, for papers and slides.

use crate::cohort_page::CohortPage;
use crate::cohort_view::{sums, waterfall_of};
use crate::error::ReportError;
use crate::figure::{flow, forest, incidence, kaplan_meier, margin_outcome, standalone, swimmer};

/// A drawing with the name of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureFile {
    /// Without ending: small letters, digits and `_`.
    pub name: String,
    /// A whole SVG file.
    pub svg: String,
}

/// Every figure of the page, in its order. Names say the kind and what is drawn: `km_pfs`, `waterfall_recist_1_1`.
pub fn cohort_figures(page: &CohortPage) -> Result<Vec<FigureFile>, ReportError> {
    let mut files = Vec::new();
    let mut add = |name: &str, svg: String| {
        let svg = standalone(&svg);
        files.push(FigureFile { name: file_name(name), svg });
    };
    if !page.flow.is_empty() {
        add("flow", flow(&page.flow)?);
    }
    for table in &page.responses {
        if let Some(svg) = waterfall_of(page, table)? {
            add(&format!("waterfall_{}", table.criterion), svg);
        }
        if let Some(svg) = sums(page, table)? {
            add(&format!("spider_{}", table.criterion), svg);
        }
    }
    if !page.swimmer.is_empty() {
        add("swimmer", swimmer(&page.swimmer));
    }
    for endpoint in &page.endpoints {
        add(&format!("km_{}", endpoint.endpoint), kaplan_meier(endpoint)?);
    }
    for curves in &page.incidences {
        add(&format!("cif_{}", curves.endpoint), incidence(curves)?);
    }
    for table in &page.hazards {
        add(&format!("forest_{}", table.title), forest(table)?);
    }
    if !page.margin_outcomes.is_empty() {
        add("margins_by_outcome", margin_outcome(&page.margin_outcomes, page.margin_threshold_mm)?);
    }
    Ok(files)
}

/// A name that every file system takes: what is no letter or digit becomes one `_`.
fn file_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_files_are_plain() {
        assert_eq!(file_name("waterfall_recist_1_1+3fa81c02"), "waterfall_recist_1_1_3fa81c02");
        assert_eq!(file_name("forest_Local progression (LTPFS)"), "forest_local_progression_ltpfs");
        assert_eq!(file_name("km_../../x"), "km_x");
    }
}
