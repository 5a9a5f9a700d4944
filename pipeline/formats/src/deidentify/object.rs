//! Cleans one data set, its sequences included, and counts what was done with each attribute.
//!
//! Source: DICOM PS3.15 annex E.

use std::collections::BTreeMap;

use dicom::core::header::{HasLength as _, Header as _};
use dicom::core::value::{DataSetSequence, Value};
use dicom::core::{DataElement, Tag, VR};
use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use dicom::object::mem::InMemElement;
use serde::Serialize;

use super::key::Key;
use super::private::{Creators, creators_of, kept};
use super::profile::Basic;
use super::shift::{shifted_date, shifted_datetime};
use super::stamp;
use super::treatment::{DeviceIdentity, Treatment, treatment, vr_of};
use super::value::{dummy, empty, is_of_its_kind, label, text_of, with_text};
use super::words::known_words;
use crate::dicom::element;

/// Items nested deeper than this are removed: no object of the standard comes near it.
const MAX_DEPTH: usize = 32;

/// Concept "Tracking Identifier" (DCM 112039) of a structured report.
const TRACKING_IDENTIFIER: &str = "112039";

/// What was done with an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Taken out.
    Removed,
    /// Left without a value.
    Emptied,
    /// Replaced by a pseudonym or a value that says nothing.
    Replaced,
    /// Replaced by another UID.
    UidReplaced,
    /// Moved by the patient's days.
    DateMoved,
    /// No date as written, so left without a value.
    MalformedDateEmptied,
    /// Some words were unknown and are `xx`.
    WordsRemoved,
    /// All words were known.
    WordsKept,
    /// An age above 90 is 90.
    AgeCapped,
    /// Private and kept, because a measurement needs it.
    PrivateKept,
    /// Private and taken out.
    PrivateRemoved,
}

/// How often what was done with which attribute.
pub type Counts = BTreeMap<(Tag, Done), u64>;

/// Cleans the objects of one patient.
#[derive(Debug)]
pub struct Cleaner<'a> {
    key: &'a Key,
    device: DeviceIdentity,
    pseudonym: String,
    days: i64,
}

impl<'a> Cleaner<'a> {
    /// For one patient, by the identifier as written.
    #[must_use]
    pub fn new(key: &'a Key, patient_id: &str, device: DeviceIdentity) -> Self {
        Self { key, device, pseudonym: key.patient(patient_id), days: key.shift_days(patient_id) }
    }

    /// The cleaned data set, stamped as such.
    #[must_use]
    pub fn clean(&self, object: InMemDicomObject, counts: &mut Counts) -> InMemDicomObject {
        let mut cleaned = self.data_set(object, 0, counts);
        stamp::stamp(&mut cleaned, self.device);
        cleaned
    }

    fn data_set(&self, object: InMemDicomObject, depth: usize, counts: &mut Counts) -> InMemDicomObject {
        let creators = creators_of(&object);
        let is_tracking = is_tracking_identifier(&object);
        let mut cleaned = InMemDicomObject::new_empty();
        for found in object {
            let tag = found.tag();
            if tag.element() == 0 || tag == tags::SPECIFIC_CHARACTER_SET {
                continue;
            }
            if tag.group() % 2 == 1 {
                self.private(&found, &creators, &mut cleaned, counts);
                continue;
            }
            let vr = vr_of(tag, found.vr());
            let treatment = match tag {
                tags::TEXT_VALUE if is_tracking => Treatment::Label,
                _ => treatment(tag, vr, self.device),
            };
            let (element, done) = self.treated(found, vr, treatment, depth, counts);
            if let Some(done) = done {
                *counts.entry((tag, done)).or_default() += 1;
            }
            if let Some(element) = element {
                cleaned.put(element);
            }
        }
        cleaned
    }

    fn private(&self, found: &InMemElement, creators: &Creators, cleaned: &mut InMemDicomObject, counts: &mut Counts) {
        let tag = found.tag();
        // A creator comes with what it reserves room for, or not at all.
        let is_creator = creators.contains_key(&(tag.group(), tag.element()));
        let kept = kept(found, creators, self.days);
        let done = if kept.is_some() { Done::PrivateKept } else { Done::PrivateRemoved };
        if !is_creator {
            *counts.entry((tag, done)).or_default() += 1;
        }
        for element in kept.into_iter().flatten() {
            cleaned.put(element);
        }
    }

    fn treated(
        &self,
        found: InMemElement,
        vr: VR,
        treatment: Treatment,
        depth: usize,
        counts: &mut Counts,
    ) -> (Option<InMemElement>, Option<Done>) {
        let tag = found.tag();
        let some = |element, done| (Some(element), Some(done));
        let text = || text_of(&found);
        match treatment {
            Treatment::Keep if is_of_its_kind(tag, vr, &found) => return (Some(found), None),
            Treatment::Keep => return some(empty(tag, vr), Done::Emptied),
            Treatment::Remove => return (None, Some(Done::Removed)),
            Treatment::Items => return self.items(found, depth, counts),
            // What has no value keeps none.
            _ if found.value().is_empty() && treatment != Treatment::Pseudonym => return (Some(empty(tag, vr)), None),
            _ => {}
        }
        match treatment {
            Treatment::Empty => some(empty(tag, vr), Done::Emptied),
            Treatment::Dummy => some(dummy(tag, vr), Done::Replaced),
            Treatment::Uid => self.uids(&found),
            Treatment::Pseudonym => some(with_text(tag, vr, &self.pseudonym), Done::Replaced),
            Treatment::Identifier(letter) => some(with_text(tag, vr, &self.key.short(letter, &text())), Done::Replaced),
            Treatment::Date => self.dates(tag, vr, &text()),
            Treatment::Words(basic) => words(tag, vr, basic, &text()),
            Treatment::Label => {
                let cleaned = label(&text(), self.key, &self.pseudonym);
                let done = if cleaned == text() { Done::WordsKept } else { Done::WordsRemoved };
                some(with_text(tag, vr, &cleaned), done)
            }
            Treatment::Age => match capped_age(&text()) {
                Some(age) => some(with_text(tag, vr, age), Done::AgeCapped),
                None => (Some(found), None),
            },
            Treatment::Keep | Treatment::Remove | Treatment::Items => (None, Some(Done::Removed)),
        }
    }

    /// A sequence, item by item; one that a sender wrote as unknown bytes cannot be looked into and is removed.
    fn items(&self, found: InMemElement, depth: usize, counts: &mut Counts) -> (Option<InMemElement>, Option<Done>) {
        let tag = found.tag();
        let Value::Sequence(sequence) = found.into_value() else {
            return (None, Some(Done::Removed));
        };
        if depth + 1 >= MAX_DEPTH {
            return (None, Some(Done::Removed));
        }
        let items = sequence.into_items().into_iter().map(|item| self.data_set(item, depth + 1, counts));
        let items: Vec<InMemDicomObject> = items.collect();
        (Some(DataElement::new(tag, VR::SQ, DataSetSequence::from(items))), None)
    }

    fn uids(&self, found: &InMemElement) -> (Option<InMemElement>, Option<Done>) {
        let text = text_of(found);
        let replaced: Vec<String> = text.split('\\').map(|uid| self.uid(uid)).collect();
        let replaced = replaced.join("\\");
        let done = (replaced != text).then_some(Done::UidReplaced);
        (Some(with_text(found.tag(), VR::UI, &replaced)), done)
    }

    fn uid(&self, uid: &str) -> String {
        if uid.is_empty() || is_of_standard(uid) { uid.to_owned() } else { self.key.uid(uid) }
    }

    fn dates(&self, tag: Tag, vr: VR, text: &str) -> (Option<InMemElement>, Option<Done>) {
        let moved = |value: &str| match vr {
            VR::DT => shifted_datetime(value, self.days),
            _ => shifted_date(value, self.days),
        };
        let all: Option<Vec<String>> = text.split('\\').map(moved).collect();
        match all {
            Some(dates) => (Some(with_text(tag, vr, &dates.join("\\"))), Some(Done::DateMoved)),
            None => (Some(empty(tag, vr)), Some(Done::MalformedDateEmptied)),
        }
    }
}

/// UIDs of the standard itself: classes, transfer syntaxes, well-known frames of reference.
pub(super) fn is_of_standard(uid: &str) -> bool {
    uid.starts_with("1.2.840.10008.")
}

fn words(tag: Tag, vr: VR, basic: Basic, text: &str) -> (Option<InMemElement>, Option<Done>) {
    let known = known_words(text);
    let done = if known.n_unknown == 0 { Done::WordsKept } else { Done::WordsRemoved };
    match (known.text.is_empty(), basic) {
        (false, _) => (Some(with_text(tag, vr, &known.text)), Some(done)),
        (true, Basic::Remove) => (None, Some(Done::Removed)),
        (true, Basic::Empty) => (Some(empty(tag, vr)), Some(Done::Emptied)),
        (true, _) => (Some(dummy(tag, vr)), Some(Done::Replaced)),
    }
}

/// 90 years where the age (VR AS) is more: so few people are older that an age may name one (45 CFR 164.514(b)(2)(i)(C)).
fn capped_age(age: &str) -> Option<&'static str> {
    let years: u32 = age.strip_suffix('Y')?.parse().ok()?;
    (years > 90).then_some("090Y")
}

/// A text item of a structured report that names what is followed over time.
fn is_tracking_identifier(item: &InMemDicomObject) -> bool {
    let concept = element::first_item(item, tags::CONCEPT_NAME_CODE_SEQUENCE);
    concept.and_then(|c| element::text(c, tags::CODE_VALUE)).is_some_and(|code| code == TRACKING_IDENTIFIER)
}
