//! The engine: first event against the censoring that the endpoint's rule defines.
//!
//! Source: FDA 2018, tables of the appendix (new therapy, missed visits, no post-baseline imaging); ties: the event wins,
//! progression before death, local before distant before extrahepatic.

use super::rule::{AfterMissedVisits, CensorAt, Death, EndpointRule, MissedVisits, NewTherapy, ProgressionDated};
use super::timeline::{LaterTherapy, TherapyAim, Timeline};
use crate::progression::ProgressionClass;
use crate::time::{Date, Days};
use crate::treatment::DeathCause;

/// A time to event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeToEvent {
    /// Date of event or censoring.
    pub end: Date,
    /// Whole days since the origin.
    pub days: i64,
    /// Whether the event happened.
    pub event: bool,
    /// What happened, joined by `+`; empty when censored.
    pub cause: String,
    /// The competing event that ended follow-up; empty for none.
    pub competing: &'static str,
    /// Why censored; empty for an event.
    pub censor_reason: &'static str,
    /// Last date known to be free of the event, for events seen on imaging.
    pub interval_low: Option<Date>,
}

/// Derives one endpoint of one unit.
pub fn derive(timeline: &Timeline, rule: &EndpointRule, missed: Option<MissedVisits>) -> TimeToEvent {
    let timeline = timeline.until_cutoff();
    if rule.rests_on_imaging() && timeline.baseline.is_none() {
        return censored(&timeline, timeline.origin, "no_baseline_imaging");
    }
    let event = first_event(&timeline, rule);
    let stop = first_stop(&timeline, rule);
    let Some(event) = event.filter(|event| stop.as_ref().is_none_or(|stop| event.date <= stop.date)) else {
        return stop.map_or_else(|| at_end(&timeline, rule), |stop| stop.outcome);
    };
    let is_ruled = rule.rests_on_imaging() && rule.after_missed_visits == AfterMissedVisits::AsPreset;
    if let Some(missed) = missed.filter(|_| is_ruled) {
        let before = timeline.last_adequate_before(event.date).unwrap_or(timeline.origin);
        if missed.n_missed(Days::between(before, event.date).0) >= missed.censor_from {
            return censored(&timeline, before, "missed_visits");
        }
    }
    let interval_low = event.on_imaging.then(|| timeline.last_adequate_before(event.date).or(timeline.baseline));
    let interval_low = interval_low.flatten();
    let end = missed.map_or(event.date, |schedule| counted_on(&timeline, rule, (&event, interval_low), schedule));
    TimeToEvent {
        end,
        days: Days::between(timeline.origin, end).0,
        event: true,
        cause: event.cause,
        competing: "",
        censor_reason: "",
        interval_low,
    }
}

/// The day an event counts from: of a progression the scheduled visit where the rule says so, after the last one that was free of it, and
/// no day after death or cut-off.
fn counted_on(
    timeline: &Timeline,
    rule: &EndpointRule,
    (event, free_at): (&Event, Option<Date>),
    schedule: MissedVisits,
) -> Date {
    if rule.progression_dated == ProgressionDated::WhenSeen || !event.on_imaging {
        return event.date;
    }
    let days = schedule.scheduled_days(Days::between(timeline.origin, event.date).0);
    let free_days = free_at.map_or(0, |free| Days::between(timeline.origin, free).0);
    let days = if free_days >= days { (free_days / schedule.interval_days + 1) * schedule.interval_days } else { days };
    let scheduled = timeline.origin.saturating_add(jiff::Span::new().days(days));
    [timeline.death, timeline.cutoff].into_iter().flatten().fold(scheduled, Date::min)
}

struct Event {
    date: Date,
    cause: String,
    on_imaging: bool,
}

/// The first event after the origin. Findings up to the origin belong to the baseline.
fn first_event(timeline: &Timeline, rule: &EndpointRule) -> Option<Event> {
    let found = |date: Date| -> Vec<ProgressionClass> {
        let of_day = timeline.assessments.iter().filter(|one| one.date == date);
        let mut classes: Vec<ProgressionClass> =
            of_day.flat_map(|one| one.progression.iter().copied()).filter(|class| rule.counts(*class)).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    };
    let dates = timeline.assessments.iter().map(|one| one.date).filter(|date| *date > timeline.origin);
    let progression = dates.filter(|date| !found(*date).is_empty()).min();
    let is_event =
        rule.death == Death::Event || (rule.death == Death::OfDisease && timeline.death_cause == DeathCause::Disease);
    let death = timeline.death.filter(|death| is_event && *death >= timeline.origin);
    let therapy = therapy_as_event(timeline, rule);
    if let Some(therapy) = therapy.filter(|at| [progression, death].into_iter().flatten().all(|other| *at < other)) {
        return Some(Event { date: therapy, cause: "new_therapy".to_owned(), on_imaging: false });
    }
    match (progression, death) {
        (Some(progression), death) if death.is_none_or(|death| progression <= death) => {
            let words: Vec<&str> = found(progression).into_iter().map(cause_word).collect();
            Some(Event { date: progression, cause: words.join("+"), on_imaging: true })
        }
        (_, Some(death)) => {
            let cause = if rule.death == Death::OfDisease { "death_of_disease" } else { "death" };
            Some(Event { date: death, cause: cause.to_owned(), on_imaging: false })
        }
        _ => None,
    }
}

/// The first therapy after the origin, where it is an event of its own.
fn therapy_as_event(timeline: &Timeline, rule: &EndpointRule) -> Option<Date> {
    let later = timeline.therapies.iter().map(|therapy| therapy.date).filter(|date| *date > timeline.origin);
    later.min().filter(|_| rule.new_therapy == NewTherapy::AnyIsEvent)
}

fn cause_word(class: ProgressionClass) -> &'static str {
    match class {
        ProgressionClass::Unclassified => "progression",
        known => known.as_str(),
    }
}

/// What ends follow-up for good: no event after it counts.
struct Stop {
    date: Date,
    outcome: TimeToEvent,
}

fn first_stop(timeline: &Timeline, rule: &EndpointRule) -> Option<Stop> {
    let is_target = |therapy: &&LaterTherapy| therapy.aim == TherapyAim::Target;
    let later = timeline.therapies.iter().filter(|therapy| therapy.date > timeline.origin);
    let therapy = match rule.new_therapy {
        NewTherapy::Ignore | NewTherapy::AnyIsEvent => None,
        NewTherapy::AnyCensorsAtLastImaging => later.map(|therapy| therapy.date).min(),
        NewTherapy::TargetCensorsAtLastImaging | NewTherapy::TargetCensorsAtTherapy => {
            later.filter(is_target).map(|therapy| therapy.date).min()
        }
    };
    let therapy = therapy.map(|date| Stop { date, outcome: by_therapy(timeline, rule, date) });
    let of_disease = rule.death == Death::OfDisease && timeline.death_cause == DeathCause::Disease;
    let death = timeline.death.filter(|_| rule.death != Death::Event && !of_disease);
    let death = death.map(|date| Stop { date, outcome: by_death(timeline, rule, date) });
    match (therapy, death) {
        (Some(therapy), Some(death)) => Some(if therapy.date <= death.date { therapy } else { death }),
        (therapy, death) => therapy.or(death),
    }
}

fn by_therapy(timeline: &Timeline, rule: &EndpointRule, date: Date) -> TimeToEvent {
    if rule.new_therapy == NewTherapy::TargetCensorsAtTherapy {
        return censored(timeline, date, "locoregional_therapy_of_target");
    }
    let last = timeline.last_adequate(Some(date)).unwrap_or(timeline.origin);
    censored(timeline, last, "new_therapy")
}

fn by_death(timeline: &Timeline, rule: &EndpointRule, date: Date) -> TimeToEvent {
    let end = match (rule.death, rule.censor_at) {
        (Death::Competing | Death::OfDisease, _) | (_, CensorAt::LastFollowUp) => date,
        (_, CensorAt::LastAdequateImaging) => timeline.last_adequate(Some(date)).unwrap_or(timeline.origin),
    };
    let (competing, reason) = match (rule.death, timeline.death_cause) {
        (Death::OfDisease, DeathCause::Unknown) => ("", "death_cause_unknown"),
        (Death::OfDisease, _) => ("death_of_other_cause", "death_of_other_cause"),
        (Death::Competing, _) => ("death", "death"),
        _ => ("", "death"),
    };
    TimeToEvent { competing, ..censored(timeline, end, reason) }
}

fn at_end(timeline: &Timeline, rule: &EndpointRule) -> TimeToEvent {
    match rule.censor_at {
        CensorAt::LastAdequateImaging => match timeline.last_adequate(None) {
            Some(last) => censored(timeline, last, "last_adequate_imaging"),
            None => censored(timeline, timeline.origin, "no_post_baseline_imaging"),
        },
        CensorAt::LastFollowUp => {
            let last = timeline.last_known();
            let reason = if timeline.cutoff == Some(last) { "data_cutoff" } else { "last_follow_up" };
            censored(timeline, last, reason)
        }
    }
}

fn censored(timeline: &Timeline, end: Date, censor_reason: &'static str) -> TimeToEvent {
    // A follow-up that ends before the origin leaves nothing to follow: day 0.
    let end = end.max(timeline.origin);
    TimeToEvent {
        end,
        days: Days::between(timeline.origin, end).0,
        event: false,
        cause: String::new(),
        competing: "",
        censor_reason,
        interval_low: None,
    }
}
