use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, MatMut, MatRef, Par};

/// Row-major matrix at `a`. Safety: rows × columns numbers, of which nobody writes any while the view lives.
pub unsafe fn rows<'a>(a: *const f64, rows: usize, columns: usize, stride: usize) -> MatRef<'a, f64> {
    unsafe { MatRef::from_raw_parts(a, rows, columns, stride as isize, 1) }
}

/// Row-major matrix at `a` to be written. Safety: as `rows`, and nobody else reads it.
pub unsafe fn rows_mut<'a>(a: *mut f64, rows: usize, columns: usize, stride: usize) -> MatMut<'a, f64> {
    unsafe { MatMut::from_raw_parts_mut(a, rows, columns, stride as isize, 1) }
}

/// C := β C + α A B; with β = 0 what C held does not matter, NaN included.
pub fn product(mut c: MatMut<'_, f64>, beta: f64, a: MatRef<'_, f64>, b: MatRef<'_, f64>, alpha: f64) {
    if beta != 0.0 && beta != 1.0 {
        for i in 0..c.nrows() {
            for j in 0..c.ncols() {
                c[(i, j)] *= beta;
            }
        }
    }
    if a.ncols() == 0 {
        if beta == 0.0 {
            c.fill(0.0);
        }
        return;
    }
    matmul(c, if beta == 0.0 { Accum::Replace } else { Accum::Add }, a, b, alpha, Par::Seq);
}

/// Lower triangle of C := C + α A B, or of α A B.
pub fn lower_product(mut c: MatMut<'_, f64>, accumulate: bool, a: MatRef<'_, f64>, b: MatRef<'_, f64>, alpha: f64) {
    if a.ncols() == 0 {
        if !accumulate {
            c.fill(0.0);
        }
        return;
    }
    let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    let into = if accumulate { Accum::Add } else { Accum::Replace };
    triangular::matmul(c, lower, into, a, full, b, full, alpha, Par::Seq);
}

const BLOCK: usize = 16;

/// Above the diagonal: the mirror image of what is below, in blocks that stay in the first-level cache; rows `stride` apart. Safety: n rows.
pub unsafe fn mirror_lower(n: usize, a: *mut f64, stride: usize) {
    for ib in (0..n).step_by(BLOCK) {
        for jb in (0..=ib).step_by(BLOCK) {
            for i in ib..n.min(ib + BLOCK) {
                for j in jb..i.min(jb + BLOCK) {
                    unsafe { *a.add(j * stride + i) = *a.add(i * stride + j) };
                }
            }
        }
    }
}

/// Below the diagonal: the mirror image of what is above. Safety: n rows.
pub unsafe fn mirror_upper(n: usize, a: *mut f64, stride: usize) {
    for ib in (0..n).step_by(BLOCK) {
        for jb in (0..=ib).step_by(BLOCK) {
            for i in ib..n.min(ib + BLOCK) {
                for j in jb..i.min(jb + BLOCK) {
                    unsafe { *a.add(i * stride + j) = *a.add(j * stride + i) };
                }
            }
        }
    }
}
