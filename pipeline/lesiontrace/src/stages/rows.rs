//! Lesions and measurements as table rows.

use imaging::chord_band::half_width;
use imaging::diameter::mask_centroid;
use imaging::{Chord, Mask, Mm3, PlanarDiameters, united};
use oncology::criteria::CriterionResult;
use oncology::reads::ReaderAxes;
use oncology::tracking::{LesionTrack, Sighting};
use oncology::{Days, Evaluable, LesionRow, LesionState, MeasurementRow};

use crate::out;
use crate::stages::find::{SeriesFacts, VisitFacts};
use crate::stages::measure::Sizes;
use crate::stages::pieces;
use crate::stages::track::Tracked;

mod diffusion_rows;
mod distance_rows;
mod dose_rows;
mod uptake_rows;

/// A tracking UID under the UUID-derived root 2.25, from patient and what names a thing of this patient, so that the same thing always
/// gets the same one.
pub(crate) fn tracking_uid(patient_id: &str, name: &str) -> String {
    let digest = out::sha256_hex(format!("lesiontrace tracking {patient_id} {name}").as_bytes());
    let number = u128::from_str_radix(&digest[..32], 16).expect("32 hexadecimal digits fit into 128 bits");
    format!("2.25.{number}")
}

/// The tracking UID of a lesion: from the day it was first seen and its place in that image, to the millimetre. Its number, which
/// follows the order of sight, would pass to another lesion as soon as an earlier visit or one more outline came in.
pub(crate) fn lesion_uid(patient_id: &str, track: &LesionTrack, visits: &[VisitFacts]) -> String {
    let visit = &visits[track.first_visit];
    let labels = track.sightings.get(&track.first_visit).map_or(&[][..], |sighting| &sighting.labels);
    let outlines: Vec<&Mask> =
        labels.iter().filter_map(|label| visit.lesion(*label)).map(|lesion| &lesion.mask).collect();
    let place = united(&outlines).as_ref().and_then(mask_centroid);
    let name = match place {
        Some(at) => at.to_array().map(|mm| (mm.round() as i64).to_string()).join(" "),
        // Marked by a reader without an outline: by its name.
        None => track.id.to_string(),
    };
    tracking_uid(patient_id, &format!("{} {name}", visit.date()))
}

/// Method of a diameter that a reader drew.
const READER: &str = "caliper drawn by a reader";

/// One row per lesion.
pub(crate) fn lesions(
    patient_id: &str,
    visits: &[VisitFacts],
    tracked: &Tracked,
    leading: Option<&CriterionResult>,
) -> Vec<LesionRow> {
    let row = |track: &LesionTrack| {
        let center = track.sightings.values().find_map(|s| s.center)?;
        let role =
            leading.and_then(|r| r.roles.iter().find(|role| role.lesion == track.id)).map(|r| r.role.to_string());
        let state = track.sightings.values().next_back().map_or(LesionState::NotEvaluable, |s| s.state);
        let [x_mm, y_mm, z_mm] = center.to_array().map(hundredth);
        let labels_at_first_sight = track.sightings.get(&track.first_visit).map_or(&[][..], |s| &s.labels);
        Some(LesionRow {
            patient_id: patient_id.to_owned(),
            lesion_id: track.id.to_string(),
            tracking_uid: lesion_uid(patient_id, track, visits),
            organ: track.organ.to_string(),
            kind: track.kind.to_string(),
            // Seen at a scan round a treatment alone, it has no part in any response.
            role: role.unwrap_or_else(|| leading.map_or_else(String::new, |_| "not_recorded".to_owned())),
            first_seen_date: visits[track.first_visit].date(),
            state: state.to_string(),
            x_mm,
            y_mm,
            z_mm,
            source: visits[track.first_visit].outlined_by(labels_at_first_sight).to_owned(),
            first_seen_visit: visits[track.first_visit].id,
        })
    };
    tracked.tracks.iter().filter_map(row).collect()
}

/// One row per lesion, visit and quantity.
pub(crate) fn measurements(patient_id: &str, visits: &[VisitFacts], tracked: &Tracked) -> Vec<MeasurementRow> {
    let mut rows = Vec::new();
    for track in &tracked.tracks {
        for (n, sighting) in &track.sightings {
            let drawn = tracked.reviewed.axes.get(&(*n, track.id.clone()));
            let own = of_sighting(patient_id, track, sighting, visits, *n);
            rows.extend(with_readers_axes(own, drawn, &visits[*n]));
            if let Some(labels) = tracked.zones.get(&(*n, track.id.clone())) {
                let blank = blank(patient_id, track, sighting, visits, *n);
                let blank = MeasurementRow { reason: String::new(), ..blank };
                rows.extend(distance_rows::of_zones(&blank, labels, &visits[*n]));
            }
        }
    }
    rows
}

/// A row of a lesion at a visit without a number.
fn blank(
    patient_id: &str,
    track: &LesionTrack,
    sighting: &Sighting,
    visits: &[VisitFacts],
    n: usize,
) -> MeasurementRow {
    let visit = &visits[n];
    MeasurementRow {
        patient_id: patient_id.to_owned(),
        lesion_id: track.id.to_string(),
        date: visit.date(),
        study_day: Days::between(visits[0].date(), visit.date()).0,
        series_role: visit.measured.role.clone(),
        quantity: "long_axis".to_owned(),
        value: None,
        unit: "mm".to_owned(),
        low: None,
        high: None,
        method: String::new(),
        evaluable: false,
        reason: sighting.reason.clone(),
        state: sighting.state.to_string(),
        caliper_lps_mm: String::new(),
        sop_instance_uid: String::new(),
        visit: visit.id,
    }
}

fn of_sighting(
    patient_id: &str,
    track: &LesionTrack,
    sighting: &Sighting,
    visits: &[VisitFacts],
    n: usize,
) -> Vec<MeasurementRow> {
    let visit = &visits[n];
    let blank = blank(patient_id, track, sighting, visits, n);
    match sighting.state {
        LesionState::Absent => {
            vec![MeasurementRow { value: Some(0.0), evaluable: true, method: "absent".to_owned(), ..blank }]
        }
        LesionState::Ablated => vec![MeasurementRow {
            quantity: "viable_long_axis".to_owned(),
            value: Some(0.0),
            evaluable: true,
            method: "ablated".to_owned(),
            reason: "ablation zone without viable tumour; the zone is never measured as tumour".to_owned(),
            ..blank
        }],
        LesionState::NotEvaluable | LesionState::Merged => vec![blank],
        _ => {
            let pieces = sighting.labels.iter().flat_map(|label| {
                let further = visit.sizes_of(*label).map_or_else(Vec::new, |sizes| fragments(sizes, &blank, visit));
                std::iter::once(of_label(*label, &blank, visit)).chain(further)
            });
            pieces::join(track.kind, &pieces.filter(|rows| !rows.is_empty()).collect::<Vec<_>>())
        }
    }
}

/// The rows of a lesion at a visit with the diameters a reader drew in place of the program's first ones.
fn with_readers_axes(
    mut rows: Vec<MeasurementRow>,
    drawn: Option<&ReaderAxes>,
    visit: &VisitFacts,
) -> Vec<MeasurementRow> {
    let (Some(axes), Some(first)) = (drawn, rows.first().cloned()) else { return rows };
    let blank = MeasurementRow { value: None, evaluable: false, sop_instance_uid: String::new(), ..first };
    for (place, (quantity, chord)) in [("long_axis", axes.long), ("short_axis", axes.short)].into_iter().enumerate() {
        let Some(chord) = chord else { continue };
        let k = visit.measured.grid.patient_to_voxel().apply(chord.start).coords.z.round();
        let slice = (k >= 0.0).then_some(k as usize);
        let sop = slice.and_then(|k| visit.measured.sop_instance_uids.get(k)).cloned().unwrap_or_default();
        let row = MeasurementRow {
            method: READER.to_owned(),
            reason: String::new(),
            sop_instance_uid: sop,
            ..axis(&blank, quantity, &chord, visit)
        };
        match rows.iter().position(|own| own.quantity == quantity) {
            Some(own) => rows[own] = row,
            None => rows.insert(place.min(rows.len()), row),
        }
    }
    rows
}

fn of_label(label: u16, blank: &MeasurementRow, visit: &VisitFacts) -> Vec<MeasurementRow> {
    if let Some(unmeasured) = visit.unmeasured(label) {
        return vec![MeasurementRow { reason: unmeasured.reason.clone(), ..blank.clone() }];
    }
    let Some(sizes) = visit.sizes_of(label) else { return Vec::new() };
    if let Some(reason) = &sizes.cut {
        return vec![MeasurementRow { reason: reason.clone(), ..blank.clone() }];
    }
    let mut rows = Vec::new();
    match &sizes.planar {
        Evaluable::NotEvaluable(reason) => rows.push(MeasurementRow { reason: reason.clone(), ..blank.clone() }),
        Evaluable::Value(planar) => {
            let sop = sizes.slice_k.and_then(|k| visit.measured.sop_instance_uids.get(k)).cloned().unwrap_or_default();
            for (quantity, chord) in [("long_axis", planar.long_axis), ("short_axis", planar.short_axis)] {
                rows.push(MeasurementRow { sop_instance_uid: sop.clone(), ..axis(blank, quantity, &chord, visit) });
            }
        }
    }
    rows.push(volume(blank, "volume", sizes.volume));
    rows.push(number(blank, "max_3d_diameter", "mm", "farthest pair of surface points", &sizes.max_3d_mm));
    if let Some(arterial) = &visit.arterial {
        rows.extend(viable(blank, &sizes.viable, arterial));
    }
    if let Some(pet) = &visit.pet {
        let uptake = uptake_rows::rows(blank, sizes, visit.pet_facts.as_ref());
        rows.extend(uptake.into_iter().map(|row| MeasurementRow { series_role: pet.role.clone(), ..row }));
    }
    if let Some(role) = visit.adc.as_ref().map(|adc| &adc.role).or(visit.adc_unread.as_ref()) {
        let found = diffusion_rows::rows(blank, &sizes.diffusion);
        rows.extend(found.into_iter().map(|row| MeasurementRow { series_role: role.clone(), ..row }));
    }
    rows.extend(distance_rows::of_lesion(blank, label, visit));
    rows.extend(sizes.dose.iter().flat_map(|dose| dose_rows::rows(blank, dose)));
    rows
}

/// The diameters of the pieces of one outline beside the longest; its other quantities are those of all of it.
fn fragments(sizes: &Sizes, blank: &MeasurementRow, visit: &VisitFacts) -> Vec<Vec<MeasurementRow>> {
    let rows = |planar: &PlanarDiameters| {
        let k = visit.measured.grid.patient_to_voxel().apply(planar.long_axis.start).coords.z.round();
        let slice = (k >= 0.0).then_some(k as usize);
        let sop = slice.and_then(|k| visit.measured.sop_instance_uids.get(k)).cloned().unwrap_or_default();
        let axes = [("long_axis", planar.long_axis), ("short_axis", planar.short_axis)];
        let row = |(quantity, chord): (&str, Chord)| MeasurementRow {
            sop_instance_uid: sop.clone(),
            ..axis(blank, quantity, &chord, visit)
        };
        axes.map(row).to_vec()
    };
    if sizes.cut.is_some() || sizes.planar.value().is_none() {
        return Vec::new();
    }
    sizes.further_pieces.iter().map(rows).collect()
}

fn viable(
    blank: &MeasurementRow,
    viable: &Evaluable<crate::stages::measure::ViablePart>,
    arterial: &SeriesFacts,
) -> Vec<MeasurementRow> {
    let blank =
        MeasurementRow { series_role: arterial.role.clone(), quantity: "viable_long_axis".to_owned(), ..blank.clone() };
    match viable {
        Evaluable::NotEvaluable(reason) => vec![MeasurementRow { reason: reason.clone(), ..blank }],
        Evaluable::Value(part) => {
            let mut rows = match &part.chord {
                Some(chord) => vec![diameter(&blank, "viable_long_axis", chord)],
                None => ["viable_long_axis", "viable_cross_product"].map(|quantity| nothing(&blank, quantity)).to_vec(),
            };
            if let (Some(chord), Some(across)) = (&part.chord, &part.across) {
                rows.extend([diameter(&blank, "viable_short_axis", across), cross_product(&blank, chord, across)]);
            }
            rows.push(volume(&blank, "viable_volume", part.volume));
            rows
        }
    }
}

/// No viable tumour.
fn nothing(blank: &MeasurementRow, quantity: &str) -> MeasurementRow {
    MeasurementRow {
        quantity: quantity.to_owned(),
        value: Some(0.0),
        unit: if quantity == "viable_cross_product" { "mm2" } else { "mm" }.to_owned(),
        evaluable: true,
        method: "no arterial hyperenhancement".to_owned(),
        ..blank.clone()
    }
}

/// The product of the two diameters as they stand in the table.
fn cross_product(blank: &MeasurementRow, long: &Chord, across: &Chord) -> MeasurementRow {
    let product = hundredth(long.length().0) * hundredth(across.length().0);
    MeasurementRow {
        quantity: "viable_cross_product".to_owned(),
        value: Some(hundredth(product)),
        unit: "mm2".to_owned(),
        evaluable: true,
        method: "longest viable diameter times its widest perpendicular".to_owned(),
        ..blank.clone()
    }
}

/// A long or short axis on the measured series, with its band: a voxel of that series along the chord, less and more.
fn axis(blank: &MeasurementRow, quantity: &str, chord: &Chord, visit: &VisitFacts) -> MeasurementRow {
    let row = diameter(blank, quantity, chord);
    let reach = half_width(chord, &visit.measured.grid).0;
    let ends = row.value.map(|value| [(value - reach).max(0.0), value + reach].map(hundredth));
    MeasurementRow { low: ends.map(|[low, _]| low), high: ends.map(|[_, high]| high), ..row }
}

/// Its ends, LPS mm.
fn caliper(chord: &Chord) -> String {
    let at = |p: [f64; 3]| p.map(|v| format!("{v:.2}")).join(" ");
    format!("{}; {}", at(chord.start.to_array()), at(chord.end.to_array()))
}

fn diameter(blank: &MeasurementRow, quantity: &str, chord: &Chord) -> MeasurementRow {
    MeasurementRow {
        quantity: quantity.to_owned(),
        value: oncology::Exact::from_image(chord.length().0).map(oncology::Exact::to_f64),
        evaluable: true,
        method: "sub-voxel outline of the mask in one slice".to_owned(),
        caliper_lps_mm: caliper(chord),
        ..blank.clone()
    }
}

fn volume(blank: &MeasurementRow, quantity: &str, volume: Mm3) -> MeasurementRow {
    MeasurementRow {
        quantity: quantity.to_owned(),
        value: Some(hundredth(volume.0)),
        unit: "mm3".to_owned(),
        evaluable: true,
        method: "voxels".to_owned(),
        ..blank.clone()
    }
}

fn number(blank: &MeasurementRow, quantity: &str, unit: &str, method: &str, value: &Evaluable<f64>) -> MeasurementRow {
    MeasurementRow {
        quantity: quantity.to_owned(),
        value: value.value().map(|v| hundredth(*v)),
        unit: unit.to_owned(),
        evaluable: value.value().is_some(),
        reason: value.reason().map_or_else(|| blank.reason.clone(), ToOwned::to_owned),
        method: method.to_owned(),
        ..blank.clone()
    }
}

fn hundredth(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
