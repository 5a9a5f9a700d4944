//! The pattern of a progression: residual, local, distant in the liver or outside it, and what caused it.
//!
//! Source: Ahmed et al. 2014 and Puijk et al. 2021 for the terms; the distance rule and its default (contiguous) are the
//! project's, as published distances differ between series.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::evaluable::Evaluable;
use crate::lesion::{LesionId, Organ};
use crate::time::Date;

/// Where a progression lies in relation to what was treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgressionClass {
    /// Viable tumour at a zone before complete ablation was ever documented. Never a local progression.
    Residual,
    /// At a zone after complete ablation had been documented, or a treated lesion growing by the criterion.
    Local,
    /// In the liver, at a site not treated before.
    DistantIntrahepatic,
    /// In any other organ, nodes included.
    Extrahepatic,
    /// The organ is not known, so that no class can be given.
    Unclassified,
}

impl ProgressionClass {
    /// The word in tables; empty where there is no class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Residual => "residual",
            Self::Local => "local",
            Self::DistantIntrahepatic => "distant_intrahepatic",
            Self::Extrahepatic => "extrahepatic",
            Self::Unclassified => "",
        }
    }

    /// From the word in tables; `None` for a word that is no class.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Residual, Self::Local, Self::DistantIntrahepatic, Self::Extrahepatic, Self::Unclassified]
            .into_iter()
            .find(|class| class.as_str() == word)
    }
}

impl fmt::Display for ProgressionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far from a zone a focus still belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalRule {
    /// It touches: at most 2 mm, or the largest spacing of the current image where that is more.
    Contiguous,
    /// At most this distance, mm.
    WithinMm(f64),
}

/// At or below this distance two surfaces touch, mm: the rule's least value, whatever the spacing.
pub const CONTIGUOUS_MM: f64 = 2.0;

impl LocalRule {
    /// The largest distance that is still local, mm.
    pub fn limit_mm(self, largest_spacing_mm: f64) -> f64 {
        match self {
            Self::Contiguous => CONTIGUOUS_MM.max(largest_spacing_mm),
            Self::WithinMm(limit) => limit,
        }
    }
}

/// What made a focus a progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgressionCause {
    /// It was not there before.
    New,
    /// A lesion known before and never treated has grown.
    GrowthOfKnownUntreated,
    /// A treated lesion has grown by the criterion.
    GrowthOfTreated,
}

impl ProgressionCause {
    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::GrowthOfKnownUntreated => "growth_of_known_untreated",
            Self::GrowthOfTreated => "growth_of_treated",
        }
    }
}

/// A focus and the nearest ablation zone, from the last visit before it that shows the zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneRelation {
    /// The lesion treated there.
    pub treated: LesionId,
    /// Distance from edge to edge, mm; 0 when they touch or overlap.
    pub distance_mm: Evaluable<f64>,
    /// 95 % interval of the distance, mm, where the registration error is known.
    pub interval_mm: Option<(f64, f64)>,
    /// Whether the zone was carried from another visit with an error that is not known.
    #[serde(default)]
    pub error_unknown: bool,
    /// Largest voxel spacing of the image that shows the focus, mm.
    pub largest_spacing_mm: f64,
    /// Date on which complete ablation was first documented before this focus; `None` if never.
    pub complete_ablation: Option<Date>,
}

/// What is known of one focus of progression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FocusFacts {
    /// Which lesion.
    pub lesion: LesionId,
    /// Organ it lies in.
    pub organ: Organ,
    /// Date of the scan that shows it.
    pub date: Date,
    /// Last date known to be free of it.
    pub last_negative_date: Option<Date>,
    /// New, or grown.
    pub cause: ProgressionCause,
    /// The nearest zone, where there is one in this organ.
    pub zone: Option<ZoneRelation>,
    /// Organ that was treated, where it is not the liver.
    pub treated_organ: Option<Organ>,
}

/// The pattern of one progression.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProgressionCall {
    /// Class by the point estimate.
    pub class: ProgressionClass,
    /// The class on the other side of the rule, where the interval crosses it.
    pub other_class: Option<ProgressionClass>,
    /// `distant_same_organ` or `distant_other_organ`, where the treated organ is not the liver.
    pub organ_relation: Option<&'static str>,
    /// The distance that decided, its 95 % interval and the rule, mm; `None` where no distance did.
    pub distance: Option<RuledDistance>,
    /// Whether a reader should look.
    pub needs_review: bool,
    /// The rule and the distance, as a sentence.
    pub why: String,
}

/// A distance and the rule it was held against, mm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RuledDistance {
    /// Edge to edge.
    pub distance_mm: f64,
    /// Its 95 % interval, where the error is known.
    pub interval_mm: Option<(f64, f64)>,
    /// The largest distance that is local.
    pub rule_mm: f64,
}

/// Classifies one focus.
pub fn classify(focus: &FocusFacts, rule: LocalRule) -> ProgressionCall {
    let at_zone = |zone: &ZoneRelation| match zone.complete_ablation {
        Some(_) => ProgressionClass::Local,
        None => ProgressionClass::Residual,
    };
    if focus.cause == ProgressionCause::GrowthOfTreated {
        let class = focus.zone.as_ref().map_or(ProgressionClass::Local, at_zone);
        return call(class, format!("the treated lesion {} grew by the criterion", focus.lesion));
    }
    let elsewhere = class_of_organ(&focus.organ);
    let Some(zone) = &focus.zone else {
        return by_organ(focus, elsewhere, &format!("no ablation zone near, organ {}", focus.organ));
    };
    let limit = rule.limit_mm(zone.largest_spacing_mm);
    let distance = match &zone.distance_mm {
        Evaluable::Value(distance) => *distance,
        Evaluable::NotEvaluable(reason) => {
            let why =
                format!("distance to the zone of {} not evaluable ({reason}), class by organ alone", zone.treated);
            let by_organ = by_organ(focus, elsewhere, &why);
            return ProgressionCall { needs_review: true, other_class: Some(at_zone(zone)), ..by_organ };
        }
    };
    let is_local = distance <= limit;
    let crosses = zone.error_unknown || zone.interval_mm.is_some_and(|(low, high)| low <= limit && high > limit);
    let sign = if is_local { "≤" } else { ">" };
    let mut why = format!("{distance:.1} mm from the zone of {} ({sign} {limit:.1} mm)", zone.treated);
    if is_local {
        why += match zone.complete_ablation {
            Some(_) => ", after documented complete ablation",
            None => ", complete ablation never documented",
        };
    }
    if zone.error_unknown {
        why += "; the zone was carried from another visit with an error that is not known";
    } else if crosses {
        why += "; the 95 % interval of the distance crosses the rule";
    }
    let other = if is_local { elsewhere } else { at_zone(zone) };
    let call = if is_local { call(at_zone(zone), why) } else { by_organ(focus, elsewhere, &why) };
    let distance = RuledDistance { distance_mm: distance, interval_mm: zone.interval_mm, rule_mm: limit };
    ProgressionCall {
        needs_review: call.needs_review || crosses,
        other_class: crosses.then_some(other),
        distance: Some(distance),
        ..call
    }
}

fn class_of_organ(organ: &Organ) -> ProgressionClass {
    match organ {
        Organ::Liver => ProgressionClass::DistantIntrahepatic,
        Organ::Unknown => ProgressionClass::Unclassified,
        _ => ProgressionClass::Extrahepatic,
    }
}

fn by_organ(focus: &FocusFacts, class: ProgressionClass, why: &str) -> ProgressionCall {
    let relation = focus
        .treated_organ
        .as_ref()
        .filter(|treated| **treated != Organ::Liver)
        .map(|treated| if *treated == focus.organ { "distant_same_organ" } else { "distant_other_organ" });
    ProgressionCall {
        needs_review: class == ProgressionClass::Unclassified,
        organ_relation: relation,
        ..call(class, relation.map_or_else(|| why.to_owned(), |relation| format!("{why}; {relation}")))
    }
}

fn call(class: ProgressionClass, why: String) -> ProgressionCall {
    ProgressionCall { class, other_class: None, organ_relation: None, distance: None, needs_review: false, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn focus(distance: f64, interval: Option<(f64, f64)>, complete: bool) -> FocusFacts {
        FocusFacts {
            lesion: LesionId::new("L4"),
            organ: Organ::Liver,
            date: date(2024, 6, 1),
            last_negative_date: None,
            cause: ProgressionCause::New,
            zone: Some(ZoneRelation {
                treated: LesionId::new("L1"),
                distance_mm: Evaluable::Value(distance),
                interval_mm: interval,
                error_unknown: false,
                largest_spacing_mm: 1.0,
                complete_ablation: complete.then(|| date(2024, 3, 1)),
            }),
            treated_organ: None,
        }
    }

    #[test]
    fn the_same_focus_is_residual_before_and_local_after_complete_ablation() {
        assert_eq!(classify(&focus(0.0, None, false), LocalRule::Contiguous).class, ProgressionClass::Residual);
        assert_eq!(classify(&focus(2.0, None, true), LocalRule::Contiguous).class, ProgressionClass::Local);
        let beyond = classify(&focus(2.1, None, true), LocalRule::Contiguous);
        assert_eq!(beyond.class, ProgressionClass::DistantIntrahepatic);
        assert_eq!(classify(&focus(9.0, None, true), LocalRule::WithinMm(10.0)).class, ProgressionClass::Local);
    }

    #[test]
    fn thick_slices_widen_the_contiguous_rule() {
        let mut thick = focus(4.5, None, true);
        thick.zone.as_mut().unwrap().largest_spacing_mm = 5.0;
        assert_eq!(classify(&thick, LocalRule::Contiguous).class, ProgressionClass::Local);
    }

    #[test]
    fn an_interval_across_the_rule_asks_for_a_reader_and_names_the_other_class() {
        let call = classify(&focus(3.0, Some((1.0, 5.0)), true), LocalRule::Contiguous);
        assert_eq!((call.class, call.needs_review), (ProgressionClass::DistantIntrahepatic, true));
        assert_eq!(call.other_class, Some(ProgressionClass::Local));
        assert!(!classify(&focus(9.0, Some((7.0, 11.0)), true), LocalRule::Contiguous).needs_review);
        let told = call.distance.unwrap();
        assert_eq!((told.distance_mm, told.interval_mm, told.rule_mm), (3.0, Some((1.0, 5.0)), 2.0));
    }

    #[test]
    fn a_zone_carried_with_an_unknown_error_asks_for_a_reader_however_far_it_is() {
        let mut carried = focus(9.0, None, true);
        assert!(!classify(&carried, LocalRule::Contiguous).needs_review);
        carried.zone.as_mut().unwrap().error_unknown = true;
        let call = classify(&carried, LocalRule::Contiguous);
        assert_eq!((call.needs_review, call.other_class), (true, Some(ProgressionClass::Local)));
        assert!(call.why.contains("not known"), "{}", call.why);
    }

    #[test]
    fn an_unknown_organ_gets_no_class_and_an_unknown_distance_a_review() {
        let mut unknown = focus(0.0, None, true);
        unknown.zone = None;
        unknown.organ = Organ::Unknown;
        let call = classify(&unknown, LocalRule::Contiguous);
        assert_eq!((call.class, call.needs_review), (ProgressionClass::Unclassified, true));
        let mut failed = focus(0.0, None, true);
        failed.zone.as_mut().unwrap().distance_mm = Evaluable::not("registration failed");
        let call = classify(&failed, LocalRule::Contiguous);
        assert!(call.needs_review && call.why.contains("registration failed"));
    }

    #[test]
    fn a_treated_lung_tells_the_same_organ_from_another() {
        let mut lung = focus(0.0, None, true);
        lung.zone = None;
        lung.organ = Organ::Lung;
        lung.treated_organ = Some(Organ::Lung);
        let call = classify(&lung, LocalRule::Contiguous);
        assert_eq!((call.class, call.organ_relation), (ProgressionClass::Extrahepatic, Some("distant_same_organ")));
    }
}
