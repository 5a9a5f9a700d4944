//! Codes of the rows in the words of a radiologist, and the look that goes with them.
//!
//! Source of the response codes: RECIST 1.1 (Eisenhauer 2009), iRECIST (Seymour 2017), EORTC (Young 1999) and PERCIST
//! (Wahl 2009). A code that is not listed is printed as it is: nothing is hidden.

/// How a response looks: its class in the style sheet, its colour in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Complete or partial response.
    Response,
    /// Stable disease, no response and no progression.
    Stable,
    /// Progression that awaits confirmation.
    Unconfirmed,
    /// Progression.
    Progression,
    /// Not evaluable.
    NotEvaluable,
    /// Baseline, and codes this page does not know.
    Neutral,
}

impl Tone {
    /// Class in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Stable => "stable",
            Self::Unconfirmed => "unconfirmed",
            Self::Progression => "progression",
            Self::NotEvaluable => "not-evaluable",
            Self::Neutral => "neutral",
        }
    }

    /// Fill in figures; told apart by the colour-blind, and always with the code beside it.
    pub(crate) fn fill(self) -> &'static str {
        match self {
            Self::Response => "#2b6a99",
            Self::Stable => "#a9b7c4",
            Self::Unconfirmed => "#e0a526",
            Self::Progression => "#b3401f",
            Self::NotEvaluable => "#ffffff",
            Self::Neutral => "#dfe4ea",
        }
    }
}

/// How a response code looks.
pub(crate) fn tone(code: &str) -> Tone {
    match code {
        "CR" | "PR" | "iCR" | "iPR" | "CMR" | "PMR" | "MR" | "NED" | "iNED" => Tone::Response,
        "SD" | "iSD" | "SMD" | "NON-CR/NON-PD" | "NON-iCR/NON-iUPD" | "NN" | "iNN" => Tone::Stable,
        "iUPD" => Tone::Unconfirmed,
        "PD" | "iCPD" | "PMD" => Tone::Progression,
        "NE" | "iNE" => Tone::NotEvaluable,
        _ => Tone::Neutral,
    }
}

/// A response code in words.
pub(crate) fn response(code: &str) -> String {
    match code {
        "CR" => "complete response",
        "PR" => "partial response",
        "SD" => "stable disease",
        "PD" => "progressive disease",
        "NE" | "iNE" => "not evaluable",
        "NED" | "ND" => "no evidence of disease",
        "NON-CR/NON-PD" | "NN" => "neither complete response nor progression",
        "NON-iCR/NON-iUPD" => "neither complete response nor progression (immune criteria)",
        "iCR" => "complete response (immune criteria)",
        "iPR" => "partial response (immune criteria)",
        "iSD" => "stable disease (immune criteria)",
        "iUPD" => "progression, not yet confirmed",
        "iCPD" => "progression, confirmed",
        "CMR" => "complete metabolic response",
        "PMR" => "partial metabolic response",
        "SMD" => "stable metabolic disease",
        "PMD" => "progressive metabolic disease",
        "BASELINE" => "baseline",
        "" => "no response stated",
        other => return words(other),
    }
    .to_owned()
}

/// What a badge shows: the code, `baseline`, or that there is none.
pub(crate) fn badge(code: &str) -> String {
    match code {
        "BASELINE" => "baseline".to_owned(),
        "" => "none".to_owned(),
        other => other.to_owned(),
    }
}

/// A snake-case code as words.
pub(crate) fn words(code: &str) -> String {
    match code {
        "not_reportable" => "not reportable".to_owned(),
        "ct_arterial" => "CT arterial".to_owned(),
        "ct_portal_venous" => "CT portal venous".to_owned(),
        "" => "not stated".to_owned(),
        other => other.replace('_', " "),
    }
}

/// A snake-case code as words; nothing for none.
pub(crate) fn words_or_empty(code: &str) -> String {
    if code.is_empty() { String::new() } else { words(code) }
}

/// An event with its class: `local progression`; a class that only repeats the event is left out.
pub(crate) fn event_words(event: &oncology::EventRow) -> String {
    if event.class.is_empty() || event.class == event.event {
        return words(&event.event);
    }
    format!("{} {}", words(&event.class), words(&event.event))
}

/// A quantity of a measurement row in words.
pub(crate) fn quantity(code: &str) -> String {
    if let Some((whole, piece)) = code.split_once("_piece_") {
        return format!("{} of piece {piece}", quantity(whole));
    }
    if let Some(structure) = code.strip_prefix("zone_distance_") {
        return format!("ablation zone's distance to {}", words(structure));
    }
    if let Some(structure) = code.strip_prefix("distance_") {
        return format!("distance to {}", words(structure));
    }
    match code {
        "suv_max" => "SUVmax".to_owned(),
        "suv_peak" => "SUVpeak".to_owned(),
        "sul_peak" => "SULpeak".to_owned(),
        "mtv_41pct" => "metabolic volume (41 % of SUVmax)".to_owned(),
        "tlg_41pct" => "glycolysis (41 % of SUVmax)".to_owned(),
        "dose_v20gy" => "V20Gy".to_owned(),
        "adc_mean" => "mean ADC".to_owned(),
        "adc_median" => "median ADC".to_owned(),
        "max_3d_diameter" => "largest 3-D diameter".to_owned(),
        other => words(other),
    }
}

/// A structure that is farther away than this is not told on the page, mm: the largest margin that treatments ask for.
const NEAR_MM: f64 = 10.0;

/// Whether a row stands in the tables alone: a reader of the page is told the one beside it, and structures that lie near.
pub(crate) fn is_for_tables(row: &oncology::MeasurementRow) -> bool {
    let code = row.quantity.as_str();
    if ["distance_", "zone_distance_"].iter().any(|start| code.starts_with(start)) {
        return row.value.is_none_or(|mm| mm > NEAR_MM);
    }
    let whole = code.split_once("_piece_").map_or(code, |(whole, _)| whole);
    let beside_another =
        ["suv_mean", "mtv_50pct", "tlg_50pct", "mtv_suv4", "tlg_suv4", "dose_d90", "dose_d98"].contains(&whole);
    beside_another || matches!(whole, "adc_min" | "adc_p10" | "adc_p90" | "adc_max")
}

/// Whether a state means that an ablation zone stands in the lesion's place.
pub(crate) fn is_zone(state: &str) -> bool {
    matches!(state, "ablated" | "residual" | "local_progression")
}

/// `1 thing`, `2 things`.
pub(crate) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
