//! Responses at fixed times: the nearest visit in a window, never one carried forward.
//!
//! Source: Xu et al. 2021, response tables at about 8 weeks and 3 months; the windows are the project's, as the paper prints
//! none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A time at which a response is tabulated, days from the origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseWindow {
    /// Its name in tables, such as `8 weeks`.
    pub name: String,
    /// The day meant.
    pub day: i64,
    /// Earliest day that counts.
    pub from_day: i64,
    /// Latest day that counts.
    pub to_day: i64,
    /// Publication or rule it follows.
    pub source: String,
}

/// The response of one unit at a window: that of the visit nearest to the day meant (of two equally near the earlier), among
/// those in the window with a response. `None` when there is none.
pub fn response_at<'a>(visits: &[(i64, &'a str)], window: &ResponseWindow) -> Option<&'a str> {
    let is_told = |response: &str| !matches!(response, "" | "NE");
    let inside =
        visits.iter().filter(|(day, response)| (window.from_day..=window.to_day).contains(day) && is_told(response));
    inside.min_by_key(|(day, _)| ((day - window.day).abs(), *day)).map(|(_, response)| *response)
}

/// Counts at one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowTable {
    /// The window's name.
    pub window: String,
    /// Units by response.
    pub counts: BTreeMap<String, usize>,
    /// Units with a response.
    pub n_evaluable: usize,
    /// Units without a visit in the window.
    pub n_without: usize,
}

/// One table per window over all units, each given by its visits as (day, response).
pub fn window_tables(units: &[Vec<(i64, &str)>], windows: &[ResponseWindow]) -> Vec<WindowTable> {
    let table = |window: &ResponseWindow| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for response in units.iter().filter_map(|visits| response_at(visits, window)) {
            *counts.entry(response.to_owned()).or_default() += 1;
        }
        let n_evaluable = counts.values().sum();
        WindowTable { window: window.name.clone(), counts, n_evaluable, n_without: units.len() - n_evaluable }
    };
    windows.iter().map(table).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_visit_counts_and_none_is_carried_forward() {
        let window =
            ResponseWindow { name: "8 weeks".to_owned(), day: 56, from_day: 42, to_day: 76, source: "test".to_owned() };
        assert_eq!(response_at(&[(41, "PR"), (77, "PD")], &window), None);
        assert_eq!(response_at(&[(42, "PR"), (60, "SD"), (76, "PD")], &window), Some("SD"));
        assert_eq!(response_at(&[(50, "PR"), (62, "SD")], &window), Some("PR"), "equally near: the earlier");
        assert_eq!(response_at(&[(56, "NE"), (70, "SD")], &window), Some("SD"));
        let tables = window_tables(&[vec![(56, "PR")], vec![(30, "PR")], vec![(60, "PR")]], &[window]);
        assert_eq!((tables[0].counts["PR"], tables[0].n_evaluable, tables[0].n_without), (2, 2, 1));
    }
}
