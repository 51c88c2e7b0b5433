import { columnVector, zeros, type Matrix } from "@finitewidth/core";
import { dot, identity } from "@finitewidth/linalg";
import type { ConvolutionChain } from "../chain.js";
import { keepLive } from "../live-sites.js";
import type { ConvolutionGeometry } from "./geometry.js";
import { requireMemory } from "./memory.js";
import type { TapTable } from "./taps.js";

/** Orthonormal bases of the site subspaces that the outputs can see, and the taps between them. */
export interface SiteSubspaces {
  /** U_l: S_l × ρ_l, layers 1 … L. */
  readonly bases: readonly Matrix[];
  /** t_m = U_lᵀ P_m U_{l+1} (ρ_l × ρ_{l+1}) for l = 1 … L − 1. */
  readonly taps: readonly (readonly Matrix[])[];
}

/** P_m U: row k is the sum of the rows i of U with τ(i, m) = k. */
function applyTapMatrix(table: TapTable, tap: number, basis: Matrix): Matrix {
  const columns = basis.shape[1];
  const out = zeros(table.inputSites, columns);
  for (let i = 0; i < table.outputSites; i++) {
    const at = table.taps[i * table.tapCount + tap]!;
    if (at < 0) continue;
    for (let c = 0; c < columns; c++) out.data[at * columns + c]! += basis.data[i * columns + c]!;
  }
  return out;
}

/** Uᵀ B, skipping the zeros of which most bases consist. */
function project(basis: Matrix, block: Matrix): Matrix {
  const [sites, rank] = basis.shape;
  const columns = block.shape[1];
  const out = zeros(rank, columns);
  for (let i = 0; i < sites; i++) {
    for (let r = 0; r < rank; r++) {
      const weight = basis.data[i * rank + r]!;
      if (weight === 0) continue;
      for (let c = 0; c < columns; c++) out.data[r * columns + c]! += weight * block.data[i * columns + c]!;
    }
  }
  return out;
}

/**
 * U_L = I for `flatten` and 1/√S_L for `global-average`; U_{l−1} is an orthonormal basis of the span of the P_m U_l, each over the sites
 * that something reaches (`live`, layers 1 … L). In these bases every mixing matrix is positive definite: pooled directions, sites that
 * nothing reads and sites that see nothing but padding are gone.
 * @throws FinitewidthError (code "memory"). Theory: docs/theories/convolution.md §4. O(Σ_l |m| S_l ρ_l ρ_{l+1}).
 */
export function siteSubspaces(
  geometry: ConvolutionGeometry,
  readout: ConvolutionChain["readout"],
  live: readonly Uint8Array[] = geometry.layers.map(({ outputSites }) => new Uint8Array(outputSites).fill(1)),
): SiteSubspaces {
  const top = geometry.layers.at(-1)!.outputSites;
  if (readout === "flatten")
    requireMemory(8 * top * top, "the basis of the readout's sites", "use larger strides, fewer sites or a pooled readout");
  let basis =
    readout === "flatten"
      ? orthonormalBasis([keepLive(identity(top), live.at(-1)!)])
      : columnVector(new Float64Array(top).fill(1 / Math.sqrt(top)));
  const bases = [basis];
  const taps: Matrix[][] = [];
  for (const [l, table] of [...geometry.layers.entries()].slice(1).toReversed()) {
    requireMemory(
      16 * table.tapCount * table.inputSites * basis.shape[1],
      "the site subspaces",
      "use larger strides, fewer sites or fewer taps",
    );
    const moved = Array.from({ length: table.tapCount }, (_, m) => keepLive(applyTapMatrix(table, m, basis), live[l - 1]!));
    basis = orthonormalBasis(moved);
    const below = basis;
    taps.unshift(moved.map((block) => project(below, block)));
    bases.unshift(basis);
  }
  return { bases, taps };
}

/** Directions whose part outside the span found so far is below this fraction of the largest column count as inside. */
const cut = 1e-10;

/**
 * Orthonormal basis of the span of all columns; coordinate vectors where the columns are multiples of such, the identity where it is
 * everything.
 */
export function orthonormalBasis(blocks: readonly Matrix[]): Matrix {
  const sites = blocks[0]!.shape[0];
  const columns = blocks.flatMap((block) =>
    Array.from({ length: block.shape[1] }, (_, c) => Float64Array.from({ length: sites }, (__, i) => block.data[i * block.shape[1] + c]!)),
  );
  const visited = coordinateSites(columns);
  const found = visited ? visited.map((site) => unitVector(sites, site)) : pivotedGramSchmidt(columns);
  if (found.length === sites) return identity(sites);
  const basis = zeros(sites, found.length);
  found.forEach((column, c) => column.forEach((value, i) => (basis.data[i * found.length + c] = value)));
  return basis;
}

const unitVector = (size: number, at: number): Float64Array => Float64Array.from({ length: size }, (_, i) => (i === at ? 1 : 0));

/** The sites visited, in order, when every column has at most one entry that is not zero. */
function coordinateSites(columns: readonly Float64Array[]): number[] | undefined {
  const visited = new Set<number>();
  for (const column of columns) {
    const first = column.findIndex((value) => value !== 0);
    if (first < 0) continue;
    if (column.findLastIndex((value) => value !== 0) !== first) return undefined;
    visited.add(first);
  }
  return [...visited].sort((a, b) => a - b);
}

/**
 * Modified Gram–Schmidt, largest remainder first; every new direction is orthogonalised again, which keeps orthogonality at rounding level.
 */
function pivotedGramSchmidt(columns: readonly Float64Array[]): Float64Array[] {
  const rest = columns.map((column) => column.slice());
  const found: Float64Array[] = [];
  let largest = 0;
  while (found.length < (columns[0]?.length ?? 0)) {
    const norms = rest.map((column) => Math.sqrt(dot(column, column)));
    const pivot = norms.reduce((best, norm, c) => (norm > norms[best]! ? c : best), 0);
    largest = Math.max(largest, norms[pivot] ?? 0);
    if (!((norms[pivot] ?? 0) > cut * largest)) break;
    const direction = rest[pivot]!;
    for (const other of found) subtract(direction, other, dot(direction, other));
    const norm = Math.sqrt(dot(direction, direction));
    const unit = direction.map((value) => value / norm);
    found.push(unit);
    rest.splice(pivot, 1);
    for (const column of rest) subtract(column, unit, dot(column, unit));
  }
  return found;
}

function subtract(column: Float64Array, unit: Float64Array, amount: number): void {
  for (let i = 0; i < column.length; i++) column[i]! -= amount * unit[i]!;
}
