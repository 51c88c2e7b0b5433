import { applySlopes } from "@finitewidth/activations";
import { zeros, type Activation, type Matrix } from "@finitewidth/core";
import { addScaled, block, multiply, multiplyTransposedRight, symmetricEigen, symmetricEigenvalues } from "@finitewidth/linalg";
import { fromPairs, pairCount, pairIndex, toPairs } from "../kernel-flow/index-pairs.js";
import { secondOrder } from "../kernel-flow/point-flow.js";
import { crossChange, fieldJet } from "./field-jet.js";
import { meanResponse } from "./mean-response.js";
import { bareColumn, indexPairs } from "./noise.js";
import type { FieldResponse } from "./response.js";
import { fieldOf, pool, streamOf, type Live, type LiveReading, type Variables } from "./variables.js";

/** Derivative at 0 by central differences of fourth order. */
function directional(f: (x: number) => Float64Array, h: number): Float64Array {
  const [p1, m1, p2, m2] = [f(h), f(-h), f(2 * h), f(-2 * h)];
  return p1.map((value, i) => (8 * (value - m1[i]!) - (p2[i]! - m2[i]!)) / (12 * h));
}

/** Derivative at 0 by forward differences of fourth order, of what is known on one side only. */
function forward(f: (x: number) => Float64Array, h: number): Float64Array {
  const [f0, f1, f2, f3, f4] = [f(0), f(h), f(2 * h), f(3 * h), f(4 * h)];
  return f0.map((value, i) => (48 * f1[i]! - 36 * f2[i]! + 16 * f3[i]! - 3 * f4[i]! - 25 * value) / (12 * h));
}

/** Largest step of a difference, relative to the smallest variance. */
const furthest = 2e-3;

/** Of the variances that are not 0, as those of an input of zeros are below the first bias. */
const smallestDiagonal = ({ data, shape: [n] }: Matrix): number => {
  let least = Infinity;
  for (let i = 0; i < n; i++) if (data[i * n + i]! > 0) least = Math.min(least, data[i * n + i]!);
  return least;
};
function largest(...lists: readonly (Float64Array | undefined)[]): number {
  let most = 0;
  for (const list of lists) for (const value of list ?? []) most = Math.max(most, Math.abs(value));
  return most;
}

/** Largest change of a covariance over which it is differenced: small beside the variances, and beside the smallest eigenvalue. */
const reach = (covariance: Matrix): number => Math.min(furthest * smallestDiagonal(covariance), 0.2 * symmetricEigenvalues(covariance)[0]!);

/** Whether steps for which rounding leaves digits would leave the covariances, as at nearly equal inputs. */
const isNearlySingular = (covariance: Matrix): boolean => 0.2 * symmetricEigenvalues(covariance)[0]! < 1e-4 * smallestDiagonal(covariance);

/**
 * Derivative of f at a nearly singular covariance along a symmetric change: quadrature knows f at covariances only, and a change that is
 * none leaves them on one side at least. So the change is split into its positive and its negative part, and f differenced forwards along
 * both.
 */
function splitDerivative(
  { moments }: Activation,
  f: (covariance: Matrix) => Float64Array,
  covariance: Matrix,
  change: Matrix,
): Float64Array {
  const n = covariance.shape[0];
  const { values, vectors } = symmetricEigen(change);
  // closed forms have digits for the small steps that kinks ask for, beyond which lies a power 3/2
  const step = moments.fourPoints === "quadrature" ? 0.25 * furthest : 1e-6;
  const along = (sign: 1 | -1): Float64Array => {
    const part = zeros(n, n);
    for (let k = 0; k < n; k++) {
      const value = Math.max(0, sign * values[k]!);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) part.data[i * n + j]! += value * vectors.data[i * n + k]! * vectors.data[j * n + k]!;
    }
    const at = (e: number): Float64Array => f({ data: covariance.data.map((value, i) => value + e * part.data[i]!), shape: [n, n] });
    const size = largest(part.data);
    return size > 0 ? forward(at, (step * smallestDiagonal(covariance)) / size) : f(covariance).fill(0);
  };
  const [up, down] = [along(1), along(-1)];
  return up.map((value, i) => value - down[i]!);
}

/** Whether two variables of a covariance are one, to rounding. */
function areEqual({ data, shape: [n] }: Matrix, a: number, b: number): boolean {
  const both = data[a * n + b]!;
  return Math.abs(data[a * n + a]! - both) + Math.abs(data[b * n + b]! - both) <= 1e-14 * both;
}

/** [[K, C], [Cᵀ, K′]]. */
function joint(k: Matrix, c: Matrix, other: Matrix): Matrix {
  const [n, m] = c.shape;
  const size = n + m;
  const out = zeros(size, size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++)
      out.data[i * size + j] =
        i < n ? (j < n ? k.data[i * n + j]! : c.data[i * m + j - n]!) : j < n ? c.data[j * m + i - n]! : other.data[(i - n) * m + j - n]!;
  }
  return out;
}

/** ½ Σ_ij Σ_ij ∂_i∂_j of kernel and mean of a field: what the denominators of normalisations add. */
function secondOrderField(variables: Variables, live: Live, sigma: Matrix): { readonly kernel: Matrix; readonly mean: Float64Array } {
  const n = live.kernel.shape[0];
  const kernel = zeros(n, n);
  const mean = new Float64Array(n);
  if (variables.norms.size === 0) return { kernel, mean };
  const { values, vectors } = symmetricEigen(sigma);
  const top = values.at(-1)!;
  for (const [k, value] of values.entries()) {
    if (!(value > 1e-14 * top)) continue;
    const direction = Float64Array.from({ length: variables.size }, (_, i) => vectors.data[i * variables.size + k]!);
    const jet = fieldJet(variables, fieldOf(live), direction);
    addScaled(kernel, jet.second, 0.5 * value);
    for (let a = 0; a < n; a++) mean[a]! += 0.5 * value * jet.meanSecond[a]!;
  }
  return { kernel, mean };
}

/** ½ H:Σ of E φφᵀ for the covariance Σ of the entries of K on pairs. */
function curvatureOfMap(activation: Activation, { data: k, shape: [n] }: Matrix, covariance: Matrix): Matrix {
  const out = zeros(n, n);
  if (activation.linear) return out;
  const m = pairCount(n);
  const at = (a: number, b: number, c: number, d: number): number => covariance.data[pairIndex(n, a, b) * m + pairIndex(n, c, d)]!;
  for (const [a, b] of indexPairs(n)) {
    const [ka, c, kb] = [k[a * n + a]!, k[a * n + b]!, k[b * n + b]!];
    const value =
      a === b
        ? 0.5 * activation.moments.diagonalCurvature(ka) * at(a, a, a, a)
        : secondOrder(activation, ka, c, kb)(
            at(a, b, a, b),
            at(a, a, a, b),
            at(a, b, b, b),
            at(a, a, b, b),
            at(a, a, a, a),
            at(b, b, b, b),
          );
    out.data[a * n + b] = out.data[b * n + a] = value;
  }
  return out;
}

/**
 * A unit that is read at t moves, through its own 1/N of the average there, the law of what it becomes at s: Σ over the noises of t of the
 * derivative of Cov(φ_aφ_b, noise) along the response of s to that noise, over N. Vanishes without skips.
 */
function sameUnitShift(variables: Variables, s: Live, response: FieldResponse, total: Matrix, tick: () => void): Matrix {
  const k = s.kernel;
  const n = k.shape[0];
  const sum = new Float64Array(pairCount(n));
  const out = zeros(n, n);
  for (const t of variables.live) {
    if (t.from >= s.from || streamOf(t) !== streamOf(s)) continue;
    const c = variables.full.between(fieldOf(s), fieldOf(t));
    const m = c.shape[1];
    // polynomials do not mind what is no covariance
    const polynomial = s.kind === "norm" || s.activation.linear === true;
    const both = joint(k, c, t.kernel);
    const farthest = polynomial ? furthest * smallestDiagonal(k) : reach(both);
    const split = !polynomial && isNearlySingular(both);
    for (const part of parts(t, m)) {
      tick();
      const dv = noiseResponse(variables, t, part, total);
      const change: Matrix = { data: dv, shape: [dv.length, 1] };
      const dk = fromPairs(multiply(response.kernel, change).data, n);
      const dMean = multiply(response.mean, change).data;
      const dc = crossChange(variables, fieldOf(s), fieldOf(t), dv);
      const size = largest(dk.data, dc?.data);
      if (size > 1e-13) {
        const h = farthest / size;
        const moved = (base: Matrix, change: Matrix | undefined, e: number): Matrix =>
          change ? { data: base.data.map((value, i) => value + e * change.data[i]!), shape: base.shape } : base;
        const column = (kernel: Matrix, cross: Matrix, other: Matrix): Float64Array =>
          bareColumn(s, t, kernel, cross, other, part, (own) => meanResponse((s as LiveReading).activation, own));
        const slope = split
          ? splitDerivative(
              (s as LiveReading).activation,
              (moved) => column(block(moved, 0, n, 0, n), block(moved, 0, n, n, n + m), block(moved, n, n + m, n, n + m)),
              both,
              joint(dk, dc ?? zeros(n, m), zeros(m, m)),
            )
          : directional((e) => column(moved(k, dk, e), moved(c, dc, e), t.kernel), h);
        for (let i = 0; i < sum.length; i++) sum[i]! += slope[i]!;
      }
      if (part.kind === "mean" && largest(dMean) > 0) {
        for (let a = 0; a < n; a++) {
          for (let b = 0; b < n; b++) {
            const [g, gg] = s.kind === "norm" ? [1, 0] : [s.slopes.slope.data[a * n + b]!, s.slopes.curvature.data[a * n + b]!];
            const value = dMean[a]! * (c.data[a * m + part.c]! * gg + c.data[b * m + part.c]! * g);
            out.data[a * n + b]! += value;
            out.data[b * n + a]! += value;
          }
        }
      }
    }
  }
  addScaled(out, fromPairs(sum, n));
  const width = variables.composition.streams[streamOf(s)]!.width;
  return { data: out.data.map((value) => value / width), shape: out.shape };
}

type Part = Parameters<typeof bareColumn>[5];

function* parts(t: Live, m: number): Generator<Part> {
  if (t.kind === "reading") for (const [c, d] of indexPairs(m)) yield { kind: "pair", c, d };
  else for (const kind of ["mean", "square"] as const) for (let c = 0; c < m; c++) yield { kind, c };
}

/** Change of all variables per unit of a noise of t. */
function noiseResponse({ size }: Variables, t: Live, part: Part, total: Matrix): Float64Array {
  const own = new Float64Array(t.size);
  if (t.kind === "reading") {
    const n = t.kernel.shape[0];
    const unit = zeros(n, n);
    if (part.kind === "pair") unit.data[part.c * n + part.d] = unit.data[part.d * n + part.c] = 1;
    own.set(toPairs(pool(t, unit)));
  } else own[part.kind === "mean" ? part.c : t.n + part.c] = 1;
  const out = new Float64Array(size);
  for (let i = 0; i < size; i++) for (let q = 0; q < t.size; q++) out[i]! += total.data[i * size + t.from + q]! * own[q]!;
  return out;
}

/** D moves with the kernel: Σ over c of the derivative of row c of D along Cov(K, μ_c), added to row and column c. */
function mixedShift(s: LiveReading, mixed: Matrix): Matrix {
  const n = s.kernel.shape[0];
  const out = zeros(n, n);
  const split = isNearlySingular(s.kernel);
  for (let c = 0; c < n; c++) {
    const direction = fromPairs(
      Float64Array.from({ length: mixed.shape[0] }, (_, p) => mixed.data[p * n + c]!),
      n,
    );
    const size = largest(direction.data);
    if (size === 0) continue;
    const rowOf = (kernel: Matrix): Float64Array => meanResponse(s.activation, kernel).data.slice(c * n, (c + 1) * n);
    const row = split
      ? splitDerivative(s.activation, rowOf, s.kernel, direction)
      : directional(
          (e) => rowOf({ data: s.kernel.data.map((value, i) => value + e * direction.data[i]!), shape: s.kernel.shape }),
          (0.5 * reach(s.kernel)) / size,
        );
    for (let b = 0; b < n; b++) {
      out.data[c * n + b]! += row[b]!;
      out.data[b * n + c]! += row[b]!;
    }
  }
  return out;
}

/**
 * E of every variable minus its value at infinite width, to first order. `sigma`: covariance of all variables; `total`: (1 − 𝒥)⁻¹.
 * Source: docs/theories/perturbative.md §11.
 */
export function meanShifts(
  variables: Variables,
  responses: readonly FieldResponse[],
  sigma: Matrix,
  total: Matrix,
  tick: () => void,
): Float64Array {
  const shift = new Float64Array(variables.size);
  for (const [i, s] of variables.live.entries()) {
    const response = responses[i]!;
    const n = s.kernel.shape[0];
    const { kernel: k2, mean: mean2 } = secondOrderField(variables, s, sigma);
    const column: Matrix = { data: shift, shape: [shift.length, 1] };
    addScaled(k2, fromPairs(multiply(response.kernel, column).data, n));
    multiply(response.mean, column).data.forEach((value, a) => (mean2[a]! += value));
    const meanCovariance = multiplyTransposedRight(multiply(response.mean, sigma), response.mean);
    const same = sameUnitShift(variables, s, response, total, tick);
    if (s.kind === "norm") {
      // c is the mean of h² less the square of the mean; the mean of a fresh or normalised field does not shift
      for (let a = 0; a < n; a++) {
        const at = a * n + a;
        shift[s.from + n + a] =
          k2.data[at]! + meanCovariance.data[at]! + same.data[at]! - sigma.data[(s.from + a) * variables.size + s.from + a]!;
      }
      continue;
    }
    const g = applySlopes(s.slopes, k2);
    const { slope, curvature } = s.slopes;
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < n; b++) {
        const [ab, ba] = [a * n + b, b * n + a];
        g.data[ab]! +=
          s.meanSlope.data[ab]! * mean2[a]! +
          s.meanSlope.data[ba]! * mean2[b]! +
          0.5 * (curvature.data[ab]! * meanCovariance.data[a * n + a]! + curvature.data[ba]! * meanCovariance.data[b * n + b]!) +
          slope.data[ab]! * meanCovariance.data[ab]!;
      }
    }
    addScaled(g, curvatureOfMap(s.activation, s.kernel, multiplyTransposedRight(multiply(response.kernel, sigma), response.kernel)));
    addScaled(g, mixedShift(s, multiplyTransposedRight(multiply(response.kernel, sigma), response.mean)));
    addScaled(g, same);
    // what differences of a singular covariance cannot know: equal fields stay equal
    for (const [a, b] of indexPairs(n)) if (a !== b && areEqual(s.kernel, a, b)) g.data[a * n + b] = g.data[b * n + a] = g.data[a * n + a]!;
    shift.set(toPairs(pool(s, g)), s.from);
  }
  return shift;
}
