import { zeros, type Matrix } from "@finitewidth/core";
import {
  combine,
  identity,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  multiplyVector,
  solve,
  transpose,
} from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import type { Setting } from "./branch.js";
import { responseMatrices } from "./cavity.js";
import { createUnitEvaluator, momentCoefficients, unitStates, type Field, type UnitMoments } from "./unit.js";

/** Draws of a unit in its field. */
export interface SampledGroup {
  readonly field: Field;
  /** S × d. */
  readonly units: Float64Array;
  /** Of the draws, normalised. @defaultValue equal ones */
  readonly weights?: Float64Array;
}

/**
 * New rows as a unit sees them: h* = F* z + ξ, ξ ~ N(0, residual), and the prior second moments of φ between them and the training rows.
 */
export interface TestRows {
  /** F*: P* × d. */
  readonly features: Matrix;
  /** Standard deviations of ξ, P* numbers, or with covariances between the rows a factor B of its covariance B Bᵀ. */
  readonly residual: Float64Array | Matrix;
  /** G_*t: P* × P. */
  readonly cross: Matrix;
  /** Diagonal of G_** (P* numbers), or all of it when covariances are wanted. */
  readonly own: Float64Array | Matrix;
}

/** Moments on training and new rows: M_*t, M_** (diagonal or all of it) and c_*; new rows carry no data and never enter s and u. */
interface JointMoments {
  readonly train: UnitMoments;
  readonly response: Float64Array;
  readonly cross: Matrix;
  readonly own: Float64Array | Matrix;
}

/** How the averages of a group are formed. */
export const coefficientOptions = ({ weights }: SampledGroup, secondMoment?: Matrix) => ({
  ...(weights === undefined ? {} : { weights }),
  ...(secondMoment === undefined ? {} : { secondMoment }),
});

const blockRows = 512;
const isMatrix = (x: Float64Array | Matrix): x is Matrix => "shape" in x;

/** Averages over the draws of a group; with `control` those of the prior are corrected by its exact ones (see `momentCoefficients`). */
function jointMoments(setting: Setting, group: SampledGroup, rows: TestRows, control: boolean, seed: number, index: number): JointMoments {
  const { prior, secondMoment, weightVariance, width } = setting;
  const alpha = weightVariance / width;
  const unit = createUnitEvaluator(prior);
  const [P, S, d] = [unit.points, rows.features.shape[0], unit.dimension];
  const count = group.units.length / d;
  const states = unitStates(count);
  unit.setField(group.field, alpha);
  unit.evaluate(group.units, count, states);
  const coefficients = momentCoefficients(states, alpha, group.field.mean, coefficientOptions(group, control ? secondMoment : undefined));
  const train = unit.moments(group.units, count, coefficients);
  const full = isMatrix(rows.own);
  let cross = zeros(S, P);
  let all = zeros(full ? S : 0, full ? S : 0);
  const own = new Float64Array(full ? 0 : S);
  const response = new Float64Array(S);
  const { value } = prior.activation;
  for (let start = 0; start < count; start += blockRows) {
    const size = Math.min(blockRows, count - start);
    const Z: Matrix = { data: group.units.subarray(start * d, (start + size) * d), shape: [size, d] };
    const test = addResidual(multiplyTransposedRight(Z, rows.features), rows.residual, seed, index, start);
    for (let k = 0; k < test.data.length; k++) test.data[k] = value(test.data[k]!);
    const training = multiplyTransposedRight(Z, prior.features);
    for (let i = 0, k = 0; i < size; i++) {
      const coefficient = coefficients.curvature[start + i]!;
      for (let a = 0; a < P; a++, k++) training.data[k] = coefficient * value(training.data[k]!);
    }
    cross = combine(1, cross, 1, multiplyTransposedLeft(test, training));
    for (let i = 0, k = 0; i < size; i++) {
      const [c, m] = [coefficients.response[start + i]!, coefficients.curvature[start + i]!];
      for (let a = 0; a < S; a++, k++) {
        response[a]! += c * test.data[k]!;
        if (!full) own[a]! += m * test.data[k]! ** 2;
      }
    }
    if (full) {
      const scaled = { data: test.data.map((x, k) => x * coefficients.curvature[start + Math.floor(k / S)]!), shape: test.shape };
      all = combine(1, all, 1, multiplyTransposedLeft(test, scaled));
    }
  }
  const { prior: exact } = coefficients;
  if (exact) {
    const shift = multiplyVector(rows.cross, exact.response);
    for (let a = 0; a < S; a++) response[a]! += shift[a]!;
    cross = combine(1, cross, exact.curvature, rows.cross);
    if (isMatrix(rows.own)) all = combine(1, all, exact.curvature, rows.own);
    else for (let a = 0; a < S; a++) own[a]! += exact.curvature * rows.own[a]!;
  }
  for (let a = 0; a < S; a++) {
    for (let b = 0; b < P; b++) cross.data[a * P + b]! -= response[a]! * train.response[b]!;
    if (full) for (let b = 0; b < S; b++) all.data[a * S + b]! -= response[a]! * response[b]!;
    else own[a]! -= response[a]! ** 2;
  }
  return { train, response, cross, own: full ? all : own };
}

/** Adds ξ to every row of `h`, one draw a unit, from stream (seed, 4, index, start). */
function addResidual(h: Matrix, residual: Float64Array | Matrix, seed: number, index: number, start: number): Matrix {
  const [rows, columns] = h.shape;
  const random = stream(seed, 4, index, start);
  if (isMatrix(residual)) {
    if (residual.shape[1] === 0) return h;
    const normals: Matrix = { data: random.normals(new Float64Array(rows * residual.shape[1])), shape: [rows, residual.shape[1]] };
    return combine(1, h, 1, multiplyTransposedRight(normals, residual));
  }
  if (residual.every((value) => value === 0)) return h;
  // one draw a unit for all rows: only their marginals count here, and they do not depend on what other rows are asked for
  for (let i = 0, k = 0; i < rows; i++) {
    const normal = random.normal();
    for (let a = 0; a < columns; a++, k++) h.data[k]! += residual[a]! * normal;
  }
  return h;
}

/** Latent outputs at new rows: mean, and variances or the covariance matrix. */
export interface RowPrediction {
  readonly mean: Float64Array;
  readonly variance: Float64Array | Matrix;
}

/**
 * Predictions of one branch. With J = (b_*t R_A + n (G⁻¹M_t*)ᵀ), φ̃* = φ* − Jφ and b = σ_b²(2): mean n c_* + J₀[y − Σ(r − R c) − n c] +
 * b_*t r_q + c_A* − J c_A, variance n [M_** − M_*t (n − R Σ) G⁻¹M_t*] + b − b_*t R_A b_t* − 2 b_*t J₀ᵀ + [(−J, 1) M_A (−J, 1)ᵀ], A the
 * aligned unit if there is one. Exact for Gaussian units. Source: docs/theories/expectation-propagation.md, "Predictions". O(S (P P* + P²)
 * + P³).
 */
export function predictBranch(
  setting: Setting,
  groups: { readonly bulk: SampledGroup; readonly block?: SampledGroup },
  rows: TestRows,
  readoutBias: number,
  seed: number,
): RowPrediction {
  const { surroundings, width } = setting;
  const { targets, noise } = surroundings;
  const [P, S] = [targets.length, rows.features.shape[0]];
  const n = groups.block ? width - 1 : width;
  const bulk = jointMoments(setting, groups.bulk, rows, true, seed, 0);
  const block = groups.block && jointMoments(setting, groups.block, rows, false, seed, 1);
  const { field } = groups.bulk;
  const { E, G } = responseMatrices(n, bulk.train, field, surroundings);
  const V = solve(G, transpose(bulk.cross));
  const Rc = multiplyVector(field.covariance, bulk.train.response);
  const left = multiplyVector(
    noise,
    field.mean.map((value, i) => value - Rc[i]!),
  );
  const bracket = targets.map((value, i) => value - left[i]! - n * bulk.train.response[i]!);
  const J0 = { data: transpose(V).data.map((value) => n * value), shape: [S, P] as const };
  const biased = readoutBias > 0;
  const outer = biased ? solve(G, E) : undefined;
  const rowBias: Matrix = { data: new Float64Array(P).fill(readoutBias), shape: [1, P] };
  const bR = outer && multiply(rowBias, outer).data;
  const J = bR ? { data: J0.data.map((value, k) => value + bR[k % P]!), shape: J0.shape } : J0;
  const mean = multiplyVector(J0, bracket);
  const inner = multiply(combine(n, identity(P), -1, multiply(field.covariance, noise)), V);
  const biasOwn = bR ? readoutBias - readoutBias * bR.reduce((sum, value) => sum + value, 0) : 0;
  const biasCross = biased ? multiplyVector(J0, new Float64Array(P).fill(readoutBias)) : new Float64Array(S);
  const blockResponse = block ? multiplyVector(J, block.train.response) : undefined;
  // J₀ with the bias of the training rows: b_*t r_q = b_*t R_A (R_A⁻¹ r_A − c_A), the second half of which is in J c_A
  const fieldShift = biased ? fieldMean(bulk.train, field, n, E, G, targets) : undefined;
  for (let a = 0; a < S; a++) {
    mean[a]! += n * bulk.response[a]!;
    if (fieldShift) mean[a]! += readoutBias * fieldShift;
    if (block) mean[a]! += block.response[a]! - blockResponse![a]!;
  }
  const JA = block && multiply(J, block.train.curvature);
  if (isMatrix(bulk.own)) {
    let variance = combine(n, bulk.own, -n, multiply(bulk.cross, inner));
    if (block) {
      const mixed = multiplyTransposedRight(J, block.cross);
      variance = combine(1, variance, 1, combine(1, multiplyTransposedRight(JA!, J), -1, combine(1, mixed, 1, transpose(mixed))));
      variance = combine(1, variance, 1, block.own as Matrix);
    }
    for (let a = 0; a < S; a++) for (let b = 0; b < S; b++) variance.data[a * S + b]! += biasOwn - biasCross[a]! - biasCross[b]!;
    return { mean, variance };
  }
  const variance = bulk.own.map((value) => n * value);
  for (let a = 0; a < S; a++) {
    variance[a]! += biasOwn - 2 * biasCross[a]!;
    if (block) variance[a]! += (block.own as Float64Array)[a]!;
    for (let b = 0; b < P; b++) {
      variance[a]! -= n * bulk.cross.data[a * P + b]! * inner.data[b * S + a]!;
      if (block) variance[a]! += J.data[a * P + b]! * (JA!.data[a * P + b]! - 2 * block.cross.data[a * P + b]!);
    }
  }
  return { mean, variance };
}

/** Σ_a r_A of the field of noise and bulk. */
function fieldMean(bulk: UnitMoments, field: Field, n: number, E: Matrix, G: Matrix, targets: Float64Array): number {
  const Ey = multiplyVector(E, targets);
  const Mr = multiplyVector(bulk.curvature, field.mean);
  const right = Ey.map((value, i) => value + n * (Mr[i]! - bulk.response[i]!));
  return solve(G, { data: right, shape: [right.length, 1] }).data.reduce((sum, value) => sum + value, 0);
}
