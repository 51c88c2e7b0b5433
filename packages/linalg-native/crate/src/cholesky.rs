use crate::products::{lower_product, mirror_lower, mirror_upper, rows, rows_mut};
use crate::vectors::{add, dot};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltError, LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, Par, Spec};
use pulp::{Arch, Simd, WithSimd};

/// Up to this size the factor is found by columns.
const SMALL: usize = 512;

/// Out := L with A = L Lᵀ, lower triangle read, zeros above the diagonal; `out` may be A. The first pivot that is not positive and finite, if
/// any; then it stands in its place on the diagonal of `out` and the rest is undefined. Safety: n² numbers at each.
pub unsafe fn cholesky(n: usize, a: *const f64, out: *mut f64) -> Option<usize> {
    unsafe {
        for i in 0..n {
            if !std::ptr::eq(a, out) {
                std::ptr::copy(a.add(i * n), out.add(i * n), i + 1);
            }
        }
        let failed = factor(n, out, n);
        if failed.is_none() {
            for i in 0..n {
                std::slice::from_raw_parts_mut(out.add(i * n + i + 1), n - i - 1).fill(0.0);
            }
        }
        failed
    }
}

/// The same in place, without the zeros, rows `stride` apart: L₁₁ of the first half, L₂₁ = A₂₁ L₁₁⁻ᵀ, then that of A₂₂ − L₂₁ L₂₁ᵀ.
unsafe fn factor(n: usize, a: *mut f64, stride: usize) -> Option<usize> {
    if n <= SMALL {
        return unsafe { factor_small(n, a, stride) };
    }
    let half = (n / 2).next_multiple_of(32);
    let (below, last) = unsafe { (a.add(half * stride), a.add(half * stride + half)) };
    unsafe { factor(half, a, stride) }.or_else(|| unsafe {
        solve_lower_triangular_in_place(rows(a, half, half, stride), rows_mut(below, n - half, half, stride).transpose_mut(), Par::Seq);
        let l = rows(below, n - half, half, stride);
        lower_product(rows_mut(last, n - half, n - half, stride), true, l, l.transpose(), -1.0);
        factor(n - half, last, stride).map(|pivot| half + pivot)
    })
}

/// The same by columns, which is faster, so much so for small matrices that the mirror images pay; and A stays below the diagonal meanwhile.
unsafe fn factor_small(n: usize, a: *mut f64, stride: usize) -> Option<usize> {
    if n == 0 {
        return None;
    }
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, Spec::default()));
    unsafe { mirror_lower(n, a, stride) };
    let at = |i: usize, j: usize| unsafe { a.add(i * stride + j) };
    let diagonal: Vec<f64> = (0..n).map(|i| unsafe { *at(i, i) }).collect();
    let columns = unsafe { rows_mut(a, n, n, stride) }.transpose_mut();
    let outcome = cholesky_in_place(columns, LltRegularization::default(), Par::Seq, MemStack::new(&mut memory), Spec::default());
    let failed = match outcome {
        Err(LltError::NonPositivePivot { index }) => Some(index),
        Ok(_) => (0..n).find(|&i| unsafe { !(*at(i, i)).is_finite() }),
    };
    if let Some(index) = failed {
        // Column `index` of what has been factored is row `index` of L.
        let squares: f64 = (0..index).map(|j| unsafe { (*at(j, index)).powi(2) }).sum();
        unsafe { *at(index, index) = diagonal[index] - squares };
        return failed;
    }
    unsafe { mirror_upper(n, a, stride) };
    None
}

/// Out := (L Lᵀ)⁻¹, symmetric; `out` may be L. Safety: n² numbers at each.
pub unsafe fn inverse(n: usize, l: *const f64, out: *mut f64) {
    let mut scratch = vec![0.0; n * n];
    unsafe {
        invert_lower_triangular(rows_mut(scratch.as_mut_ptr(), n, n, n), rows(l, n, n, n), Par::Seq);
        let root = rows(scratch.as_ptr(), n, n, n);
        let (lower, upper) = (BlockStructure::TriangularLower, BlockStructure::TriangularUpper);
        matmul(rows_mut(out, n, n, n), lower, Accum::Replace, root.transpose(), upper, root, lower, 1.0, Par::Seq);
        mirror_lower(n, out, n);
    }
}

/// B := L⁻¹ B, or L⁻ᵀ B. Safety: n² numbers at l, n m at b, which do not overlap.
pub unsafe fn solve_triangular(n: usize, m: usize, l: *const f64, b: *mut f64, transposed: bool) {
    if m == 1 {
        return Arch::new().dispatch(Substitution { n, l, b, transposed });
    }
    let (factor, right) = unsafe { (rows(l, n, n, n), rows_mut(b, n, m, m)) };
    if transposed {
        solve_upper_triangular_in_place(factor.transpose(), right, Par::Seq);
    } else {
        solve_lower_triangular_in_place(factor, right, Par::Seq);
    }
}

/// One right-hand side, along the rows of L in both directions.
struct Substitution {
    n: usize,
    l: *const f64,
    b: *mut f64,
    transposed: bool,
}

impl WithSimd for Substitution {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { n, l, b, transposed } = self;
        for step in 0..n {
            let i = if transposed { n - 1 - step } else { step };
            unsafe {
                let (row, x) = (l.add(i * n), b.add(i));
                if transposed {
                    *x /= *row.add(i);
                    add(simd, i, [-*x], [row], b);
                } else {
                    *x = (*x - dot(simd, i, row, b)) / *row.add(i);
                }
            }
        }
    }
}
