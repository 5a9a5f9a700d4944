//! One patient's visits and treatments on a line, to the scale all patients of the page share.

use super::svg::{GRID, INK, MUTED, Svg};
use crate::triage_page::TriagePatient;
use oncology::{Date, Days};

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 34.0;
const EDGE: f64 = 10.0;
const MIDDLE: f64 = 15.0;
const RADIUS: f64 = 4.5;

/// Days of a month, on average.
const DAYS_PER_MONTH: f64 = 30.4375;

/// The days the page's lines run over, counted from each patient's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TriageScale {
    /// First day.
    pub first: i64,
    /// Last day.
    pub last: i64,
}

/// Where a patient's days are counted from: the first treatment, else the first visit.
fn origin(patient: &TriagePatient) -> Option<Date> {
    patient.treatments.first().copied().or_else(|| patient.visits.iter().find_map(|v| Some(v.visit?.date())))
}

impl TriageScale {
    /// The scale that holds every patient.
    #[must_use]
    pub fn of(patients: &[TriagePatient]) -> Self {
        let days = patients.iter().flat_map(|patient| {
            let dates =
                patient.visits.iter().filter_map(|v| Some(v.visit?.date())).chain(patient.treatments.iter().copied());
            let origin = origin(patient);
            dates.filter_map(move |date| Some(Days::between(origin?, date).0)).collect::<Vec<_>>()
        });
        let scale = days.fold(Self { first: 0, last: 30 }, |s, d| Self { first: s.first.min(d), last: s.last.max(d) });
        Self { first: scale.first, last: scale.last }
    }

    fn x(self, day: i64) -> f64 {
        let share = (day - self.first) as f64 / (self.last - self.first) as f64;
        EDGE + share * (WIDTH - 2.0 * EDGE)
    }

    /// Months between two grid lines, so that at most ten are drawn.
    fn step_months(self) -> i64 {
        let months = (self.last - self.first) as f64 / DAYS_PER_MONTH;
        [1, 2, 3, 6, 12, 24, 60, 120].into_iter().find(|step| months / *step as f64 <= 10.0).unwrap_or(240)
    }
}

/// Draws one patient's line: filled circles are visits with a usable image, open ones without, diamonds are treatments.
#[must_use]
pub fn triage_line(patient: &TriagePatient, scale: TriageScale) -> String {
    let mut svg = Svg::new([WIDTH, HEIGHT], summary(patient));
    grid(&mut svg, scale);
    let Some(origin) = origin(patient) else {
        svg.text([EDGE, MIDDLE + 4.0], &format!(r#"fill="{MUTED}""#), "no day is known");
        return svg.finish();
    };
    let x = |date: Date| scale.x(Days::between(origin, date).0);
    let dates: Vec<Date> = patient.visits.iter().filter_map(|v| Some(v.visit?.date())).collect();
    if let (Some(first), Some(last)) = (dates.first(), dates.last()) {
        svg.line([x(*first), MIDDLE], [x(*last), MIDDLE], &format!(r#"stroke="{MUTED}""#));
    }
    for date in &patient.treatments {
        let x = x(*date);
        let diamond = [[x, MIDDLE - 8.0], [x + 6.0, MIDDLE], [x, MIDDLE + 8.0], [x - 6.0, MIDDLE]];
        svg.polygon(&diamond, r##"fill="#e0a526" stroke="#7a5706""##);
    }
    for visit in &patient.visits {
        let Some(visit_id) = visit.visit else { continue };
        // Of two visits of a day the second stands beside the first.
        let aside = 2.0 * RADIUS * f64::from(visit_id.ordinal() - 1);
        let fill = if visit.n_usable > 0 { "#1f5f92" } else { "#fff" };
        svg.circle([x(visit_id.date()) + aside, MIDDLE], RADIUS, &format!(r#"fill="{fill}" stroke="{INK}""#));
    }
    svg.finish()
}

fn grid(svg: &mut Svg, scale: TriageScale) {
    let step = scale.step_months();
    let first = (scale.first as f64 / DAYS_PER_MONTH / step as f64).ceil() as i64;
    let last = (scale.last as f64 / DAYS_PER_MONTH / step as f64).floor() as i64;
    for n in first..=last {
        let month = n * step;
        let x = scale.x((month as f64 * DAYS_PER_MONTH).round() as i64);
        let colour = if month == 0 { MUTED } else { GRID };
        svg.line([x, 2.0], [x, HEIGHT - 11.0], &format!(r#"stroke="{colour}""#));
        let text = if month == 0 { "0".to_owned() } else { format!("{month}").replace('-', "−") };
        svg.text([x, HEIGHT - 1.0], &format!(r#"text-anchor="middle" font-size="10" fill="{MUTED}""#), &text);
    }
}

/// What the drawing shows, in words.
fn summary(patient: &TriagePatient) -> String {
    let usable = patient.visits.iter().filter(|v| v.visit.is_some() && v.n_usable > 0).count();
    let dated = patient.visits.iter().filter(|v| v.visit.is_some()).count();
    format!(
        "{}: {usable} of {dated} visits with a usable image, {} days of treatment; months from the first treatment, or from the first visit where none is known",
        patient.patient_id,
        patient.treatments.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage_page::TriageVisit;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn days_lie_to_scale_and_a_patient_without_a_day_says_so() {
        let visit = |day: &str, n_usable| TriageVisit {
            visit: Some(oncology::VisitId::first(date(day))),
            label: String::new(),
            roles: Vec::new(),
            n_series: 1,
            n_usable,
        };
        let patient = TriagePatient {
            patient_id: "A<b>".to_owned(),
            visits: vec![visit("2024-01-01", 1), visit("2024-03-01", 0)],
            treatments: vec![date("2024-01-31")],
            needs: Vec::new(),
            unusable: Vec::new(),
        };
        let scale = TriageScale::of(std::slice::from_ref(&patient));
        assert_eq!(scale, TriageScale { first: -30, last: 30 });
        let svg = triage_line(&patient, scale);
        // 400 px for 60 days: the treatment lies in the middle.
        assert!(svg.contains("cx=\"10\"") && svg.contains("cx=\"410\"") && svg.contains("M210 7"), "{svg}");
        assert!(svg.contains("A&lt;b&gt;: 1 of 2 visits"), "{svg}");
        let nobody = TriagePatient { visits: Vec::new(), treatments: Vec::new(), ..patient };
        assert!(triage_line(&nobody, scale).contains("no day is known"));
    }
}
