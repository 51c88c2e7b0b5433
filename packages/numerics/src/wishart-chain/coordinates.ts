import { zeros, type Matrix, type RandomStream } from "@finitewidth/core";
import { logGamma } from "../special/gamma.js";
import type { ChainLayerLayout, ChainLayout } from "./layout.js";

/** δ(x), log dδ/dx and d(log dδ/dx)/dx of the signed-root deviance. */
export interface SignedRoot {
  readonly delta: number;
  readonly logSlope: number;
  readonly logSlopeDerivative: number;
}

/**
 * Inverts the signed-root deviance of log χ_ν at its mode: δ with ν(e^{2δ} − 1 − 2δ) = x², sign δ = sign x. Under the prior e^δ √ν ~ χ_ν
 * the coordinate x is nearly N(0, 1) with Gaussian tails on both sides. Newton's method in y = x/√(2ν), series for |y| < 1e-3.
 * Source: docs/theories/exact.md, "Several outputs".
 */
export function signedRoot(x: number, degrees: number): SignedRoot {
  const scale = Math.sqrt(2 * degrees);
  const y = x / scale;
  if (Math.abs(y) < 1e-3) {
    return {
      delta: y * (1 + y * (-1 / 3 + y * (1 / 9 + y * (-4 / 135 + y / 270)))),
      logSlope: Math.log1p(y * (-2 / 3 + y * (1 / 3 + y * (-16 / 135 + y / 54)))) - Math.log(scale),
      logSlopeDerivative: (-2 / 3 + y * (2 / 9 + y * (2 / 135 - (28 * y) / 405))) / scale,
    };
  }
  const square = 2 * y * y;
  let delta = y > 0 ? 0.5 * Math.log1p(2 * y + square) : y > -1 ? y - (y * y) / 3 : -(y * y + 0.5) + 0.5 * Math.exp(-square - 1);
  for (let step = 0; step < 8; step++) {
    const e = Math.expm1(2 * delta);
    const change = (e - 2 * delta - square) / (2 * e);
    delta -= change;
    // quadratic convergence: what is left is the square of the change
    if (Math.abs(change) <= 1e-9 * Math.abs(delta)) break;
  }
  const e = Math.expm1(2 * delta);
  const slope = (2 * y) / (e * scale);
  return { delta, logSlope: Math.log(slope), logSlopeDerivative: 1 / (y * scale) - (2 * (e + 1) * slope) / e };
}

/** Matrices Z_1 … Z_L of a point in coordinate space. */
export interface CoordinateFactors {
  readonly z: readonly Matrix[];
  /** Of the diagonal coordinates: an entry for each coordinate, others empty. */
  readonly roots: readonly SignedRoot[];
}

/**
 * Calls `diagonal(coordinate, i, ν)` and `normal(coordinate, i, j)` for the coordinates of layer l in their order; `i` and `j` are row and
 * column in Z_l, the diagonal of the trapezoidal part at (i, shift + i).
 */
function eachCoordinate(
  { offset, bartlett, size, shift, layer }: ChainLayerLayout,
  diagonal: (at: number, i: number, degrees: number) => void,
  normal: (at: number, i: number, j: number) => void,
): void {
  for (let i = 0; i < bartlett; i++) diagonal(offset + i, i, layer.width - shift - i);
  let at = offset + bartlett;
  for (let j = 0; j < bartlett; j++) for (let i = j + 1; i < size; i++) normal(at++, i, shift + j);
  for (let i = 0; i < size; i++) for (let j = 0; j < shift; j++) normal(at++, i, j);
}

/** Columns of Z_l. */
const columnsOf = ({ shift, bartlett }: ChainLayerLayout): number => shift + bartlett;

/**
 * Coordinates to factors: signed-root deviances of the diagonals, Z_ii = √(ν/N) e^δ with ν = N − i (i from 0; less the units of a skip),
 * and standard normals elsewhere, Z_ij = x/√N. Layer L comes first; within a layer the diagonals, then below them column by column, then
 * the columns along the units of a skip, row by row.
 */
export function coordinatesToFactors(layout: ChainLayout, x: Float64Array): CoordinateFactors {
  const roots: SignedRoot[] = [];
  const z = layout.layers.map((here) => {
    const columns = columnsOf(here);
    const { width } = here.layer;
    const out = zeros(here.size, columns);
    eachCoordinate(
      here,
      (at, i, degrees) => {
        roots[at] = signedRoot(x[at]!, degrees);
        out.data[i * columns + here.shift + i] = Math.sqrt(degrees / width) * Math.exp(roots[at].delta);
      },
      (at, i, j) => {
        out.data[i * columns + j] = x[at]! / Math.sqrt(width);
      },
    );
    return out;
  });
  return { z, roots };
}

/** Chain rule of `coordinatesToFactors`: adds to `gradient` what gradients with respect to Z_1 … Z_L mean for the coordinates. */
export function addCoordinateGradient(
  layout: ChainLayout,
  factors: CoordinateFactors,
  zGradients: readonly Matrix[],
  gradient: Float64Array,
): void {
  layout.layers.forEach((here, l) => {
    const columns = columnsOf(here);
    const zBar = zGradients[l]!.data;
    const z = factors.z[l]!.data;
    eachCoordinate(
      here,
      (at, i) => {
        const k = i * columns + here.shift + i;
        gradient[at]! += zBar[k]! * z[k]! * Math.exp(factors.roots[at]!.logSlope);
      },
      (at, i, j) => {
        gradient[at]! += zBar[i * columns + j]! / Math.sqrt(here.layer.width);
      },
    );
  });
}

const logTwoPi = Math.log(2 * Math.PI);
const normalisers = new Map<number, number>();

/** Of log χ_ν in units of its mode: log 2 + (ν/2) log(ν/2) − ν/2 − log Γ(ν/2). */
function logNormaliser(degrees: number): number {
  const half = degrees / 2;
  const value = normalisers.get(degrees) ?? Math.log(2) + half * Math.log(half) - half - logGamma(half);
  normalisers.set(degrees, value);
  return value;
}

/** Normalised log prior density of the coordinates of which `coordinatesToFactors` has found the roots; adds its gradient to `gradient`. */
export function coordinateLogPrior(
  layout: ChainLayout,
  x: Float64Array,
  { roots }: Pick<CoordinateFactors, "roots">,
  gradient?: Float64Array,
): number {
  let value = 0;
  for (const here of layout.layers) {
    eachCoordinate(
      here,
      (at, _i, degrees) => {
        const { logSlope, logSlopeDerivative } = roots[at]!;
        value += logNormaliser(degrees) - 0.5 * x[at]! ** 2 + logSlope;
        if (gradient) gradient[at]! += logSlopeDerivative - x[at]!;
      },
      (at) => {
        value -= 0.5 * (x[at]! ** 2 + logTwoPi);
        if (gradient) gradient[at]! -= x[at]!;
      },
    );
  }
  return value;
}

/** One draw of the coordinates from the prior, written into `out`. */
export function sampleCoordinates(layout: ChainLayout, stream: RandomStream, out: Float64Array): void {
  for (const here of layout.layers) {
    eachCoordinate(
      here,
      (at, _i, degrees) => {
        const square = (2 * stream.gamma(degrees / 2)) / degrees;
        const delta = 0.5 * Math.log(square);
        out[at] = Math.sign(delta) * Math.sqrt(Math.max(degrees * (square - 1 - 2 * delta), 0));
      },
      (at) => {
        out[at] = stream.normal();
      },
    );
  }
}
