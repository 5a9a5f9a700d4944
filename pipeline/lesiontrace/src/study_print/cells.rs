//! Numbers as a study prints them.

use oncology::study::Summary;
use oncology::study::characteristics::CharacteristicRow;

/// What stands where there is no number.
pub(crate) const NONE: &str = "not evaluable";

/// `12 (24.0 %)`.
pub(crate) fn share(n: usize, percent: Option<f64>) -> String {
    percent.map_or_else(|| n.to_string(), |percent| format!("{n} ({percent:.1} %)"))
}

/// `12/50 (24.0 %)`, or that nothing could be judged.
pub(crate) fn share_of(n: usize, of: usize, percent: Option<f64>) -> String {
    percent.map_or_else(|| NONE.to_owned(), |percent| format!("{n}/{of} ({percent:.1} %)"))
}

/// Three decimals; `<0.001` below that.
pub(crate) fn p_value(p: Option<f64>) -> String {
    match p {
        None => NONE.to_owned(),
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        Some(p) => format!("{p:.3}"),
    }
}

/// A number with so many decimals.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| format!("{value:.decimals$}"))
}

/// `0.980–1.540`, or that there is none.
pub(crate) fn interval(low: Option<f64>, high: Option<f64>, decimals: usize) -> String {
    match (low, high) {
        (None, None) => NONE.to_owned(),
        (low, high) => {
            let bound = |bound: Option<f64>| {
                bound.map_or_else(|| "not reached".to_owned(), |value| format!("{value:.decimals$}"))
            };
            format!("{}–{}", bound(low), bound(high))
        }
    }
}

/// A variable summed up.
pub(crate) fn summed_up(row: &CharacteristicRow, summary: Summary, decimals: usize) -> String {
    let text = |value: f64| format!("{value:.decimals$}");
    let found = match summary {
        Summary::MedianRange => row.median.zip(row.min).zip(row.max).map(|((m, low), high)| (m, low, high)),
        Summary::MeanRange => row.mean.zip(row.min).zip(row.max).map(|((m, low), high)| (m, low, high)),
        Summary::MeanSd => {
            return match (row.mean, row.sd) {
                (Some(mean), Some(sd)) => format!("{} ± {}", text(mean), text(sd)),
                (Some(mean), None) => text(mean),
                (None, _) => NONE.to_owned(),
            };
        }
    };
    found.map_or_else(
        || NONE.to_owned(),
        |(middle, low, high)| format!("{} ({}–{})", text(middle), text(low), text(high)),
    )
}

/// The words for [`summed_up`].
pub(crate) const fn summary_words(summary: Summary) -> &'static str {
    match summary {
        Summary::MedianRange => "median (range)",
        Summary::MeanRange => "mean (range)",
        Summary::MeanSd => "mean ± SD",
    }
}

/// A name of a column as words: `age_years` and its unit are `age (years)`.
pub(crate) fn words(variable: &str, unit: &str) -> String {
    let ending = unit.to_lowercase().replace('/', "_").replace('%', "percent");
    let bare =
        if ending.is_empty() { variable } else { variable.strip_suffix(&format!("_{ending}")).unwrap_or(variable) };
    let text = bare.replace('_', " ");
    if unit.is_empty() { text } else { format!("{text} ({unit})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_in_journals() {
        assert_eq!((p_value(Some(0.0004)).as_str(), p_value(Some(0.0478)).as_str()), ("<0.001", "0.048"));
        assert_eq!(share_of(3, 12, Some(25.0)), "3/12 (25.0 %)");
        assert_eq!(interval(Some(1.5), None, 1), "1.5–not reached");
        assert_eq!(words("bilirubin_mg_dl", "mg/dl"), "bilirubin (mg/dl)");
        assert_eq!(words("target_diameter_mm", "mm"), "target diameter (mm)");
    }
}
