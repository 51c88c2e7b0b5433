import { zeros, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import type { StackedFeatures } from "./site-geometry.js";

/** K_ij(μν) for all pairs of sites as one matrix: row i·S + j holds the rows × columns numbers of the pair (i, j). */
export interface SiteKernels {
  readonly sites: number;
  readonly rows: number;
  readonly columns: number;
  readonly stacked: Matrix;
}

/** Stacks the kernels of a mixing law (one per pair of sites). Copies: 8 S² P P' bytes. */
export function stackSiteKernels(kernels: readonly Matrix[], sites: number): SiteKernels {
  const [rows, columns] = kernels[0]!.shape;
  const stacked = zeros(sites * sites, rows * columns);
  kernels.forEach((kernel, pair) => stacked.data.set(kernel.data, pair * rows * columns));
  return { sites, rows, columns, stacked };
}

/** Rows (a, b), columns (i, j) of a matrix over (output, site) pairs. */
function byPairs(m: Matrix, outputs: number, sites: number): Matrix {
  const d = outputs * sites;
  const out = zeros(outputs * outputs, sites * sites);
  for (let a = 0; a < outputs; a++) {
    for (let b = 0; b < outputs; b++) {
      for (let i = 0; i < sites; i++)
        for (let j = 0; j < sites; j++)
          out.data[(a * outputs + b) * sites * sites + i * sites + j] = m.data[(a * sites + i) * d + b * sites + j]!;
    }
  }
  return out;
}

/**
 * cov(f_a(μ), f_b(ν)) = Σ_ij M_(ai)(bj) K_ij(μν): (D P) × (D P'), output index first. Cost: 2 D² S² P P' flops, from features D² (S² P F +
 * S P² F).
 */
export function siteCovariance(source: SiteKernels | StackedFeatures, outputs: number, mixing: Matrix): Matrix {
  if ("width" in source) return featureCovariance(source, outputs, mixing);
  const { sites, rows, columns, stacked } = source;
  const blocks = multiply(byPairs(mixing, outputs, sites), stacked);
  if (outputs === 1) return { data: blocks.data, shape: [rows, columns] };
  const out = zeros(outputs * rows, outputs * columns);
  for (let a = 0; a < outputs; a++) {
    for (let b = 0; b < outputs; b++) {
      for (let mu = 0; mu < rows; mu++) {
        const from = ((a * outputs + b) * rows + mu) * columns;
        out.data.set(blocks.data.subarray(from, from + columns), (a * rows + mu) * outputs * columns + b * columns);
      }
    }
  }
  return out;
}

/** Adjoint of `siteCovariance` for a symmetric H over (output, point): G_(ai)(bj) = Σ_μν H_(aμ)(bν) K_ij(μν), symmetrised. O(D²S²P²). */
export function siteCovarianceAdjoint(source: SiteKernels | StackedFeatures, outputs: number, h: Matrix): Matrix {
  if ("width" in source) return featureCovarianceAdjoint(source, outputs, h);
  const { sites, rows, columns, stacked } = source;
  const blocks = zeros(outputs * outputs, rows * columns);
  for (let a = 0; a < outputs; a++) {
    for (let b = 0; b < outputs; b++) {
      for (let mu = 0; mu < rows; mu++) {
        const from = (a * rows + mu) * outputs * columns + b * columns;
        blocks.data.set(h.data.subarray(from, from + columns), ((a * outputs + b) * rows + mu) * columns);
      }
    }
  }
  const g = multiplyTransposedRight(blocks, stacked);
  const d = outputs * sites;
  const out = zeros(d, d);
  for (let a = 0; a < outputs; a++) {
    for (let b = 0; b < outputs; b++) {
      for (let i = 0; i < sites; i++) {
        for (let j = 0; j < sites; j++) {
          const half = 0.5 * g.data[(a * outputs + b) * sites * sites + i * sites + j]!;
          out.data[(a * sites + i) * d + b * sites + j]! += half;
          out.data[(b * sites + j) * d + a * sites + i]! += half;
        }
      }
    }
  }
  return out;
}

/** outer × (middle·width) from middle × (outer·width), or back: swaps sites and points, keeps features together. */
function swapOuter(m: Matrix, outer: number, width: number): Matrix {
  const middle = m.shape[0];
  const out = zeros(outer, middle * width);
  for (let i = 0; i < middle; i++) {
    for (let j = 0; j < outer; j++)
      out.data.set(m.data.subarray((i * outer + j) * width, (i * outer + j + 1) * width), (j * middle + i) * width);
  }
  return out;
}

/** Block (a, b) of a square matrix over (output, inner index). */
function outputBlockOf(m: Matrix, a: number, b: number, inner: number): Matrix {
  const n = m.shape[1];
  const out = zeros(inner, inner);
  for (let i = 0; i < inner; i++)
    out.data.set(m.data.subarray((a * inner + i) * n + b * inner, (a * inner + i) * n + (b + 1) * inner), i * inner);
  return out;
}

/** Puts a block at (a, b) and its transpose at (b, a); halves of both where they are the same block. */
function placeBlock(into: Matrix, block: Matrix, a: number, b: number): void {
  const [inner] = block.shape;
  const n = into.shape[1];
  for (let i = 0; i < inner; i++) {
    for (let j = 0; j < inner; j++) {
      const value = a === b ? 0.5 * (block.data[i * inner + j]! + block.data[j * inner + i]!) : block.data[i * inner + j]!;
      into.data[(a * inner + i) * n + b * inner + j] = value;
      into.data[(b * inner + j) * n + a * inner + i] = value;
    }
  }
}

/** Σ_ab = Σ_r Φ_r Y_rᵀ with Y_r = Σ_s M_(ar)(bs) Φ_s. */
function featureCovariance({ points, width, stacked }: StackedFeatures, outputs: number, mixing: Matrix): Matrix {
  const sites = stacked.shape[0];
  const byPoint = swapOuter(stacked, points, width);
  const out = zeros(outputs * points, outputs * points);
  for (let a = 0; a < outputs; a++) {
    for (let b = a; b < outputs; b++) {
      const mixed = multiply(outputBlockOf(mixing, a, b, sites), stacked);
      placeBlock(out, multiplyTransposedRight(byPoint, swapOuter(mixed, points, width)), a, b);
    }
  }
  return out;
}

/** G_(ar)(bs) = Σ_μ Φ_r(μ)·Z_s(μ) with Z_s = H_ab Φ_s. */
function featureCovarianceAdjoint({ points, width, stacked }: StackedFeatures, outputs: number, h: Matrix): Matrix {
  const sites = stacked.shape[0];
  const byPoint = swapOuter(stacked, points, width);
  const out = zeros(outputs * sites, outputs * sites);
  for (let a = 0; a < outputs; a++) {
    for (let b = a; b < outputs; b++) {
      const image = multiply(outputBlockOf(h, a, b, points), byPoint);
      placeBlock(out, multiplyTransposedRight(stacked, swapOuter(image, sites, width)), a, b);
    }
  }
  return out;
}
