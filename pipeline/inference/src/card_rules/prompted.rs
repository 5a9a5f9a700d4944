//! What must hold in the card of a network that outlines the lesion under a prompt.

use super::rule;
use crate::card::{
    Activation, Card, CardError, CarriedBack, Convention, Crop, ExtentSearch, Normalised, Orientation, Patch,
    Prompting, Resampling, Role, Spacing, View,
};

/// Fewer voxels along an edge leave no room round a lesion.
const SMALLEST_SIDE: usize = 8;

/// No body is larger.
const LONGEST_RADIUS_MM: f64 = 2000.0;

pub(super) fn check(card: &Card, prompting: &Prompting) -> Result<(), CardError> {
    let side = check_cube(card)?;
    check_unused(card)?;
    check_answer(card)?;
    check_looks(card, prompting)?;
    let [finest, coarsest] = prompting.spacing_range_mm;
    let rising = finest.is_finite() && coarsest.is_finite() && finest > 0.0 && finest < coarsest;
    let found = format!("[{finest}, {coarsest}]");
    rule(rising, "prompt.spacing_range_mm", "two numbers above 0, the smaller first", found)?;
    let share = prompting.fill > 0.0 && prompting.fill < 1.0;
    rule(share, "prompt.fill", "a share between 0 and 1, both excluded", prompting.fill)?;
    let sigma = prompting.click_sigma_voxels;
    rule(sigma.is_finite() && sigma > 0.0, "prompt.click_sigma_voxels", "a number above 0", sigma)?;
    let least = prompting.least_agreement;
    rule((0.0..=1.0).contains(&least), "prompt.least_agreement", "a number from 0 to 1", least)?;
    let sizes = prompting.trusted_sizes_mm.is_none_or(|[low, high]| 0.0 <= low && low < high && high.is_finite());
    let found = format!("{:?}", prompting.trusted_sizes_mm);
    rule(sizes, "prompt.trusted_sizes_mm", "two numbers from 0, the smaller first", found)?;
    let useful = prompting.trusted_sizes_mm.is_none() || prompting.trust_size_from_point;
    rule(useful, "prompt.trusted_sizes_mm", "nothing beside trust_size_from_point = false", "some")?;
    rule(!prompting.views.is_empty(), "prompt.views", "at least one view", "none")?;
    prompting.views.iter().try_for_each(|view| check_view(view, side))?;
    prompting.extent.as_ref().map_or(Ok(()), check_extent)
}

/// Enough rays and shells to read anything from, radii and smoothing that grow.
fn check_extent(search: &ExtentSearch) -> Result<(), CardError> {
    rule(!search.networks.is_empty(), "prompt.extent.networks", "at least one network", "none")?;
    let counts = (4..=1024).contains(&search.rays) && (4..=256).contains(&search.shells);
    let found = format!("{} rays, {} shells", search.rays, search.shells);
    rule(counts, "prompt.extent.rays and shells", "4 to 1024 rays and 4 to 256 shells", found)?;
    let last_mm = search.radius_mm((search.shells - 1) as f64);
    let radii = search.first_mm > 0.0 && search.growth > 1.0 && last_mm <= LONGEST_RADIUS_MM;
    let found = format!("first_mm {}, growth {}, the last radius {last_mm:.0} mm", search.first_mm, search.growth);
    let expected =
        format!("a first radius above 0, growth above 1, a last radius of {LONGEST_RADIUS_MM:.0} mm at most");
    rule(radii, "prompt.extent.first_mm and growth", &expected, found)?;
    let smoothing = search.smoothing > 0.0 && search.smoothing < 1.0;
    rule(smoothing, "prompt.extent.smoothing", "a share between 0 and 1, both excluded", search.smoothing)?;
    let sigmas = &search.sigmas_mm;
    let rising = sigmas.first() == Some(&0.0) && sigmas.windows(2).all(|pair| pair[0] < pair[1]);
    let finite = sigmas.iter().all(|mm| mm.is_finite());
    rule(rising && finite, "prompt.extent.sigmas_mm", "numbers that rise from 0", format!("{sigmas:?}"))?;
    let clip = search.clip.is_none_or(|[low, high]| low.is_finite() && high.is_finite() && low < high);
    rule(clip, "prompt.extent.clip", "two numbers, the smaller first", format!("{:?}", search.clip))
}

/// At least two looks, each coarser than the one before; the first is what the input speaks of.
fn check_looks(card: &Card, prompting: &Prompting) -> Result<(), CardError> {
    let looks = &prompting.looks_mm;
    let rising = looks.windows(2).all(|pair| pair[0] < pair[1]) && looks.iter().all(|mm| mm.is_finite() && *mm > 0.0);
    let expected = "at least two spacings in mm above 0, each larger than the one before";
    rule(rising && looks.len() > 1, "prompt.looks_mm", expected, format!("{looks:?}"))?;
    let first = matches!(card.input.spacing_mm, Spacing::Mm([mm, ..]) if mm == looks[0]);
    let found = format!("{:?}", card.input.spacing_mm);
    rule(first, "input.spacing_mm", "the first of prompt.looks_mm, three times", found)
}

/// One cube at one spacing; returns its side.
fn check_cube(card: &Card) -> Result<usize, CardError> {
    let input = &card.input;
    let side = match input.patch {
        Patch::Voxels([x, y, z]) if x == y && y == z => x,
        Patch::Voxels(_) | Patch::WholeImage(_) => 0,
    };
    let even = side >= SMALLEST_SIDE && side.is_multiple_of(2);
    rule(
        even,
        "input.patch",
        "a cube whose side is an even number from 8, beside [prompt]",
        format!("{:?}", input.patch),
    )?;
    let spacing = matches!(input.spacing_mm, Spacing::Mm([x, y, z]) if x == y && y == z);
    let found = format!("{:?}", input.spacing_mm);
    rule(
        spacing,
        "input.spacing_mm",
        "one spacing for x, y and z in mm, that of the finest look, beside [prompt]",
        found,
    )?;
    let volumes = input.axes.across_slices().is_none() && input.axes.rank() == 5;
    rule(volumes, "input.axes", "all of n, c, z, y, x beside [prompt]", &input.axes)?;
    Ok(side)
}

/// Keys that would have no effect, or another one than they say.
fn check_unused(card: &Card) -> Result<(), CardError> {
    let input = &card.input;
    let lps = input.orientation == Orientation::LPS;
    rule(lps, "input.orientation", "\"lps\" beside [prompt]", String::from(input.orientation))?;
    let antialiased = input.resampling == Resampling::LinearAntialiased;
    let found = format!("{:?}", input.resampling);
    rule(antialiased, "input.resampling", "\"linear_antialiased\" beside [prompt]", found)?;
    rule(
        input.step_fraction == 1.0,
        "input.step_fraction",
        "1.0 beside [prompt]: there is one cube",
        input.step_fraction,
    )?;
    let outside = "0.0 beside [prompt]: so the value channel is outside the image";
    rule(input.padding_value == 0.0, "input.padding_value", outside, input.padding_value)?;
    let no_crop = !matches!(input.crop, Some(Crop::Nonzero {} | Crop::Above { .. }));
    for (key, left_out) in [
        ("input.convention", input.convention == Convention::Lesiontrace),
        ("input.nearest_along_axis_coarser_than", input.nearest_along_axis_coarser_than.is_none()),
        ("input.crop", no_crop),
        ("input.normalised", input.normalised == Normalised::AfterResampling),
        ("input.mirror", input.mirror.is_empty()),
        ("input.normalisation", matches!(input.normalisation, crate::card::Normalisation::None {})),
        ("further_image", card.further_images.is_empty()),
        ("cascade", card.cascade.is_none()),
    ] {
        let expected = if key == "input.normalisation" { "kind = \"none\": the network does it" } else { "nothing" };
        rule(left_out, key, &format!("{expected} beside [prompt]"), "something else")?;
    }
    Ok(())
}

fn check_answer(card: &Card) -> Result<(), CardError> {
    let output = &card.output;
    let sigmoid = output.activation == Some(Activation::Sigmoid) && output.channel_labels.is_none();
    let found = format!("{:?}", output.activation);
    rule(sigmoid, "output.activation", "sigmoid, without channel_labels, beside [prompt]", found)?;
    let carried = output.carried_back == CarriedBack::Probabilities;
    rule(carried, "output.carried_back", "probabilities beside [prompt]", format!("{:?}", output.carried_back))?;
    let [_, lesion] = &card.labels[..] else {
        return rule(false, "label", "background and lesion beside [prompt]", card.labels.len());
    };
    rule(lesion.role == Role::Lesion, "label 1: role", "lesion beside [prompt]", format!("{:?}", lesion.role))?;
    let plain = !lesion.keep_largest
        && !lesion.fill_holes
        && lesion.min_volume_mm3.is_none()
        && lesion.only_near.is_none()
        && lesion.split_at_necks_mm.is_none();
    rule(plain, "label 1", "no component rules beside [prompt]: the part under the click counts", "some")
}

fn check_view(view: &View, side: usize) -> Result<(), CardError> {
    // Half the cube's half: the lesion still has room at the side it is moved to.
    let most = side as i32 / 4;
    let within = view.shift.iter().all(|shift| (-most..=most).contains(shift));
    let expected = format!("three whole numbers from -{most} to {most}");
    rule(within, "prompt.views.shift", &expected, format!("{:?}", view.shift))?;
    let letters = view.mirror.chars().all(|axis| "xyz".contains(axis) && view.mirror.matches(axis).count() == 1);
    rule(letters, "prompt.views.mirror", "letters of x, y, z, each at most once", &view.mirror)
}
