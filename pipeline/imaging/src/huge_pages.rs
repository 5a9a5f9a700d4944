//! Memory for large arrays in huge pages, where the system gives them: a volume of 300 MiB then costs some hundred page faults
//! instead of 77,000, which would take longer than reading its files.
//!
//! Source: Linux `madvise(2)`, `MADV_HUGEPAGE`. It is advice: values and the size of the array are what they were without it.

/// An array that nobody has written to yet (`vec![0.0; n]`, `Vec::with_capacity(n)`), its memory to be taken in huge pages. Small
/// arrays, and those of other systems, stay as they are.
#[must_use]
pub fn in_huge_pages<T>(array: Vec<T>) -> Vec<T> {
    #[cfg(target_os = "linux")]
    advise(array.as_ptr().addr(), array.capacity() * size_of::<T>(), array.as_ptr().cast());
    array
}

/// Size of a huge page; less than some of them is not worth a system call.
#[cfg(target_os = "linux")]
const HUGE_PAGE: usize = 2 << 20;

/// Asks for huge pages where whole ones lie within these bytes.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "advice has no safe form in the standard library")]
fn advise(address: usize, n_bytes: usize, start: *const u8) {
    let skipped = address.next_multiple_of(HUGE_PAGE) - address;
    let whole = n_bytes.saturating_sub(skipped) / HUGE_PAGE * HUGE_PAGE;
    if whole < 4 * HUGE_PAGE {
        return;
    }
    // SAFETY: the bytes from `skipped` to `skipped + whole` belong to the array, begin at the border of a page, and the advice
    // changes none of them. A refusal (an old kernel) leaves ordinary pages, which are as good.
    unsafe {
        libc::madvise(start.add(skipped).cast_mut().cast(), whole, libc::MADV_HUGEPAGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_any_size_keep_their_values_and_room() {
        for n in [0, 1, 1000, (16 << 20) / 4 + 3] {
            let mut array = in_huge_pages(vec![0_f32; n]);
            assert!(array.len() == n && array.iter().all(|v| *v == 0.0));
            array.iter_mut().zip(1..).for_each(|(v, k): (&mut f32, u32)| *v = k as f32);
            assert_eq!(array.last().copied(), (n > 0).then_some(n as f32));
        }
        let room: Vec<u16> = in_huge_pages(Vec::with_capacity(20 << 20));
        assert!(room.is_empty() && room.capacity() >= 20 << 20);
    }
}
