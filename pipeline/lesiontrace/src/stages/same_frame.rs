//! Two images of one frame of reference: they lie as the scanner placed them, and the patient may have breathed or moved between.

use imaging::registration::{Pair, Quality, Registration, RegistrationError};
use imaging::{Affine, FrameId, Note};

/// What a placement says of itself first.
const SAME_FRAME: &str = "same frame of reference";

/// The scanner's placement where the images bear it out, else the map that they ask for; either with its error. Where the images
/// cannot tell, the placement is kept for review and its error is unknown.
pub(super) fn placed(
    pair: &Result<Pair<'_>, RegistrationError>,
    frame: &FrameId,
    (role, notes): (&str, &mut Vec<Note>),
) -> Registration {
    let pair = pair.as_ref().map_err(Clone::clone);
    let seen = match pair.clone().and_then(|pair| pair.judge(&Affine::identity())) {
        Ok(seen) => seen,
        Err(error) => {
            let why = format!("{SAME_FRAME}, but the images cannot tell whether the patient moved: {error}");
            notes.push(Note::warning("same_frame_not_checked", role.to_owned(), why.clone()));
            let taken = Registration::identity_same_frame(frame.clone());
            return Registration { quality: Quality::Review, reasons: vec![why], ..taken };
        }
    };
    let found = if seen.quality == Quality::Pass { None } else { pair.ok().and_then(|pair| pair.register().ok()) };
    if let Some(found) = found.filter(|found| found.quality < seen.quality) {
        let why = format!(
            "{SAME_FRAME}, but not where the scanner placed it ({}); it was registered by its image",
            seen.reasons.join("; ")
        );
        notes.push(Note::warning("same_frame_moved", role.to_owned(), why));
        return found;
    }
    let reasons = std::iter::once(SAME_FRAME.to_owned()).chain(seen.reasons.iter().cloned()).collect();
    Registration { reasons, ..seen }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use imaging::registration::{Metric, RegistrationOptions, TransformKind};
    use imaging::{Grid, Point, Shape, Volume};

    /// Balls of several sizes in a larger one, moved along z.
    pub(crate) fn image(shift_mm: f64) -> Volume<f32> {
        let shape = Shape { ni: 56, nj: 48, nk: 44 };
        let rows = [[2.5, 0.0, 0.0, -70.0], [0.0, 2.5, 0.0, -60.0], [0.0, 0.0, 3.0, -66.0], [0.0, 0.0, 0.0, 1.0]];
        let grid = Affine::from_rows(rows).and_then(|map| Grid::new(shape, map, FrameId::new("1.2.3")).ok());
        let balls: Vec<([f64; 3], f64, f32)> = (0..14)
            .map(|n| {
                let turn = f64::from(n) * 2.4;
                let far = 10.0 + 3.0 * f64::from(n % 9);
                let height = f64::from(n * 7 % 13 - 6) * 6.0;
                ([far * turn.cos(), far * turn.sin(), height], 5.0 + f64::from(n % 4), 60.0 - 20.0 * (n % 5) as f32)
            })
            .collect();
        let grid = grid.expect("a grid of the test");
        Volume::from_fn(grid.clone(), |at| {
            let [x, y, z] = grid.center(at).to_array();
            let within =
                |[a, b, c]: [f64; 3], r: f64| (x - a).powi(2) + (y - b).powi(2) + (z - shift_mm - c).powi(2) <= r * r;
            let noise = ((at.i * 7919 + at.j * 104_729 + at.k * 1_299_709 + shift_mm as usize) % 17) as f32;
            let body = if within([0.0; 3], 52.0) { 50.0 } else { -900.0 };
            body + noise + balls.iter().filter(|(c, r, _)| within(*c, *r)).map(|ball| ball.2).sum::<f32>()
        })
    }

    pub(crate) fn options<'a>() -> RegistrationOptions<'a> {
        RegistrationOptions {
            transform: TransformKind::Rigid,
            metric: Metric::NormalizedCorrelation,
            fixed_clamp: Some((-150.0, 250.0)),
            moving_clamp: Some((-150.0, 250.0)),
            fixed_mask: None,
            moving_mask: None,
            fixed_exclusion: None,
            moving_exclusion: None,
            seed: 1,
        }
    }

    fn of_pair([fixed, moving]: [&Volume<f32>; 2], said: (&str, &mut Vec<Note>)) -> Registration {
        placed(&Pair::new(fixed, moving, &options()), fixed.grid().frame(), said)
    }

    #[test]
    fn who_lay_still_is_left_as_placed_and_has_an_error() {
        let mut notes = Vec::new();
        let found = of_pair([&image(0.0), &image(0.0)], ("portal_venous", &mut notes));
        assert!(found.is_as_placed() && found.quality == Quality::Pass, "{:?}", found.reasons);
        assert_eq!(found.reasons[0], SAME_FRAME);
        let error = found.error_at(Point::new(5.0, 5.0, 5.0)).expect("blocks and repetitions speak");
        assert!(error.sigma().0 > 0.0 && error.sigma().0 < 1.0 && notes.is_empty(), "{error:?} {notes:?}");
    }

    #[test]
    fn who_breathed_between_is_found_where_the_image_shows_him() {
        let mut notes = Vec::new();
        let found = of_pair([&image(0.0), &image(12.0)], ("portal_venous", &mut notes));
        assert!(!found.is_as_placed() && found.quality < Quality::Fail, "{:?}", found.reasons);
        let back = found.to_fixed(Point::new(10.0, 0.0, 22.0));
        assert!(back.distance(Point::new(10.0, 0.0, 10.0)) < 1.0, "{back:?}");
        assert_eq!(notes[0].code, "same_frame_moved");
    }

    #[test]
    fn where_images_cannot_tell_the_placement_has_no_error() {
        let even = image(0.0).map(|_| 5.0_f32);
        let mut notes = Vec::new();
        let found = of_pair([&even, &image(0.0)], ("pet", &mut notes));
        assert_eq!((found.quality, found.transform), (Quality::Review, None));
        assert_eq!(found.error_at(Point::new(5.0, 5.0, 5.0)), None);
        assert_eq!(notes[0].code, "same_frame_not_checked");
    }
}
