//! A lesion that lies in several pieces: how the numbers of the pieces make the lesion's own.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.2: when a non-nodal lesion fragments, the longest diameters of the fragments are
//! added. Of a node, of which that is not said, the piece with the larger short axis counts. Volumes and areas are added, of uptake
//! the hottest piece counts, of distances from critical structures the nearest; volumes above a share of each piece's own SUVmax are
//! not added. The bands of added numbers are added, one that counts keeps its own. Edge case: a piece that cannot be measured leaves
//! the lesion without a number.

use imaging::Note;
use oncology::lesion::LesionKind;
use oncology::{Exact, MeasurementRow};

/// What marks the row of a single piece: `long_axis_piece_2`.
pub(crate) const OF_PIECE: &str = "_piece_";

/// What begins the names of distances from critical structures.
const DISTANCE: &str = "distance_";

/// The diameter that counts of a lesion in pieces; `None` without a piece.
pub(crate) fn diameter(kind: LesionKind, pieces: &[Exact]) -> Option<Exact> {
    match kind {
        LesionKind::Node => pieces.iter().copied().max(),
        LesionKind::Lesion => (!pieces.is_empty()).then(|| pieces.iter().copied().sum()),
    }
}

/// The rows of a lesion from those of its pieces: one for each quantity, then one for each diameter of each piece.
pub(crate) fn join(kind: LesionKind, pieces: &[Vec<MeasurementRow>]) -> Vec<MeasurementRow> {
    let [single] = pieces else {
        let unmeasured = pieces.iter().flatten().find(|row| row.quantity == "long_axis" && !row.evaluable);
        if let Some(row) = unmeasured {
            return vec![row.clone()];
        }
        let mut names: Vec<&str> = Vec::new();
        for row in pieces.iter().flatten() {
            if !names.contains(&row.quantity.as_str()) {
                names.push(&row.quantity);
            }
        }
        let joined = names.iter().filter_map(|name| one_row(kind, name, pieces));
        return joined.chain(diameters(pieces)).collect();
    };
    single.clone()
}

/// One quantity of all pieces; those without it (nothing enhances in them) have no part in it.
fn one_row(kind: LesionKind, name: &str, pieces: &[Vec<MeasurementRow>]) -> Option<MeasurementRow> {
    let rows: Vec<&MeasurementRow> = pieces.iter().filter_map(|piece| of(piece, name)).collect();
    if let Some(row) = rows.iter().find(|row| !row.evaluable) {
        return Some((*row).clone());
    }
    // Of all of one outline, or of the one piece that has it.
    if let [row] = rows[..] {
        return Some(row.clone());
    }
    let known: Vec<(&MeasurementRow, Exact)> =
        rows.iter().filter_map(|row| Some((*row, Exact::from_image(row.value?)?))).collect();
    let values: Vec<Exact> = known.iter().map(|(_, value)| *value).collect();
    let largest = known.iter().rev().max_by_key(|(_, value)| *value).map(|(row, _)| *row);
    let smallest = known.iter().min_by_key(|(_, value)| *value).map(|(row, _)| *row);
    let n = pieces.len();
    let (row, value, how) = match name {
        "long_axis" | "short_axis" | "viable_long_axis" | "viable_short_axis" if kind == LesionKind::Node => {
            (largest?, values.iter().copied().max(), "the largest counts")
        }
        "long_axis"
        | "short_axis"
        | "viable_long_axis"
        | "viable_short_axis"
        | "viable_cross_product"
        | "volume"
        | "viable_volume"
        | "mtv_suv4"
        | "tlg_suv4" => (*rows.first()?, Some(values.iter().copied().sum()), "added"),
        "max_3d_diameter" | "suv_max" | "suv_peak" | "sul_peak" | "dose_max" | "adc_max" => {
            (largest?, values.iter().copied().max(), "the largest counts")
        }
        distance if ["dose_min", "adc_min"].contains(&distance) || distance.starts_with(DISTANCE) => {
            (smallest?, values.iter().copied().min(), "the smallest counts")
        }
        _ => (*rows.first()?, None, ""),
    };
    let told: Vec<String> = values.iter().map(Exact::to_string).collect();
    let in_pieces = format!("in {n} pieces: {} {}, {how}", told.join(" + "), row.unit);
    let is_one_place = matches!(how, "the largest counts" | "the smallest counts");
    let [low, high] = match how {
        "added" => [|row: &MeasurementRow| row.low, |row: &MeasurementRow| row.high].map(|end| summed(&rows, end)),
        // That of the piece that counts.
        _ => [row.low, row.high].map(|end| end.filter(|_| value.is_some())),
    };
    let not_joined = match name {
        "mtv_41pct" | "mtv_50pct" | "tlg_41pct" | "tlg_50pct" => format!(
            "in {n} pieces ({} {}), each from a share of its own SUVmax on: what was cut at different uptakes is not added",
            told.join(" and "),
            row.unit
        ),
        _ => format!("in {n} pieces, whose {name} are not joined"),
    };
    Some(MeasurementRow {
        value: value.map(Exact::to_f64),
        low,
        high,
        evaluable: value.is_some(),
        reason: if value.is_some() { in_pieces } else { not_joined },
        caliper_lps_mm: if is_one_place { row.caliper_lps_mm.clone() } else { String::new() },
        sop_instance_uid: if is_one_place { row.sop_instance_uid.clone() } else { String::new() },
        ..row.clone()
    })
}

/// One end of the pieces' bands, added as their values are: an outline drawn too wide is too wide on each of them. `None` where a piece
/// has no band.
fn summed(rows: &[&MeasurementRow], end: impl Fn(&MeasurementRow) -> Option<f64>) -> Option<f64> {
    rows.iter().map(|row| Exact::from_image(end(row)?)).sum::<Option<Exact>>().map(Exact::to_f64)
}

fn of<'a>(piece: &'a [MeasurementRow], name: &str) -> Option<&'a MeasurementRow> {
    piece.iter().find(|row| row.quantity == name)
}

/// The diameters of each piece with their calipers, numbered from 1.
fn diameters(pieces: &[Vec<MeasurementRow>]) -> Vec<MeasurementRow> {
    let numbered = pieces.iter().enumerate().flat_map(|(n, piece)| piece.iter().map(move |row| (n + 1, row)));
    let diameters = numbered.filter(|(_, row)| !row.caliper_lps_mm.is_empty() && !row.quantity.starts_with(DISTANCE));
    diameters
        .map(|(n, row)| MeasurementRow { quantity: format!("{}{OF_PIECE}{n}", row.quantity), ..row.clone() })
        .collect()
}

/// Lesions in pieces are for a reader to look at: a gap in an outline adds to a sum as a lesion that fell apart does.
pub(crate) fn doubts(rows: &[MeasurementRow]) -> Vec<Note> {
    let in_pieces = rows.iter().filter(|row| row.quantity == format!("long_axis{OF_PIECE}2"));
    let doubt = |piece: &MeasurementRow| {
        let of = |quantity: &str| {
            let own = |row: &&MeasurementRow| row.lesion_id == piece.lesion_id && row.visit == piece.visit;
            rows.iter().filter(own).find(|row| row.quantity == quantity)
        };
        let (long, across) = (of("long_axis")?, of("max_3d_diameter").and_then(|row| row.value));
        let beside = match across.filter(|across| long.value.is_some_and(|long| long > *across)) {
            Some(across) => format!(", more than the {across:.1} mm from end to end: perhaps a gap in its outline"),
            None => String::new(),
        };
        let message = format!("{}: the longest diameter is {}{beside}", piece.visit, long.reason);
        Some(Note::warning("lesion_in_pieces", piece.lesion_id.clone(), message))
    };
    in_pieces.filter_map(doubt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oncology::VisitId;

    fn row(quantity: &str, value: Option<f64>, caliper: &str) -> MeasurementRow {
        let day = jiff::civil::date(2024, 1, 1);
        MeasurementRow {
            patient_id: "1".into(),
            lesion_id: "L1".into(),
            date: day,
            study_day: 0,
            series_role: "ct".into(),
            quantity: quantity.into(),
            value,
            unit: "mm".into(),
            low: None,
            high: None,
            method: String::new(),
            evaluable: value.is_some(),
            reason: if value.is_some() { String::new() } else { "cut off".into() },
            state: "present".into(),
            caliper_lps_mm: caliper.into(),
            sop_instance_uid: String::new(),
            visit: VisitId::first(day),
        }
    }

    fn two() -> [Vec<MeasurementRow>; 2] {
        [
            vec![row("long_axis", Some(18.0), "a"), row("volume", Some(100.5), ""), row("dose_d95", Some(60.0), "")],
            vec![row("long_axis", Some(12.1), "b"), row("volume", Some(50.25), ""), row("dose_d95", Some(50.0), "")],
        ]
    }

    fn value(rows: &[MeasurementRow], quantity: &str) -> Option<f64> {
        of(rows, quantity).unwrap().value
    }

    #[test]
    fn fragments_are_added_and_each_is_told() {
        let rows = join(LesionKind::Lesion, &two());
        assert_eq!((value(&rows, "long_axis"), value(&rows, "volume")), (Some(30.1), Some(150.75)));
        let long = of(&rows, "long_axis").unwrap();
        assert!(long.reason == "in 2 pieces: 18 + 12.1 mm, added" && long.caliper_lps_mm.is_empty(), "{long:?}");
        assert_eq!(of(&rows, "long_axis_piece_2").map(|row| row.caliper_lps_mm.as_str()), Some("b"));
        let dose = of(&rows, "dose_d95").unwrap();
        assert!(!dose.evaluable && dose.reason.contains("not joined"), "no share of a dose follows from two");
        let mut keys: Vec<&str> = rows.iter().map(|row| row.quantity.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), rows.len(), "one row is one thing");
    }

    #[test]
    fn bands_are_added_with_the_sizes_and_one_that_counts_keeps_its_own() {
        let banded = |quantity: &str, value: f64, reach: f64| MeasurementRow {
            low: Some(value - reach),
            high: Some(value + reach),
            ..row(quantity, Some(value), "")
        };
        let pieces = [
            vec![
                banded("long_axis", 18.0, 0.5),
                banded("dose_min", 7.0, 0.25),
                banded("dose_d95", 7.0, 0.25),
                banded("distance_bowel", 8.0, 0.5),
            ],
            vec![
                banded("long_axis", 12.0, 0.75),
                banded("dose_min", 5.0, 0.5),
                banded("dose_d95", 7.0, 0.25),
                banded("distance_bowel", 4.0, 0.75),
            ],
        ];
        let band = |rows: &[MeasurementRow], quantity: &str| {
            let row = of(rows, quantity).unwrap();
            (row.value, row.low, row.high)
        };
        let rows = join(LesionKind::Lesion, &pieces);
        assert_eq!(band(&rows, "long_axis"), (Some(30.0), Some(28.75), Some(31.25)));
        assert_eq!(band(&rows, "dose_min"), (Some(5.0), Some(4.5), Some(5.5)));
        assert_eq!(band(&rows, "distance_bowel"), (Some(4.0), Some(3.25), Some(4.75)), "the nearest piece's");
        assert_eq!(band(&rows, "dose_d95"), (None, None, None), "no number has no band");
        let rows = join(LesionKind::Node, &pieces);
        assert_eq!(band(&rows, "long_axis"), (Some(18.0), Some(17.5), Some(18.5)));
        let [mut first, second] = pieces;
        first[0].low = None;
        let rows = join(LesionKind::Lesion, &[first, second]);
        assert_eq!(band(&rows, "long_axis"), (Some(30.0), None, Some(31.25)), "one end of one piece is unknown");
    }

    #[test]
    fn the_extremes_of_a_map_are_those_of_all_pieces_and_its_middles_are_not_joined() {
        let names = ["adc_min", "adc_max", "adc_mean", "adc_median", "adc_p10", "adc_p90"];
        let piece = |values: [f64; 6]| {
            let of = |(name, value): (&&str, f64)| row(name, Some(value), "");
            std::iter::once(row("long_axis", Some(12.0), "")).chain(names.iter().zip(values).map(of)).collect()
        };
        let pieces =
            [piece([700.0, 1300.0, 900.0, 880.0, 750.0, 1200.0]), piece([650.0, 1250.0, 950.0, 940.0, 720.0, 1210.0])];
        let rows: Vec<MeasurementRow> = join(LesionKind::Lesion, &pieces);
        let value = |name: &str| of(&rows, name).unwrap().value;
        assert_eq!(names.map(value), [Some(650.0), Some(1300.0), None, None, None, None]);
    }

    #[test]
    fn uptake_above_one_threshold_is_added_and_above_shares_of_different_maxima_it_is_not() {
        let piece = |suv4: f64, share: f64| {
            vec![
                row("long_axis", Some(12.0), ""),
                row("mtv_suv4", Some(suv4), ""),
                row("tlg_suv4", Some(2.0 * suv4), ""),
                row("mtv_41pct", Some(share), ""),
            ]
        };
        let rows = join(LesionKind::Lesion, &[piece(900.0, 1200.0), piece(0.0, 300.0)]);
        assert_eq!((value(&rows, "mtv_suv4"), value(&rows, "tlg_suv4")), (Some(900.0), Some(1800.0)));
        let share = of(&rows, "mtv_41pct").unwrap();
        assert!(
            !share.evaluable && share.reason.contains("1200 and 300") && share.reason.contains("not added"),
            "{share:?}"
        );
    }

    #[test]
    fn a_reader_is_asked_to_look_and_told_of_a_gap() {
        let mut pieces = two();
        pieces[0].push(row("max_3d_diameter", Some(25.0), ""));
        let found = doubts(&join(LesionKind::Lesion, &pieces));
        assert_eq!(found.len(), 1);
        let said = "2024-01-01: the longest diameter is in 2 pieces: 18 + 12.1 mm, added, more than the 25.0 mm from end to end";
        assert!(found[0].message.starts_with(said), "{}", found[0].message);
        assert!(doubts(&pieces[0]).is_empty(), "in one piece");
    }

    #[test]
    fn of_a_node_the_largest_piece_counts_and_one_unmeasured_piece_leaves_no_number() {
        let rows = join(LesionKind::Node, &two());
        let long = of(&rows, "long_axis").unwrap();
        assert_eq!((long.value, long.caliper_lps_mm.as_str()), (Some(18.0), "a"));
        let [first, mut second] = two();
        second[0] = row("long_axis", None, "");
        let rows = join(LesionKind::Lesion, &[first.clone(), second]);
        assert!(rows.len() == 1 && rows[0].reason == "cut off", "{rows:?}");
        assert_eq!(join(LesionKind::Lesion, std::slice::from_ref(&first)), first);
    }
}
