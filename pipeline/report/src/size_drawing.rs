//! Sizes over time as spider plots: the sum each criterion reads, and every lesion by itself.
//!
//! Changes in percent are worked out for drawing only, like against like: the same quantity, never against an ablation zone.

use oncology::{AssessmentRow, LesionRow, MeasurementRow};
use serde::Serialize;

use crate::figure::{SpiderLine, SpiderPlot, spider};
use crate::lesion_table::read_quantity;
use crate::numerals::change_percent;
use crate::patient_page::{CriterionInfo, PatientPage};
use crate::verdict_view::code;
use crate::wording::{badge, is_zone};

/// A figure with its title.
#[derive(Serialize)]
pub(crate) struct Drawing {
    title: String,
    svg: String,
}

/// One drawing per criterion with at least two sums, then one of all lesions measured at least twice.
pub(crate) fn size_drawings(page: &PatientPage, criteria: &[CriterionInfo]) -> Vec<Drawing> {
    let mut drawings: Vec<Drawing> = criteria.iter().filter_map(|criterion| sum_over_time(page, criterion)).collect();
    drawings.extend(lesions_over_time(page));
    drawings
}

fn lesions_over_time(page: &PatientPage) -> Option<Drawing> {
    let lines: Vec<SpiderLine> = page.lesions.iter().filter_map(|lesion| lesion_line(page, lesion)).collect();
    let plot = SpiderPlot {
        label: format!(
            "Diameter of {} lesions over time, in percent of the first measurement; the table below has the numbers",
            lines.len()
        ),
        width: 600.0,
        lines,
        response_percent: None,
        progression_percent: None,
    };
    let svg = (!plot.lines.is_empty()).then(|| spider(&plot))?;
    Some(Drawing { title: "Each lesion over time, against its first measurement".to_owned(), svg })
}

/// The diameter that counts at every visit at which it was measured on a tumour, not on a zone.
fn lesion_line(page: &PatientPage, lesion: &LesionRow) -> Option<SpiderLine> {
    let counts = |row: &&MeasurementRow| {
        row.lesion_id == lesion.lesion_id
            && row.quantity == read_quantity(lesion)
            && row.evaluable
            && !is_zone(&row.state)
    };
    let rows = page.measurements.iter().filter(counts);
    let mut sizes: Vec<_> = rows.filter_map(|row| Some((row.visit, row.study_day, row.value?))).collect();
    // Two visits of one day are two points above each other, in their order.
    sizes.sort_by_key(|(visit, ..)| *visit);
    sizes.dedup_by_key(|(visit, ..)| *visit);
    let first = sizes.first()?.2;
    let points: Vec<[f64; 2]> =
        sizes.iter().filter_map(|(_, day, size)| Some([*day as f64, change_percent(*size, first)?])).collect();
    let (responses, progression) = (Vec::new(), Vec::new());
    (points.len() > 1).then(|| SpiderLine { name: lesion.lesion_id.clone(), points, responses, progression })
}

fn sum_over_time(page: &PatientPage, criterion: &CriterionInfo) -> Option<Drawing> {
    let verdicts = page.verdicts.iter().filter(|verdict| verdict.row.criterion == criterion.id);
    let mut rows: Vec<&AssessmentRow> = verdicts.map(|verdict| &verdict.row).collect();
    rows.sort_by_key(|row| row.visit);
    let mut line = SpiderLine {
        name: page.patient_id.clone(),
        points: Vec::new(),
        responses: Vec::new(),
        progression: Vec::new(),
    };
    for row in rows {
        let day = row.study_day as f64;
        let Some(percent) = row.sum_mm.zip(row.baseline_mm).and_then(|(sum, baseline)| change_percent(sum, baseline))
        else {
            continue;
        };
        line.points.push([day, percent]);
        line.responses.push(badge(code(row)));
        let above = criterion.progression_percent.zip(row.nadir_mm).zip(row.baseline_mm);
        let above = above.and_then(|((rise, nadir), baseline)| change_percent(nadir * (1.0 + rise / 100.0), baseline));
        line.progression.extend(above.map(|percent| [day, percent]));
    }
    let label = format!(
        "Sum of diameters by {} over time, in percent of baseline; the table beside it has the numbers",
        criterion.title
    );
    let plot = SpiderPlot {
        label,
        width: 600.0,
        response_percent: criterion.response_percent,
        progression_percent: criterion.progression_percent,
        lines: vec![line],
    };
    (plot.lines[0].points.len() > 1)
        .then(|| Drawing { title: format!("Sum of diameters over time, {}", criterion.title), svg: spider(&plot) })
}
