//! Parameters in the order in which they are numbered (PARAMN), and days as ADaM counts them.
//!
//! Source: pharmaverse admiralonco, parameter codes; CDISC ADaM-IG 1.3, ADY: there is no day 0.

use crate::time::{Date, Days};

/// PARAMCD of ADRS and ADTR in order of PARAMN.
const PARAMETERS: [&str; 15] = [
    "OVR", "RSP", "CRSP", "BOR", "CBOR", "CB", "PD", "LSTA", "DEATH", "SDIAM", "NADIR", "CHG", "PCHG", "CHGNAD",
    "PCHGNAD",
];

/// PARAMN: the parameter's place, from 1 on.
pub(super) fn number_of(code: &str) -> u32 {
    PARAMETERS.iter().zip(1..).find(|(known, _)| **known == code).map_or(0, |(_, number)| number)
}

/// ADY: days from the origin, the origin itself being day 1 and the day before it day −1.
pub(super) fn analysis_day(origin: Option<Date>, date: Option<Date>) -> Option<i64> {
    let days = Days::between(origin?, date?).0;
    Some(if days < 0 { days } else { days + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn there_is_no_day_zero() {
        let day = |d| analysis_day(Some(date(2024, 1, 10)), Some(date(2024, 1, d)));
        assert_eq!([day(9), day(10), day(11)], [Some(-1), Some(1), Some(2)]);
        assert_eq!((number_of("OVR"), number_of("PCHGNAD"), number_of("X")), (1, 15, 0));
    }
}
