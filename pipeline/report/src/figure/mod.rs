//! The figures, each a pure function from numbers handed in to an SVG drawing with its own colours and alternative text.
//!
//! Colours are told apart by the colour-blind (after Okabe & Ito 2008), and nothing is said by colour alone.

mod axis;
mod flow;
mod forest;
mod histogram;
mod incidence;
mod kaplan_meier;
mod margin_map;
mod margin_outcome;
mod raster;
mod spider;
mod svg;
mod swimmer;
mod timeline;
mod triage_line;
mod waterfall;

pub use flow::flow;
pub use forest::forest;
pub use histogram::{MarginHistogram, margin_histogram};
pub use incidence::incidence;
pub use kaplan_meier::kaplan_meier;
pub use margin_map::margin_map;
pub use margin_outcome::margin_outcome;
pub(crate) use raster::rgba;
pub use raster::{PRINT_SCALE, png};
pub use spider::{SpiderLine, SpiderPlot, spider};
pub use swimmer::swimmer;
pub use timeline::timeline;
pub use triage_line::{TriageScale, triage_line};
pub use waterfall::waterfall;

pub(crate) use svg::{escape, path_data};

/// The same drawing as a file of its own: with the namespace a viewer of SVG files asks for.
#[must_use]
pub fn standalone(svg: &str) -> String {
    svg.replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1)
}
