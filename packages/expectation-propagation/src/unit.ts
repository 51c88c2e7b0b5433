import type { Activation, Matrix } from "@finitewidth/core";
import { arrayActivation } from "@finitewidth/kernels";
import { createWorkspace } from "@finitewidth/linalg";

/** The Gaussian field t ~ N(i r, R) on the training rows. */
export interface Field {
  /** r: P numbers. */
  readonly mean: Float64Array;
  /** R: P × P, symmetric. */
  readonly covariance: Matrix;
}

/** One hidden unit before the data: h = F z on the training rows, z ~ N(0, 1_d). */
export interface UnitPrior {
  /** F: P × d, F Fᵀ = K¹. */
  readonly features: Matrix;
  readonly activation: Activation;
}

/** Alignments ū = √α |u|/(1+s) that a unit may have: outside its weight is 0. */
export type Window = readonly [least: number, most: number];
export const anyAlignment: Window = [0, Infinity];

/** What `evaluate` leaves for every unit. */
export interface UnitStates {
  /** ℓ, −∞ outside the window. */
  readonly tilts: Float64Array;
  /** 1 + s. */
  readonly scales: Float64Array;
  /** u = r·φ. */
  readonly overlaps: Float64Array;
}

/** Room for the states of `count` units. */
export const unitStates = (count: number): UnitStates => ({
  tilts: new Float64Array(count),
  scales: new Float64Array(count),
  overlaps: new Float64Array(count),
});

/** Averages of a unit under its tilted measure. */
export interface UnitMoments {
  /** c = E α φ u/(1+s): mean of what the unit adds to f, P numbers. */
  readonly response: Float64Array;
  /** M = α E φφᵀ/(1+s) + Cov(α φ u/(1+s)): P × P, minus the Hessian of its log normaliser in r. */
  readonly curvature: Matrix;
  /** E φφᵀ: P × P. */
  readonly kernel: Matrix;
}

/**
 * Weights of single units in a field, block by block in a resident workspace. Integrated over its readout weight a unit with activations
 * φ = φ(F z) weighs w(z) = N(z|0, 1) exp ℓ(z), ℓ = −½ log(1+s) + ½ α u²/(1+s), s = α φᵀRφ, u = r·φ, α = σ_w²(2)/N; nothing where 1 + s ≤ 0
 * or outside the window. Source: docs/theories/expectation-propagation.md, "One unit".
 */
export interface UnitEvaluator {
  readonly dimension: number;
  readonly points: number;
  /** Field, α and window of all later evaluations. */
  setField(field: Field, alpha: number, window?: Window): void;
  /** States of `count` units (d numbers each) and ∇ℓ into `gradients` when given. 2(2dP + P²) flops a unit with the gradient. */
  evaluate(units: Float64Array, count: number, states: UnitStates, gradients?: Float64Array): void;
  /** Averages with `coefficients` of the units' terms: see `momentCoefficients`. 2(dP + P²) flops a unit, twice P² with the kernel. */
  moments(units: Float64Array, count: number, coefficients: MomentCoefficients, kernel?: boolean): UnitMoments;
}

/** Coefficients of φ, φφᵀ and φφᵀ in c, M + ccᵀ and E φφᵀ, unit by unit, and those of the exact prior second moment G. */
export interface MomentCoefficients {
  readonly response: Float64Array;
  readonly curvature: Float64Array;
  readonly kernel: Float64Array;
  readonly prior?: { readonly secondMoment: Matrix; readonly response: Float64Array; readonly curvature: number; readonly kernel: number };
}

/** Rows that are worked on at a time: their matrices stay in the cache. */
const blockRows = 128;

/** An evaluator for one prior: 128 (2d + 3P) + P d + 3P² numbers of workspace, flops as `UnitEvaluator` says. */
export function createUnitEvaluator(prior: UnitPrior): UnitEvaluator {
  const [points, dimension] = prior.features.shape;
  const rowShapes = [dimension, points, points, points, dimension].map((columns) => [blockRows, columns] as const);
  const squares = [points, points, points].map((size) => [size, size] as const);
  const workspace = createWorkspace([...rowShapes, [points, dimension], ...squares]);
  const [Z, H, Phi, RPhi, G, F, R, curvature, kernel] = workspace.matrices as readonly Matrix[] as readonly [
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
  ];
  F.data.set(prior.features.data);
  const phi = arrayActivation(prior.activation);
  const r = new Float64Array(points);
  let alpha = 0;
  let [least, most] = anyAlignment;

  const activate = (units: Float64Array, start: number, rows: number): void => {
    Z.data.set(units.subarray(start * dimension, (start + rows) * dimension));
    workspace.multiply(Z, F, H, { transposed: "right" });
    phi.values(H, 1, Phi, workspace);
  };
  /** RPhi := diag(coefficients) Phi, zero rows beyond the last unit. */
  const scaleRows = (coefficients: Float64Array, start: number, rows: number): void => {
    for (let i = 0, k = 0; i < blockRows; i++) {
      const coefficient = i < rows ? coefficients[start + i]! : 0;
      for (let a = 0; a < points; a++, k++) RPhi.data[k] = coefficient * Phi.data[k]!;
    }
  };

  return {
    dimension,
    points,
    setField: (field, scale, window = anyAlignment) => {
      R.data.set(field.covariance.data);
      r.set(field.mean);
      alpha = scale;
      [least, most] = window;
    },
    evaluate: (units, count, { tilts, scales, overlaps }, gradients) => {
      for (let start = 0; start < count; start += blockRows) {
        const rows = Math.min(blockRows, count - start);
        activate(units, start, rows);
        workspace.multiply(Phi, R, RPhi);
        for (let i = 0, k = 0; i < rows; i++) {
          let [square, overlap] = [0, 0];
          for (let a = 0; a < points; a++, k++) {
            square += Phi.data[k]! * RPhi.data[k]!;
            overlap += Phi.data[k]! * r[a]!;
          }
          const scale = 1 + alpha * square;
          const alignment = (Math.sqrt(alpha) * Math.abs(overlap)) / scale;
          scales[start + i] = scale;
          overlaps[start + i] = overlap;
          tilts[start + i] =
            scale > 0 && alignment >= least && alignment <= most
              ? -0.5 * Math.log(scale) + (0.5 * alpha * overlap * overlap) / scale
              : -Infinity;
        }
        if (gradients === undefined) continue;
        phi.slopes(H, 1, Phi, workspace);
        for (let i = 0, k = 0; i < rows; i++) {
          const scale = scales[start + i]! > 0 ? scales[start + i]! : 1;
          const v = (alpha * overlaps[start + i]!) / scale;
          const pull = alpha / scale + v * v;
          for (let a = 0; a < points; a++, k++) RPhi.data[k] = (v * r[a]! - pull * RPhi.data[k]!) * Phi.data[k]!;
        }
        workspace.multiply(RPhi, F, G);
        gradients.set(G.data.subarray(0, rows * dimension), start * dimension);
      }
    },
    moments: (units, count, coefficients, withKernel = false) => {
      const response = new Float64Array(points);
      curvature.data.fill(0);
      kernel.data.fill(0);
      for (let start = 0; start < count; start += blockRows) {
        const rows = Math.min(blockRows, count - start);
        activate(units, start, rows);
        for (let i = 0, k = 0; i < rows; i++) {
          const coefficient = coefficients.response[start + i]!;
          for (let a = 0; a < points; a++, k++) response[a]! += coefficient * Phi.data[k]!;
        }
        scaleRows(coefficients.curvature, start, rows);
        workspace.multiply(Phi, RPhi, curvature, { transposed: "left", beta: 1 });
        if (!withKernel) continue;
        scaleRows(coefficients.kernel, start, rows);
        workspace.multiply(Phi, RPhi, kernel, { transposed: "left", beta: 1 });
      }
      const { prior: exact } = coefficients;
      const M = new Float64Array(points * points);
      const second = new Float64Array(points * points);
      if (exact) {
        const { data: g } = exact.secondMoment;
        for (let a = 0, k = 0; a < points; a++) {
          for (let b = 0; b < points; b++, k++) {
            response[a]! += g[k]! * exact.response[b]!;
            M[k] = exact.curvature * g[k]!;
            second[k] = exact.kernel * g[k]!;
          }
        }
      }
      for (let a = 0, k = 0; a < points; a++) {
        for (let b = 0; b < points; b++, k++) {
          const t = b * points + a;
          M[k]! += 0.5 * (curvature.data[k]! + curvature.data[t]!) - response[a]! * response[b]!;
          second[k]! += 0.5 * (kernel.data[k]! + kernel.data[t]!);
        }
      }
      return { response, curvature: { data: M, shape: [points, points] }, kernel: { data: second, shape: [points, points] } };
    },
  };
}

/** ū = √α |u|/(1+s) of every unit. */
export function alignmentsOf({ scales, overlaps }: UnitStates, alpha: number): Float64Array {
  return scales.map((scale, i) => (Math.sqrt(alpha) * Math.abs(overlaps[i]!)) / scale);
}

/**
 * Coefficients of the averages over `count` units with normalised `weights` (equal ones when left out), v = α u/(1+s): w v, w (α/(1+s) +
 * v²), w. With the exact prior second moment G the prior is estimated too, with weights back ∝ w e^{−ℓ}, which are bounded by √(1+s), and
 * the errors of those estimates are subtracted, β times: a control variate that takes the noise away as N → ∞ and most of it wherever
 * units are mildly tilted. β minimises the mean square of each coefficient.
 */
export function momentCoefficients(
  states: UnitStates,
  alpha: number,
  r: Float64Array,
  options: { readonly weights?: Float64Array; readonly secondMoment?: Matrix } = {},
): MomentCoefficients {
  const { tilts, scales, overlaps } = states;
  const count = tilts.length;
  const weights = options.weights ?? equalWeights(tilts);
  const v = scales.map((scale, i) => (alpha * overlaps[i]!) / scale);
  const response = v.map((value, i) => weights[i]! * value);
  const curvature = v.map((value, i) => weights[i]! * (alpha / scales[i]! + value * value));
  const kernel = weights.slice();
  const { secondMoment } = options;
  if (secondMoment === undefined) return { response, curvature, kernel };
  const back = tilts.map((tilt, i) => (weights[i]! > 0 ? weights[i]! * Math.exp(-tilt) : 0));
  const total = back.reduce((sum, value) => sum + value, 0);
  let [squares, withResponse, withCurvature, withKernel] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    if (weights[i] === 0) continue;
    back[i]! /= total;
    squares += back[i]! ** 2 / weights[i]!;
    withResponse += back[i]! / scales[i]!;
    withCurvature += (back[i]! * curvature[i]!) / weights[i]!;
    withKernel += back[i]!;
  }
  const beta = { response: withResponse / squares, curvature: withCurvature / squares, kernel: withKernel / squares };
  for (let i = 0; i < count; i++) {
    response[i]! -= beta.response * alpha * back[i]! * overlaps[i]!;
    curvature[i]! -= beta.curvature * back[i]!;
    kernel[i]! -= beta.kernel * back[i]!;
  }
  return {
    response,
    curvature,
    kernel,
    prior: { secondMoment, response: r.map((value) => beta.response * alpha * value), curvature: beta.curvature, kernel: beta.kernel },
  };
}

/** Equal weights of the units inside the window. */
function equalWeights(tilts: Float64Array): Float64Array {
  const inside = tilts.reduce((sum, tilt) => (tilt > -Infinity ? sum + 1 : sum), 0);
  return tilts.map((tilt) => (tilt > -Infinity ? 1 / inside : 0));
}
