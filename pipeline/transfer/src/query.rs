//! What is searched for: attributes of imaging studies and series, as a user writes them.
//!
//! Source: DICOM PS3.4 C.2.2.2 (matching), C.6.2.1 (study root), PS3.18 section 10.6 (search).

use std::collections::BTreeMap;

use formats::dicom::identifier::Key;
use formats::dicom::is_uid;

use crate::TransferError;

/// What an attribute is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// An imaging study.
    Study,
    /// A series.
    Series,
}

/// An attribute that can be searched by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryKey {
    /// Its name in the standard.
    pub keyword: &'static str,
    /// Group and element.
    pub tag: Key,
    /// What it is an attribute of.
    pub level: Level,
    kind: Kind,
}

/// How a value is compared with what an archive answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Uid,
    Date,
    /// Exactly, where it has no wildcard.
    Exact,
    /// Archives fold case, accents and parts of names in ways of their own.
    Text,
}

const fn key(keyword: &'static str, tag: Key, level: Level, kind: Kind) -> QueryKey {
    QueryKey { keyword, tag, level, kind }
}

/// Every attribute that can be searched by.
const KEYS: [QueryKey; 12] = [
    key("PatientID", (0x0010, 0x0020), Level::Study, Kind::Exact),
    key("PatientName", (0x0010, 0x0010), Level::Study, Kind::Text),
    key("StudyDate", (0x0008, 0x0020), Level::Study, Kind::Date),
    key("StudyInstanceUID", (0x0020, 0x000D), Level::Study, Kind::Uid),
    key("StudyDescription", (0x0008, 0x1030), Level::Study, Kind::Text),
    key("StudyID", (0x0020, 0x0010), Level::Study, Kind::Exact),
    key("AccessionNumber", (0x0008, 0x0050), Level::Study, Kind::Exact),
    key("ModalitiesInStudy", (0x0008, 0x0061), Level::Study, Kind::Exact),
    key("SeriesInstanceUID", (0x0020, 0x000E), Level::Series, Kind::Uid),
    key("Modality", (0x0008, 0x0060), Level::Series, Kind::Exact),
    key("SeriesDescription", (0x0008, 0x103E), Level::Series, Kind::Text),
    key("SeriesNumber", (0x0020, 0x0011), Level::Series, Kind::Exact),
];

/// At most so many searches for one call: each value of one attribute with each of every other.
const MAX_SEARCHES: usize = 100_000;

/// What is searched for: several values of one attribute are alternatives, several attributes must all match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    values: BTreeMap<QueryKey, Vec<String>>,
}

/// One search: a value for each attribute.
pub(crate) type Search = BTreeMap<QueryKey, String>;

impl Query {
    /// From texts `KEY=VALUE`; `KEY=@FILE` takes a value from each line of a file.
    ///
    /// # Errors
    /// A text is no such pair, an attribute is not known, a value cannot be one of it, or nothing is asked for.
    pub fn parse(texts: &[String]) -> Result<Self, TransferError> {
        let mut query = Self::default();
        for text in texts {
            let (keyword, value) = text.split_once('=').ok_or_else(|| {
                TransferError::Usage(format!("expected KEY=VALUE, found {text:?}; for example PatientID=P01"))
            })?;
            let key = KEYS.into_iter().find(|key| key.keyword == keyword).ok_or_else(|| unknown(keyword))?;
            for value in values(value)? {
                check(key, &value)?;
                query.values.entry(key).or_default().push(value);
            }
        }
        if query.values.is_empty() {
            return Err(TransferError::Usage("nothing is searched for: give --query KEY=VALUE".to_owned()));
        }
        let n_searches = query.values.values().map(Vec::len).fold(1_usize, usize::saturating_mul);
        if n_searches > MAX_SEARCHES {
            return Err(TransferError::Usage(format!("these are {n_searches} searches, more than {MAX_SEARCHES}")));
        }
        Ok(query)
    }

    /// Every search of attributes of one level; one that asks for nothing where there are none.
    pub(crate) fn searches(&self, level: Level) -> Vec<Search> {
        let mut searches = vec![Search::new()];
        for (key, values) in self.values.iter().filter(|(key, _)| key.level == level) {
            let with = |search: &Search| {
                let search = search.clone();
                values.iter().map(move |value| {
                    let mut search = search.clone();
                    search.insert(*key, value.clone());
                    search
                })
            };
            searches = searches.iter().flat_map(with).collect();
        }
        searches
    }
}

fn unknown(keyword: &str) -> TransferError {
    let known: Vec<&str> = KEYS.iter().map(|key| key.keyword).collect();
    TransferError::Usage(format!("no search by {keyword:?}; known are {}", known.join(", ")))
}

/// The value itself, or the lines of the file it names.
fn values(text: &str) -> Result<Vec<String>, TransferError> {
    let Some(path) = text.strip_prefix('@') else { return Ok(vec![text.to_owned()]) };
    let lines = std::fs::read_to_string(path).map_err(TransferError::file(path))?;
    Ok(lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn check(key: QueryKey, value: &str) -> Result<(), TransferError> {
    let refuse = |why: &str| Err(TransferError::Usage(format!("{}: {why}", key.keyword)));
    if value.trim().is_empty() || value.contains('\\') || value.contains(char::is_control) || value.len() > 256 {
        return refuse("expected a value of one line without a backslash; give --query again for each further value");
    }
    let is_right = match key.kind {
        Kind::Uid => is_uid(value),
        Kind::Date => bounds(value).is_some(),
        Kind::Exact | Kind::Text => true,
    };
    match key.kind {
        Kind::Date if !is_right => refuse("expected YYYYMMDD, YYYYMMDD-YYYYMMDD, YYYYMMDD- or -YYYYMMDD"),
        _ if !is_right => refuse("expected a UID"),
        _ => Ok(()),
    }
}

/// First and last day of a date or range; an open end is an empty text.
fn bounds(value: &str) -> Option<(&str, &str)> {
    let is_day = |text: &str| text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    let is_right = [first, last].iter().all(|day| day.is_empty() || is_day(day));
    (is_right && !(first.is_empty() && last.is_empty())).then_some((first, last))
}

impl QueryKey {
    /// Whether what an archive answers contradicts what was asked: it then does not search by this attribute.
    pub(crate) fn contradicts(&self, asked: &str, answered: Option<&str>) -> bool {
        let Some(answered) = answered.map(str::trim).filter(|text| !text.is_empty()) else { return false };
        match self.kind {
            Kind::Text => false,
            Kind::Uid => answered != asked,
            Kind::Date => {
                let day = answered.replace('.', "");
                bounds(asked)
                    .is_some_and(|(first, last)| day.as_str() < first || (!last.is_empty() && day.as_str() > last))
            }
            Kind::Exact if asked.contains(['*', '?']) => false,
            Kind::Exact => !answered.split('\\').any(|one| one.trim().eq_ignore_ascii_case(asked.trim())),
        }
    }
}

/// What is said of an archive that answers with what was not asked for.
pub(crate) fn ignored(key: &QueryKey) -> TransferError {
    TransferError::Refused(format!(
        "the archive answers with others than were asked for: it does not search by {}; leave that attribute out",
        key.keyword
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<Query, TransferError> {
        Query::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn values_of_one_attribute_are_alternatives_and_attributes_must_all_match() {
        let query = parse(&["PatientID=A", "PatientID=B", "StudyDate=20200101-20201231", "Modality=CT"]).unwrap();
        let studies = query.searches(Level::Study);
        let ids: Vec<Vec<&str>> =
            studies.iter().map(|search| search.values().map(String::as_str).collect::<Vec<_>>()).collect();
        assert_eq!(ids.len(), 2);
        assert!(ids.iter().all(|values| values.contains(&"20200101-20201231")));
        assert_eq!(query.searches(Level::Series).len(), 1);
        assert_eq!(parse(&["PatientID=A"]).unwrap().searches(Level::Series), [Search::new()]);
    }

    #[test]
    fn a_file_holds_a_value_a_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "P1\n\n P2 \n").unwrap();
        let query = parse(&[&format!("PatientID=@{}", file.path().display())]).unwrap();
        assert_eq!(query.searches(Level::Study).len(), 2);
    }

    #[test]
    fn what_is_no_search_is_refused() {
        for texts in [
            &[][..],
            &["PatientID"],
            &["PatientID="],
            &["Weight=3"],
            &["StudyDate=2020"],
            &["StudyDate=-"],
            &["StudyInstanceUID=1.2.*"],
            &["PatientID=A\\B"],
            &["PatientID=@/no/such/file"],
        ] {
            assert!(parse(texts).is_err(), "{texts:?}");
        }
    }

    #[test]
    fn an_answer_that_contradicts_the_question_is_seen() {
        let key = |keyword: &str| KEYS.into_iter().find(|key| key.keyword == keyword).unwrap();
        let contradicts = |keyword, asked, answered| key(keyword).contradicts(asked, Some(answered));
        assert!(contradicts("PatientID", "P1", "P10"));
        assert!(!contradicts("PatientID", "P1", "P1 "));
        assert!(!contradicts("PatientID", "P*", "Q"), "the archive's own matching of wildcards is not judged");
        assert!(!key("PatientID").contradicts("P1", None));
        assert!(contradicts("StudyDate", "20200101-20201231", "20210101"));
        assert!(!contradicts("StudyDate", "-20201231", "19990101"));
        assert!(!contradicts("StudyDate", "20200101-", "20210101"));
        assert!(!contradicts("ModalitiesInStudy", "CT", "PT\\CT"));
        assert!(contradicts("Modality", "CT", "MR"));
    }
}
