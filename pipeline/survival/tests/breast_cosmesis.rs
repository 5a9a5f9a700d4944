//! Interval-censored times to breast deterioration, radiotherapy alone (Finkelstein and Wolfe 1985, 46 women, months).
//!
//! Masses: lifelines 0.30.3 `KaplanMeierFitter.fit_interval_censoring(tol=1e-12)`, printed with 6 digits; the further digits
//! are those of a plain EM in numpy run until nothing changes at 1e-16. R survival 3.5.3 `survfit(type = "interval2")` stops
//! within 3e-4 of both.

use lesiontrace_survival::{EventWindow, turnbull};

/// Last visit without, first visit with deterioration; 0 where there was none.
#[rustfmt::skip]
const WOMEN: [(u8, u8); 46] = [
    (45, 0), (6, 10), (0, 7), (46, 0), (46, 0), (7, 16), (17, 0), (7, 14), (37, 44), (0, 8), (4, 11), (15, 0),
    (11, 15), (22, 0), (46, 0), (46, 0), (25, 37), (46, 0), (26, 40), (46, 0), (27, 34), (36, 44), (46, 0), (36, 48),
    (37, 0), (40, 0), (17, 25), (46, 0), (11, 18), (38, 0), (5, 12), (37, 0), (0, 5), (18, 0), (24, 0), (36, 0),
    (5, 11), (19, 35), (17, 25), (24, 0), (32, 0), (33, 0), (19, 26), (37, 0), (34, 0), (36, 0),
];

fn windows() -> Vec<EventWindow> {
    WOMEN
        .iter()
        .map(|&(after, by)| match by {
            0 => EventWindow::After(f64::from(after)),
            _ => EventWindow::Between(f64::from(after), f64::from(by)),
        })
        .collect()
}

#[test]
fn the_published_curve() {
    let found = turnbull(&windows()).unwrap();
    let expected = [
        (4.0, Some(5.0), 0.046_346_774),
        (6.0, Some(7.0), 0.033_363_370_9),
        (7.0, Some(8.0), 0.088_667_368_1),
        (11.0, Some(12.0), 0.070_752_921_8),
        (24.0, Some(25.0), 0.092_645_836_6),
        (33.0, Some(34.0), 0.081_785_764_9),
        (38.0, Some(40.0), 0.120_879_827_4),
        (46.0, Some(48.0), 0.465_558_136_4),
    ];
    assert_eq!(found.falls.len(), expected.len());
    for (fall, (after, by, mass)) in found.falls.iter().zip(expected) {
        assert_eq!((fall.after, fall.by), (after, by));
        assert!((fall.mass - mass).abs() < 1e-6, "{fall:?} against {mass}");
    }
    assert!((found.loglik + 58.060_021_953_990_91).abs() < 1e-7);
    assert_eq!(found.median_between, Some([38.0, 40.0]));
    assert_eq!((found.n, found.n_exact, found.n_between), (46, 0, 21));
}

#[test]
fn the_order_of_the_women_changes_nothing() {
    let mut backwards = windows();
    backwards.reverse();
    assert_eq!(turnbull(&backwards), turnbull(&windows()));
}
