//! The constants of a JPEG-LS scan and the contexts its samples are sorted into.
//!
//! Source: ITU-T T.87 A.2.1 (initialisation), A.3.3 (quantisation of gradients), C.2.4.1.1 (defaults).

/// What stays the same over a scan.
pub(super) struct Parameters {
    pub(super) near: i32,
    pub(super) maxval: i32,
    pub(super) range: i32,
    pub(super) qbpp: u32,
    pub(super) limit: u32,
    pub(super) reset: i32,
    thresholds: [i32; 3],
}

const DEFAULT_RESET: i32 = 64;

impl Parameters {
    /// From precision, NEAR and a preset (MAXVAL, T1, T2, T3, RESET; 0 means the default).
    pub(super) fn new(precision: u32, near: i32, preset: Option<[i32; 5]>) -> Result<Self, String> {
        let [maxval, t1, t2, t3, reset] = preset.unwrap_or_default();
        let full = (1_i32 << precision) - 1;
        let maxval = if maxval == 0 { full } else { maxval };
        if maxval > full || near > (maxval / 2).min(255) {
            return Err(format!("MAXVAL {maxval} and NEAR {near} do not fit {precision} bits"));
        }
        let defaults = default_thresholds(maxval, near);
        let or_default = |value: i32, n: usize| if value == 0 { defaults[n] } else { value };
        let range = (maxval + 2 * near) / (2 * near + 1) + 1;
        let bits = |n: i32| 32 - (n - 1).leading_zeros();
        let bpp = bits(maxval + 1).max(2);
        Ok(Self {
            near,
            maxval,
            range,
            qbpp: bits(range),
            limit: 2 * (bpp + bpp.max(8)),
            reset: if reset == 0 { DEFAULT_RESET } else { reset },
            thresholds: [or_default(t1, 0), or_default(t2, 1), or_default(t3, 2)],
        })
    }

    /// A gradient as one of nine regions.
    pub(super) fn region(&self, d: i32) -> i32 {
        let [t1, t2, t3] = self.thresholds;
        let size = match d.abs() {
            d if d >= t3 => 4,
            d if d >= t2 => 3,
            d if d >= t1 => 2,
            d if d > self.near => 1,
            _ => 0,
        };
        if d < 0 { -size } else { size }
    }
}

fn default_thresholds(maxval: i32, near: i32) -> [i32; 3] {
    let clamp = |value: i32, low: i32| if value > maxval || value < low { low } else { value };
    if maxval >= 128 {
        let factor = (maxval.min(4095) + 128) / 256;
        let t1 = clamp(factor + 2 + 3 * near, near + 1);
        let t2 = clamp(factor * 4 + 3 + 5 * near, t1);
        [t1, t2, clamp(factor * 17 + 4 + 7 * near, t2)]
    } else {
        let factor = 256 / (maxval + 1);
        let t1 = clamp((3 / factor + 3 * near).max(2), near + 1);
        let t2 = clamp((7 / factor + 5 * near).max(3), t1);
        [t1, t2, clamp((21 / factor + 7 * near).max(4), t2)]
    }
}

/// The statistics of one context.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) a: i32,
    pub(super) b: i32,
    pub(super) c: i32,
    pub(super) n: i32,
    /// Number of negative errors, in the two contexts of interrupted runs.
    pub(super) nn: i32,
}

impl Context {
    pub(super) fn new(range: i32) -> Self {
        Self { a: ((range + 32) / 64).max(2), b: 0, c: 0, n: 1, nn: 0 }
    }
}
