//! The samples of a JPEG-LS scan: regular mode by context, run mode where the surroundings are flat.
//!
//! Source: ITU-T T.87 A.3 to A.7.

use super::bits::Bits;
use super::parameters::{Context, Parameters};

/// Order of run lengths.
const J: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

const N_CONTEXTS: usize = 365;

/// State of a scan.
struct Scan<'a> {
    p: &'a Parameters,
    bits: Bits<'a>,
    contexts: Vec<Context>,
    run_contexts: [Context; 2],
    run_index: usize,
}

/// The samples, row by row.
pub(super) fn decode_scan(code: &[u8], p: &Parameters, columns: usize, rows: usize) -> Result<Vec<u16>, String> {
    let mut scan = Scan {
        p,
        bits: Bits::new(code),
        contexts: vec![Context::new(p.range); N_CONTEXTS],
        run_contexts: [Context::new(p.range), Context::new(p.range)],
        run_index: 0,
    };
    let mut samples = Vec::with_capacity(rows * columns);
    // Lines with one sample before the first and one after the last.
    let (mut above, mut line) = (vec![0_i32; columns + 2], vec![0_i32; columns + 2]);
    for _ in 0..rows {
        above[columns + 1] = above[columns];
        line[0] = above[1];
        scan.line(&above, &mut line)?;
        samples.extend(line[1..=columns].iter().map(|v| *v as u16));
        if scan.bits.overrun() {
            return Err("the JPEG-LS scan is cut short".to_owned());
        }
        std::mem::swap(&mut above, &mut line);
    }
    Ok(samples)
}

impl Scan<'_> {
    fn line(&mut self, above: &[i32], line: &mut [i32]) -> Result<(), String> {
        let columns = line.len() - 2;
        let mut x = 1;
        while x <= columns {
            let (ra, rb, rc, rd) = (line[x - 1], above[x], above[x - 1], above[x + 1]);
            let gradients = [rd - rb, rb - rc, rc - ra];
            if gradients.iter().all(|d| d.abs() <= self.p.near) {
                x = self.run(above, line, x)?;
            } else {
                line[x] = self.regular(ra, rb, rc, gradients)?;
                x += 1;
            }
        }
        Ok(())
    }

    /// A sample in regular mode.
    fn regular(&mut self, ra: i32, rb: i32, rc: i32, gradients: [i32; 3]) -> Result<i32, String> {
        let [q1, q2, q3] = gradients.map(|d| self.p.region(d));
        let q = q1 * 81 + q2 * 9 + q3;
        let sign = if q < 0 { -1 } else { 1 };
        let near = self.p.near;
        let context = &self.contexts[q.unsigned_abs() as usize];
        let px = (median_edge(ra, rb, rc) + sign * context.c).clamp(0, self.p.maxval);
        let k = order(context.a, context.n);
        let mapped = self.golomb(k, self.p.limit)?;
        let context = &mut self.contexts[q.unsigned_abs() as usize];
        let mut error = if mapped & 1 == 1 { -((mapped + 1) >> 1) } else { mapped >> 1 };
        if k == 0 && near == 0 && 2 * context.b <= -context.n {
            error = -(error + 1);
        }
        update(context, error, self.p);
        Ok(self.reconstruct(px, sign * error))
    }

    /// Prediction plus error, in the range of samples.
    fn reconstruct(&self, px: i32, error: i32) -> i32 {
        let Parameters { near, maxval, range, .. } = *self.p;
        let mut rx = px + error * (2 * near + 1);
        if rx < -near {
            rx += range * (2 * near + 1);
        } else if rx > maxval + near {
            rx -= range * (2 * near + 1);
        }
        rx.clamp(0, maxval)
    }

    /// A run from column x on; the column after it.
    fn run(&mut self, above: &[i32], line: &mut [i32], start: usize) -> Result<usize, String> {
        let columns = line.len() - 2;
        let ra = line[start - 1];
        let mut x = start;
        while self.bits.take(1) == 1 {
            let full = 1_usize << J[self.run_index];
            let n = full.min(columns + 1 - x);
            line[x..x + n].fill(ra);
            x += n;
            if n == full && self.run_index < 31 {
                self.run_index += 1;
            }
            if x > columns {
                return Ok(x);
            }
        }
        let rest = self.bits.take(J[self.run_index]) as usize;
        if x + rest > columns {
            return Err("a JPEG-LS run leaves its line".to_owned());
        }
        line[x..x + rest].fill(ra);
        x += rest;
        line[x] = self.interruption(ra, above[x])?;
        self.run_index = self.run_index.saturating_sub(1);
        Ok(x + 1)
    }

    /// The sample that ends a run.
    fn interruption(&mut self, ra: i32, rb: i32) -> Result<i32, String> {
        let near = self.p.near;
        let kind = usize::from((ra - rb).abs() <= near);
        let context = &self.run_contexts[kind];
        let temp = if kind == 1 { context.a + (context.n >> 1) } else { context.a };
        let k = order(temp, context.n);
        let limit = self.p.limit - J[self.run_index] - 1;
        let mapped = self.golomb(k, limit)?;
        let kind_bit = kind as i32;
        let context = &mut self.run_contexts[kind];
        let folded = mapped + kind_bit;
        let magnitude = (folded + 1) >> 1;
        let odd = folded & 1 == 1;
        // The mapping is inverted where the context has seen mostly negative errors (A.22).
        let map = k != 0 || 2 * context.nn >= context.n;
        let error = if odd == map { -magnitude } else { magnitude };
        if error < 0 {
            context.nn += 1;
        }
        context.a = context.a.saturating_add((mapped + 1 - kind_bit) >> 1);
        if context.n == self.p.reset {
            context.a >>= 1;
            context.n >>= 1;
            context.nn >>= 1;
        }
        context.n += 1;
        let (px, sign) = if kind == 1 { (ra, 1) } else { (rb, if ra > rb { -1 } else { 1 }) };
        Ok(self.reconstruct(px, sign * error))
    }

    /// A limited-length Golomb code of order k.
    fn golomb(&mut self, k: u32, limit: u32) -> Result<i32, String> {
        let damaged = || "a JPEG-LS code is longer than any can be".to_owned();
        let escape = limit - self.p.qbpp - 1;
        let high = self.bits.zeros(escape).ok_or_else(damaged)?;
        let value = if high < escape {
            (u64::from(high) << k) | u64::from(self.bits.take(k))
        } else {
            u64::from(self.bits.take(self.p.qbpp)) + 1
        };
        // A mapped error is less than twice the range; anything larger is noise taken for a code.
        i32::try_from(value).ok().filter(|v| *v <= 4 * self.p.range).ok_or_else(damaged)
    }
}

/// Order of the Golomb code of a context: the least k with n · 2^k at least a.
fn order(a: i32, n: i32) -> u32 {
    let mut k = 0;
    while k < 24 && (i64::from(n) << k) < i64::from(a) {
        k += 1;
    }
    k
}

/// The median edge detector.
fn median_edge(ra: i32, rb: i32, rc: i32) -> i32 {
    if rc >= ra.max(rb) {
        ra.min(rb)
    } else if rc <= ra.min(rb) {
        ra.max(rb)
    } else {
        ra + rb - rc
    }
}

/// Statistics and bias of a context after one error.
fn update(context: &mut Context, error: i32, p: &Parameters) {
    context.b += error * (2 * p.near + 1);
    // A stream may ask for so rare a reset that the sum would overflow.
    context.a = context.a.saturating_add(error.abs());
    if context.n == p.reset {
        context.a >>= 1;
        context.b = if context.b >= 0 { context.b >> 1 } else { -((1 - context.b) >> 1) };
        context.n >>= 1;
    }
    context.n += 1;
    if context.b <= -context.n {
        context.b = (context.b + context.n).max(1 - context.n);
        context.c = (context.c - 1).max(-128);
    } else if context.b > 0 {
        context.b = (context.b - context.n).min(0);
        context.c = (context.c + 1).min(127);
    }
}
