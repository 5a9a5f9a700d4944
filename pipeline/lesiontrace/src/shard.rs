//! `--shard i/n`: which patients one of n workers takes.

use std::str::FromStr;

use crate::out;

pub(crate) use self::division::Share;

mod division;

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
        if count > MAX_SHARDS {
            return Err(format!("at most {MAX_SHARDS} shards, found {count}"));
        }
        Ok(Self { index, count })
    }
}

/// Most shards: each reads the headers of the whole archive.
const MAX_SHARDS: u64 = 100_000;

impl std::fmt::Display for Shard {
    /// As part of a file name: `3-of-8`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-of-{}", self.index, self.count)
    }
}

/// The shard of a patient by a digest of the identifier: for those who joined the archive after it was divided.
fn by_digest(patient_id: &str, count: u64) -> u64 {
    let digest = out::sha256_hex(patient_id.as_bytes());
    let number = u64::from_str_radix(&digest[..15], 16).expect("15 hexadecimal digits fit into 60 bits");
    number % count + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_based() {
        assert!("0/4".parse::<Shard>().is_err() && "5/4".parse::<Shard>().is_err() && "1/x".parse::<Shard>().is_err());
        assert!("4/4".parse::<Shard>().is_ok() && "1/100001".parse::<Shard>().is_err());
    }

    #[test]
    fn who_joined_later_belongs_to_exactly_one_shard() {
        let mut n_of: [usize; 7] = [0; 7];
        for n in 0..700 {
            n_of[by_digest(&format!("P{n:03}"), 7) as usize - 1] += 1;
        }
        assert!(n_of.iter().all(|n| (60..140).contains(n)), "{n_of:?}");
    }
}
