//! What a reader may decide in a patient's page, and what readers decided. Everything is handed in; the page's script turns what the
//! reader does into a file of reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use oncology::VisitId;
use oncology::reads::{Outcome, ReadRow};
use serde::{Deserialize, Serialize};

use crate::key_image::KeyImage;
use crate::patient_page::PatientPage;
use crate::wording::words;

/// The review of one patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Lesions as the program followed them, then the parts that readers made of them.
    pub lesions: Vec<ReviewLesion>,
    /// Reads with what became of each.
    pub reads: Vec<ReadRow>,
}

/// One lesion to decide about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewLesion {
    /// Its name.
    pub lesion_id: String,
    /// Its tracking UID.
    pub tracking_uid: String,
    /// Its part, as the program chose it.
    pub role: String,
    /// `lesion` or `node`, as the program took it.
    pub kind: String,
    /// Whether it is perhaps none: then nobody accepted it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_doubt: bool,
    /// What reads of the whole lesion are bound to.
    pub based_on: String,
    /// Its visits, the first one its first sight.
    pub visits: Vec<ReviewVisit>,
}

/// One lesion at one visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewVisit {
    /// The visit.
    pub visit: VisitId,
    /// What the program found of it.
    pub state: String,
    /// What reads of the lesion at this visit are bound to.
    pub based_on: String,
    /// Long axis in words; empty where there is none.
    pub long_axis: String,
    /// Short axis in words.
    pub short_axis: String,
    /// Whether something is outlined that a caliper can measure.
    pub is_seen: bool,
}

/// One line of the table of reads.
#[derive(Debug, Serialize)]
pub(crate) struct ReadLine {
    lesion_id: String,
    visit: String,
    item: String,
    old: String,
    new: String,
    who: String,
    read_at: String,
    comment: String,
    outcome: &'static str,
    class: &'static str,
    reason: String,
}

/// What the template reads.
#[derive(Debug, Serialize)]
pub(crate) struct ReviewView {
    lines: Vec<ReadLine>,
    /// JSON without a character that means something in HTML.
    data: String,
}

/// What the page's script reads.
#[derive(Serialize)]
struct Data<'a> {
    schema_version: u32,
    patient_id: &'a str,
    review: &'a Review,
    pictures: BTreeMap<String, Picture>,
}

/// Geometry of one key image.
#[derive(Serialize)]
struct Picture {
    width: u32,
    height: u32,
    pixel_mm: [f64; 2],
    origin: [f64; 3],
    column: [f64; 3],
    row: [f64; 3],
    calipers: Vec<[[f64; 2]; 2]>,
}

/// The review of a page, where it has one.
pub(crate) fn review_view(page: &PatientPage) -> Option<ReviewView> {
    let review = page.review.as_ref()?;
    let pictures = page.key_images.iter().filter_map(|image| Some((name(image), picture(image)?))).collect();
    let data = Data { schema_version: oncology::reads::SCHEMA_VERSION, patient_id: &page.patient_id, review, pictures };
    let data =
        serde_json::to_string(&data).expect("texts and finite numbers have a JSON form; key images were checked");
    // What nobody has decided yet comes first.
    let (open, others): (Vec<&ReadRow>, Vec<&ReadRow>) =
        review.reads.iter().partition(|row| row.outcome == Outcome::Disagreement);
    Some(ReviewView { lines: open.into_iter().chain(others).map(line).collect(), data: inert(&data) })
}

/// How a key image is found: lesion and visit.
pub(crate) fn name(image: &KeyImage) -> String {
    format!("{}|{}", image.lesion_id, image.visit)
}

fn picture(image: &KeyImage) -> Option<Picture> {
    let place = image.pixel_to_patient?;
    // One alone is that of a pair whose other one lies on another slice.
    let calipers = if image.calipers.len() > 1 { image.calipers[..2].to_vec() } else { Vec::new() };
    let KeyImage { width, height, pixel_mm, .. } = *image;
    let (origin, column, row) = (place.origin, place.column, place.row);
    Some(Picture { width, height, pixel_mm, origin, column, row, calipers })
}

fn line(row: &ReadRow) -> ReadLine {
    let (outcome, class) = match row.outcome {
        Outcome::Applied | Outcome::Open => ("in force", "response"),
        Outcome::Superseded => ("not in force", "neutral"),
        Outcome::Disagreement => ("readers disagree", "unconfirmed"),
        Outcome::Refused => ("refused", "progression"),
    };
    let adjudicator = if row.adjudicator { ", adjudicator" } else { "" };
    ReadLine {
        lesion_id: row.lesion_id.clone(),
        visit: row.visit.clone(),
        item: words(&row.item),
        old: row.old.clone(),
        new: if row.is_confirmation() { format!("{} (confirmed)", row.old) } else { row.value_words() },
        who: format!("{}{adjudicator}", row.reader),
        read_at: row.read_at.clone(),
        comment: row.comment.clone(),
        outcome,
        class,
        reason: row.reason.clone(),
    }
}

/// JSON that can stand anywhere in a page: what could end an element, and what is not seen, is written by its number, so that the script reads
/// every identifier as it is.
fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        let is_plain = (' '..='~').contains(&c) && !matches!(c, '<' | '>' | '&' | '\'');
        if is_plain {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_cannot_leave_the_data_and_come_back_as_they_were() {
        let hostile = "</script><script>alert(1)</script>\u{202e}\u{2028}é😀&amp;'\"\\";
        let json = serde_json::to_string(hostile).unwrap();
        let text = inert(&json);
        assert!(text.is_ascii() && !text.contains(['<', '>', '&', '\'']), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }
}
