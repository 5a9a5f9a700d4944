//! The viewer's section as the template reads it: words, presets, and what the page's script needs as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;

use crate::error::{ReportError, finite};
use crate::key_image::OutlineRole;
use crate::patient_page::PatientPage;
use crate::viewer::{Viewer, ViewerLesion, ViewerVolume};
use crate::wording::words;

/// Windows a CT is read in, level and width in HU. Origin: the usual settings of reading stations (abdomen 50/400, lung −600/1500, bone
/// 400/1800, liver 30/150); after contrast medium a liver lies near 100 HU, where 30/150 shows it white.
const CT_WINDOWS: [(&str, f64, f64); 5] = [
    ("soft tissue", 50.0, 400.0),
    ("liver, enhanced", 100.0, 200.0),
    ("liver, native", 30.0, 150.0),
    ("lung", -600.0, 1500.0),
    ("bone", 400.0, 1800.0),
];
/// The licence of the library that draws, and of what it brings along.
const NOTICES: &str = include_str!("../templates/niivue_notices.txt");

/// What the template `viewer.html` reads.
#[derive(Serialize)]
pub(crate) struct ViewerView<'a> {
    options: Vec<String>,
    first: First,
    told: String,
    presets: Vec<Preset>,
    outlines: Vec<OutlineChoice>,
    lesions: Vec<LesionChoice<'a>>,
    volumes: Vec<VolumeText>,
    data: String,
    library: &'a str,
    library_version: &'a str,
    notices: &'static str,
}

#[derive(Serialize)]
struct First {
    prior: usize,
    current: usize,
}

#[derive(Serialize)]
struct Preset {
    name: String,
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct OutlineChoice {
    /// Its number among the colours of the page's script.
    bit: u8,
    word: &'static str,
    color: String,
}

#[derive(Serialize)]
struct LesionChoice<'a> {
    id: &'a str,
    what: String,
}

#[derive(Serialize)]
struct VolumeText {
    image: String,
    outlined: String,
}

/// Shapes the viewer's section; refuses numbers that are none.
pub(crate) fn viewer_view<'a>(page: &PatientPage, viewer: &'a Viewer<'_>) -> Result<ViewerView<'a>, ReportError> {
    let names: Vec<String> = (0..viewer.volumes.len()).map(|n| name(page, viewer, n)).collect();
    let has_ct = viewer.volumes.iter().any(|volume| volume.unit == "HU");
    let preset = |(name, level, width): (&str, f64, f64)| Preset {
        name: format!("{name} (W {width}, L {level})"),
        low: level - width / 2.0,
        high: level + width / 2.0,
    };
    Ok(ViewerView {
        first: First { prior: viewer.first.prior, current: viewer.first.current },
        told: told(viewer.volumes),
        presets: if has_ct { CT_WINDOWS.into_iter().map(preset).collect() } else { Vec::new() },
        outlines: outlines(),
        lesions: viewer
            .lesions
            .iter()
            .map(|lesion| LesionChoice { id: &lesion.id, what: words(&lesion.what) })
            .collect(),
        volumes: viewer.volumes.iter().map(volume_text).collect(),
        data: data(viewer, &names)?,
        options: names,
        library: viewer.library,
        library_version: viewer.library_version,
        notices: NOTICES,
    })
}

/// A visit as the lists name it: its date, its place in the course.
fn name(page: &PatientPage, viewer: &Viewer<'_>, n: usize) -> String {
    let visit = viewer.volumes[n].visit;
    let label = page.visits.iter().find(|other| other.id == visit).map_or("", |other| other.label.as_str());
    let nadir = if viewer.first.nadir == Some(n) { "smallest sum" } else { "" };
    [label, nadir]
        .iter()
        .filter(|word| !word.is_empty())
        .fold(visit.to_string(), |name, word| format!("{name}, {word}"))
}

/// What is to be known before anything is looked at.
fn told(volumes: &[ViewerVolume]) -> String {
    let linked = volumes.iter().filter(|volume| volume.not_linked.is_empty()).count();
    format!(
        "Small copies of the images, carried into baseline's frame by the registration ({linked} of {} visits); every number of this page was measured on the originals. The patient's right is on the left.",
        volumes.len()
    )
}

/// What can be shown and hidden, in the colours of the key images.
fn outlines() -> Vec<OutlineChoice> {
    let choice = |(bit, role): (u8, OutlineRole)| {
        let [r, g, b] = role.color();
        OutlineChoice { bit, word: role.word(), color: format!("#{r:02x}{g:02x}{b:02x}") }
    };
    [(3, OutlineRole::Lesion), (2, OutlineRole::Zone), (1, OutlineRole::Organ)].into_iter().map(choice).collect()
}

fn volume_text(volume: &ViewerVolume) -> VolumeText {
    VolumeText { image: STANDARD.encode(&volume.image), outlined: STANDARD.encode(&volume.outlined) }
}

/// The JSON the page's script reads. It stands between script tags: no `<` is left in it.
fn data(viewer: &Viewer<'_>, names: &[String]) -> Result<String, ReportError> {
    let mut volumes = Vec::new();
    for (volume, name) in viewer.volumes.iter().zip(names) {
        for number in volume.window.iter().chain(&volume.spacing_mm) {
            finite(*number, "window or spacing of the viewer", &format!("visit {}", volume.visit))?;
        }
        volumes.push(json!({
            "name": name,
            "notLinked": volume.not_linked,
            "linkInDoubt": volume.link_in_doubt,
            "role": words(&volume.role),
            "unit": volume.unit,
            "spacing": volume.spacing_mm,
            "window": volume.window,
        }));
    }
    let lesion = |lesion: &ViewerLesion| {
        let at: Vec<_> = lesion.at.iter().map(|at| json!({ "center": at.center, "numbers": at.numbers })).collect();
        json!({ "id": lesion.id, "at": at })
    };
    let lesions: Vec<_> = viewer.lesions.iter().map(lesion).collect();
    let first = json!({ "prior": viewer.first.prior, "current": viewer.first.current });
    let data = json!({ "volumes": volumes, "lesions": lesions, "first": first });
    Ok(data.to_string().replace('<', "\\u003c"))
}
