//! What a number of a report is, and its value in the program's unit.
//!
//! Source: DICOM PS3.16 CID 7470 (linear measurements), CID 7472 (volumes), CID 7465 and 7464 (derivations), DCM 126401 (SUVbw);
//! units after UCUM.

use super::Code;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Long axis, mm.
    LongAxis,
    /// Short axis, mm.
    ShortAxis,
    /// Length or diameter without a word on which, mm.
    Length,
    /// Volume, ml.
    Volume,
    /// Mean of SUVbw, g/ml.
    SuvMean,
    /// Maximum of SUVbw, g/ml.
    SuvMax,
    /// Minimum of SUVbw, g/ml.
    SuvMin,
    /// Peak of SUVbw, g/ml.
    SuvPeak,
    /// Mean of CT values, HU.
    MeanHu,
    /// Something this program has no use for, in its own unit.
    Other,
}

/// A number, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// In the unit of its quantity.
    Number(f64),
    /// The reason.
    NotEvaluable(String),
}

/// Concepts with a quantity of their own: scheme SCT, then the older SRT, then DCM.
const CONCEPTS: [(&str, &str, Quantity); 12] = [
    ("103339001", "SCT", Quantity::LongAxis),
    ("G-A185", "SRT", Quantity::LongAxis),
    ("103340004", "SCT", Quantity::ShortAxis),
    ("G-A186", "SRT", Quantity::ShortAxis),
    ("410668003", "SCT", Quantity::Length),
    ("G-D7FE", "SRT", Quantity::Length),
    ("81827009", "SCT", Quantity::Length),
    ("M-02550", "SRT", Quantity::Length),
    ("118565006", "SCT", Quantity::Volume),
    ("G-D705", "SRT", Quantity::Volume),
    ("121216", "DCM", Quantity::Volume),
    ("121217", "DCM", Quantity::Volume),
];
/// Standardised uptake value by body weight.
const SUV_BW: (&str, &str) = ("126401", "DCM");
/// CT values.
const ATTENUATION: [(&str, &str); 2] = [("112031", "DCM"), ("122713", "DCM")];
const MEAN: [(&str, &str); 2] = [("373098007", "SCT"), ("R-00317", "SRT")];
const MAXIMUM: [(&str, &str); 2] = [("56851009", "SCT"), ("G-A437", "SRT")];
const MINIMUM: [(&str, &str); 2] = [("255605001", "SCT"), ("R-404FB", "SRT")];
const PEAK: [(&str, &str); 1] = [("126031", "DCM")];

impl Quantity {
    /// By concept and derivation.
    pub(super) fn of(concept: &Code, derivation: Option<&Code>) -> Self {
        if let Some((_, _, quantity)) = CONCEPTS.iter().find(|(value, scheme, _)| concept.is((value, scheme))) {
            return *quantity;
        }
        let derived = |codes: &[(&str, &str)]| derivation.is_some_and(|d| codes.iter().any(|code| d.is(*code)));
        let is_suv = concept.is(SUV_BW);
        if is_suv && derived(&MEAN) {
            Self::SuvMean
        } else if is_suv && derived(&MAXIMUM) {
            Self::SuvMax
        } else if is_suv && derived(&MINIMUM) {
            Self::SuvMin
        } else if is_suv && derived(&PEAK) {
            Self::SuvPeak
        } else if ATTENUATION.iter().any(|code| concept.is(*code)) && derived(&MEAN) {
            Self::MeanHu
        } else {
            Self::Other
        }
    }

    /// Its unit at the borders.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::LongAxis | Self::ShortAxis | Self::Length => "mm",
            Self::Volume => "ml",
            Self::SuvMean | Self::SuvMax | Self::SuvMin | Self::SuvPeak => "g/ml",
            Self::MeanHu => "HU",
            Self::Other => "",
        }
    }

    /// How many of its unit one of a UCUM unit is; `None` where the unit does not fit.
    fn per_unit(self, ucum: &str) -> Option<f64> {
        match self {
            Self::LongAxis | Self::ShortAxis | Self::Length => match ucum {
                "mm" => Some(1.0),
                "cm" => Some(10.0),
                "m" => Some(1000.0),
                "um" => Some(0.001),
                _ => None,
            },
            Self::Volume => match ucum {
                "ml" | "mL" | "cm3" | "cc" => Some(1.0),
                "mm3" | "ul" | "uL" => Some(0.001),
                "dm3" | "l" | "L" => Some(1000.0),
                _ => None,
            },
            Self::SuvMean | Self::SuvMax | Self::SuvMin | Self::SuvPeak => match ucum {
                "{SUVbw}g/ml" | "g/ml" | "g/mL" | "{SUVbw}g/mL" => Some(1.0),
                _ => None,
            },
            Self::MeanHu => matches!(ucum, "[hnsf'U]" | "{Hounsfield unit}").then_some(1.0),
            Self::Other => Some(1.0),
        }
    }
}

/// A number as written in a unit, in the unit of its quantity.
pub(super) fn value(quantity: Quantity, number: Option<&str>, ucum: &str, qualifier: Option<&Code>) -> Value {
    if let Some(qualifier) = qualifier {
        return Value::NotEvaluable(format!("the report says: {}", qualifier.meaning));
    }
    let Some(text) = number else {
        return Value::NotEvaluable("the report gives no number (Numeric Value (0040,A30A))".to_owned());
    };
    let Some(number) = text.trim().parse::<f64>().ok().filter(|v| v.is_finite()) else {
        return Value::NotEvaluable("expected a number in Numeric Value (0040,A30A), found something else".to_owned());
    };
    match quantity.per_unit(ucum) {
        Some(factor) => Value::Number(number * factor),
        None => Value::NotEvaluable(format!("expected a unit that is {} (UCUM), found {ucum:?}", quantity.unit())),
    }
}
