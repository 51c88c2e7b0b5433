import { zeros, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedRight } from "@finitewidth/linalg";

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
      for (let i = 0; i < sites; i++) for (let j = 0; j < sites; j++) out.data[(a * outputs + b) * sites * sites + i * sites + j] = m.data[(a * sites + i) * d + b * sites + j]!;
    }
  }
  return out;
}

/** cov(f_a(μ), f_b(ν)) = Σ_ij M_(ai)(bj) K_ij(μν): (D P) × (D P'), output index first. Cost: 2 D² S² P P' flops. */
export function siteCovariance({ sites, rows, columns, stacked }: SiteKernels, outputs: number, mixing: Matrix): Matrix {
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

/** Adjoint of `siteCovariance` for a symmetric H over (output, point): G_(ai)(bj) = Σ_μν H_(aμ)(bν) K_ij(μν), symmetrised. */
export function siteCovarianceAdjoint({ sites, rows, columns, stacked }: SiteKernels, outputs: number, h: Matrix): Matrix {
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
