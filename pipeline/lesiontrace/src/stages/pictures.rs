//! Pictures cut from a visit's images while these are in memory: the place of every lesion, and how the visit lies on baseline. What
//! is drawn over them comes later, without images.

use report::RegistrationPicture;
use serde::{Deserialize, Serialize};

use crate::plan::PatientPlan;
use crate::stages::display::{Cut, Display, grey_window, pixels};
use crate::stages::find::VisitFacts;
use crate::stages::key_images::places;
use crate::stages::load::{LoadedSeries, load};
use crate::stages::registration_view;
use crate::stages::segment::StageError;
use crate::stages::track::Tracked;

/// One rectangle of a slice in grey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptCut {
    /// Which rectangle.
    pub(crate) cut: Cut,
    /// Where black and white lie, in the series' unit.
    pub(crate) window: (f32, f32),
    /// Grey values in display order.
    #[serde(with = "report::key_image::pixel_text")]
    pub(crate) pixels: Vec<u8>,
}

/// The pictures of one visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct VisitPictures {
    /// Role of the series.
    pub(crate) role: String,
    /// Its unit.
    pub(crate) unit: String,
    /// Window for lesions of the lung.
    pub(crate) lung_window: (f32, f32),
    /// Window for all others.
    pub(crate) window: (f32, f32),
    /// Rectangles, each once.
    pub(crate) cuts: Vec<KeptCut>,
    /// The visit on baseline, a plane each.
    pub(crate) registration: Vec<RegistrationPicture>,
}

impl VisitPictures {
    /// The window a lesion of this organ is shown in.
    pub(crate) fn window_of(&self, organ: &oncology::Organ) -> (f32, f32) {
        if *organ == oncology::Organ::Lung { self.lung_window } else { self.window }
    }

    /// The rectangle, if it was cut.
    pub(crate) fn find(&self, cut: &Cut, window: (f32, f32)) -> Option<&KeptCut> {
        self.cuts.iter().find(|kept| kept.cut == *cut && kept.window == window)
    }
}

/// Reads each visit's images once more and cuts the pictures.
pub(crate) fn pictures(
    patient: &PatientPlan,
    visits: &[VisitFacts],
    tracked: &Tracked,
    field_mm: f64,
) -> Result<Vec<VisitPictures>, StageError> {
    let mut baseline: Option<LoadedSeries> = None;
    let mut all = Vec::with_capacity(visits.len());
    for (n, plan) in patient.visits.iter().enumerate() {
        let series = load(&plan.measure, &mut Vec::new())?;
        let registration = baseline
            .as_ref()
            .map(|fixed| registration_view::pictures(fixed, &visits[0], &series, &visits[n]))
            .unwrap_or_default();
        all.push(VisitPictures { registration, ..of_visit(&series, visits, n, tracked, field_mm) });
        baseline.get_or_insert(series);
    }
    Ok(all)
}

fn of_visit(series: &LoadedSeries, visits: &[VisitFacts], n: usize, tracked: &Tracked, field_mm: f64) -> VisitPictures {
    let display = Display::of(series.image.grid());
    let mut pictures = VisitPictures {
        role: series.role.clone(),
        unit: series.unit.to_owned(),
        lung_window: grey_window(series, &oncology::Organ::Lung),
        window: grey_window(series, &oncology::Organ::Liver),
        cuts: Vec::new(),
        registration: Vec::new(),
    };
    for (track, cut) in places(visits, n, tracked, field_mm) {
        let window = pictures.window_of(&track.organ);
        if pictures.find(&cut, window).is_none() {
            let pixels = pixels(&series.image, &cut, &display, window);
            pictures.cuts.push(KeptCut { cut, window, pixels });
        }
    }
    pictures
}
