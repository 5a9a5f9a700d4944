//! The lesion under a prompt: a cube round a point or box, at the spacing at which the lesion fills its share of it.
//!
//! A prompt becomes a place on the image's axes ([`prompt`]); the cube round it is cut at one spacing (`cube`), shown to every
//! network in every view (`views`), first to find the spacing (`search`), then to outline; the mean probability goes back onto the
//! image (`on_image`) and the part under the click (`part`) is the lesion, with how far to trust it (`outline`, `result`).
//! `models/README.md` states each step exactly.

pub(crate) mod cube;
pub(crate) mod extent;
pub(crate) mod memory;
pub(crate) mod on_image;
pub(crate) mod outline;
pub(crate) mod part;
pub mod prompt;
pub mod result;
pub(crate) mod search;
pub(crate) mod shells;
pub(crate) mod trust;
pub(crate) mod views;
