//! The volumes of one series: what lies at the same position is split by what the headers say, never stacked together.
//!
//! A dynamic, diffusion or multi-echo series, or two acquisitions under one series identifier, gives several volumes; pictures
//! of another kind among the slices (a localizer, a dose report) are left out with a note. What the headers cannot tell apart
//! stays one part, which [`super::geometry::stack`] then refuses.

use imaging::{Note, Noted};

use super::geometry::{ORIENTATION_TOLERANCE, PIXEL_SPACING_TOLERANCE_MM, SAME_POSITION_MM, stack};
use super::header::SliceHeader;
use super::role::plane_of;
use super::volume_key::{ALL_KEYS, Key};

/// A group of slices of another geometry than the rest needs this many to be a volume of its own.
const LEAST_STACK: usize = 3;

/// One volume of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesPart {
    /// Its slices, in the order given.
    pub headers: Vec<SliceHeader>,
    /// What tells it from the other volumes of its series, such as `b-value 800 s/mm²`; `None` where it is the only one.
    pub name: Option<String>,
}

/// Splits the slices of one series into volumes. Notes say what was left out and how it was split.
pub fn volumes_of(headers: Vec<SliceHeader>) -> Noted<Vec<SeriesPart>> {
    let mut notes = Vec::new();
    let whole = |headers| Noted::clean(vec![SeriesPart { headers, name: None }]);
    if headers.len() < 2 || stack(&headers).is_ok_and(|s| s.value.reslice.is_none()) {
        return whole(headers);
    }
    let kept = without_strangers(&headers, &mut notes);
    let groups = by_geometry(&headers, kept, &mut notes);
    let n_groups = groups.len();
    let mut names = geometry_names(&groups.iter().map(|group| &headers[group[0]]).collect::<Vec<_>>());
    let mut parts: Vec<(Vec<usize>, Vec<String>)> = Vec::new();
    for group in groups {
        let name = if n_groups > 1 { vec![names.remove(0)] } else { Vec::new() };
        parts.extend(split(&headers, group).into_iter().map(|(part, mut keys)| {
            let mut name = name.clone();
            name.append(&mut keys);
            (part, name)
        }));
    }
    if parts.len() > 1 {
        let message = format!("the series holds {} volumes; each is indexed for itself", parts.len());
        notes.push(Note::info("several_volumes", headers[0].series_uid.clone(), message));
    }
    let only = parts.len() == 1;
    let parts = parts.into_iter().enumerate().map(|(n, (indices, name))| SeriesPart {
        headers: indices.into_iter().map(|index| headers[index].clone()).collect(),
        name: (!only).then(|| if name.is_empty() { format!("volume {}", n + 1) } else { name.join(", ") }),
    });
    Noted::new(parts.collect(), notes)
}

/// Leaves out what is no slice of the series' stack: localizers, and objects of another class without a place.
fn without_strangers(headers: &[SliceHeader], notes: &mut Vec<Note>) -> Vec<usize> {
    let all: Vec<usize> = (0..headers.len()).collect();
    let is_localizer = |h: &SliceHeader| h.image_type.iter().any(|v| v.eq_ignore_ascii_case("LOCALIZER"));
    let has_place = |h: &SliceHeader| h.position.is_some() && h.orientation.is_some();
    let main_class = majority(headers.iter().map(|h| h.sop_class_uid.as_str()));
    let other_class = |h: &SliceHeader| h.sop_class_uid != main_class && !has_place(h);
    let mut leave = |kept: Vec<usize>, what: &dyn Fn(&SliceHeader) -> bool, code: &str, text: &str| -> Vec<usize> {
        let (out, rest): (Vec<usize>, Vec<usize>) = kept.iter().partition(|&&n| what(&headers[n]));
        if out.is_empty() || rest.is_empty() {
            return kept;
        }
        let message = format!("{} {text} among the slices; left out", out.len());
        notes.push(Note::warning(code, headers[0].series_uid.clone(), message));
        rest
    };
    let kept = leave(all, &is_localizer, "localizer_left_out", "localizer picture(s)");
    leave(kept, &other_class, "picture_left_out", "picture(s) of another kind without a position")
}

fn majority<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0_usize) += 1;
    }
    counts.into_iter().max_by_key(|(_, n)| *n).map(|(value, _)| value.to_owned()).unwrap_or_default()
}

/// Slices of one size, orientation, pixel spacing and frame of reference. Groups too small for a volume are left out when
/// another is large enough.
fn by_geometry(headers: &[SliceHeader], indices: Vec<usize>, notes: &mut Vec<Note>) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for &index in &indices {
        match groups.iter_mut().find(|group| same_geometry(&headers[group[0]], &headers[index])) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    let (large, small): (Vec<Vec<usize>>, Vec<Vec<usize>>) = groups.into_iter().partition(|g| g.len() >= LEAST_STACK);
    if large.is_empty() {
        return vec![indices];
    }
    for group in small {
        let header = &headers[group[0]];
        let message = format!(
            "{} slice(s) of another geometry ({}) than the others of the series; left out",
            group.len(),
            geometry_name(header)
        );
        notes.push(Note::warning("other_geometry_left_out", header.series_uid.clone(), message));
    }
    large
}

fn same_geometry(a: &SliceHeader, b: &SliceHeader) -> bool {
    let near = |a: &[f64], b: &[f64], tolerance: f64| a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance);
    let orientation = match (&a.orientation, &b.orientation) {
        (Some(a), Some(b)) => near(a, b, ORIENTATION_TOLERANCE),
        (a, b) => a.is_none() && b.is_none(),
    };
    let spacing = match (&a.pixel_spacing, &b.pixel_spacing) {
        (Some(a), Some(b)) => near(a, b, PIXEL_SPACING_TOLERANCE_MM),
        (a, b) => a.is_none() && b.is_none(),
    };
    orientation && spacing && (a.rows, a.columns) == (b.rows, b.columns) && a.frame_uid == b.frame_uid
}

fn geometry_name(header: &SliceHeader) -> String {
    let plane = header.orientation.map_or("no orientation".to_owned(), |o| format!("{:?}", plane_of(o)).to_lowercase());
    format!("{plane} {} x {}", header.columns, header.rows)
}

/// One name for each group of another geometry, by its first slice: with pixel spacing and frame of reference only where these
/// are what differs.
fn geometry_names(firsts: &[&SliceHeader]) -> Vec<String> {
    let spacing = |h: &SliceHeader| h.pixel_spacing.map_or_else(String::new, |[r, c]| format!(", pixels {c} x {r} mm"));
    let frame = |h: &SliceHeader| format!(", frame of reference {}", h.frame_uid.as_deref().unwrap_or("none"));
    let mut names: Vec<String> = firsts.iter().map(|h| geometry_name(h)).collect();
    for more in [&spacing as &dyn Fn(&SliceHeader) -> String, &frame] {
        let distinct: std::collections::BTreeSet<String> = names.iter().cloned().collect();
        if distinct.len() < names.len() {
            names.iter_mut().zip(firsts).for_each(|(name, h)| name.push_str(&more(h)));
        }
    }
    names
}

type Named = (Vec<usize>, Vec<String>);

/// One group of equal geometry, split until no two slices of a part share a position; whole where that cannot be done.
fn split(headers: &[SliceHeader], group: Vec<usize>) -> Vec<Named> {
    let Some(positions) = Positions::of(headers, &group) else { return vec![(group, Vec::new())] };
    let crowding = positions.crowding(&group);
    if crowding == 1 {
        return interleaved(headers, group);
    }
    let mut parts = Vec::new();
    by_keys(headers, &positions, group.clone(), &ALL_KEYS, &mut parts);
    let apart: Option<Vec<Vec<Vec<usize>>>> = parts
        .into_iter()
        .map(|part| if positions.crowding(&part) > 1 { by_time(headers, &positions, &part) } else { Some(vec![part]) })
        .collect();
    named(headers, apart.map_or_else(|| vec![group], |parts| parts.concat()))
}

/// Slices at distinct positions that make no even stack: two acquisitions side by side, where one key makes each even.
fn interleaved(headers: &[SliceHeader], group: Vec<usize>) -> Vec<Named> {
    let even = |part: &[usize]| {
        let slices: Vec<SliceHeader> = part.iter().map(|&n| headers[n].clone()).collect();
        part.len() >= LEAST_STACK && stack(&slices).is_ok_and(|s| s.value.reslice.is_none())
    };
    if even(&group) {
        return vec![(group, Vec::new())];
    }
    for key in ALL_KEYS {
        let parts = parts_by(headers, &group, key);
        if (2..=MOST_INTERLEAVED).contains(&parts.len()) && parts.iter().all(|part| even(part)) {
            return named(headers, parts);
        }
    }
    vec![(group, Vec::new())]
}

/// More acquisitions side by side than this are no acquisitions but a number that runs with the slice.
const MOST_INTERLEAVED: usize = 8;

/// The parts by one key, in ascending order of its value.
fn parts_by(headers: &[SliceHeader], indices: &[usize], key: Key) -> Vec<Vec<usize>> {
    let mut parts = std::collections::BTreeMap::new();
    for &index in indices {
        parts.entry(key.of(&headers[index])).or_insert_with(Vec::new).push(index);
    }
    parts.into_values().collect()
}

/// Splits by the first key that makes every position less crowded, then each part by the keys that follow.
fn by_keys(
    headers: &[SliceHeader],
    positions: &Positions,
    indices: Vec<usize>,
    keys: &[Key],
    out: &mut Vec<Vec<usize>>,
) {
    let crowding = positions.crowding(&indices);
    if crowding > 1 {
        for (n, &key) in keys.iter().enumerate() {
            let parts = parts_by(headers, &indices, key);
            let thinner = parts.iter().all(|part| positions.crowding(part) < crowding);
            // A number that runs with the slice makes more parts than slices share a position, and each of them tiny.
            let real = parts.len() <= crowding || parts.iter().all(|part| part.len() >= LEAST_STACK);
            if parts.len() > 1 && thinner && real {
                for part in parts {
                    by_keys(headers, positions, part, &keys[n + 1..], out);
                }
                return;
            }
        }
    }
    out.push(indices);
}

/// Volumes taken one after the other: the n-th slice of every position in time is the n-th volume, if the volumes do not overlap
/// in time (or, where no times are stated, in instance number).
fn by_time(headers: &[SliceHeader], positions: &Positions, group: &[usize]) -> Option<Vec<Vec<usize>>> {
    let n_volumes = positions.crowding(group);
    let moment = |n: usize| headers[n].key.acquired.or(headers[n].key.content);
    let timed = group.iter().all(|&n| moment(n).is_some())
        && group.iter().map(|&n| moment(n)).collect::<std::collections::BTreeSet<_>>().len() >= n_volumes;
    let rank = |n: usize| (timed.then(|| moment(n)).flatten(), headers[n].instance_number);
    let mut volumes = vec![Vec::new(); n_volumes];
    for mut here in positions.slices_by_position(group) {
        if here.len() != n_volumes {
            return None;
        }
        here.sort_by_key(|&n| rank(n));
        for (volume, n) in volumes.iter_mut().zip(here) {
            volume.push(n);
        }
    }
    let apart = volumes.windows(2).all(|pair| {
        let last = pair[0].iter().map(|&n| rank(n)).max();
        let first = pair[1].iter().map(|&n| rank(n)).min();
        last < first
    });
    (apart && (timed || group.iter().all(|&n| headers[n].instance_number.is_some()))).then_some(volumes)
}

/// Names each part by the keys that are one value within every part and differ between them.
fn named(headers: &[SliceHeader], parts: Vec<Vec<usize>>) -> Vec<Named> {
    if parts.len() == 1 {
        return parts.into_iter().map(|part| (part, Vec::new())).collect();
    }
    let telling = |key: &Key| {
        let values: Vec<_> = parts.iter().map(|part| key.of(&headers[part[0]])).collect();
        let constant = parts.iter().zip(&values).all(|(part, v)| part.iter().all(|&n| key.of(&headers[n]) == *v));
        constant && values.iter().any(|v| *v != values[0])
    };
    let keys: Vec<Key> = ALL_KEYS.into_iter().filter(telling).collect();
    let name = |part: &[usize]| -> Vec<String> {
        let stated: Vec<String> = keys.iter().filter_map(|key| key.text(&headers[part[0]])).collect();
        match keys.first() {
            _ if !stated.is_empty() => stated,
            Some(key) => vec![format!("no {}", key.label())],
            None => first_moment(headers, part).into_iter().collect(),
        }
    };
    parts
        .into_iter()
        .map(|part| {
            let name = name(&part);
            (part, name)
        })
        .collect()
}

/// When the first slice of a part was acquired.
fn first_moment(headers: &[SliceHeader], part: &[usize]) -> Option<String> {
    let earliest = part.iter().filter_map(|&n| headers[n].key.acquired.or(headers[n].key.content)).min();
    earliest.map(|moment| format!("from {} {}", moment.date(), moment.time()))
}

/// Which slices lie at one position along the normal.
struct Positions {
    /// For each header given the number of its position.
    place: Vec<Option<usize>>,
}

impl Positions {
    /// `None` where a slice states no position or orientation.
    fn of(headers: &[SliceHeader], group: &[usize]) -> Option<Self> {
        let [a, b, c, d, e, f] = headers[group[0]].orientation?;
        let normal = [b * f - c * e, c * d - a * f, a * e - b * d];
        let mut along = Vec::with_capacity(group.len());
        for &n in group {
            let p = headers[n].position?;
            along.push((p[0] * normal[0] + p[1] * normal[1] + p[2] * normal[2], n));
        }
        along.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut place = vec![None; headers.len()];
        let mut at = 0;
        for (n, (position, index)) in along.iter().enumerate() {
            at += usize::from(n > 0 && position - along[n - 1].0 >= SAME_POSITION_MM);
            place[*index] = Some(at);
        }
        Some(Self { place })
    }

    /// The largest number of slices at one position.
    fn crowding(&self, indices: &[usize]) -> usize {
        self.slices_by_position(indices).iter().map(Vec::len).max().unwrap_or(0)
    }

    fn slices_by_position(&self, indices: &[usize]) -> Vec<Vec<usize>> {
        let mut at = std::collections::BTreeMap::new();
        for &n in indices {
            at.entry(self.place[n]).or_insert_with(Vec::new).push(n);
        }
        at.into_values().collect()
    }
}

#[cfg(test)]
mod tests;
