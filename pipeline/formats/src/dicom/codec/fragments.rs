//! The compressed bytes of one frame among the fragments of a file.
//!
//! Source: DICOM PS3.5 annex A.4: a frame may be cut into several fragments; the offset table, where there is one, says where
//! each frame begins.

/// The bytes of one frame (from 0) of `n_frames`. Without an offset table there must be one fragment a frame, or one frame.
pub(in crate::dicom) fn frame_bytes(
    fragments: &[Vec<u8>],
    offsets: &[u32],
    frame: usize,
    n_frames: usize,
) -> Result<Vec<u8>, String> {
    if n_frames == 1 {
        return Ok(fragments.concat());
    }
    if fragments.len() == n_frames {
        return fragments.get(frame).cloned().ok_or_else(|| "the frame is missing".to_owned());
    }
    if offsets.len() != n_frames {
        return Err(format!(
            "{} fragments hold {n_frames} frames and no offset table says which belong to which",
            fragments.len()
        ));
    }
    // Offsets count the item tags and lengths, 8 bytes before each fragment.
    let (begin, end) = (u64::from(offsets[frame]), offsets.get(frame + 1).map_or(u64::MAX, |o| u64::from(*o)));
    let mut at = 0_u64;
    let mut bytes = Vec::new();
    for fragment in fragments {
        if at >= begin && at < end {
            bytes.extend_from_slice(fragment);
        }
        at += 8 + fragment.len() as u64;
    }
    if bytes.is_empty() { Err("the offset table points beyond the pixels".to_owned()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_by_count_and_by_offset() {
        let three = [vec![1, 2], vec![3, 4], vec![5, 6]];
        assert_eq!(frame_bytes(&three, &[], 1, 3), Ok(vec![3, 4]));
        assert_eq!(frame_bytes(&three, &[], 0, 1), Ok(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(frame_bytes(&three, &[0, 20], 0, 2), Ok(vec![1, 2, 3, 4]));
        assert_eq!(frame_bytes(&three, &[0, 20], 1, 2), Ok(vec![5, 6]));
        assert!(frame_bytes(&three, &[], 0, 2).is_err());
        assert!(frame_bytes(&three, &[0, 400], 1, 2).is_err());
    }
}
