//! Dense kernels of @finitewidth/linalg as an add-on of Node: products, factorisations and solves by faer, the tridiagonal form and the maps
//! of our own. Everything works in place on the arrays of the caller, on one thread; the instructions are chosen when the program runs.
mod cholesky;
mod maps;
mod numbers;
mod products;
mod tridiagonal;
mod vectors;

use napi::{Error, Result, Status};
use napi_derive::napi;
use numbers::Numbers;
use products::{lower_product, mirror_lower, product, rows, rows_mut};

// Sizes are at most 2³¹, so that products of two fit.
fn size(value: u32) -> usize {
    value as usize
}

/// Changes whenever the functions below do.
#[napi]
pub fn interface() -> u32 {
    2
}

/// Name of the instructions in use.
#[napi]
pub fn instructions() -> String {
    let name = format!("{:?}", pulp::Arch::new());
    match name.split('(').next() {
        Some("V4") => "avx512".into(),
        Some("V3") => "avx2".into(),
        other => other.unwrap_or_default().to_lowercase(),
    }
}

/// C := β C + α A B, Aᵀ B (transposed 1) or A Bᵀ (2); C m × n, inner size k.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn multiply(m: u32, n: u32, k: u32, alpha: f64, a: Numbers, b: Numbers, beta: f64, c: Numbers, transposed: u32) -> Result<()> {
    let (m, n, k) = (size(m), size(n), size(k));
    let (a, b, c) = (a.at_least(m * k, "a")?, b.at_least(k * n, "b")?, c.fresh(m * n, "c")?);
    unsafe {
        let left = if transposed == 1 { rows(a, k, m, m).transpose() } else { rows(a, m, k, k) };
        let right = if transposed == 2 { rows(b, n, k, k).transpose() } else { rows(b, k, n, n) };
        product(rows_mut(c, m, n, n), beta, left, right, alpha);
    }
    Ok(())
}

/// C := X Xᵀ for X m × k, or Xᵀ X for X k × m: the lower triangle, or all of it.
#[napi(catch_unwind)]
pub fn gram(m: u32, k: u32, x: Numbers, c: Numbers, transposed: bool, whole: bool) -> Result<()> {
    let (m, k) = (size(m), size(k));
    let (x, c) = (x.at_least(m * k, "x")?, c.fresh(m * m, "c")?);
    unsafe {
        let view = if transposed { rows(x, k, m, m).transpose() } else { rows(x, m, k, k) };
        lower_product(rows_mut(c, m, m, m), false, view, view.transpose(), 1.0);
        if whole {
            mirror_lower(m, c, m);
        }
    }
    Ok(())
}

/// Out := L with A = L Lᵀ, lower triangle read; `out` may be A. −1, or the first pivot that is not positive, which then stands in its place
/// on the diagonal of `out`.
#[napi(catch_unwind)]
pub fn cholesky(n: u32, a: Numbers, out: Numbers) -> Result<i32> {
    let n = size(n);
    let (a, out) = (a.at_least(n * n, "a")?, out.fresh(n * n, "out")?);
    Ok(unsafe { cholesky::cholesky(n, a, out) }.map_or(-1, |pivot| pivot as i32))
}

/// Out := (L Lᵀ)⁻¹; `out` may be L.
#[napi(catch_unwind)]
pub fn cholesky_inverse(n: u32, l: Numbers, out: Numbers) -> Result<()> {
    let n = size(n);
    let (l, out) = (l.at_least(n * n, "l")?, out.fresh(n * n, "out")?);
    unsafe { cholesky::inverse(n, l, out) };
    Ok(())
}

/// B := L⁻¹ B, or L⁻ᵀ B; L n × n, B n × m.
#[napi(catch_unwind)]
pub fn solve_triangular(n: u32, m: u32, l: Numbers, b: Numbers, transposed: bool) -> Result<()> {
    let (n, m) = (size(n), size(m));
    let (l, b) = (l.at_least(n * n, "l")?, b.at_least(n * m, "b")?);
    unsafe { cholesky::solve_triangular(n, m, l, b, transposed) };
    Ok(())
}

/// d, e, reflectors and τ with A = Q T Qᵀ, lower triangle of A read; the reflectors may take the place of A.
#[napi(catch_unwind)]
pub fn tridiagonalise(n: u32, a: Numbers, reflectors: Numbers, d: Numbers, e: Numbers, tau: Numbers) -> Result<()> {
    let n = size(n);
    let (a, reflectors, d) = (a.at_least(n * n, "a")?, reflectors.at_least(n * n, "reflectors")?, d.at_least(n, "d")?);
    let (e, tau) = (e.at_least(n.saturating_sub(1), "e")?, tau.at_least(n, "tau")?);
    unsafe {
        let scale = tridiagonal::scaled_lower(n, a, reflectors);
        tridiagonal::tridiagonalise(n, reflectors, d, e, tau);
        for i in 0..n {
            *d.add(i) /= scale;
            if i + 1 < n {
                *e.add(i) /= scale;
            }
        }
    }
    Ok(())
}

/// B := Q B, or Qᵀ B; B n × m.
#[napi(catch_unwind)]
pub fn apply_reflectors(n: u32, m: u32, reflectors: Numbers, tau: Numbers, b: Numbers, transposed: bool) -> Result<()> {
    let (n, m) = (size(n), size(m));
    let (u, tau, b) = (reflectors.at_least(n * n, "reflectors")?, tau.at_least(n, "tau")?, b.at_least(n * m, "b")?);
    unsafe { tridiagonal::apply_reflectors(n, m, u, tau, b, transposed) };
    Ok(())
}

/// x := f(x).
#[napi(catch_unwind)]
pub fn map(kind: u32, x: Numbers) -> Result<()> {
    let known = maps::map(kind, unsafe { x.slice_mut() });
    if known { Ok(()) } else { Err(Error::new(Status::InvalidArg, "kind: unknown")) }
}

/// out := E φ(h_i)φ(h_j), upper triangle of the covariance read; `out` may be it. False when an entry is not finite.
#[napi(catch_unwind)]
pub fn symmetric_kernel(kind: u32, n: u32, covariance: Numbers, out: Numbers) -> Result<bool> {
    let n = size(n);
    let (c, out) = (covariance.at_least(n * n, "covariance")?, out.fresh(n * n, "out")?);
    Ok(unsafe { maps::symmetric_kernel(kind, n, c, out) })
}

/// The same between two sets of preactivations with these variances.
#[napi(catch_unwind)]
pub fn cross_kernel(kind: u32, covariance: Numbers, out: Numbers, rows: Numbers, columns: Numbers) -> Result<bool> {
    let count = rows.len() * columns.len();
    let (c, out) = (covariance.at_least(count, "covariance")?, out.at_least(count, "out")?);
    Ok(unsafe { maps::cross_kernel(kind, c, out, rows.slice(), columns.slice()) })
}
