//! Puts lesions, and things that are none, at known places of two images of one liver, and counts what a second look says of them.
//!
//! `cargo xtask measure-second-look PAIRS… [--places 24] [--tell] [--store]`; PAIRS are folders of `scripts/make_registration_pairs.py`: two
//! images with a known map between them, of which the registration knows nothing. `--store` writes
//! `test_data/oracles/second_look/*.csv`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use formats::nifti;
use imaging::registration::deformable::register_deformable;
use imaging::registration::{Metric, Registration, RegistrationOptions, TransformKind, register};
use imaging::second_look::{Doubt, Pair, Scene, doubt, look, look_back};
use imaging::{Affine, FrameId, Grid, Mask, Mm, Patient, Point, Shape, Volume};

/// What is put at a place, or what its outline is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A lesion that was not there before.
    New,
    /// A lesion that was there before, as large or down to half as large, and was not outlined.
    Overlooked,
    /// A structure that looks as it did, and was not outlined before.
    Lasting,
    /// Nothing: the outline lies anywhere.
    Anywhere,
    /// Nothing: of ten places the outline lies on the one with the most contrast.
    Striking,
    /// A cyst that was not there before.
    Cyst,
    /// The end of a strand, filled now and not before.
    StrandEnd,
}

const EVERYTHING: [What; 7] =
    [What::New, What::Overlooked, What::Lasting, What::Anywhere, What::Striking, What::Cyst, What::StrandEnd];

/// A strand: a vein full of contrast medium.
const STRAND_HU: f64 = 185.0;

/// One thing as it is put into an image.
#[derive(Debug, Clone, Copy)]
struct Thing {
    diameter_mm: f64,
    contrast_hu: f64,
    /// Share of the diameter it had before.
    before: f64,
}

/// Numbers that are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
    fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[((self.next() * from.len() as f64) as usize).min(from.len() - 1)]
    }
}

/// One of the two images.
struct Image {
    values: Volume<f32>,
    liver: Mask,
    apart: Mask,
    landmarks: Vec<Point<Patient>>,
}

impl Image {
    fn scene(&self) -> anyhow::Result<Scene> {
        Scene::new(&self.values, &self.liver, [&self.apart]).context("the image holds no liver")
    }

    /// Adds a ball (or replaces by its value), each voxel by the part of it that lies inside; gives back what was there.
    fn put(&mut self, place: Point<Patient>, radius_mm: f64, paint: Paint) -> Vec<(usize, f32)> {
        let grid = self.values.grid().clone();
        let spacing = grid.spacing_mm();
        let Some(middle) = grid.nearest(place) else { return Vec::new() };
        let half = spacing.map(|mm| (radius_mm / mm).ceil() as i64 + 1);
        let mut old = Vec::new();
        for (dk, dj, di) in cube(half) {
            let at = [middle.i as i64 + di, middle.j as i64 + dj, middle.k as i64 + dk];
            let shape = grid.shape();
            let n = [shape.ni, shape.nj, shape.nk];
            if (0..3).any(|a| at[a] < 0 || at[a] >= n[a] as i64) {
                continue;
            }
            let index = imaging::Index3 { i: at[0] as usize, j: at[1] as usize, k: at[2] as usize };
            let inside = share_inside(&grid, index, place, radius_mm);
            if inside > 0.0 {
                let n = shape.linear(index);
                let value = self.values.values()[n];
                old.push((n, value));
                self.values.values_mut()[n] = match paint {
                    Paint::Add(hu) => value + (inside * hu) as f32,
                    Paint::Fill(hu) => value + (inside * (hu - f64::from(value))) as f32,
                };
            }
        }
        old
    }

    fn restore(&mut self, old: Vec<(usize, f32)>) {
        for (n, value) in old.into_iter().rev() {
            self.values.values_mut()[n] = value;
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Paint {
    Add(f64),
    /// Nine tenths of the tissue's own pattern gone, as in a cyst.
    Fill(f64),
}

fn cube([i, j, k]: [i64; 3]) -> impl Iterator<Item = (i64, i64, i64)> {
    (-k..=k).flat_map(move |dk| (-j..=j).flat_map(move |dj| (-i..=i).map(move |di| (dk, dj, di))))
}

/// Share of a voxel, of 3 x 3 x 5 points, that lies in a ball.
fn share_inside(grid: &Grid, at: imaging::Index3, center: Point<Patient>, radius_mm: f64) -> f64 {
    let voxel = at.center();
    let mut inside = 0;
    for (k, j, i) in cube([1, 1, 2]) {
        let off = imaging::Vector::new(j as f64 / 3.0, k as f64 / 3.0, i as f64 / 5.0);
        let p = grid.voxel_to_patient().apply(voxel + off);
        inside += usize::from(p.distance(center) <= radius_mm);
    }
    inside as f64 / 45.0
}

/// The outline of a ball as a network draws it: off by up to a tenth of its size.
fn outline(image: &Image, center: Point<Patient>, diameter_mm: f64, numbers: &mut Numbers) -> Option<Mask> {
    let radius = diameter_mm / 2.0 * numbers.between(0.9, 1.1);
    let off = |numbers: &mut Numbers| numbers.between(-1.0, 1.0) * diameter_mm * 0.08;
    let center = center + imaging::Vector::new(off(numbers), off(numbers), off(numbers));
    let grid = image.values.grid();
    let spacing = grid.spacing_mm();
    let middle = grid.nearest(center)?;
    let half = spacing.map(|mm| (radius / mm).ceil() as usize + 1);
    let first = [middle.i.checked_sub(half[0])?, middle.j.checked_sub(half[1])?, middle.k.checked_sub(half[2])?];
    let corner = grid.center(imaging::Index3 { i: first[0], j: first[1], k: first[2] }).coords;
    let map = Affine::from_parts(grid.voxel_to_patient().linear(), corner);
    let shape = Shape { ni: 2 * half[0] + 1, nj: 2 * half[1] + 1, nk: 2 * half[2] + 1 };
    let local = Grid::new(shape, map, grid.frame().clone()).ok()?;
    let mask = Mask::from_fn(local.clone(), |at| local.center(at).distance(center) <= radius);
    (!mask.is_empty_mask()).then_some(mask)
}

/// Both images of a pair, with what the registration made of them.
struct Case {
    name: String,
    earlier: Image,
    later: Image,
    maps: Vec<(&'static str, Registration)>,
}

fn case(folder: &Path) -> anyhow::Result<Case> {
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("truth.json"))?)?;
    let image = |side: &str, apart: &str| -> anyhow::Result<Image> {
        let frame = FrameId::new(side);
        let mask = |name: String| nifti::read_mask(&folder.join(name), frame.clone());
        let places = truth["landmarks"]["liver"][side].as_array().context("no landmarks")?;
        let number = |p: &serde_json::Value, a: usize| p[a].as_f64().unwrap_or(f64::NAN);
        Ok(Image {
            values: nifti::read_image(&folder.join(format!("{side}.nii.gz")), frame.clone())?,
            liver: mask(format!("{side}_liver.nii.gz"))?,
            apart: mask(format!("{side}_{apart}.nii.gz"))?,
            landmarks: places.iter().map(|p| Point::new(number(p, 0), number(p, 1), number(p, 2))).collect(),
        })
    };
    let (earlier, later) = (image("fixed", "tumour")?, image("moving", "zone")?);
    let options = RegistrationOptions {
        transform: TransformKind::Rigid,
        metric: Metric::NormalizedCorrelation,
        fixed_clamp: Some((-150.0, 250.0)),
        moving_clamp: Some((-150.0, 250.0)),
        fixed_mask: Some(&earlier.liver),
        moving_mask: Some(&later.liver),
        fixed_exclusion: Some(&earlier.apart),
        moving_exclusion: Some(&later.apart),
        seed: 1,
    };
    let rigid = register(&earlier.values, &later.values, &options)?;
    let bent = register_deformable(&earlier.values, &later.values, &rigid, &options)?.into_registration();
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Case { name, earlier, later, maps: vec![("rigid", rigid), ("bent", bent)] })
}

/// One thing at one place: what a second look says, by map, each with the distance by which the map misses the place.
fn trial(case: &mut Case, at: usize, what: What, thing: Thing, numbers: &mut Numbers) -> anyhow::Result<Vec<Seen>> {
    let (before, now) = (case.earlier.landmarks[at], case.later.landmarks[at]);
    let Some(drawn) = outline(&case.later, now, thing.diameter_mm, numbers) else { return Ok(Vec::new()) };
    let mut put = Vec::new();
    let mut put_before = Vec::new();
    let radius = thing.diameter_mm / 2.0;
    match what {
        What::New => put = case.later.put(now, radius, Paint::Add(thing.contrast_hu)),
        What::Overlooked | What::Lasting => {
            let then = if what == What::Lasting { radius } else { radius * thing.before };
            put = case.later.put(now, radius, Paint::Add(thing.contrast_hu));
            put_before = case.earlier.put(before, then, Paint::Add(thing.contrast_hu));
        }
        What::Cyst => put = case.later.put(now, radius, Paint::Fill(8.0)),
        What::StrandEnd => {
            let along = imaging::Vector::new(0.6, 0.64, 0.48);
            for step in 0..30 {
                let place = now + along * (1.5 * f64::from(step));
                put.extend(case.later.put(place, 0.8 * radius, Paint::Fill(STRAND_HU)));
            }
        }
        What::Anywhere | What::Striking => {}
    }
    let seen = seen(case, &drawn, (before, now));
    case.later.restore(put);
    case.earlier.restore(put_before);
    seen
}

/// What was said with one map.
struct Seen {
    map: &'static str,
    missed_mm: f64,
    said: Result<Option<Doubt>, String>,
    numbers: String,
}

fn seen(case: &Case, drawn: &Mask, (before, now): (Point<Patient>, Point<Patient>)) -> anyhow::Result<Vec<Seen>> {
    let (scene, earlier) = (case.later.scene()?, case.earlier.scene()?);
    let mut all = Vec::new();
    for (map, registration) in &case.maps {
        let Some(error) = registration.error_at(before) else { continue };
        let carry = |p: Point<Patient>| Some(registration.to_fixed(p));
        let missed_mm = registration.to_fixed(now).distance(before);
        let carried = imaging::registration::moved_as_a_body(drawn, carry).context("an outline has voxels")?;
        let grid = drawn.grid();
        let there = Grid::new(grid.shape(), grid.voxel_to_patient().then(&carried), FrameId::new("fixed"))?;
        let there = drawn.clone().with_grid(there)?;
        let pair = Pair {
            now: (&scene, drawn),
            before: (&earlier, &there),
            carry,
            slack: Mm(2.0 * error.sigma().0),
            is_alike: true,
        };
        let looked = look(&scene, drawn).and_then(|now| Ok((now, look_back(&pair, &now)?)));
        let numbers = format!("{looked:?}");
        let said = looked.map(|(now, before)| doubt(&now, Some(&before), true)).map_err(|error| error.to_string());
        all.push(Seen { map, missed_mm, said, numbers });
    }
    Ok(all)
}

/// The place of ten with the most contrast.
fn striking(case: &Case, among: &[usize], diameter_mm: f64, numbers: &mut Numbers) -> anyhow::Result<usize> {
    let scene = case.later.scene()?;
    let mut best = (among[0], 0.0);
    for at in among {
        let drawn = outline(&case.later, case.later.landmarks[*at], diameter_mm, numbers);
        let Some(Ok(now)) = drawn.map(|drawn| look(&scene, &drawn)) else { continue };
        if now.contrast.abs() > best.1 {
            best = (*at, now.contrast.abs());
        }
    }
    Ok(best.0)
}

fn word(said: &Result<Option<Doubt>, String>) -> &'static str {
    match said {
        Err(_) => "not looked at",
        Ok(None) => "new",
        Ok(Some(Doubt::NothingStandsOut { .. })) => "nothing stands out",
        Ok(Some(Doubt::StoodOutBefore { .. })) => "stood out before",
        Ok(Some(Doubt::Unchanged { .. })) => "unchanged",
        Ok(Some(Doubt::Water { .. })) => "water",
        Ok(Some(Doubt::RunsOn(_))) => "runs on",
        Ok(Some(Doubt::Uneven { .. })) => "uneven",
    }
}

/// What was said, counted and trial by trial.
#[derive(Default)]
struct Said {
    counts: BTreeMap<(String, &'static str, What, &'static str), usize>,
    trials: String,
}

impl Said {
    /// Puts everything at `n_places` places of a case.
    fn of(&mut self, case: &mut Case, n_places: usize, is_told: bool) -> anyhow::Result<()> {
        let mut numbers = Numbers(7);
        let n = case.later.landmarks.len();
        for (place, what) in (0..n_places).flat_map(|place| EVERYTHING.map(|what| (place, what))) {
            let thing = Thing {
                diameter_mm: numbers.one_of(&[6.0, 8.0, 10.0, 14.0, 20.0]),
                contrast_hu: numbers.one_of(&[-25.0, -40.0, -60.0, 30.0]),
                before: numbers.between(0.5, 1.0),
            };
            let at = (place * (n / n_places.max(1)).max(1)) % n;
            let at = if what == What::Striking {
                let among: Vec<usize> = (0..10).map(|k| (at + 19 * k) % n).collect();
                striking(case, &among, thing.diameter_mm, &mut numbers)?
            } else {
                at
            };
            for seen in trial(case, at, what, thing, &mut numbers)? {
                let row = self.count(case, what, thing, &seen);
                if is_told {
                    println!("{row},\"{}\"", seen.numbers);
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, case: &Case, what: What, thing: Thing, seen: &Seen) -> String {
        let said = word(&seen.said);
        let kind = case.name.split('-').next().unwrap_or_default().to_owned();
        *self.counts.entry((kind, seen.map, what, said)).or_default() += 1;
        let Thing { diameter_mm, contrast_hu, before } = thing;
        let (name, map, missed) = (&case.name, seen.map, seen.missed_mm);
        let row = format!("{name},{map},{what:?},{diameter_mm},{contrast_hu},{before:.2},{missed:.2},{said}");
        let _ = writeln!(self.trials, "{row}");
        row
    }

    fn table(&self) -> String {
        let mut table = String::from("images,map,what,said,n\n");
        for ((kind, map, what, said), n) in &self.counts {
            let _ = writeln!(table, "{kind},{map},{what:?},{said},{n}");
        }
        table
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let at = arguments.iter().position(|a| a == "--places");
    let n_places: usize = at.and_then(|at| arguments.get(at + 1)).map_or(Ok(24), |text| text.parse())?;
    let folders = arguments.iter().enumerate().filter(|(n, a)| !a.starts_with("--") && Some(*n) != at.map(|at| at + 1));
    let folders: Vec<PathBuf> = folders.map(|(_, a)| PathBuf::from(a)).collect();
    let is_told = arguments.iter().any(|a| a == "--tell");
    let mut said = Said::default();
    for folder in &folders {
        let mut case = case(folder).with_context(|| folder.display().to_string())?;
        said.of(&mut case, n_places, is_told)?;
        eprintln!("{}", case.name);
    }
    let table = said.table();
    print!("{table}");
    if arguments.iter().any(|a| a == "--store") {
        let folder = Path::new("test_data/oracles/second_look");
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("counts.csv"), table)?;
        let head = "pair,map,what,diameter_mm,contrast_hu,before,missed_mm,said\n";
        std::fs::write(folder.join("trials.csv"), format!("{head}{}", said.trials))?;
    }
    Ok(())
}
