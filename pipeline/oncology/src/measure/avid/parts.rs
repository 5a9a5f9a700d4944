//! The parts of a PET above the cut-off, organs' own uptake apart from everything else.
//!
//! Definition: the zone of an organ is its mask and one voxel round it, into which its uptake spills. Parts are 26-connected. A voxel
//! of the rim goes back to a candidate that it touches, if it is not hotter than that candidate is outside the zone: so a lesion
//! that lies against an organ keeps its side, and what remains of the zone is the organ's.

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Components, Connectivity, Index3, LabelMap, Mask, Volume, Window, components};

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
    pub(super) owner: Volume<u32>,
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
        let least = rule.least_mm3 / pet.grid().voxel_volume_mm3();
        let whole = Window { low: [0; 3], shape: pet.shape() };
        let (mut list, mut owner) = large(pet, &whole, candidates(&above, organs.as_ref()), least);
        if let Some(organs) = &organs {
            give_back(pet, above.values(), organs, &mut list, owner.values_mut());
            for (label, ends) in organs.left(above.values(), owner.values(), least) {
                list.extend(organs.own(pet, (label, ends), (&above, &owner), least));
            }
            organs.close(above.values(), owner.values_mut());
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

/// What hangs together above the cut-off outside the organs' zones.
fn candidates(above: &Mask, organs: Option<&Organs<'_>>) -> Components {
    let Some(organs) = organs else { return components(above, Connectivity::Corners) };
    let mut free = above.clone();
    free.values_mut().iter_mut().zip(organs.zones.values()).for_each(|(free, zone)| *free &= *zone == 0);
    components(&free, Connectivity::Corners)
}

/// Of what was found in a window of the PET the components of at least so many voxels, and for every voxel of the window the number of
/// the one it belongs to.
fn large(pet: &Volume<f32>, window: &Window, found: Components, least_voxels: f64) -> (Vec<Part>, Volume<u32>) {
    let Components { labels: mut owner, list: components } = found;
    let mut number = vec![0_u32; components.len() + 1];
    let mut list = Vec::new();
    for component in components.iter().filter(|component| component.n_voxels as f64 >= least_voxels) {
        let voxels = Vec::with_capacity(component.n_voxels);
        list.push(Part { voxels, hottest: 0, max: f64::NEG_INFINITY, set_aside: None, touches: None });
        number[component.label as usize] = list.len() as u32;
    }
    for (n, owner) in owner.values_mut().iter_mut().enumerate().filter(|(_, owner)| **owner != 0) {
        *owner = number[*owner as usize];
        let at = window.to_volume(window.shape.index(n), pet.shape());
        if let Some((part, at)) = (*owner as usize).checked_sub(1).map(|part| &mut list[part]).zip(at) {
            part.voxels.push(pet.shape().linear(at));
        }
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
    let grown: BTreeSet<u32> = back.iter().map(|(_, number)| *number).collect();
    for (at, number) in back {
        owner[at] = number;
        list[number as usize - 1].voxels.push(at);
    }
    for number in grown {
        let part = &mut list[number as usize - 1];
        part.voxels.sort_unstable();
        part.look_again(pet);
    }
    for (part, touched) in list.iter_mut().zip(touched) {
        let names: Vec<String> = touched.into_iter().map(|label| organs.name(label)).collect();
        part.touches = (!names.is_empty()).then(|| names.join(", "));
    }
}

impl Organs<'_> {
    fn name(&self, label: u16) -> String {
        self.names.get(&label).cloned().unwrap_or_else(|| format!("organ {label}"))
    }

    /// Organs in whose zones at least so many voxels above the cut-off belong to nobody else, with the box these lie in.
    fn left(&self, above: &[bool], owner: &[u32], least_voxels: f64) -> Vec<(u16, (Index3, Index3))> {
        let mut left: BTreeMap<u16, (usize, (Index3, Index3))> = BTreeMap::new();
        let zones = self.zones.values().iter().enumerate();
        for (n, zone) in zones.filter(|(n, zone)| **zone != 0 && above[*n] && owner[*n] == 0) {
            let at = self.zones.shape().index(n);
            let (count, (low, high)) = left.entry(*zone).or_insert((0, (at, at)));
            *count += 1;
            *low = Index3 { i: low.i.min(at.i), j: low.j.min(at.j), k: low.k.min(at.k) };
            *high = Index3 { i: high.i.max(at.i), j: high.j.max(at.j), k: high.k.max(at.k) };
        }
        left.into_iter()
            .filter(|(_, (n, _))| *n as f64 >= least_voxels)
            .map(|(label, (_, ends))| (label, ends))
            .collect()
    }

    /// The parts of what is left to one organ, found in its box: they cost what the organ costs.
    fn own(
        &self,
        pet: &Volume<f32>,
        (label, ends): (u16, (Index3, Index3)),
        (above, owner): (&Mask, &Volume<u32>),
        least_voxels: f64,
    ) -> Vec<Part> {
        let window = Window::of_box(ends, [0; 3]);
        let grid = window.grid(pet.grid()).expect("a box in a grid has as good a grid");
        let left = Mask::from_fn(grid, |at| {
            let at = window.to_volume(at, pet.shape());
            at.is_some_and(|at| *above.at(at) && *self.zones.at(at) == label && *owner.at(at) == 0)
        });
        let (mut parts, _) = large(pet, &window, components(&left, Connectivity::Corners), least_voxels);
        for part in &mut parts {
            part.set_aside = Some(self.why(pet, label, part));
        }
        parts
    }

    /// Why a part is this organ's own.
    fn why(&self, pet: &Volume<f32>, label: u16, part: &Part) -> String {
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
