//! Why a page could not be made.

use thiserror::Error;

/// An input a page cannot honestly be made of.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A number is NaN or infinite. Missing numbers are handed in as `None` with a reason.
    #[error("{subject}: expected a finite {quantity}, found {found}; hand in no value and a reason instead")]
    NotFinite {
        /// Lesion, visit, curve or figure.
        subject: String,
        /// What the number means.
        quantity: &'static str,
        /// The number.
        found: f64,
    },
    /// A contact sheet of nothing.
    #[error("contact sheet: expected at least one tile, found none")]
    NoTiles,
    /// The grey values of an image do not fill its width and height.
    #[error("image of {subject}: expected {expected} grey values ({width} x {height}), found {found}")]
    ImageSize {
        /// Lesion and date.
        subject: String,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// `width × height`.
        expected: usize,
        /// Values handed in.
        found: usize,
    },
    /// An image without extent, or with pixels of no size.
    #[error("image of {subject}: expected at least one pixel, each larger than 0 mm, found {found}")]
    ImageExtent {
        /// Lesion and date.
        subject: String,
        /// Size and pixel spacing as found.
        found: String,
    },
    /// An image could not be coded as PNG.
    #[error("image of {subject}: {source}")]
    Png {
        /// Lesion and date.
        subject: String,
        /// What the encoder said.
        source: image::ImageError,
    },
    /// A drawing could not be turned into pixels.
    #[error("figure as PNG: {message}; this is a fault of the program")]
    Raster {
        /// What the library said.
        message: String,
    },
    /// Lists that belong together have different lengths.
    #[error("{subject}: expected {expected} values of {quantity}, found {found}")]
    Length {
        /// Curve or table.
        subject: String,
        /// What the list holds.
        quantity: &'static str,
        /// Length of the list it belongs to.
        expected: usize,
        /// Its own length.
        found: usize,
    },
    /// A patient flow whose boxes do not add up.
    #[error("patient flow, after {label:?}: expected {expected} patients in the next box, found {found}")]
    Flow {
        /// The box.
        label: String,
        /// Its patients without those who left.
        expected: i128,
        /// Patients of the next box.
        found: i128,
    },
    /// A margin histogram that is not a list of counts.
    #[error("margin of {subject}: expected whole counts separated by spaces, found {found:?}")]
    Histogram {
        /// Lesion and treatment date.
        subject: String,
        /// The cell.
        found: String,
    },
    /// A fault of a built-in template.
    #[error("built-in template {template}: {source}")]
    Template {
        /// Its name.
        template: &'static str,
        /// What the engine said.
        source: minijinja::Error,
    },
}

/// The number itself, or an error that names it.
pub(crate) fn finite(value: f64, quantity: &'static str, subject: &str) -> Result<f64, ReportError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(ReportError::NotFinite { subject: subject.to_owned(), quantity, found: value })
    }
}
