//! Descriptions are kept word by word: a word stays where a list of technical words knows it, anything else becomes `xx`.
//!
//! A name, a place or a number of a patient is in no such list. What the rules of series roles look for is, so that a series
//! keeps its role. Source: DICOM PS3.15 E.3.5 (Clean Descriptors Option).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::dicom::role::{NOT_FOR_MEASURING, SeriesRules};

/// Words of protocols, anatomy, reconstruction and outlines beyond those of the series rules.
const TECHNICAL: &str = include_str!("words.txt");

static WORDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let of_lines = TECHNICAL.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let of_roles = NOT_FOR_MEASURING.iter().flat_map(|phrase| phrase.split(' '));
    of_lines.chain(of_roles).chain(SeriesRules::built_in().words()).map(str::to_owned).collect()
});

/// At most so many numbers in a row are kept: 12.04.65 is a date, 3.0 a thickness.
const MAX_NUMBERS_IN_A_ROW: usize = 2;

/// A text with its known words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownWords {
    /// The text; unknown words are `xx`. Empty where no word is known.
    pub(super) text: String,
    /// How many words were unknown.
    pub(super) n_unknown: usize,
}

/// Keeps the known words of a text.
#[must_use]
pub(super) fn known_words(text: &str) -> KnownWords {
    let parts = parts_of(text);
    let mut known: Vec<bool> = parts.iter().map(|part| part.is_word && is_known(part.text)).collect();
    forget_long_numbers(&parts, &mut known);
    let mut n_unknown = 0;
    let mut kept = String::new();
    for (part, known) in parts.iter().zip(&known) {
        if !part.is_word {
            kept.extend(part.text.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }));
        } else if *known {
            kept.push_str(part.text);
        } else {
            n_unknown += 1;
            kept.push_str(if part.text.len() > 1 { "xx" } else { "x" });
        }
    }
    let has_word = known.iter().any(|known| *known);
    KnownWords { text: if has_word { kept.trim().to_owned() } else { String::new() }, n_unknown }
}

/// A run of letters and digits, or what lies between two.
struct Part<'a> {
    text: &'a str,
    is_word: bool,
}

fn parts_of(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = first.is_alphanumeric();
        let end = rest.find(|c: char| c.is_alphanumeric() != is_word).unwrap_or(rest.len());
        parts.push(Part { text: &rest[..end], is_word });
        rest = &rest[end..];
    }
    parts
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit())
}

/// Numbers that follow each other without a word between them are none of a protocol.
fn forget_long_numbers(parts: &[Part<'_>], known: &mut [bool]) {
    let mut run: Vec<usize> = Vec::new();
    let ends = parts.iter().enumerate().map(Some).chain([None]);
    for end in ends {
        match end {
            Some((at, part)) if part.is_word && is_number(part.text) => run.push(at),
            Some((_, part)) if !part.is_word => {}
            _ => {
                if run.len() > MAX_NUMBERS_IN_A_ROW {
                    for at in &run {
                        known[*at] = false;
                    }
                }
                run.clear();
            }
        }
    }
}

/// Whether a word is in the list, a small number, a number with a unit, or a kernel or b-value such as `B40f` and `b800`.
fn is_known(word: &str) -> bool {
    let lower = word.to_lowercase();
    if WORDS.contains(&lower) {
        return true;
    }
    let n_digits = lower.bytes().filter(u8::is_ascii_digit).count();
    let letters = lower.trim_matches(|c: char| c.is_ascii_digit());
    match (n_digits, letters) {
        // b-values and times of a sequence.
        (1..=4, "b" | "te" | "tr" | "ti") => lower.starts_with(letters),
        // A small number, or one with its unit.
        (1..=2, "") | (1..=3, "mm" | "s" | "sec" | "min" | "kv" | "ms" | "d" | "w" | "p" | "cm") => true,
        // Kernels: B40f, I30f, Br40, FC13, H31s.
        _ => is_kernel(&lower),
    }
}

fn is_kernel(lower: &str) -> bool {
    let stem = lower.trim_end_matches(['f', 's', 'd', 'm']);
    let digits = stem.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let letters = &stem[..stem.len() - digits.len()];
    matches!(letters, "b" | "h" | "i" | "u" | "br" | "bf" | "bl" | "bv" | "hr" | "hf" | "qr" | "fc" | "fl")
        && digits.len() == 2
        && is_number(digits)
        && lower.len() - stem.len() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        known_words(text).text
    }

    #[test]
    fn words_of_the_field_stay_and_others_go() {
        assert_eq!(kept("Recon 2: LIVER 3 PHASE (AP)"), "Recon 2: LIVER 3 PHASE (AP)");
        assert_eq!(kept("P.Venous  3.0  B40f"), "P.Venous  3.0  B40f");
        assert_eq!(kept("T1 VIBE FS TRA Smith"), "T1 VIBE FS TRA xx");
        assert_eq!(kept("GTV_1 JD"), "GTV_1 xx");
        assert_eq!(known_words("portal John Doe"), KnownWords { text: "portal xx xx".to_owned(), n_unknown: 2 });
    }

    #[test]
    fn dates_numbers_and_names_alone_leave_nothing() {
        for text in ["Müller", "12.04.65", "1965 04 12", "4711", "SECRET12", "", "---", "Doe^John", "b12345"] {
            assert_eq!(kept(text), "", "{text}");
        }
        assert_eq!(kept("liver 12.04.65"), "liver xx.xx.xx");
        assert_eq!(kept("liver 123456"), "liver xx");
        assert_eq!(kept("axial é x"), "axial xx x");
    }

    #[test]
    fn real_descriptions_keep_their_role() {
        use crate::dicom::header::SliceHeader;
        use crate::dicom::role::role_of;
        let Some(path) = testkit::real_data("index/idc_series.csv") else { return };
        let mut reader = csv::Reader::from_path(path).unwrap();
        let headers = reader.headers().unwrap().clone();
        let column = |name: &str| headers.iter().position(|h| h == name).unwrap();
        let (series, study, modality) = (column("SeriesDescription"), column("StudyDescription"), column("Modality"));
        let (mut n, mut n_same, mut n_whole) = (0, 0, 0);
        for row in reader.records().map(Result::unwrap).filter(|r| matches!(&r[modality], "CT" | "MR" | "PT")) {
            let role = |series: &str, study: &str| {
                role_of(&SliceHeader {
                    series_description: series.to_owned(),
                    study_description: study.to_owned(),
                    rows: 4,
                    columns: 4,
                    ..SliceHeader::blank(&row[modality])
                })
            };
            let cleaned = known_words(&row[series]);
            n += 1;
            n_whole += usize::from(cleaned.n_unknown == 0);
            n_same += usize::from(role(&row[series], &row[study]) == role(&cleaned.text, &kept(&row[study])));
        }
        println!("{n} series: {n_same} keep their role, {n_whole} their whole description");
        assert!(n > 2000 && n_same == n, "{n_same} of {n}");
    }
}
