//! The voxels of a file after scaling, converted block by block while the next block is still being inflated.

use std::io::{self, Read};
use std::sync::mpsc::sync_channel;

use super::header::{Header, VoxelForm};

/// Bytes inflated at a time: a whole number of voxels of any form, small enough to stay in a processor's cache.
const BLOCK: usize = 1 << 19;

/// Blocks that may wait to be converted.
const WAITING: usize = 4;

/// The voxels of a file whose first bytes of data were read already; the rest comes from `reader`. Values are in their order in
/// the file, which is ours: i fastest. Room is made at once for `likely` bytes at most. `Err` is how many bytes of voxels there were, where the file ends too early.
pub(super) fn read(
    header: &Header,
    first: Vec<u8>,
    mut reader: impl Read + Send,
    n_bytes: usize,
    likely: usize,
) -> io::Result<Result<Vec<f32>, usize>> {
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
            append(header, &block, &mut values);
        }
        Ok(if n_read == n_bytes { Ok(values) } else { Err(n_read) })
    })
}

/// The voxels of one block after scaling.
fn append(header: &Header, block: &[u8], values: &mut Vec<f32>) {
    let (slope, intercept) = header.scaling;
    let scaled = |value: f64| (value * slope + intercept) as f32;
    let form = header.form;
    match (form, header.big_endian, header.scaling == (1.0, 0.0)) {
        (VoxelForm::F32, false, true) => {
            values.extend(block.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        }
        (VoxelForm::I16, false, true) => {
            values.extend(block.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]]))));
        }
        (VoxelForm::I16, false, false) => {
            values.extend(block.chunks_exact(2).map(|b| scaled(f64::from(i16::from_le_bytes([b[0], b[1]])))));
        }
        (VoxelForm::U8, _, true) => values.extend(block.iter().map(|b| f32::from(*b))),
        (_, big_endian, true) => {
            values.extend(block.chunks_exact(form.width()).map(|b| form.value(b, big_endian) as f32));
        }
        (_, big_endian, false) => {
            values.extend(block.chunks_exact(form.width()).map(|b| scaled(form.value(b, big_endian))));
        }
    }
}
