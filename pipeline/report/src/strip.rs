//! Strips of key images: one row per lesion, one column per visit, the same scale throughout a row, prior beside current.

use std::fmt::Write as _;

use oncology::{LesionRow, VisitId};
use serde::Serialize;

use crate::error::ReportError;
use crate::figure::{escape, path_data};
use crate::key_image::{KeyImage, Orientation, OutlineRole};
use crate::numerals::{coordinate, fixed};
use crate::patient_page::{PatientPage, Visit};
use crate::review::name;
use crate::wording::words;

/// Width of the widest field of view of a row on the page, in CSS pixels.
const FIELD_PX: f64 = 238.0;
/// Visits shown beside each other: the first one and the latest; the others fold away below.
const COLUMNS: usize = 5;

/// All strips of a page.
#[derive(Debug, Serialize)]
pub(crate) struct Strips {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<StripRow>,
    pub(crate) legend: Vec<LegendEntry>,
    pub(crate) n_folded: usize,
}

/// One visit.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Column {
    visit: String,
    label: String,
    tag: &'static str,
}

/// One lesion.
#[derive(Debug, Serialize)]
pub(crate) struct StripRow {
    title: String,
    subtitle: String,
    cells: Vec<Cell>,
    folded: Vec<Cell>,
}

/// What stands in one column.
#[derive(Debug, Serialize)]
struct Cell {
    heading: Column,
    images: Vec<Picture>,
    /// Why there is no image.
    missing: String,
    /// The lesion had not appeared yet: nothing is missing.
    not_yet: bool,
}

#[derive(Debug, Serialize)]
struct Picture {
    /// Lesion and visit, by which the page's script finds it.
    name: String,
    address: String,
    alt: String,
    overlay: String,
    caption: String,
    width_px: String,
    height_px: String,
    /// Width over height, for narrow screens.
    aspect: String,
}

/// One entry of the legend below the strips.
#[derive(Debug, Serialize)]
pub(crate) struct LegendEntry {
    word: &'static str,
    stroke: &'static str,
}

/// Strips of every lesion with at least one key image; `None` when there is none at all.
pub(crate) fn strips(page: &PatientPage) -> Result<Option<Strips>, ReportError> {
    page.key_images.iter().try_for_each(KeyImage::check)?;
    let (shown, folded) = columns(page);
    let mut rows = Vec::new();
    let mut lesions: Vec<&LesionRow> = page.lesions.iter().collect();
    lesions.sort_by_key(|lesion| rank(&lesion.role));
    for lesion in lesions {
        let images: Vec<&KeyImage> =
            page.key_images.iter().filter(|image| image.lesion_id == lesion.lesion_id).collect();
        let widest = images.iter().map(|image| image.field_mm()[0]).fold(0.0, f64::max);
        if images.is_empty() {
            continue;
        }
        let row = Row { page, lesion_id: &lesion.lesion_id, images: &images, px_per_mm: FIELD_PX / widest };
        rows.push(StripRow {
            title: lesion.lesion_id.clone(),
            subtitle: format!("{}, {}", words(&lesion.organ), words(&lesion.role)),
            cells: cells(&row, &shown)?,
            folded: cells(&row, &folded)?.into_iter().filter(|cell| !cell.images.is_empty()).collect(),
        });
    }
    let columns = shown.iter().map(|visit| column(page, visit)).collect();
    Ok((!rows.is_empty()).then(|| Strips { columns, rows, legend: legend(page), n_folded: folded.len() }))
}

/// What the verdict rests on comes first: targets and new lesions; otherwise the order of the table.
fn rank(role: &str) -> u8 {
    match role {
        "target" | "new" => 0,
        "non_target" => 1,
        _ => 2,
    }
}

fn columns(page: &PatientPage) -> (Vec<&Visit>, Vec<&Visit>) {
    let n = page.visits.len();
    let latest = n.saturating_sub(COLUMNS - 1);
    page.visits.iter().enumerate().fold((Vec::new(), Vec::new()), |(mut shown, mut folded), (index, visit)| {
        if index == 0 || index >= latest {
            shown.push(visit);
        } else {
            folded.push(visit);
        }
        (shown, folded)
    })
}

fn column(page: &PatientPage, visit: &Visit) -> Column {
    let n = page.visits.len();
    let tag = match page.visits.iter().position(|other| other == visit) {
        Some(index) if index + 1 == n => "current",
        Some(index) if index + 2 == n => "prior",
        _ => "",
    };
    Column { visit: visit.id.to_string(), label: visit.label.clone(), tag }
}

struct Row<'a> {
    page: &'a PatientPage,
    lesion_id: &'a str,
    images: &'a [&'a KeyImage],
    px_per_mm: f64,
}

fn cells(row: &Row<'_>, visits: &[&Visit]) -> Result<Vec<Cell>, ReportError> {
    let cell = |visit: &&Visit| {
        let images: Vec<Picture> = row
            .images
            .iter()
            .filter(|image| image.visit == visit.id)
            .map(|image| picture(image, row.px_per_mm))
            .collect::<Result<_, _>>()?;
        let missing = if images.is_empty() { why_missing(row, visit.id) } else { String::new() };
        Ok(Cell { heading: column(row.page, visit), images, missing, not_yet: not_yet(row, visit.id) })
    };
    visits.iter().map(cell).collect()
}

fn not_yet(row: &Row<'_>, visit: VisitId) -> bool {
    row.page.lesions.iter().any(|lesion| lesion.lesion_id == row.lesion_id && visit < lesion.first_seen_visit)
}

fn why_missing(row: &Row<'_>, visit: VisitId) -> String {
    if not_yet(row, visit) {
        return "not yet seen".to_owned();
    }
    let reason = row
        .page
        .measurements
        .iter()
        .find(|row_| {
            row_.lesion_id == row.lesion_id && row_.visit == visit && !row_.evaluable && !row_.reason.is_empty()
        })
        .map(|row_| row_.reason.as_str());
    reason.map_or_else(|| "no key image for this visit".to_owned(), |reason| format!("no key image: {reason}"))
}

fn picture(image: &KeyImage, px_per_mm: f64) -> Result<Picture, ReportError> {
    let [width, height] = image.field_mm();
    let roles: Vec<&str> = OutlineRole::ALL
        .into_iter()
        .filter(|role| image.outlines.iter().any(|outline| outline.role == *role))
        .map(OutlineRole::word)
        .collect();
    let outlined =
        if roles.is_empty() { "nothing outlined".to_owned() } else { format!("outlined: {}", roles.join(", ")) };
    Ok(Picture {
        name: name(image),
        address: image.data_address()?,
        alt: format!(
            "Key image of {} on {}: {}; {outlined}; {} calipers",
            image.lesion_id,
            image.visit,
            image.caption,
            image.calipers.len()
        ),
        overlay: overlay(image),
        caption: image.caption.clone(),
        width_px: coordinate(width * px_per_mm),
        height_px: coordinate(height * px_per_mm),
        aspect: format!("{} / {}", coordinate(width), coordinate(height)),
    })
}

/// Outlines, calipers, scale bar and letters, in mm of the field of view. Lines keep their width on the screen.
fn overlay(image: &KeyImage) -> String {
    let [width, height] = image.field_mm();
    format!(
        r#"<svg class="overlay" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true" fill="none">{}</svg>"#,
        coordinate(width),
        coordinate(height),
        drawing(image, [1.0; 2])
    )
}

/// The same without the element round it, `scale` units a millimetre along rows and columns of pixels.
pub(crate) fn drawing(image: &KeyImage, scale: [f64; 2]) -> String {
    let field_mm = image.field_mm();
    let [width, height] = [0, 1].map(|axis| field_mm[axis] * scale[axis]);
    let place = |point: &[f64; 2]| [0, 1].map(|axis| (point[axis] + 0.5) * image.pixel_mm[axis] * scale[axis]);
    let mut marks = String::new();
    for outline in &image.outlines {
        let data = path_data(&outline.points.iter().map(place).collect::<Vec<_>>());
        if !data.is_empty() {
            let _ = write!(marks, r#"<path d="{data}Z" {}/>"#, outline.role.stroke());
        }
    }
    for ends in &image.calipers {
        marks.push_str(&caliper(&[place(&ends[0]), place(&ends[1])], 0.022 * width));
    }
    let letters = letters(image, [width, height], scale[0]);
    format!(r#"<g class="marks" stroke-linejoin="round">{marks}</g>{letters}"#)
}

/// A caliper: a line with a short bar at each end, dark below so that it stands out on bright tissue too.
fn caliper(ends: &[[f64; 2]; 2], half_bar: f64) -> String {
    let [a, b] = *ends;
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = dx.hypot(dy);
    let (nx, ny) = if length > 0.0 { (-dy / length * half_bar, dx / length * half_bar) } else { (0.0, half_bar) };
    let bar = |p: [f64; 2]| path_data(&[[p[0] - nx, p[1] - ny], [p[0] + nx, p[1] + ny]]);
    let data = format!("{}{}{}", path_data(&[a, b]), bar(a), bar(b));
    format!(
        r##"<path class="caliper" d="{data}" stroke="#101418" stroke-width="3.4" stroke-opacity="0.65"/><path d="{data}" stroke="#f7e463" stroke-width="1.5"/>"##
    )
}

/// The letters at the four edges of a field of view, in mm.
pub(crate) fn edge_letters(orientation: &Orientation, [width, height]: [f64; 2]) -> String {
    let (size, pad) = (0.05 * width, 0.02 * width);
    let mut text = String::new();
    put(&mut text, [pad, height / 2.0 + 0.35 * size], "start", size, &orientation.left);
    put(&mut text, [width - pad, height / 2.0 + 0.35 * size], "end", size, &orientation.right);
    put(&mut text, [width / 2.0, pad + 0.8 * size], "middle", size, &orientation.top);
    put(&mut text, [width / 2.0, height - pad], "middle", size, &orientation.bottom);
    text
}

fn put(text: &mut String, at: [f64; 2], anchor: &str, size: f64, letter: &str) {
    let [x, y, size] = [at[0], at[1], size].map(coordinate);
    let _ = write!(
        text,
        r##"<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="#ffffff" stroke="none" font-weight="600" font-family="system-ui, sans-serif">{}</text>"##,
        escape(letter)
    );
}

fn letters(image: &KeyImage, [width, height]: [f64; 2], scale: f64) -> String {
    let mut text = edge_letters(&image.orientation, [width, height]);
    let (size, pad) = (0.05 * width, 0.02 * width);
    if image.scale_bar_mm > 0.0 {
        let bar = (image.scale_bar_mm * scale).min(width - 2.0 * pad);
        let y = height - 1.4 * pad;
        let data = path_data(&[[pad, y - pad], [pad, y], [pad + bar, y], [pad + bar, y - pad]]);
        let mm = bar / scale;
        let length = format!("{} mm", fixed(mm, usize::from((mm - mm.round()).abs() > 1e-9)));
        put(&mut text, [pad, y - 1.6 * pad], "start", size, &length);
        let _ = write!(text, r##"<path d="{data}" stroke="#ffffff" stroke-width="1.6"/>"##);
    }
    text
}

fn legend(page: &PatientPage) -> Vec<LegendEntry> {
    let used = |role: &OutlineRole| {
        page.key_images.iter().flat_map(|image| &image.outlines).any(|outline| outline.role == *role)
    };
    OutlineRole::ALL
        .into_iter()
        .filter(used)
        .map(|role| LegendEntry { word: role.word(), stroke: role.stroke() })
        .collect()
}
