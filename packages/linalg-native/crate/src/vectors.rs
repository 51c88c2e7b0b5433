//! Short vector loops for whatever instructions the processor has. Safety of all: n numbers at each address.
use pulp::Simd;

use std::slice::{from_raw_parts, from_raw_parts_mut};

#[inline(always)]
pub unsafe fn load<S: Simd>(_: S, x: *const f64) -> S::f64s {
    unsafe { x.cast::<S::f64s>().read_unaligned() }
}

#[inline(always)]
pub unsafe fn store<S: Simd>(_: S, x: *mut f64, value: S::f64s) {
    unsafe { x.cast::<S::f64s>().write_unaligned(value) }
}

/// Fewer numbers than a register holds, zeros after them.
#[inline(always)]
pub unsafe fn load_part<S: Simd>(simd: S, x: *const f64, count: usize) -> S::f64s {
    unsafe { simd.partial_load_f64s(from_raw_parts(x, count)) }
}

#[inline(always)]
pub unsafe fn store_part<S: Simd>(simd: S, x: *mut f64, count: usize, value: S::f64s) {
    unsafe { simd.partial_store_f64s(from_raw_parts_mut(x, count), value) }
}

/// Σ x y.
#[inline(always)]
pub unsafe fn dot<S: Simd>(simd: S, n: usize, x: *const f64, y: *const f64) -> f64 {
    let lanes = S::F64_LANES;
    let mut sums = [simd.splat_f64s(0.0); 4];
    let mut i = 0;
    unsafe {
        while i + 4 * lanes <= n {
            for (part, sum) in sums.iter_mut().enumerate() {
                let at = i + part * lanes;
                *sum = simd.mul_add_f64s(load(simd, x.add(at)), load(simd, y.add(at)), *sum);
            }
            i += 4 * lanes;
        }
        while i + lanes <= n {
            sums[0] = simd.mul_add_f64s(load(simd, x.add(i)), load(simd, y.add(i)), sums[0]);
            i += lanes;
        }
        if i < n {
            sums[1] = simd.mul_add_f64s(load_part(simd, x.add(i), n - i), load_part(simd, y.add(i), n - i), sums[1]);
        }
    }
    simd.reduce_sum_f64s(simd.add_f64s(simd.add_f64s(sums[0], sums[1]), simd.add_f64s(sums[2], sums[3])))
}

/// Σ x_k y for four vectors x_k at once.
#[inline(always)]
pub unsafe fn dots<S: Simd>(simd: S, n: usize, x: [*const f64; 4], y: *const f64) -> [f64; 4] {
    let mut sums = [simd.splat_f64s(0.0); 4];
    let mut i = 0;
    unsafe {
        while i + S::F64_LANES <= n {
            let value = load(simd, y.add(i));
            for (sum, xk) in sums.iter_mut().zip(x) {
                *sum = simd.mul_add_f64s(load(simd, xk.add(i)), value, *sum);
            }
            i += S::F64_LANES;
        }
        if i < n {
            let value = load_part(simd, y.add(i), n - i);
            for (sum, xk) in sums.iter_mut().zip(x) {
                *sum = simd.mul_add_f64s(load_part(simd, xk.add(i), n - i), value, *sum);
            }
        }
    }
    sums.map(|sum| simd.reduce_sum_f64s(sum))
}

/// y += Σ α_k x_k for a few vectors x_k at once.
#[inline(always)]
pub unsafe fn add<S: Simd, const K: usize>(simd: S, n: usize, alpha: [f64; K], x: [*const f64; K], y: *mut f64) {
    let factors = alpha.map(|factor| simd.splat_f64s(factor));
    let mut i = 0;
    unsafe {
        while i + S::F64_LANES <= n {
            let mut value = load(simd, y.add(i));
            for (factor, xk) in factors.into_iter().zip(x) {
                value = simd.mul_add_f64s(factor, load(simd, xk.add(i)), value);
            }
            store(simd, y.add(i), value);
            i += S::F64_LANES;
        }
        if i < n {
            let mut value = load_part(simd, y.add(i), n - i);
            for (factor, xk) in factors.into_iter().zip(x) {
                value = simd.mul_add_f64s(factor, load_part(simd, xk.add(i), n - i), value);
            }
            store_part(simd, y.add(i), n - i, value);
        }
    }
}
