//! `--shard i/n`: which patients one of n workers takes.

use std::str::FromStr;

use crate::out;

/// Shard `index` of `count`, 1-based.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    index: u64,
    count: u64,
}

impl FromStr for Shard {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected i/n with 1 ≤ i ≤ n, such as 3/8, found {text:?}");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (index, count) = (index.parse().map_err(|_| wrong())?, count.parse().map_err(|_| wrong())?);
        if index == 0 || index > count {
            return Err(wrong());
        }
        Ok(Self { index, count })
    }
}

impl std::fmt::Display for Shard {
    /// As part of a file name: `3-of-8`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-of-{}", self.index, self.count)
    }
}

impl Shard {
    /// Whether this shard takes a patient: by a hash of the identifier, so that a patient added to the archive moves nobody.
    pub(crate) fn takes(self, patient_id: &str) -> bool {
        let digest = out::sha256_hex(patient_id.as_bytes());
        let number = u64::from_str_radix(&digest[..15], 16).expect("15 hexadecimal digits fit into 60 bits");
        number % self.count == self.index - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patient_belongs_to_exactly_one_shard() {
        for n in 0..200 {
            let id = format!("P{n:03}");
            let taken = (1..=7).filter(|i| Shard { index: *i, count: 7 }.takes(&id)).count();
            assert_eq!(taken, 1);
        }
    }

    #[test]
    fn a_shard_is_one_based() {
        assert!("0/4".parse::<Shard>().is_err() && "5/4".parse::<Shard>().is_err() && "1/x".parse::<Shard>().is_err());
        assert!("4/4".parse::<Shard>().is_ok());
    }
}
