//! Units as types: a length is [`Mm`], a CT value [`Hu`], an activity concentration [`BqPerMl`], a standardised uptake [`SuvBw`].

use std::fmt;
use std::ops::{Add, Sub};

use bytemuck::TransparentWrapper;
use bytemuck::allocation::TransparentWrapperAlloc as _;
use serde::{Deserialize, Serialize};

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $symbol:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(transparent)]
        #[repr(transparent)]
        pub struct $name(pub $inner);
        impl $name {
            /// The unit's symbol as printed at the borders.
            pub const SYMBOL: &'static str = $symbol;
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)?;
                write!(f, " {}", $symbol)
            }
        }
    };
}
unit!(/// A length in mm.
    Mm, f64, "mm");
unit!(/// An area in mm².
    Mm2, f64, "mm²");
unit!(/// A volume in mm³.
    Mm3, f64, "mm³");
unit!(/// A CT value in Hounsfield units.
    Hu, f32, "HU");
unit!(/// A radioactivity concentration in Bq/ml.
    BqPerMl, f32, "Bq/ml");
unit!(/// A body-weight standardised uptake value in g/ml.
    SuvBw, f32, "SUVbw");

/// What a voxel of an image may hold: one real number with a unit.
pub trait Intensity: Copy + Send + Sync + PartialOrd + 'static {
    /// The unit's symbol as printed at the borders; empty for numbers without one (MR).
    const UNIT: &'static str;
    /// The value of a number in this unit.
    fn from_value(value: f32) -> Self;
    /// The number in this unit.
    fn value(self) -> f32;
    /// Numbers as values in this unit, in the memory they have.
    fn from_values(values: Vec<f32>) -> Vec<Self>;
    /// Values as bare numbers, in the memory they have.
    fn into_values(values: Vec<Self>) -> Vec<f32>;
}

macro_rules! intensity {
    ($name:ident) => {
        #[expect(unsafe_code, reason = "it is one number and says so by `repr(transparent)`")]
        // SAFETY: a type of one field that is `repr(transparent)` lies in memory as that field, which is the number wrapped.
        unsafe impl TransparentWrapper<f32> for $name {}
        impl Intensity for $name {
            const UNIT: &'static str = Self::SYMBOL;
            fn from_value(value: f32) -> Self {
                Self(value)
            }
            fn value(self) -> f32 {
                self.0
            }
            fn from_values(values: Vec<f32>) -> Vec<Self> {
                Self::wrap_vec(values)
            }
            fn into_values(values: Vec<Self>) -> Vec<f32> {
                Self::peel_vec(values)
            }
        }
    };
}
intensity!(Hu);
intensity!(BqPerMl);
intensity!(SuvBw);

impl Intensity for f32 {
    const UNIT: &'static str = "";
    fn from_value(value: f32) -> Self {
        value
    }
    fn value(self) -> f32 {
        self
    }
    fn from_values(values: Vec<f32>) -> Vec<Self> {
        values
    }
    fn into_values(values: Vec<Self>) -> Vec<f32> {
        values
    }
}
