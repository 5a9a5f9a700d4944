//! What tells the volumes of one series apart: acquisition, time, trigger, b-value, echo.
//!
//! Source: DICOM PS3.3 C.7.6.16.2.2 (Frame Content), C.8.13.5.9 (MR Diffusion), C.8.3.1 (MR Image), conformance statements of
//! GE, Siemens and Philips for the private b-values.

use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::element;
use super::header::SliceHeader;

/// Private elements of a vendor that hold a b-value: group, element within its block, and the start of the block's creator.
const PRIVATE_B_VALUES: [(u16, u16, &str); 3] =
    [(0x0043, 0x39, "GEMS_PARM_01"), (0x0019, 0x0C, "SIEMENS MR HEADER"), (0x2001, 0x03, "Philips Imaging DD 001")];

/// GE adds this to its b-values.
const GE_B_VALUE_OFFSET: f64 = 1e9;

/// What differs between the volumes of one series; `None` is "not stated".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VolumeKey {
    /// Temporal Position Identifier or Index.
    pub temporal_position: Option<i64>,
    /// Time after the trigger, ms.
    pub trigger_time_ms: Option<f64>,
    /// b-value, s/mm².
    pub b_value: Option<f64>,
    /// Direction of the diffusion gradient.
    pub diffusion_direction: Option<[f64; 3]>,
    /// Echo number.
    pub echo_number: Option<i64>,
    /// Inversion time, ms.
    pub inversion_time_ms: Option<f64>,
    /// Stack ID of an enhanced image.
    pub stack_id: Option<String>,
    /// Acquisition date and time of this slice.
    pub acquired: Option<DateTime>,
    /// Content date and time of this slice.
    pub content: Option<DateTime>,
}

/// One thing in which volumes of a series differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    AcquisitionDate,
    TemporalPosition,
    BValue,
    DiffusionDirection,
    EchoTime,
    EchoNumber,
    InversionTime,
    TriggerTime,
    ImageType,
    StackId,
    AcquisitionNumber,
}

/// In the order they are tried: what means something to a reader before a mere number.
pub(super) const ALL_KEYS: [Key; 11] = [
    Key::AcquisitionDate,
    Key::TemporalPosition,
    Key::BValue,
    Key::DiffusionDirection,
    Key::EchoTime,
    Key::EchoNumber,
    Key::InversionTime,
    Key::TriggerTime,
    Key::ImageType,
    Key::StackId,
    Key::AcquisitionNumber,
];

/// A value of a key that can be ordered; `Unstated` comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyValue {
    Unstated,
    Number(i64),
    Text(String),
}

impl Key {
    /// The value of one slice. Real numbers count to a thousandth.
    pub(super) fn of(self, header: &SliceHeader) -> KeyValue {
        let key = &header.key;
        let whole = |n: Option<i64>| n.map_or(KeyValue::Unstated, KeyValue::Number);
        let real = |x: Option<f64>| x.map_or(KeyValue::Unstated, |x| KeyValue::Number((x * 1e3).round() as i64));
        let text = |t: Option<String>| t.map_or(KeyValue::Unstated, KeyValue::Text);
        match self {
            Self::AcquisitionDate => text(header.acquisition_date.map(|d| d.to_string())),
            Self::TemporalPosition => whole(key.temporal_position),
            Self::BValue => real(key.b_value),
            Self::DiffusionDirection => text(key.diffusion_direction.map(|d| format!("{d:.3?}"))),
            Self::EchoTime => real(header.echo_time_ms),
            Self::EchoNumber => whole(key.echo_number),
            Self::InversionTime => real(key.inversion_time_ms),
            Self::TriggerTime => real(key.trigger_time_ms),
            Self::ImageType => text(Some(header.image_type.join("\\")).filter(|t| !t.is_empty())),
            Self::StackId => text(key.stack_id.clone()),
            Self::AcquisitionNumber => whole(header.acquisition_number),
        }
    }

    /// The key's own name, as in "no b-value".
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::AcquisitionDate => "acquisition date",
            Self::TemporalPosition => "temporal position",
            Self::BValue => "b-value",
            Self::DiffusionDirection => "gradient direction",
            Self::EchoTime => "echo time",
            Self::EchoNumber => "echo number",
            Self::InversionTime => "inversion time",
            Self::TriggerTime => "trigger time",
            Self::ImageType => "image type",
            Self::StackId => "stack",
            Self::AcquisitionNumber => "acquisition number",
        }
    }

    /// The value of one slice in words; `None` where it is not stated.
    pub(super) fn text(self, header: &SliceHeader) -> Option<String> {
        let key = &header.key;
        match self {
            Self::AcquisitionDate => header.acquisition_date.map(|d| format!("acquired {d}")),
            Self::TemporalPosition => key.temporal_position.map(|n| format!("temporal position {n}")),
            Self::BValue => key.b_value.map(|b| format!("b-value {b} s/mm²")),
            Self::DiffusionDirection => key.diffusion_direction.map(|d| format!("gradient {d:.2?}")),
            Self::EchoTime => header.echo_time_ms.map(|t| format!("echo time {t} ms")),
            Self::EchoNumber => key.echo_number.map(|n| format!("echo {n}")),
            Self::InversionTime => key.inversion_time_ms.map(|t| format!("inversion time {t} ms")),
            Self::TriggerTime => key.trigger_time_ms.map(|t| format!("trigger time {t} ms")),
            Self::ImageType => Some(format!("image type {}", header.image_type.join("\\"))),
            Self::StackId => key.stack_id.as_ref().map(|s| format!("stack {s}")),
            Self::AcquisitionNumber => header.acquisition_number.map(|n| format!("acquisition {n}")),
        }
    }
}

impl VolumeKey {
    /// From the data set of a single-frame file.
    pub(super) fn read(object: &InMemDicomObject) -> Self {
        let at = |date, time| Some(element::date(object, date)?.to_datetime(element::time(object, time)?));
        let acquired = element::text(object, tags::ACQUISITION_DATE_TIME).and_then(|t| element::parse_datetime(&t));
        Self {
            temporal_position: element::integer(object, tags::TEMPORAL_POSITION_IDENTIFIER),
            trigger_time_ms: element::float(object, tags::TRIGGER_TIME),
            b_value: element::float(object, tags::DIFFUSION_B_VALUE).or_else(|| private_b_value(object)),
            diffusion_direction: element::array(object, tags::DIFFUSION_GRADIENT_ORIENTATION),
            echo_number: element::integer(object, tags::ECHO_NUMBERS),
            inversion_time_ms: element::float(object, tags::INVERSION_TIME),
            stack_id: element::text(object, tags::STACK_ID),
            acquired: at(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME).or(acquired.map(|(clock, _)| clock)),
            content: at(tags::CONTENT_DATE, tags::CONTENT_TIME),
        }
    }
}

fn private_b_value(object: &InMemDicomObject) -> Option<f64> {
    PRIVATE_B_VALUES.iter().find_map(|&(group, offset, creator)| {
        let value = element::private(object, group, offset, creator).and_then(|tag| element::float(object, tag))?;
        let plain = if value >= GE_B_VALUE_OFFSET { value % GE_B_VALUE_OFFSET } else { value };
        (0.0..=20_000.0).contains(&plain).then_some(plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom::core::{DataElement, PrimitiveValue, Tag, VR};

    #[test]
    fn a_private_b_value_is_found_in_the_block_of_its_creator() {
        let mut object = InMemDicomObject::new_empty();
        let put = |o: &mut InMemDicomObject, tag, vr, value: &str| {
            o.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        };
        put(&mut object, Tag(0x0043, 0x0011), VR::LO, "GEMS_PARM_01");
        // As an implicit file has it: unknown, in bytes.
        let bytes = PrimitiveValue::from(b"1000000800\\8\\0\\0 ".to_vec());
        object.put(DataElement::new(Tag(0x0043, 0x1139), VR::UN, bytes));
        assert_eq!(VolumeKey::read(&object).b_value, Some(800.0));
        put(&mut object, Tag(0x0043, 0x0011), VR::LO, "SOMEBODY ELSE");
        assert_eq!(VolumeKey::read(&object).b_value, None);
    }
}
