//! What one row of TR says of a lesion: a length, a state, or why there is neither.
//!
//! Source: CDISC SDTM-IG 3.4, domain TR; RECIST 1.1 for which diameter counts (short axis of nodes, longest diameter of
//! the rest).

use super::{TrRow, TuRow};
use crate::exact::Exact;
use crate::lesion::{LesionKind, Size};

/// A lymph node by its location.
pub(super) fn kind_of(row: &TuRow) -> LesionKind {
    let location = row.location.to_uppercase();
    if location.contains("LYMPH NODE") { LesionKind::Node } else { LesionKind::Lesion }
}

/// The tests whose diameter counts in the sum.
pub(super) const fn diameters_of(kind: LesionKind) -> &'static [&'static str] {
    match kind {
        LesionKind::Node => &["LPERP", "SAXIS"],
        LesionKind::Lesion => &["LDIAM", "DIAMETER"],
    }
}

/// The result as a word.
pub(super) fn state(row: &TrRow) -> String {
    row.result.trim().to_uppercase()
}

/// A size as coded.
pub(super) fn coded(row: &TrRow) -> Size {
    if row.status.eq_ignore_ascii_case("NOT DONE") {
        let reason = if row.reason_not_done.is_empty() { "not done" } else { &row.reason_not_done };
        return Size::NotEvaluable(reason.to_owned());
    }
    match state(row).as_str() {
        "TSTM" | "TOO SMALL TO MEASURE" => return Size::TooSmallToMeasure,
        "ABSENT" | "NOT VISIBLE" => return Size::Absent,
        "" | "NE" | "NOT EVALUABLE" | "ND" => return Size::NotEvaluable("coded not evaluable".to_owned()),
        _ => {}
    }
    match millimetres(row) {
        Ok(value) => Size::Measured(value),
        Err(reason) => Size::NotEvaluable(reason),
    }
}

/// A length in mm, exactly; centimetres are tenfold. Without a unit the number is taken as mm.
pub(super) fn millimetres(row: &TrRow) -> Result<Exact, String> {
    let factor = match row.unit.to_lowercase().as_str() {
        "" | "mm" => 1,
        "cm" => 10,
        _ => return Err(format!("expected mm or cm, found the unit {:?}", row.unit)),
    };
    let length = row.result.parse::<Exact>().ok().filter(|value| *value >= Exact::ZERO);
    let scaled = length.and_then(|value| value.millionths().checked_mul(factor)).map(Exact::from_millionths);
    scaled.ok_or_else(|| format!("expected a length in {}, found {:?}", unit_word(row), row.result))
}

fn unit_word(row: &TrRow) -> &str {
    if row.unit.is_empty() { "mm" } else { &row.unit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdtm::tests::tr;

    #[test]
    fn centimetres_are_tenfold_to_the_last_digit() {
        let size = |result: &str, unit: &str| coded(&TrRow { unit: unit.to_owned(), ..tr("S1", 1, "T1", result, "") });
        assert_eq!(size("4.95", "cm"), Size::Measured("49.5".parse().unwrap()));
        assert_eq!(size("0.1", "CM"), Size::Measured(Exact::whole(1)));
        assert_eq!(size("12.5", "mm"), Size::Measured("12.5".parse().unwrap()));
        for (result, unit, word) in [("2", "in", "\"in\""), ("big", "cm", "\"big\""), ("-1", "cm", "in cm")] {
            let Size::NotEvaluable(reason) = size(result, unit) else { panic!("{result} {unit}") };
            assert!(reason.contains(word), "{reason}");
        }
    }
}
