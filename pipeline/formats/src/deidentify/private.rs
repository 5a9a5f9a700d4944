//! Private attributes that are kept because a measurement needs them; every other one is removed.
//!
//! Source: DICOM PS3.15 E.3.10 (Retain Safe Private Option); the conformance statements of GE, Philips and Siemens.

use std::collections::BTreeMap;

use dicom::core::header::Header as _;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::object::InMemDicomObject;
use dicom::object::mem::InMemElement;

use super::shift::shifted_datetime;
use crate::dicom::element;

/// What a safe attribute may hold; anything else under its tag is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Numbers,
    DateTime,
}

/// One safe attribute: group, element within its creator's block, creator.
struct Safe {
    group: u16,
    element: u8,
    creator: &'static str,
    form: Form,
}

const fn safe(group: u16, element: u8, creator: &'static str, form: Form) -> Safe {
    Safe { group, element, creator, form }
}

/// The time SUV counts decay from (GE), the factors to SUV and to activity (Philips), and the b-values of diffusion images.
const SAFE: [Safe; 6] = [
    safe(0x0009, 0x0D, "GEMS_PETD_01", Form::DateTime),
    safe(0x7053, 0x00, "Philips PET Private Group", Form::Numbers),
    safe(0x7053, 0x09, "Philips PET Private Group", Form::Numbers),
    safe(0x0043, 0x39, "GEMS_PARM_01", Form::Numbers),
    safe(0x0019, 0x0C, "SIEMENS MR HEADER", Form::Numbers),
    safe(0x2001, 0x03, "Philips Imaging DD 001", Form::Numbers),
];

/// Which creator has reserved which block, as (group, block).
pub(super) type Creators = BTreeMap<(u16, u16), String>;

/// The creators of a data set.
pub(super) fn creators_of(object: &InMemDicomObject) -> Creators {
    let is_creator = |tag: Tag| tag.group() % 2 == 1 && (0x10..=0xFF).contains(&tag.element());
    let tags = object.iter().map(dicom::core::header::Header::tag).filter(|tag| is_creator(*tag));
    tags.filter_map(|tag| Some(((tag.group(), tag.element()), element::text(object, tag)?))).collect()
}

/// A private element as it may stay, with the creator's element that must stand before it; dates are moved by `days`.
pub(super) fn kept(found: &InMemElement, creators: &Creators, days: i64) -> Option<[InMemElement; 2]> {
    let tag = found.tag();
    let block = tag.element() >> 8;
    let creator = creators.get(&(tag.group(), block))?;
    let fits = |s: &&Safe| s.group == tag.group() && u16::from(s.element) == tag.element() & 0xFF;
    let safe = SAFE.iter().filter(fits).find(|s| creator.starts_with(s.creator))?;
    let element = match safe.form {
        Form::Numbers => numbers(found)?,
        Form::DateTime => {
            let moved = shifted_datetime(&text(found)?, days)?;
            DataElement::new(tag, VR::DT, PrimitiveValue::from(moved))
        }
    };
    let reserved = Tag(tag.group(), block);
    Some([DataElement::new(reserved, VR::LO, PrimitiveValue::from(safe.creator)), element])
}

/// Elements of implicit files come as bytes.
fn text(element: &InMemElement) -> Option<String> {
    let bytes = element.to_bytes().ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    Some(text.trim_matches(['\0', ' ']).to_owned())
}

fn numbers(element: &InMemElement) -> Option<InMemElement> {
    if matches!(element.vr(), VR::FL | VR::FD | VR::US | VR::UL | VR::SS | VR::SL) {
        return Some(element.clone());
    }
    let text = text(element)?;
    let is_number = |v: &str| v.trim().len() <= 16 && v.trim().parse::<f64>().is_ok_and(f64::is_finite);
    let all = text.split('\\').all(is_number);
    all.then(|| DataElement::new(element.tag(), VR::DS, PrimitiveValue::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(creator: &str, tag: Tag, vr: VR, value: &str) -> InMemDicomObject {
        let mut object = InMemDicomObject::new_empty();
        object.put(DataElement::new(Tag(tag.group(), tag.element() >> 8), VR::LO, PrimitiveValue::from(creator)));
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value.as_bytes().to_vec())));
        object
    }

    fn what_stays(object: &InMemDicomObject, tag: Tag) -> Option<String> {
        let creators = creators_of(object);
        kept(object.element(tag).unwrap(), &creators, -1).map(|[_, e]| e.to_str().unwrap().into_owned())
    }

    #[test]
    fn a_safe_attribute_stays_only_in_its_creators_block_and_with_the_form_it_has() {
        let philips = Tag(0x7053, 0x1100);
        let of = |creator: &str, value: &str| what_stays(&object(creator, philips, VR::UN, value), philips);
        assert_eq!(of("Philips PET Private Group", "0.000123 ").as_deref(), Some("0.000123"));
        assert_eq!(of("SOMEBODY ELSE", "0.000123"), None);
        assert_eq!(of("Philips PET Private Group", "Doe^John"), None);
        let ge = Tag(0x0009, 0x110D);
        let moved = what_stays(&object("GEMS_PETD_01", ge, VR::UN, "20240301101530.00 "), ge);
        assert_eq!(moved.as_deref(), Some("20240229101530.00"));
        assert_eq!(what_stays(&object("GEMS_PETD_01", Tag(0x0009, 0x110E), VR::UN, "1"), Tag(0x0009, 0x110E)), None);
    }
}
