use crate::products::{lower_product, product, rows, rows_mut};
use crate::vectors::{add, dot, dots, load, load_part, store, store_part};
use pulp::{Arch, Simd, WithSimd};
use std::slice::{from_raw_parts, from_raw_parts_mut};

// Columns reduced before the rest of the matrix is updated by one product.
const PANEL: usize = 32;
// Reflectors applied together, as 1 − Vᵀ T V.
const BLOCK: usize = 64;

/// Lower triangle of `to` := that of A times a power of two near 1/max|a|, so that squares neither overflow nor vanish and scaling is exact;
/// returns the power. `to` may be A. Safety: n² numbers at each.
pub unsafe fn scaled_lower(n: usize, a: *const f64, to: *mut f64) -> f64 {
    let row = |i: usize| unsafe { from_raw_parts(a.add(i * n), i + 1) };
    let largest = (0..n).fold(0.0, |most, i| row(i).iter().fold(most, |most: f64, value| most.max(value.abs())));
    let safe = largest == 0.0 || (largest > 1e-100 && largest < 1e100);
    let scale = if safe { 1.0 } else { (-largest.log2().floor().clamp(-1000.0, 1000.0)).exp2() };
    for i in 0..n {
        for j in i * n..=i * n + i {
            unsafe { *to.add(j) = *a.add(j) * scale };
        }
    }
    scale
}

/// Blocked Householder reduction A = Q T Qᵀ of a symmetric matrix of which the lower triangle is read, to diagonal d, off-diagonal e
/// (n − 1), reflectors and their scales τ (n). Row k of A becomes v_k, whose first k + 1 entries are zero and the next one 1; where nothing
/// is to be reflected, the row and τ_k are zero. Safety: n² numbers at a, n at d, e, tau.
pub unsafe fn tridiagonalise(n: usize, a: *mut f64, d: *mut f64, e: *mut f64, tau: *mut f64) {
    Arch::new().dispatch(Reduction { n, a, d, e, tau });
    for k in 0..n {
        // The lower triangle is used up.
        unsafe { from_raw_parts_mut(a.add(k * n), k + 1).fill(0.0) };
    }
}

struct Reduction {
    n: usize,
    a: *mut f64,
    d: *mut f64,
    e: *mut f64,
    tau: *mut f64,
}

impl WithSimd for Reduction {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { n, a, d, e, tau } = self;
        let mut scratch = vec![0.0; (2 * PANEL + 1) * n];
        // Rows of W; then V above W and W above V, for the update of the rest.
        let w = scratch.as_mut_ptr();
        let mut copies = vec![0.0; 4 * PANEL * n];
        for first in (0..n).step_by(PANEL) {
            let size = PANEL.min(n - first);
            let column = unsafe { w.add(2 * PANEL * n) };
            for j in 0..size {
                unsafe { reduce_column(simd, n, first, j, a, w, column, d, e, tau) };
            }
            let next = first + size;
            let rest = n - next;
            if rest == 0 {
                return;
            }
            let (left, right) = copies.split_at_mut(2 * PANEL * n);
            for p in 0..size {
                unsafe {
                    let v = from_raw_parts(a.add((first + p) * n + next), rest);
                    let wp = from_raw_parts(w.add(p * n + next), rest);
                    left[p * rest..][..rest].copy_from_slice(v);
                    left[(size + p) * rest..][..rest].copy_from_slice(wp);
                    right[p * rest..][..rest].copy_from_slice(wp);
                    right[(size + p) * rest..][..rest].copy_from_slice(v);
                }
            }
            unsafe {
                let (left, right) = (rows(left.as_ptr(), 2 * size, rest, rest), rows(right.as_ptr(), 2 * size, rest, rest));
                lower_product(rows_mut(a.add(next * n + next), rest, rest, n), true, left.transpose(), right, -1.0);
            }
        }
    }
}

/// Column first + j: brought up to date by the reflectors of its panel, reflected, and its w = τ(A v − …) for the columns to come.
#[inline(always)]
unsafe fn reduce_column<S: Simd>(
    simd: S,
    n: usize,
    first: usize,
    j: usize,
    a: *mut f64,
    w: *mut f64,
    column: *mut f64,
    d: *mut f64,
    e: *mut f64,
    tau: *mut f64,
) {
    let c = first + j;
    let v_row = |p: usize| unsafe { a.add((first + p) * n) };
    let w_row = |p: usize| unsafe { w.add(p * n) };
    unsafe {
        for i in c..n {
            *column.add(i) = *a.add(i * n + c);
        }
        // Reflectors in twos; a last one alone is taken twice, the second time with factor zero.
        for p in (0..j).step_by(2) {
            let q = (p + 1).min(j - 1);
            let second = if p + 1 < j { 1.0 } else { 0.0 };
            let factors = [*w_row(p).add(c), *v_row(p).add(c), second * *w_row(q).add(c), second * *v_row(q).add(c)].map(|factor| -factor);
            let lines = [v_row(p), w_row(p), v_row(q), w_row(q)].map(|row| row.add(c).cast_const());
            add(simd, n - c, factors, lines, column.add(c));
        }
        *d.add(c) = *column.add(c);
        *tau.add(c) = 0.0;
        if c + 1 >= n {
            return;
        }
        let length = n - c - 1;
        let (v, wc, x) = (a.add(c * n + c + 1), w.add(j * n + c + 1), column.add(c + 1));
        let alpha = *x;
        let tail = dot(simd, length - 1, x.add(1), x.add(1));
        if tail == 0.0 {
            *e.add(c) = alpha;
            from_raw_parts_mut(v, length).fill(0.0);
            from_raw_parts_mut(wc, length).fill(0.0);
            return;
        }
        let beta = -(alpha * alpha + tail).sqrt().copysign(alpha);
        let scale = (beta - alpha) / beta;
        *e.add(c) = beta;
        *tau.add(c) = scale;
        *v = 1.0;
        for i in 1..length {
            *v.add(i) = *x.add(i) / (alpha - beta);
        }
        multiply_symmetric(simd, length, a.add((c + 1) * n + c + 1), n, v, wc);
        for p in (0..j).step_by(2) {
            let q = (p + 1).min(j - 1);
            let second = if p + 1 < j { 1.0 } else { 0.0 };
            let at = |row: *mut f64| row.add(c + 1).cast_const();
            let [g, h, g2, h2] = dots(simd, length, [at(w_row(p)), at(v_row(p)), at(w_row(q)), at(v_row(q))], v);
            let lines = [at(v_row(p)), at(w_row(p)), at(v_row(q)), at(w_row(q))];
            add(simd, length, [-g, -h, -second * g2, -second * h2], lines, wc);
        }
        for i in 0..length {
            *wc.add(i) *= scale;
        }
        add(simd, length, [-0.5 * scale * dot(simd, length, wc, v)], [v.cast_const()], wc);
    }
}

/// w := A v for a symmetric matrix of which the lower triangle is read, four rows at a time, each entry used twice.
#[inline(always)]
unsafe fn multiply_symmetric<S: Simd>(simd: S, n: usize, a: *const f64, stride: usize, v: *const f64, w: *mut f64) {
    unsafe {
        from_raw_parts_mut(w, n).fill(0.0);
        for i in (0..n).step_by(4) {
            let count = 4.min(n - i);
            if count == 4 {
                let line = [0, 1, 2, 3].map(|r| a.add((i + r) * stride));
                let factor = [0, 1, 2, 3].map(|r| simd.splat_f64s(*v.add(i + r)));
                let mut sums = [simd.splat_f64s(0.0); 4];
                let mut j = 0;
                while j + S::F64_LANES <= i {
                    let x = load(simd, v.add(j));
                    let mut y = load(simd, w.add(j));
                    for r in 0..4 {
                        let entry = load(simd, line[r].add(j));
                        sums[r] = simd.mul_add_f64s(entry, x, sums[r]);
                        y = simd.mul_add_f64s(entry, factor[r], y);
                    }
                    store(simd, w.add(j), y);
                    j += S::F64_LANES;
                }
                if j < i {
                    let x = load_part(simd, v.add(j), i - j);
                    let mut y = load_part(simd, w.add(j), i - j);
                    for r in 0..4 {
                        let entry = load_part(simd, line[r].add(j), i - j);
                        sums[r] = simd.mul_add_f64s(entry, x, sums[r]);
                        y = simd.mul_add_f64s(entry, factor[r], y);
                    }
                    store_part(simd, w.add(j), i - j, y);
                }
                for r in 0..4 {
                    *w.add(i + r) += simd.reduce_sum_f64s(sums[r]);
                }
            }
            // The corner on the diagonal, or the last rows from their beginning
            let from = if count == 4 { i } else { 0 };
            for r in i..i + count {
                let (row, vr) = (a.add(r * stride), *v.add(r));
                let mut sum = *row.add(r) * vr;
                for c in from..r {
                    sum += *row.add(c) * *v.add(c);
                    *w.add(c) += *row.add(c) * vr;
                }
                *w.add(r) += sum;
            }
        }
    }
}

/// B := Q B, or Qᵀ B, with the reflectors in the rows of `u`. Safety: n² numbers at u, n at tau, n m at b.
pub unsafe fn apply_reflectors(n: usize, m: usize, u: *const f64, tau: *const f64, b: *mut f64, transposed: bool) {
    let count = n.saturating_sub(2);
    if count == 0 || m == 0 {
        return;
    }
    if m == 1 {
        return Arch::new().dispatch(OneColumn { n, u, tau, b, transposed });
    }
    let mut factor = vec![0.0; BLOCK * BLOCK];
    let mut products = vec![0.0; BLOCK * BLOCK];
    let mut scratch = vec![0.0; 2 * BLOCK * m];
    let (w1, w2) = scratch.split_at_mut(BLOCK * m);
    let blocks = count.div_ceil(BLOCK);
    for step in 0..blocks {
        let first = (if transposed { step } else { blocks - 1 - step }) * BLOCK;
        let size = BLOCK.min(count - first);
        let length = n - first - 1;
        unsafe {
            let v = rows(u.add(first * n + first + 1), size, length, n);
            product(rows_mut(products.as_mut_ptr(), size, size, size), 0.0, v, v.transpose(), 1.0);
            factor.fill(0.0);
            for j in 0..size {
                let scale = *tau.add(first + j);
                for i in 0..j {
                    let sum: f64 = (i..j).map(|l| factor[i * size + l] * products[l * size + j]).sum();
                    factor[i * size + j] = -scale * sum;
                }
                factor[j * size + j] = scale;
            }
            let part = rows_mut(b.add((first + 1) * m), length, m, m);
            let (w1, w2) = (w1.as_mut_ptr(), w2.as_mut_ptr());
            let t = rows(factor.as_ptr(), size, size, size);
            product(rows_mut(w1, size, m, m), 0.0, v, part.as_ref(), 1.0);
            product(rows_mut(w2, size, m, m), 0.0, if transposed { t.transpose() } else { t }, rows(w1, size, m, m), 1.0);
            product(part, 1.0, v.transpose(), rows(w2, size, m, m), -1.0);
        }
    }
}

struct OneColumn {
    n: usize,
    u: *const f64,
    tau: *const f64,
    b: *mut f64,
    transposed: bool,
}

impl WithSimd for OneColumn {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { n, u, tau, b, transposed } = self;
        for step in 0..n - 2 {
            let k = if transposed { step } else { n - 3 - step };
            unsafe {
                let (v, x, length) = (u.add(k * n + k + 1), b.add(k + 1), n - k - 1);
                add(simd, length, [-*tau.add(k) * dot(simd, length, v, x)], [v], x);
            }
        }
    }
}
