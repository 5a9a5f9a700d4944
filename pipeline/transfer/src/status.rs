//! What the numbers mean by which an archive says why.
//!
//! Source: DICOM PS3.7 annex C (general), PS3.4 B.2.3 (storage), C.4.1 to C.4.3 (query/retrieve), PS3.18 I.2.2 (store).

/// A status or failure reason with its meaning.
pub(crate) fn failure_reason(code: u16) -> String {
    format!("status {code:04X}, {}", meaning(code))
}

fn meaning(code: u16) -> &'static str {
    match code {
        0x0000 => "success",
        0x0105 => "no such attribute",
        0x0106 => "invalid attribute value",
        0x0107 => "attributes that it does not know were left out",
        0x0110 => "processing failure",
        0x0111 => "an object of that UID is there already",
        0x0112 => "no such object",
        0x0115 => "invalid argument value",
        0x0116 => "attribute value out of range",
        0x0117 => "invalid object instance",
        0x0118 => "no such SOP class",
        0x0119 => "class and instance do not fit together",
        0x0120 => "missing attribute",
        0x0121 => "missing attribute value",
        0x0122 => "SOP class not supported",
        0x0124 => "not authorised",
        0x0210 => "duplicate invocation",
        0x0211 => "unrecognised operation",
        0x0212 => "mistyped argument",
        0x0213 => "resource limitation",
        0xA701 => "out of resources: it cannot count the matches",
        0xA702 => "out of resources: it cannot send the objects",
        0xA700..=0xA7FF => "out of resources",
        0xA801 => "it does not know us as a destination: have our title, address and port entered there",
        0xA900..=0xA9FF => "the data set does not fit its SOP class, or the query is not one it understands",
        0xB000 => "done with exceptions: values were coerced, or some objects failed",
        0xB006 => "elements were discarded",
        0xB007 => "the data set does not fit its SOP class, stored all the same",
        0xC122 => "the transfer syntax is not supported",
        0xC000..=0xCFFF => "it cannot process or understand this",
        0xFE00 => "cancelled",
        0xFF00 | 0xFF01 => "pending",
        _ => "a status the standard does not define",
    }
}

/// Whether a status may pass: resources that are short now.
pub(crate) fn may_pass(code: u16) -> bool {
    matches!(code, 0xA700..=0xA7FF | 0x0213)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_said_with_its_number_and_meaning() {
        assert_eq!(failure_reason(0xA701), "status A701, out of resources: it cannot count the matches");
        assert!(failure_reason(0xC3AB).contains("cannot process"));
        assert!(may_pass(0xA700) && !may_pass(0xA900));
    }
}
