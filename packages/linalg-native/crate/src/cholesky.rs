use crate::products::{mirror_lower, mirror_upper, rows, rows_mut};
use crate::vectors::{add, dot};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltError, LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Par, Spec};
use pulp::{Arch, Simd, WithSimd};

/// A := L with A = L Lᵀ, lower triangle read, zeros above the diagonal. The first pivot that is not positive and finite, if any; then A is
/// undefined. Safety: n² numbers.
pub unsafe fn cholesky(n: usize, a: *mut f64) -> Option<usize> {
    if n == 0 {
        return None;
    }
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, Spec::default()));
    // By columns it is faster, so much so for small matrices that the mirror images pay.
    unsafe { mirror_lower(n, a) };
    let columns = unsafe { rows_mut(a, n, n, n) }.transpose_mut();
    let outcome = cholesky_in_place(columns, LltRegularization::default(), Par::Seq, MemStack::new(&mut memory), Spec::default());
    if let Err(LltError::NonPositivePivot { index }) = outcome {
        return Some(index);
    }
    unsafe { mirror_upper(n, a) };
    for i in 0..n {
        unsafe {
            if !(*a.add(i * n + i)).is_finite() {
                return Some(i);
            }
            std::slice::from_raw_parts_mut(a.add(i * n + i + 1), n - i - 1).fill(0.0);
        }
    }
    None
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
