//! What a reader codes of a treated site and no mask can tell: enhancement or uptake against the study before treatment, LI-RADS
//! treatment response, Deauville score. Recorded and tabulated; it moves no outline and no link.
//!
//! Source: Narayanan et al. 2024 (four levels); LI-RADS treatment response v2018 and v2024; Barrington et al. 2014 and Cheson et
//! al. 2014 (Deauville, Lugano).

use crate::criteria::deauville::{Deauville, UptakeChange};
use crate::criteria::enhancement::{SiteFinding, StudyKind};
use crate::criteria::lirads::{Enhancement, Trend};

/// Items of this kind.
pub(super) const ITEMS: [&str; 3] = ["site_response", "lirads_tr", "deauville"];

/// One coded reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coded {
    /// `ct none`: the study, and enhancement or uptake at the site against the study before treatment; `None`: not to be judged.
    Site(StudyKind, Option<SiteFinding>),
    /// `new_or_growing`: what is seen of mass-like enhancement.
    Lirads(Enhancement),
    /// `4 decreased`: the score, and of 4 and 5 the change of uptake since baseline.
    Deauville(Deauville, Option<UptakeChange>),
}

impl Coded {
    /// What an item's value means.
    pub(super) fn parse(item: &str, value: &str) -> Result<Self, String> {
        let wrong = |expected: &str| format!("value of {item}: expected {expected} or program, found {value:?}");
        let (first, second) = value.split_once(' ').unwrap_or((value, ""));
        match item {
            "site_response" => {
                let expected = "ct, mr or pet and then none, less, unchanged, more or not_assessable (ct none)";
                site(first, second).ok_or_else(|| wrong(expected))
            }
            "lirads_tr" => lirads(value).ok_or_else(|| {
                wrong("none_or_expected, new_or_growing, stable_or_decreasing, atypical or not_assessable")
            }),
            _ => deauville(first, second)
                .ok_or_else(|| wrong("1, 2, 3 or X, or 4 or 5 with decreased, unchanged or increased (4 decreased)")),
        }
    }
}

fn site(kind: &str, finding: &str) -> Option<Coded> {
    let kind = match kind {
        "ct" => StudyKind::Ct,
        "mr" => StudyKind::Mr,
        "pet" => StudyKind::Pet,
        _ => return None,
    };
    let finding = match finding {
        "none" => Some(SiteFinding::Gone),
        "less" => Some(SiteFinding::Less),
        "unchanged" => Some(SiteFinding::Unchanged),
        "more" => Some(SiteFinding::More),
        "not_assessable" => None,
        _ => return None,
    };
    Some(Coded::Site(kind, finding))
}

fn lirads(seen: &str) -> Option<Coded> {
    Some(Coded::Lirads(match seen {
        "none_or_expected" => Enhancement::NoneOrExpected,
        "new_or_growing" => Enhancement::Typical(Trend::NewOrGrowing),
        "stable_or_decreasing" => Enhancement::Typical(Trend::StableOrDecreasing),
        "atypical" => Enhancement::Atypical,
        "not_assessable" => Enhancement::NotAssessable,
        _ => return None,
    }))
}

fn deauville(score: &str, change: &str) -> Option<Coded> {
    let change = match change {
        "" => None,
        "decreased" => Some(UptakeChange::Decreased),
        "unchanged" => Some(UptakeChange::Unchanged),
        "increased" => Some(UptakeChange::Increased),
        _ => return None,
    };
    let score = match (score, change) {
        ("X", None) => Deauville::X,
        ("1" | "2" | "3", None) | ("4" | "5", Some(_)) => Deauville::Score(score.parse().ok()?),
        _ => return None,
    };
    Some(Coded::Deauville(score, change))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_others_are_refused() {
        let site = Coded::Site(StudyKind::Pet, Some(SiteFinding::Less));
        assert_eq!(Coded::parse("site_response", "pet less"), Ok(site));
        assert_eq!(Coded::parse("site_response", "ct not_assessable"), Ok(Coded::Site(StudyKind::Ct, None)));
        let growing = Coded::Lirads(Enhancement::Typical(Trend::NewOrGrowing));
        assert_eq!(Coded::parse("lirads_tr", "new_or_growing"), Ok(growing));
        let four = Coded::Deauville(Deauville::Score(4), Some(UptakeChange::Decreased));
        assert_eq!(Coded::parse("deauville", "4 decreased"), Ok(four));
        assert_eq!(Coded::parse("deauville", "X"), Ok(Coded::Deauville(Deauville::X, None)));
        for (item, value) in [
            ("site_response", "less"),
            ("site_response", "us less"),
            ("lirads_tr", "viable"),
            ("deauville", "4"),
            ("deauville", "2 decreased"),
            ("deauville", "6"),
        ] {
            let said = Coded::parse(item, value).unwrap_err();
            assert!(said.starts_with(&format!("value of {item}: expected")) && said.contains(value), "{said}");
        }
    }
}
