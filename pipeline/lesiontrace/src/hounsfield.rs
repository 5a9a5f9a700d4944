//! Whether the numbers of a CT whose file states no unit are Hounsfield units: soft tissue lies near 0, air near −1000.
//!
//! A CT whose slope and intercept were not applied holds its values 1000 or 1024 higher: soft tissue where in HU dense bone lies, air
//! where soft tissue lies. It is known by that. Padding beyond the scanner's circle (−2000, −3024) says nothing and is left out.

use std::ops::RangeInclusive;

/// Below this there is no tissue and no air, but padding. Origin: air is −1000 HU, its noise below 100.
const PADDING_BELOW_HU: f32 = -1100.0;
/// Air, lung and fat.
const LIGHT_HU: RangeInclusive<f32> = PADDING_BELOW_HU..=-50.0;
/// Fat, organs, muscle, blood with contrast medium.
const SOFT_HU: RangeInclusive<f32> = -150.0..=250.0;
/// Soft tissue with an offset of 1000 or 1024; in HU dense bone.
const OFFSET: RangeInclusive<f32> = 850.0..=1300.0;
/// The least part of such voxels that is no bone, where there are four times as many as light ones. Origin: dense bone takes 1 to 3 %
/// of a CT of the trunk, and a part of the body without fat, lung and air round it is not imaged.
const OFFSET_PART: f64 = 0.05;
/// The least part of soft tissue.
const SOFT_PART: f64 = 0.01;

/// Why numbers do not look like HU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotHu {
    /// They are 1000 or 1024 too high.
    Offset(String),
    /// No value below water: windowed, stored, or no CT.
    NothingBelowWater(String),
    /// Hardly any soft tissue.
    NoSoftTissue(String),
}

impl NotHu {
    /// Looks at all values of an image; none: they may be HU.
    pub(crate) fn of(values: &[f32]) -> Option<Self> {
        let in_image = || values.iter().filter(|value| **value >= PADDING_BELOW_HU);
        let part_of = |range: &RangeInclusive<f32>| {
            let n = in_image().filter(|value| range.contains(*value)).count();
            n as f64 / in_image().count().max(1) as f64
        };
        let nothing_below = in_image().all(|value| *value >= 0.0);
        let (offset, light) = (part_of(&OFFSET), part_of(&LIGHT_HU));
        if offset >= OFFSET_PART && 4.0 * light < offset {
            let also = if nothing_below { "no value lies below 0, and " } else { "" };
            return Some(Self::Offset(format!(
                "{also}{:.0} % of the voxels lie between {} and {}, where in HU there is dense bone alone, and {:.1} % between {} and {} \
                 (air, fat): the numbers look stored, without their intercept of -1000 or -1024",
                100.0 * offset,
                OFFSET.start(),
                OFFSET.end(),
                100.0 * light,
                LIGHT_HU.start(),
                LIGHT_HU.end()
            )));
        }
        if nothing_below {
            let why = "no value lies below 0: the numbers look stored or windowed, or are of no CT";
            return Some(Self::NothingBelowWater(why.to_owned()));
        }
        let soft = part_of(&SOFT_HU);
        (soft < SOFT_PART).then(|| {
            Self::NoSoftTissue(format!(
                "{:.1} % of the voxels lie between {} and {}, where in HU soft tissue lies",
                100.0 * soft,
                SOFT_HU.start(),
                SOFT_HU.end()
            ))
        })
    }

    /// The reason in words.
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Offset(why) | Self::NothingBelowWater(why) | Self::NoSoftTissue(why) => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half air, a third soft tissue, a sixth fat, some bone; noise of 20; `padding` in the corners.
    fn body(padding: f32) -> Vec<f32> {
        let tissue = |n: usize| match n % 12 {
            0..=5 => -1000.0,
            6..=9 => 60.0,
            10 => -100.0,
            _ if n.is_multiple_of(7) => 1000.0,
            _ => -90.0,
        };
        let noise = |n: usize| (n * 7919 % 41) as f32 - 20.0;
        (0..12_000).map(|n| if n % 5 == 0 { padding } else { tissue(n) + noise(n) }).collect()
    }

    #[test]
    fn a_ct_in_hu_is_taken_whatever_its_padding() {
        for padding in [-1000.0, -1024.0, -2000.0, -3024.0] {
            assert_eq!(NotHu::of(&body(padding)), None, "{padding}");
        }
        // A part of the body without air.
        let within: Vec<f32> = body(50.0).into_iter().filter(|value| *value > -500.0).collect();
        assert_eq!(NotHu::of(&within), None);
    }

    #[test]
    fn a_ct_without_its_intercept_is_known_also_by_its_noise_and_padding() {
        for (padding, offset) in [(-1000.0, 1024.0), (-3024.0, 1024.0), (-3024.0, 1000.0), (-1024.0, 1000.0)] {
            let stored: Vec<f32> = body(padding).into_iter().map(|hu| hu + offset).collect();
            assert!(matches!(NotHu::of(&stored), Some(NotHu::Offset(_))), "{padding} {offset}");
            let clipped: Vec<f32> = stored.into_iter().map(|value| value.max(0.0)).collect();
            assert!(matches!(NotHu::of(&clipped), Some(NotHu::Offset(_))), "{padding} {offset}");
        }
    }

    #[test]
    fn a_windowed_ct_a_pet_and_air_alone_are_doubted() {
        let windowed: Vec<f32> = body(-1000.0).into_iter().map(|hu| (hu + 100.0).clamp(0.0, 255.0)).collect();
        assert!(matches!(NotHu::of(&windowed), Some(NotHu::NothingBelowWater(_))));
        let pet: Vec<f32> = (0..1000).map(|n| (n % 30) as f32).collect();
        assert!(matches!(NotHu::of(&pet), Some(NotHu::NothingBelowWater(_))));
        assert!(matches!(NotHu::of(&[-1000.0; 50]), Some(NotHu::NoSoftTissue(_))));
    }
}
