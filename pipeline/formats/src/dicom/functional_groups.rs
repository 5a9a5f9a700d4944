//! The frames of an enhanced or legacy converted multi-frame image as one header each.
//!
//! Source: DICOM PS3.3 C.7.6.16 (Multi-frame Functional Groups): a macro stands either in the item of its frame or in the
//! shared item; A.70 to A.72 (legacy converted enhanced images).

use dicom::core::Tag;
use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;

use super::element;
use super::header::SliceHeader;
use super::pet::enhanced::complete_pet;

/// Frames more than this are a damaged header: 64 thousand slices are no patient.
const MAX_FRAMES: u32 = 65_536;

/// Every frame's header carries the texts of its file; all of them together may take this many bytes.
const MAX_FRAME_TEXT: usize = 256 << 20;

/// The functional groups of one object.
pub(super) struct FunctionalGroups<'a> {
    shared: Option<&'a InMemDicomObject>,
    per_frame: &'a [InMemDicomObject],
}

impl<'a> FunctionalGroups<'a> {
    /// `None` where the object states no functional groups.
    pub(super) fn of(object: &'a InMemDicomObject) -> Option<Self> {
        let shared = element::first_item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
        let per_frame = element::items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
        (shared.is_some() || !per_frame.is_empty()).then_some(Self { shared, per_frame })
    }

    /// The macro of one frame (from 0): its own item first, then the shared one.
    pub(super) fn item(&self, frame: usize, sequence: Tag) -> Option<&'a InMemDicomObject> {
        let own = self.per_frame.get(frame).and_then(|item| element::first_item(item, sequence));
        own.or_else(|| self.shared.and_then(|item| element::first_item(item, sequence)))
    }

    /// Image Position of one frame.
    pub(super) fn position(&self, frame: usize) -> Option<[f64; 3]> {
        self.item(frame, tags::PLANE_POSITION_SEQUENCE).and_then(|i| element::array(i, tags::IMAGE_POSITION_PATIENT))
    }

    /// Image Orientation of one frame.
    pub(super) fn orientation(&self, frame: usize) -> Option<[f64; 6]> {
        self.item(frame, tags::PLANE_ORIENTATION_SEQUENCE)
            .and_then(|i| element::array(i, tags::IMAGE_ORIENTATION_PATIENT))
    }

    /// Pixel Measures of one frame.
    pub(super) fn measures(&self, frame: usize) -> Option<&'a InMemDicomObject> {
        self.item(frame, tags::PIXEL_MEASURES_SEQUENCE)
    }
}

/// One header per frame; the header itself where the object is no image or states no functional groups.
pub(super) fn frames_of(header: SliceHeader, object: &InMemDicomObject) -> Vec<SliceHeader> {
    let Some(groups) = FunctionalGroups::of(object).filter(|_| header.is_image()) else { return vec![header] };
    // Without an item of its own a frame has no place of its own; and no number alone may make headers.
    let n_frames = header.n_frames as usize;
    let is_stated = n_frames <= groups.per_frame.len() && n_frames <= MAX_FRAMES as usize;
    if n_frames == 0 || !is_stated || n_frames.saturating_mul(header.n_text_bytes()) > MAX_FRAME_TEXT {
        return vec![header];
    }
    (0..header.n_frames).map(|frame| frame_of(&header, &groups, frame)).collect()
}

fn frame_of(header: &SliceHeader, groups: &FunctionalGroups<'_>, frame: u32) -> SliceHeader {
    let n = frame as usize;
    let mut out = header.clone();
    out.frame = Some(frame);
    out.position = groups.position(n);
    out.orientation = groups.orientation(n);
    if let Some(measures) = groups.measures(n) {
        out.pixel_spacing = element::array(measures, tags::PIXEL_SPACING);
        out.slice_thickness = element::float(measures, tags::SLICE_THICKNESS).filter(|t| *t > 0.0);
        out.spacing_between_slices =
            element::float(measures, tags::SPACING_BETWEEN_SLICES).map(f64::abs).filter(|t| *t > 0.0);
    }
    if let Some(rescale) = groups.item(n, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE) {
        out.rescale_slope = element::float(rescale, tags::RESCALE_SLOPE);
        out.rescale_intercept = element::float(rescale, tags::RESCALE_INTERCEPT);
        out.rescale_type = element::text(rescale, tags::RESCALE_TYPE);
    }
    for sequence in
        [tags::CT_IMAGE_FRAME_TYPE_SEQUENCE, tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::PET_FRAME_TYPE_SEQUENCE]
    {
        if let Some(item) = groups.item(n, sequence) {
            let frame_type = element::texts(item, tags::FRAME_TYPE);
            out.image_type = if frame_type.is_empty() { out.image_type } else { frame_type };
        }
    }
    put_content(&mut out, groups, n);
    put_mr(&mut out, groups, n);
    if out.modality == "PT" {
        let mapping = groups.item(n, tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE);
        complete_pet(&mut out, mapping);
    }
    out
}

/// Time and order of a frame.
fn put_content(out: &mut SliceHeader, groups: &FunctionalGroups<'_>, n: usize) {
    let Some(content) = groups.item(n, tags::FRAME_CONTENT_SEQUENCE) else { return };
    let clock = |tag| element::text(content, tag).and_then(|t| element::parse_datetime(&t)).map(|(clock, _)| clock);
    if let Some(acquired) = clock(tags::FRAME_ACQUISITION_DATE_TIME) {
        out.key.acquired = Some(acquired);
        out.acquisition_date = Some(acquired.date());
        out.acquisition_time = Some(acquired.time());
    }
    out.key.content = clock(tags::FRAME_REFERENCE_DATE_TIME).or(out.key.content);
    out.acquisition_number = element::integer(content, tags::FRAME_ACQUISITION_NUMBER).or(out.acquisition_number);
    out.key.temporal_position = element::integer(content, tags::TEMPORAL_POSITION_INDEX).or(out.key.temporal_position);
    out.key.stack_id = element::text(content, tags::STACK_ID).or_else(|| out.key.stack_id.take());
    // Frames of one file follow each other as instances of one series would.
    out.instance_number =
        out.instance_number.map(|number| number * i64::from(MAX_FRAMES) + n as i64).or(Some(n as i64));
}

/// What MR frames differ in.
fn put_mr(out: &mut SliceHeader, groups: &FunctionalGroups<'_>, n: usize) {
    if let Some(echo) = groups.item(n, tags::MR_ECHO_SEQUENCE) {
        out.echo_time_ms = element::float(echo, tags::EFFECTIVE_ECHO_TIME).or(out.echo_time_ms);
    }
    if let Some(timing) = groups.item(n, tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE) {
        out.repetition_time_ms = element::float(timing, tags::REPETITION_TIME).or(out.repetition_time_ms);
    }
    if let Some(modifier) = groups.item(n, tags::MR_MODIFIER_SEQUENCE) {
        out.key.inversion_time_ms = element::float(modifier, tags::INVERSION_TIMES).or(out.key.inversion_time_ms);
    }
    if let Some(cardiac) = groups.item(n, tags::CARDIAC_SYNCHRONIZATION_SEQUENCE) {
        out.key.trigger_time_ms =
            element::float(cardiac, tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME).or(out.key.trigger_time_ms);
    }
    if let Some(position) = groups.item(n, tags::TEMPORAL_POSITION_SEQUENCE) {
        out.key.trigger_time_ms = element::float(position, tags::TEMPORAL_POSITION_TIME_OFFSET)
            .map(|seconds| seconds * 1000.0)
            .or(out.key.trigger_time_ms);
    }
    if let Some(diffusion) = groups.item(n, tags::MR_DIFFUSION_SEQUENCE) {
        out.key.b_value = element::float(diffusion, tags::DIFFUSION_B_VALUE).or(out.key.b_value);
        let direction = element::first_item(diffusion, tags::DIFFUSION_GRADIENT_DIRECTION_SEQUENCE);
        out.key.diffusion_direction = direction.and_then(|d| element::array(d, tags::DIFFUSION_GRADIENT_ORIENTATION));
    }
}
