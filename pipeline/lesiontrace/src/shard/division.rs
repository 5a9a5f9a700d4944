//! A cohort divided into shares that take about as long as each other.
//!
//! Longest first, each patient to the share that has least so far (Graham 1969, SIAM J Appl Math 17:416). The first process of a
//! division writes it down: an archive that grows while shards are at work moves nobody, and none is done twice or by none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{Shard, by_digest};
use crate::out;

/// Who belongs to which shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Division {
    schema_version: u32,
    /// Processor seconds that were forecast for each shard, the first one first.
    forecast_seconds: Vec<f64>,
    /// The shard of each patient, from 1 on.
    patients: BTreeMap<String, u64>,
}

/// One shard of a division.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Share {
    shard: Shard,
    division: Division,
}

impl Division {
    /// Divides patients by the processor milliseconds forecast for each: the same patients and costs give the same shares, in whatever
    /// order they come.
    fn new(count: u64, costs: &BTreeMap<&str, u64>) -> Self {
        let mut longest_first: Vec<(&str, u64)> = costs.iter().map(|(id, cost)| (*id, *cost)).collect();
        longest_first.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        // What a share has so far: milliseconds, then patients, so that those that cost nothing are spread, too.
        let mut so_far = vec![(0_u64, 0_u64); count as usize];
        let mut patients = BTreeMap::new();
        for (id, cost) in longest_first {
            let least = (0..so_far.len()).min_by_key(|n| so_far[*n]).expect("at least one shard");
            so_far[least] = (so_far[least].0 + cost, so_far[least].1 + 1);
            patients.insert(id.to_owned(), least as u64 + 1);
        }
        let forecast_seconds = so_far.iter().map(|(ms, _)| *ms as f64 / 1000.0).collect();
        Self { schema_version: 1, forecast_seconds, patients }
    }

    fn path(out: &Path, count: u64) -> PathBuf {
        out.join(format!("shards-of-{count}.json"))
    }

    /// The one written down, unless it is damaged.
    fn read(out: &Path, count: u64) -> Option<Self> {
        let bytes = std::fs::read(Self::path(out, count)).ok()?;
        let read: Self = serde_json::from_slice(&bytes).ok()?;
        let is_whole = read.schema_version == 1 && read.forecast_seconds.len() as u64 == count;
        (is_whole && read.patients.values().all(|shard| (1..=count).contains(shard))).then_some(read)
    }
}

impl Share {
    /// The share as it was written down, or would be.
    pub(crate) fn foreseen(shard: Shard, out: &Path, costs: &BTreeMap<&str, u64>) -> Self {
        let division = Division::read(out, shard.count).unwrap_or_else(|| Division::new(shard.count, costs));
        Self { shard, division }
    }

    /// The same, written down where no process did so before; the caller holds the lock of the output folder.
    pub(crate) fn settled(shard: Shard, out: &Path, costs: &BTreeMap<&str, u64>) -> anyhow::Result<Self> {
        let share = Self::foreseen(shard, out, costs);
        if Division::read(out, shard.count).is_none() {
            out::write_json(&Division::path(out, shard.count), &share.division).context("writing who does whom")?;
        }
        Ok(share)
    }

    /// The shard of a patient, from 1 on.
    fn of(&self, patient_id: &str) -> u64 {
        self.division.patients.get(patient_id).copied().unwrap_or_else(|| by_digest(patient_id, self.shard.count))
    }

    /// Whether this shard does a patient.
    pub(crate) fn takes(&self, patient_id: &str) -> bool {
        self.of(patient_id) == self.shard.index
    }

    /// Who does a patient of another shard.
    pub(crate) fn whose(&self, patient_id: &str) -> String {
        format!("belongs to shard {} of {}", self.of(patient_id), self.shard.count)
    }

    /// How it compares with the others.
    pub(crate) fn as_text(&self) -> String {
        let (all, index) = (&self.division.forecast_seconds, self.shard.index as usize - 1);
        let n = self.division.patients.values().filter(|shard| **shard == self.shard.index).count();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let [own, longest] =
            [all[index], all.iter().copied().fold(0.0, f64::max)].map(|s| if mean > 0.0 { s / mean } else { 1.0 });
        format!(
            "shard {} of {}: {n} of {} patients, forecast {own:.2} times the mean shard (longest {longest:.2})\n",
            self.shard.index,
            self.shard.count,
            self.division.patients.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    /// Costs of a cohort with a few patients of many visits.
    fn costs(ids: &[String]) -> BTreeMap<&str, u64> {
        ids.iter()
            .enumerate()
            .map(|(n, id)| (id.as_str(), if n % 20 == 0 { 60_000 } else { 1000 * (1 + n as u64 % 9) }))
            .collect()
    }

    fn ids(n: usize) -> Vec<String> {
        (0..n).map(|n| format!("P{n:03}")).collect()
    }

    #[test]
    fn shares_take_about_as_long_as_each_other_and_everybody_is_in_one() {
        let ids = ids(200);
        let folder = tempfile::tempdir().unwrap();
        let shares: Vec<Share> =
            (1..=8).map(|n| Share::foreseen(shard(&format!("{n}/8")), folder.path(), &costs(&ids))).collect();
        for id in &ids {
            assert_eq!(shares.iter().filter(|share| share.takes(id)).count(), 1, "{id}");
        }
        let seconds = &shares[0].division.forecast_seconds;
        let (least, most) = seconds.iter().fold((f64::MAX, 0.0_f64), |(a, b), s| (a.min(*s), b.max(*s)));
        assert!(most < 1.02 * least, "{seconds:?}");
        let of_share =
            |share: &Share| ids.iter().filter(|id| share.takes(id)).map(|id| costs(&ids)[id.as_str()]).sum::<u64>();
        assert_eq!(of_share(&shares[2]) as f64 / 1000.0, seconds[2]);
        assert!(shares[2].as_text().starts_with("shard 3 of 8: "), "{}", shares[2].as_text());
        assert!(shares[0].whose(ids.iter().find(|id| shares[4].takes(id)).unwrap()).ends_with("shard 5 of 8"));
    }

    #[test]
    fn a_patient_who_joins_while_shards_are_at_work_moves_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (ids(40), ids(43));
        let first = Share::settled(shard("1/4"), folder.path(), &costs(&before)).unwrap();
        let second = Share::settled(shard("2/4"), folder.path(), &costs(&after)).unwrap();
        assert_eq!(first.division, second.division);
        for id in &after {
            let n = (1..=4).filter(|n| Share { shard: shard(&format!("{n}/4")), ..first.clone() }.takes(id)).count();
            assert_eq!(n, 1, "{id}");
        }
        // Another number of shards is another division.
        let third = Share::settled(shard("2/5"), folder.path(), &costs(&after)).unwrap();
        assert_eq!(third.division.patients.len(), 43);
    }

    #[test]
    fn a_division_that_is_damaged_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let ids = ids(10);
        let whole = Share::settled(shard("1/2"), folder.path(), &costs(&ids)).unwrap();
        let path = Division::path(folder.path(), 2);
        for damaged in ["", "{", r#"{"schema_version":1,"forecast_seconds":[1.0],"patients":{}}"#] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(Share::settled(shard("1/2"), folder.path(), &costs(&ids)).unwrap(), whole);
            assert_eq!(Division::read(folder.path(), 2).unwrap(), whole.division);
        }
    }

    #[test]
    fn patients_of_whom_nothing_is_known_are_spread() {
        let ids = ids(12);
        let nothing: BTreeMap<&str, u64> = ids.iter().map(|id| (id.as_str(), 0)).collect();
        let division = Division::new(4, &nothing);
        assert!((1..=4).all(|n| division.patients.values().filter(|shard| **shard == n).count() == 3));
        let share = Share { shard: shard("1/4"), division };
        assert!(share.as_text().contains("1.00 times the mean"), "{}", share.as_text());
    }
}
