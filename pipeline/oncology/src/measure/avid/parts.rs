//! The parts of a PET above the cut-off, organs' own uptake apart from everything else.
//!
//! Definition: the zone of an organ is its mask and one voxel round it, into which its uptake spills. Parts are 26-connected. A voxel
//! of the rim goes back to a candidate that it touches, if it is not hotter than that candidate is outside the zone: so a lesion
//! that lies against an organ keeps its side, and what remains of the zone is the organ's.

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Components, Connectivity, LabelMap, Volume, components};

use super::AvidRule;
use super::outline::neighbours;

/// In [`Parts::owner`]: an organ's.
pub(super) const ORGAN: u32 = u32::MAX;

/// A connected part above the cut-off; voxels are positions in memory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Its voxels, ascending.
    pub(super) voxels: Vec<usize>,
    /// The hottest of them; of equal ones the first.
    pub(super) hottest: usize,
    /// Its uptake.
    pub(super) max: f64,
    /// Why it is no candidate, where it is an organ's own.
    pub(super) set_aside: Option<String>,
    /// Names of the organs whose uptake a candidate touches.
    pub(super) touches: Option<String>,
}

/// All parts of at least the least volume.
pub(super) struct Parts {
    /// Candidates, then what is organs' own.
    pub(super) list: Vec<Part>,
    /// For each voxel 0, the number from 1 of the candidate in `list` it belongs to, or [`ORGAN`].
    pub(super) owner: Vec<u32>,
}

/// Organs on the PET's grid with their names and their zones.
struct Organs<'a> {
    labels: &'a LabelMap,
    names: &'a BTreeMap<u16, String>,
    zones: LabelMap,
}

impl Parts {
    /// Divides a PET.
    pub(super) fn of(pet: &Volume<f32>, rule: &AvidRule, organs: Option<(&LabelMap, &BTreeMap<u16, String>)>) -> Self {
        let organs = organs.map(|(labels, names)| Organs { labels, names, zones: zones(labels) });
        let above = pet.map(|value| f64::from(*value) >= rule.cut_off_suv);
        let mut free = above.clone();
        if let Some(organs) = &organs {
            let zones = free.values_mut().iter_mut().zip(organs.zones.values());
            zones.for_each(|(free, zone)| *free &= *zone == 0);
        }
        let least = rule.least_mm3 / pet.grid().voxel_volume_mm3();
        let found = components(&free, Connectivity::Corners);
        let (mut list, mut owner) = large(pet, &found, least);
        if let Some(organs) = &organs {
            give_back(pet, above.values(), organs, &mut list, &mut owner);
            let own = |label: u16| {
                let mut part = above.clone();
                let values = part.values_mut().iter_mut().zip(organs.zones.values().iter().zip(&owner));
                values.for_each(|(set, (zone, owner))| *set &= *zone == label && *owner == 0);
                let (parts, _) = large(pet, &components(&part, Connectivity::Corners), least);
                parts.into_iter().map(move |part| Part { set_aside: Some(organs.own(pet, label, &part)), ..part })
            };
            let left = organs.left(above.values(), &owner, least);
            list.extend(left.into_iter().flat_map(own).collect::<Vec<_>>());
            organs.close(above.values(), &mut owner);
        }
        for part in &mut list {
            part.look_again(pet);
        }
        Self { list, owner }
    }
}

impl Part {
    /// Finds the hottest voxel.
    fn look_again(&mut self, pet: &Volume<f32>) {
        self.max = f64::NEG_INFINITY;
        for at in &self.voxels {
            let uptake = f64::from(pet.values()[*at]);
            if uptake > self.max {
                (self.hottest, self.max) = (*at, uptake);
            }
        }
    }
}

/// The components of at least so many voxels, and for every voxel the number of the one it belongs to.
fn large(pet: &Volume<f32>, found: &Components, least_voxels: f64) -> (Vec<Part>, Vec<u32>) {
    let mut number = vec![0_u32; found.list.len() + 1];
    let mut list = Vec::new();
    for component in found.list.iter().filter(|component| component.n_voxels as f64 >= least_voxels) {
        let voxels = Vec::with_capacity(component.n_voxels);
        list.push(Part { voxels, hottest: 0, max: f64::NEG_INFINITY, set_aside: None, touches: None });
        number[component.label as usize] = list.len() as u32;
    }
    let owner: Vec<u32> = found.labels.values().iter().map(|label| number[*label as usize]).collect();
    for (at, number) in owner.iter().enumerate().filter(|(_, number)| **number != 0) {
        list[*number as usize - 1].voxels.push(at);
    }
    for part in &mut list {
        part.look_again(pet);
    }
    (list, owner)
}

/// The organs' masks with one voxel round them; between two organs the voxel is that of the smaller label.
fn zones(labels: &LabelMap) -> LabelMap {
    let mut zones = labels.clone();
    let shape = labels.shape();
    for (at, label) in labels.values().iter().enumerate().filter(|(_, label)| **label != 0) {
        for next in neighbours(shape, at).filter(|next| labels.values()[*next] == 0) {
            let zone = &mut zones.values_mut()[next];
            *zone = if *zone == 0 { *label } else { (*zone).min(*label) };
        }
    }
    zones
}

/// Gives rim voxels above the cut-off back to the candidates they touch, and notes which organs' uptake these touch.
fn give_back(pet: &Volume<f32>, above: &[bool], organs: &Organs<'_>, list: &mut [Part], owner: &mut [u32]) {
    let mut back = Vec::new();
    let mut touched: Vec<BTreeSet<u16>> = vec![BTreeSet::new(); list.len()];
    for (at, zone) in organs.zones.values().iter().enumerate().filter(|(at, zone)| **zone != 0 && above[*at]) {
        let beside: BTreeSet<u32> =
            neighbours(pet.shape(), at).map(|next| owner[next]).filter(|owner| *owner != 0).collect();
        for number in &beside {
            touched[*number as usize - 1].insert(*zone);
        }
        let takes = |number: &&u32| f64::from(pet.values()[at]) <= list[**number as usize - 1].max;
        if organs.labels.values()[at] == 0
            && let Some(number) = beside.iter().find(takes)
        {
            back.push((at, *number));
        }
    }
    for (at, number) in back {
        owner[at] = number;
        list[number as usize - 1].voxels.push(at);
    }
    for (part, touched) in list.iter_mut().zip(touched) {
        part.voxels.sort_unstable();
        let names: Vec<String> = touched.into_iter().map(|label| organs.name(label)).collect();
        part.touches = (!names.is_empty()).then(|| names.join(", "));
    }
}

impl Organs<'_> {
    fn name(&self, label: u16) -> String {
        self.names.get(&label).cloned().unwrap_or_else(|| format!("organ {label}"))
    }

    /// Organs in whose zones at least so many voxels above the cut-off belong to nobody else.
    fn left(&self, above: &[bool], owner: &[u32], least_voxels: f64) -> Vec<u16> {
        let mut n: BTreeMap<u16, usize> = BTreeMap::new();
        let zones = self.zones.values().iter().zip(above).zip(owner);
        for ((zone, _), _) in zones.filter(|((zone, above), owner)| **zone != 0 && **above && **owner == 0) {
            *n.entry(*zone).or_default() += 1;
        }
        n.into_iter().filter(|(_, n)| *n as f64 >= least_voxels).map(|(label, _)| label).collect()
    }

    /// Why a part is this organ's own.
    fn own(&self, pet: &Volume<f32>, label: u16, part: &Part) -> String {
        let is_hottest = |at: &&usize| f64::from(pet.values()[**at]) >= part.max;
        if part.voxels.iter().filter(is_hottest).any(|at| self.labels.values()[*at] == label) {
            return format!("its hottest voxel lies in {}", self.name(label));
        }
        format!("it lies within a voxel of {}", self.name(label))
    }

    /// Marks what no outline may enter: the organs, and what is left to them of their rims above the cut-off.
    fn close(&self, above: &[bool], owner: &mut [u32]) {
        for (at, owner) in owner.iter_mut().enumerate().filter(|(_, owner)| **owner == 0) {
            if self.labels.values()[at] != 0 || (self.zones.values()[at] != 0 && above[at]) {
                *owner = ORGAN;
            }
        }
    }
}
