//! A value that never stands without the place it was taken from.
//!
//! Source: the project's own rule that every number of a criterion names its publication.

use serde::Deserialize;

/// A value with the place it was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Author, year, section.
    pub source: String,
}

/// A section of a criterion file whose every entry has a source.
pub trait Sources {
    /// Key and source of every entry, in the order of the file.
    fn sources(&self) -> Vec<(&'static str, &str)>;
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$fdoc])* pub $field: $crate::criteria::sourced::Sourced<$ty>),+
        }
        impl $crate::criteria::sourced::Sources for $name {
            fn sources(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($field), self.$field.source.as_str())),+]
            }
        }
    };
}
pub(super) use section;
