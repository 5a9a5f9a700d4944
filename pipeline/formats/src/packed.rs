//! Values in little memory, while nobody needs them: written as bytes (postcard) and compressed (deflate).

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The bytes of a value; nothing where it has no form in bytes (a path that is no text).
pub fn pack<T: Serialize + ?Sized>(value: &T) -> Option<Box<[u8]>> {
    let plain = postcard::to_allocvec(value).ok()?;
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    packer.write_all(&plain).expect("memory takes what is written");
    Some(packer.finish().expect("memory takes what is written").into_boxed_slice())
}

/// The value that [`pack`] made these bytes of, in this process.
///
/// # Panics
/// Where the bytes are of another type.
#[must_use]
pub fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> T {
    let mut plain = Vec::new();
    DeflateDecoder::new(bytes).read_to_end(&mut plain).expect("packed by this process");
    postcard::from_bytes(&plain).expect("packed by this process")
}
