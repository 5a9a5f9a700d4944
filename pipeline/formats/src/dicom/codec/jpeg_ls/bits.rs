//! Bits of a JPEG-LS scan, most significant first: after a byte FF the next byte carries seven bits.
//!
//! Source: ITU-T T.87 A.1, annex C.2.3 (bit stuffing).

/// Reads bits; after the end of the scan there are only zeros, which are counted.
pub(super) struct Bits<'a> {
    code: &'a [u8],
    at: usize,
    window: u64,
    width: u32,
    after_ff: bool,
    n_beyond: usize,
}

/// A scan may be read this many bytes beyond its end before it counts as cut short (the window is filled ahead).
const SLACK: usize = 16;

impl<'a> Bits<'a> {
    pub(super) fn new(code: &'a [u8]) -> Self {
        Self { code, at: 0, window: 0, width: 0, after_ff: false, n_beyond: 0 }
    }

    fn fill(&mut self) {
        while self.width <= 48 {
            let byte = match self.code.get(self.at) {
                // FF before a byte with its high bit set is a marker: the scan is over.
                Some(0xFF) if self.code.get(self.at + 1).is_none_or(|next| *next >= 0x80) => None,
                other => other.copied(),
            };
            let fresh = if self.after_ff { 7 } else { 8 };
            let value = byte.unwrap_or(0);
            if byte.is_some() {
                self.at += 1;
            } else {
                self.n_beyond += 1;
            }
            self.window = (self.window << fresh) | u64::from(value & (0xFF >> (8 - fresh)));
            self.width += fresh;
            self.after_ff = value == 0xFF;
        }
    }

    /// The next `n` bits, at most 32.
    pub(super) fn take(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        if self.width < n {
            self.fill();
        }
        self.width -= n;
        ((self.window >> self.width) & ((1_u64 << n) - 1)) as u32
    }

    /// Number of zeros before the next one, which is taken, too; at most `limit`.
    pub(super) fn zeros(&mut self, limit: u32) -> Option<u32> {
        let mut n = 0;
        while self.take(1) == 0 {
            n += 1;
            if n > limit {
                return None;
            }
        }
        Some(n)
    }

    /// Whether more was read than the scan holds.
    pub(super) fn overrun(&self) -> bool {
        self.n_beyond > SLACK
    }
}
