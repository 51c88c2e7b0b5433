//! Elementwise functions and kernel maps, written for one number and compiled for as many as a register of the processor holds.
use crate::products::mirror_upper;
use pulp::{Arch, Simd, WithSimd};
use std::f64::consts::{FRAC_2_SQRT_PI, FRAC_PI_2, LOG2_E, PI};
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::LazyLock;

/// arcsin x, NaN outside [−1, 1]: x + x R(x²) below ½, π/2 − 2(s + s R(s²)) with s² = (1 − |x|)/2 above. R is the rational approximation of
/// FreeBSD's e_asin.c (Sun Microsystems); error about 1 ulp.
#[inline(always)]
fn arcsin(x: f64) -> f64 {
    let size = x.abs();
    let half = 0.5 * (1.0 - size);
    let small = size < 0.5;
    let z = if small { x * x } else { half };
    let root = half.sqrt();
    let s = if small { size } else { root };
    let z2 = z * z;
    let p45 = z.mul_add(3.479331075960212e-5, 0.0007915349942898145);
    let p23 = z.mul_add(-0.04005553450067941, 0.20121253213486293);
    let p01 = z.mul_add(-0.3255658186224009, 0.16666666666666666);
    let p = z2.mul_add(z2.mul_add(p45, p23), p01);
    let q23 = z.mul_add(-0.6882839716054533, 2.0209457602335057);
    let q01 = z.mul_add(-2.403394911734414, 1.0);
    let q = z2.mul_add(z2.mul_add(0.07703815055590194, q23), q01);
    let r = s.mul_add(z * p / q, s);
    // π/2 in two parts, so that the subtraction loses nothing
    let large = FRAC_PI_2 - ((r + r) - 6.123233995736766e-17);
    (if small { r } else { large }).copysign(x)
}

/// Adding 1.5·2⁵² rounds to an integer and leaves it in the low bits.
const ROUNDER: f64 = 6755399441055744.0;

/// e^x, gradual underflow included: x = n log 2 + r, Taylor polynomial of degree 12 in |r| ≤ 0.3466, error about 1 ulp.
#[inline(always)]
fn exp(x: f64) -> f64 {
    let bounded = if x > 710.0 { 710.0 } else { x };
    let bounded = if bounded < -746.0 { -746.0 } else { bounded };
    let carried = bounded.mul_add(LOG2_E, ROUNDER);
    let n = carried - ROUNDER;
    let r = n.mul_add(-1.9082149292705877e-10, n.mul_add(-0.6931471803691238, bounded));
    let r2 = r * r;
    let r4 = r2 * r2;
    let low = r2.mul_add(r.mul_add(0.008333333333333333, 0.041666666666666664), r.mul_add(0.16666666666666666, 0.5));
    let high = r2.mul_add(r.mul_add(2.7557319223985893e-6, 2.48015873015873e-5), r.mul_add(0.0001984126984126984, 0.001388888888888889));
    let top = r2.mul_add(2.08767569878681e-9, r.mul_add(2.505210838544172e-8, 2.755731922398589e-7));
    let polynomial = r4.mul_add(r4.mul_add(top, high), low);
    let value = 1.0 + r2.mul_add(polynomial, r);
    // 2ⁿ in two factors, each of which has a normal exponent
    let bits = carried.to_bits().wrapping_sub(ROUNDER.to_bits()) as i64;
    let first = bits >> 1;
    let power = |exponent: i64| f64::from_bits((exponent.wrapping_add(1023) as u64) << 52);
    value * power(first) * power(bits.wrapping_sub(first))
}

const NODES_PER_UNIT: f64 = 128.0;
const LIMIT: f64 = 6.0;

/// Places of the table: more than the nodes, so that whatever ten bits say is one.
const PLACES: usize = 1024;

/// Pairs (erf c, 2/√π e^(−c²)) at the nodes c = 0, 1/128, …, 6.
static ERF_TABLE: LazyLock<[[f64; 2]; PLACES]> = LazyLock::new(|| {
    let mut table = [[0.0; 2]; PLACES];
    for (i, pair) in table[..=(LIMIT * NODES_PER_UNIT) as usize].iter_mut().enumerate() {
        let c = i as f64 / NODES_PER_UNIT;
        *pair = [slow_erf(c), FRAC_2_SQRT_PI * (-c * c).exp()];
    }
    table
});

/// Series 2/√π e^(−x²) Σ 2ⁿ x²ⁿ⁺¹/(2n + 1)!!, all terms positive, up to 2.5; beyond, 1 − erfc x with erfc by its continued fraction.
fn slow_erf(x: f64) -> f64 {
    let front = FRAC_2_SQRT_PI * (-x * x).exp();
    if x < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while term > sum * 1e-18 {
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        return front * sum;
    }
    1.0 - front / 2.0 / (1..=60).rev().fold(x, |fraction, n| x + f64::from(n) / 2.0 / fraction)
}

/// erf x from the nearest node c: Taylor polynomial of degree 5 in x − c.
#[inline(always)]
fn erf(x: f64, table: &[[f64; 2]; PLACES]) -> f64 {
    let size = if x.abs() > LIMIT { LIMIT } else { x.abs() };
    let carried = size.mul_add(NODES_PER_UNIT, ROUNDER);
    let c = (carried - ROUNDER) / NODES_PER_UNIT;
    let u = size - c;
    // NaN becomes some place and comes back through u.
    let [base, slope] = table[carried.to_bits() as usize % PLACES];
    let c2 = c * c;
    let a2 = c2.mul_add(2.0 / 3.0, -1.0 / 3.0);
    let a3 = c * c2.mul_add(-1.0 / 3.0, 0.5);
    let a4 = c2.mul_add(c2.mul_add(4.0 / 30.0, -0.4), 0.1);
    let series = u * (u * u.mul_add(u.mul_add(a4, a3), a2) - c);
    let st = slope * u;
    (base + st.mul_add(series, st)).copysign(x)
}

/// Numbers that go through a pass together: they stay in the first-level cache.
const LINE: usize = 256;

/// A function of one number at a time, compiled for the instructions in use. (A closure might stay a function of its own, without them.)
struct EachNumber<'a, F>(&'a mut [f64], F);

impl<F: Fn(f64) -> f64> WithSimd for EachNumber<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self(x, f) = self;
        // A line of its own is known not to overlap tables that f reads.
        let mut line = [0.0; LINE];
        for part in x.chunks_mut(LINE) {
            let line = &mut line[..part.len()];
            line.copy_from_slice(part);
            line.iter_mut().for_each(|value| *value = f(*value));
            part.copy_from_slice(line);
        }
    }
}

/// x := f(x) for every number; kinds as in @finitewidth/linalg. False for an unknown kind.
pub fn map(kind: u32, x: &mut [f64]) -> bool {
    match kind {
        0 => Arch::new().dispatch(EachNumber(x, exp)),
        1 => {
            let table = &*ERF_TABLE;
            Arch::new().dispatch(EachNumber(x, |value| erf(value, table)));
        }
        2 => Arch::new().dispatch(EachNumber(x, arcsin)),
        _ => return false,
    }
    true
}

// Numbers of the kernel maps that are not (2/π) arcsin r, as are erf (0) and sign (3); those of @finitewidth/linalg.
const ERF: u32 = 0;
const RELU: u32 = 1;
const STEP: u32 = 2;

/// Variances of preactivations as the kernel maps use them: factors f with r = c f_i f_j, and roots.
struct Scales {
    factors: Vec<f64>,
    roots: Vec<f64>,
}

impl Scales {
    fn of(kind: u32, variances: impl Iterator<Item = f64> + Clone) -> Self {
        let factor = |a: f64| match kind {
            ERF => (2.0 / (1.0 + 2.0 * a)).sqrt(),
            _ if a > 0.0 => 1.0 / a.sqrt(),
            _ => 0.0,
        };
        Self { factors: variances.clone().map(factor).collect(), roots: variances.map(f64::sqrt).collect() }
    }
}

/// E φ(h)² where the correlation is exactly 1; r is the correlation parameter of erf.
fn diagonal_value(kind: u32, variance: f64, r: f64) -> f64 {
    let positive = variance > 0.0;
    match kind {
        ERF => 2.0 / PI * r.min(1.0).asin(),
        RELU => variance / 2.0,
        STEP => {
            if positive {
                0.5
            } else {
                0.25
            }
        }
        _ => {
            if positive {
                1.0
            } else {
                0.0
            }
        }
    }
}

/// One row of covariances c := E φ(h_i)φ(h_j) into `out`, which may be c, in short passes over lines that stay in the first-level cache.
/// False when an entry is not finite. Safety: as many numbers at c and out as there are factors and roots.
#[inline(always)]
unsafe fn kernel_row(kind: u32, c: *const f64, out: *mut f64, factor: f64, root: f64, factors: &[f64], roots: &[f64]) -> bool {
    let mut correlations = [0.0; LINE];
    let mut angles = [0.0; LINE];
    let mut wild = false;
    for (line, (factors, roots)) in factors.chunks(LINE).zip(roots.chunks(LINE)).enumerate() {
        let (first, length) = (line * LINE, factors.len());
        // SAFETY: the covariances have been read when the results are written in their place.
        let covariances = unsafe { from_raw_parts(c.add(first), length) };
        let (r, angle) = (&mut correlations[..length], &mut angles[..length]);
        for j in 0..length {
            wild |= !covariances[j].is_finite();
            let product = covariances[j] * factor * factors[j];
            let product = if product > 1.0 { 1.0 } else { product };
            r[j] = if product < -1.0 { -1.0 } else { product };
        }
        angle.copy_from_slice(r);
        angle.iter_mut().for_each(|value| *value = arcsin(*value));
        let results = unsafe { from_raw_parts_mut(out.add(first), length) };
        if kind == RELU {
            let size = root * (0.5 / PI);
            for j in 0..length {
                let sine = ((1.0 - r[j]) * (1.0 + r[j])).sqrt();
                results[j] = size * roots[j] * (FRAC_PI_2 + angle[j]).mul_add(r[j], sine);
            }
        } else {
            let (scale, shift) = if kind == STEP { (0.5 / PI, 0.25) } else { (2.0 / PI, 0.0) };
            for j in 0..length {
                results[j] = angle[j].mul_add(scale, shift);
            }
        }
    }
    !wild
}

/// The rows of a kernel map: all of an m × n covariance, or of a symmetric one what is right of the diagonal.
struct KernelRows<'a> {
    kind: u32,
    m: usize,
    n: usize,
    c: *const f64,
    out: *mut f64,
    row: &'a Scales,
    column: &'a Scales,
    upper: bool,
}

impl WithSimd for KernelRows<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> bool {
        let Self { kind, m, n, c, out, row, column, upper } = self;
        let mut finite = true;
        for i in 0..m {
            let from = if upper { i } else { 0 };
            unsafe {
                let at = i * n + from;
                let (factors, roots) = (&column.factors[from..], &column.roots[from..]);
                finite &= kernel_row(kind, c.add(at), out.add(at), row.factors[i], row.roots[i], factors, roots);
            }
        }
        finite
    }
}

/// Kernel map between two sets of preactivations with these variances, m and n of them. Safety: m n numbers at c and out.
pub unsafe fn cross_kernel(kind: u32, c: *const f64, out: *mut f64, rows: &[f64], columns: &[f64]) -> bool {
    let (row, column) = (&Scales::of(kind, rows.iter().copied()), &Scales::of(kind, columns.iter().copied()));
    Arch::new().dispatch(KernelRows { kind, m: rows.len(), n: columns.len(), c, out, row, column, upper: false })
}

/// Kernel map of a symmetric covariance, variances on its diagonal, of which the upper triangle is read. Safety: n² numbers at c and out.
pub unsafe fn symmetric_kernel(kind: u32, n: usize, c: *const f64, out: *mut f64) -> bool {
    let variances: Vec<f64> = (0..n).map(|i| unsafe { *c.add(i * n + i) }).collect();
    let scales = &Scales::of(kind, variances.iter().copied());
    let finite = Arch::new().dispatch(KernelRows { kind, m: n, n, c, out, row: scales, column: scales, upper: true });
    unsafe {
        for (i, (&variance, &factor)) in variances.iter().zip(&scales.factors).enumerate() {
            *out.add(i * n + i) = diagonal_value(kind, variance, variance * factor * factor);
        }
        mirror_upper(n, out, n);
    }
    finite
}
