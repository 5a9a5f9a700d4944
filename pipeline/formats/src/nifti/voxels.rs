//! The voxels of a file after scaling, converted block by block while the next block is still being inflated.

use std::io::{self, Read};
use std::sync::mpsc::sync_channel;

use super::header::{Header, VoxelForm};

/// Bytes inflated at a time: a whole number of voxels of any form, small enough to stay in a processor's cache.
const BLOCK: usize = 1 << 19;

/// Blocks that may wait to be converted.
const WAITING: usize = 4;

/// The voxels of a file before they are read: the first bytes of data were read with the header, the rest comes from `reader`.
pub(super) struct Source<R> {
    /// Bytes of voxels read ahead.
    pub(super) first: Vec<u8>,
    /// The rest.
    pub(super) reader: R,
    /// Bytes of all voxels.
    pub(super) n_bytes: usize,
    /// Room is made at once for so many bytes at most.
    pub(super) likely: usize,
}

/// The voxels of a file as `append` turns them from bytes (whole voxels) into values, in their order in the file, which is ours:
/// i fastest. `Err` is how many bytes of voxels there were, where the file ends too early.
pub(super) fn read<T>(
    header: &Header,
    source: Source<impl Read + Send>,
    mut append: impl FnMut(&[u8], &mut Vec<T>),
) -> io::Result<Result<Vec<T>, usize>> {
    let Source { first, mut reader, n_bytes, likely } = source;
    let mut values = Vec::with_capacity(n_bytes.min(likely) / header.form.width());
    let mut n_read = 0;
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel::<io::Result<Vec<u8>>>(WAITING);
        scope.spawn(move || {
            let mut missing = n_bytes;
            let mut head = first;
            head.truncate(n_bytes);
            while missing > 0 {
                let mut block = std::mem::take(&mut head);
                let wanted = missing.min(BLOCK);
                block.reserve_exact(wanted - block.len());
                let read = reader.by_ref().take((wanted - block.len()) as u64).read_to_end(&mut block);
                let is_end = block.len() < wanted;
                missing -= block.len();
                // The receiver ends first only after an error, which it has then.
                if send.send(read.map(|_| block)).is_err() || is_end {
                    break;
                }
            }
        });
        for block in receive {
            let block = block?;
            n_read += block.len();
            append(&block, &mut values);
        }
        Ok(if n_read == n_bytes { Ok(values) } else { Err(n_read) })
    })
}

/// The voxels of one block after scaling.
pub(super) fn scaled(header: &Header, block: &[u8], values: &mut Vec<f32>) {
    let (slope, intercept) = header.scaling;
    let number = |value: f64| (value * slope + intercept) as f32;
    let form = header.form;
    match (form, header.big_endian, header.scaling == (1.0, 0.0)) {
        (VoxelForm::F32, false, true) => {
            values.extend(block.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        }
        (VoxelForm::I16, false, true) => {
            values.extend(block.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]]))));
        }
        (VoxelForm::I16, false, false) => {
            values.extend(block.chunks_exact(2).map(|b| number(f64::from(i16::from_le_bytes([b[0], b[1]])))));
        }
        (VoxelForm::U8, _, true) => values.extend(block.iter().map(|b| f32::from(*b))),
        (_, big_endian, true) => {
            values.extend(block.chunks_exact(form.width()).map(|b| form.value(b, big_endian) as f32));
        }
        (_, big_endian, false) => {
            values.extend(block.chunks_exact(form.width()).map(|b| number(form.value(b, big_endian))));
        }
    }
}

/// The labels of one block. `wrong` is set to a value that is none, a whole number from 0 to 65535; its place gets 0.
pub(super) fn labels(header: &Header, block: &[u8], labels: &mut Vec<u16>, wrong: &mut Option<f32>) {
    match (header.form, header.big_endian, header.scaling == (1.0, 0.0)) {
        (VoxelForm::U8, _, true) => labels.extend(block.iter().map(|b| u16::from(*b))),
        (VoxelForm::U16, false, true) => {
            labels.extend(block.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])));
        }
        _ => {
            let mut values = Vec::with_capacity(block.len() / header.form.width());
            scaled(header, block, &mut values);
            let is_label = |v: &f32| v.fract() == 0.0 && (0.0..=65535.0).contains(v);
            if let Some(value) = values.iter().find(|v| !is_label(v)) {
                wrong.get_or_insert(*value);
            }
            labels.extend(values.iter().map(|v| *v as u16));
        }
    }
}
