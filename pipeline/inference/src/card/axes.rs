//! The order of a tensor's axes, and which way the model's axes point in the patient.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The order of a tensor's axes: each of n (batch), c (channel), z, y, x at most once; n always, and at least two of x, y, z.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Axes(String);

impl Axes {
    /// The letters in order.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether an axis is there.
    pub fn has(&self, axis: char) -> bool {
        self.0.contains(axis)
    }
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }
    /// Where an axis stands.
    pub fn position(&self, axis: char) -> Option<usize> {
        self.0.find(axis)
    }
    /// The axis a network of slices does not see: 0, 1, 2 for x, y, z; `None` for a network of volumes.
    pub fn across_slices(&self) -> Option<usize> {
        "xyz".chars().position(|axis| !self.has(axis))
    }
}

impl TryFrom<String> for Axes {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let known = text.chars().all(|c| "nczyx".contains(c));
        let once = "nczyx".chars().all(|c| text.matches(c).count() <= 1);
        let in_space = "xyz".chars().filter(|c| text.contains(*c)).count();
        if known && once && text.contains('n') && in_space >= 2 {
            Ok(Self(text))
        } else {
            Err(format!(
                "axes are the letters n, c, z, y, x, each at most once, n always and at least two of x, y, z, such as \"nczyx\"; found \"{text}\""
            ))
        }
    }
}
impl From<Axes> for String {
    fn from(axes: Axes) -> Self {
        axes.0
    }
}
impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which way x, y and z point: the image's columns, rows and slices as stored (`native`), or three directions, to which the
/// image's own axes are permuted and flipped so that they point as nearly as they can (`lps`, `ras`, `pli`, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Orientation {
    /// The image's columns, rows and slices as stored.
    Native,
    /// For x, y, z: the patient axis (0 left–right, 1 front–back, 2 foot–head) and whether it runs against left, posterior,
    /// superior.
    Towards([(usize, bool); 3]),
}

impl Orientation {
    /// x to left, y to posterior, z to superior.
    pub const LPS: Self = Self::Towards([(0, false), (1, false), (2, false)]);
}

/// Letter, patient axis, against LPS.
const DIRECTIONS: [(char, usize, bool); 6] =
    [('l', 0, false), ('r', 0, true), ('p', 1, false), ('a', 1, true), ('s', 2, false), ('i', 2, true)];

impl TryFrom<String> for Orientation {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "native" {
            return Ok(Self::Native);
        }
        let error = || {
            format!(
                "orientation is \"native\" or three letters, one of l r, one of p a, one of s i, such as \"lps\" or \"ras\"; found \"{text}\""
            )
        };
        let found: Option<Vec<(usize, bool)>> = text
            .chars()
            .map(|letter| DIRECTIONS.iter().find(|d| d.0 == letter).map(|(_, axis, against)| (*axis, *against)))
            .collect();
        let towards: [(usize, bool); 3] = found.and_then(|v| v.try_into().ok()).ok_or_else(error)?;
        let each_once = (0..3).all(|axis| towards.iter().any(|t| t.0 == axis));
        if each_once { Ok(Self::Towards(towards)) } else { Err(error()) }
    }
}
impl From<Orientation> for String {
    fn from(orientation: Orientation) -> Self {
        match orientation {
            Orientation::Native => "native".to_owned(),
            Orientation::Towards(towards) => {
                towards.iter().filter_map(|t| DIRECTIONS.iter().find(|d| (d.1, d.2) == *t).map(|d| d.0)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientations_are_read_and_written() {
        for text in ["native", "lps", "ras", "pli", "sar"] {
            assert_eq!(String::from(Orientation::try_from(text.to_owned()).unwrap()), text);
        }
        assert_eq!(Orientation::try_from("lps".to_owned()).unwrap(), Orientation::LPS);
        for text in ["", "lp", "lrs", "lpsx", "LPS", "lpx"] {
            assert!(Orientation::try_from(text.to_owned()).unwrap_err().contains("three letters"), "{text}");
        }
    }

    #[test]
    fn a_network_of_slices_lacks_one_axis_of_space() {
        let axes = |text: &str| Axes::try_from(text.to_owned());
        assert_eq!(axes("nczyx").unwrap().across_slices(), None);
        assert_eq!(axes("ncyx").unwrap().across_slices(), Some(2));
        assert_eq!(axes("ncyz").unwrap().across_slices(), Some(0));
        for text in ["ncx", "czyx", "nczzx", "ncxyq"] {
            assert!(axes(text).unwrap_err().contains("at most once"), "{text}");
        }
    }
}
