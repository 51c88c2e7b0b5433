import { inputError, shapeError, zeros, type Matrix } from "@finitewidth/core";
import {
  lu,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  projectedSpectrum,
  solveLu,
  symmetricEigen,
  symmetrise,
  tridiagonalise,
} from "@finitewidth/linalg";
import type { MatrixAction, MatrixEnergy } from "./matrix-minima.js";
import { checkKernel, checkParameters, clipEigenvalues, columnOf, rankOf, withColumns } from "./scalar-problem.js";
import { sandwich } from "./scalar-posterior.js";
import { rotateBack, rotateInto } from "./small-matrix.js";

/** Data of one hidden layer with D outputs, and with an activation that may have a mean. */
export interface MultiOutputInput {
  /** K = σ_w²(2) G¹ without the readout bias: P × P; its centred part K − m mᵀ where `mean` is given. */
  readonly kernel: Matrix;
  /** Y: P × D. */
  readonly targets: Matrix;
  /** T > 0; for D = 1 also T = 0 with a positive definite kernel. */
  readonly temperature: number;
  readonly width: number;
  /** @defaultValue 0 */
  readonly biasVariance?: number;
  /** m = σ_w E φ, P numbers: turns on the second order parameter ζ. */
  readonly mean?: Float64Array;
}

/**
 * The same in the eigenbasis of the kernel. Directions whose coefficients are integrated out exactly, output by output: the mean m of the
 * activation (covariance ζ of its coefficients ξ) and the readout bias.
 */
export interface MultiOutputSpectrum {
  /** k, ascending, clipped at 0. */
  readonly eigenvalues: Float64Array;
  /** Z = UᵀY: P × D. */
  readonly targets: Matrix;
  /** Uᵀm, where there is a mean. */
  readonly mean?: Float64Array;
  /** Uᵀ1. */
  readonly ones: Float64Array;
  readonly temperature: number;
  readonly width: number;
  readonly biasVariance: number;
  readonly rank: number;
}

/** With the eigenvectors, for outputs at new or training points and learned kernels. */
export interface MultiOutputProblem extends MultiOutputSpectrum {
  readonly vectors: Matrix;
}

/**
 * Diagonalises the kernel: O(P³). @throws FinitewidthError (code "input", "shape" or "not-positive-definite") like `createScalarProblem`,
 * and for T = 0 with D > 1.
 */
export function createMultiOutputProblem(input: MultiOutputInput): MultiOutputProblem {
  const { targets, temperature, width, biasVariance = 0, mean } = input;
  const { values, vectors } = symmetricEigen(checkInput(input));
  const eigenvalues = clipEigenvalues(values);
  const rank = requireRank(eigenvalues, temperature, targets.shape[1]);
  const project = (data: Float64Array): Float64Array => multiplyTransposedLeft(vectors, { data, shape: [data.length, 1] }).data;
  return {
    eigenvalues,
    vectors,
    targets: multiplyTransposedLeft(vectors, targets),
    ...(mean ? { mean: project(mean) } : {}),
    ones: project(new Float64Array(targets.shape[0]).fill(1)),
    temperature,
    width,
    biasVariance,
    rank,
  };
}

/**
 * Problems with one output and a mean, one for every column of `targets` (P × m), without eigenvectors: one tridiagonalisation for all.
 * `meanSaddle` and `meanIntegral` take them. O(P³ + m P²). @throws like `createMultiOutputProblem`.
 */
export function reduceMeanProblems(
  input: Omit<MultiOutputInput, "targets" | "mean"> & { readonly mean: Float64Array },
  targets: Matrix,
): MultiOutputSpectrum[] {
  const { temperature, width, biasVariance = 0, mean } = input;
  const [size, count] = targets.shape;
  const form = tridiagonalise(checkInput({ ...input, targets }));
  const { values, projections } = projectedSpectrum(form, withColumns(targets, mean, new Float64Array(size).fill(1)));
  const eigenvalues = clipEigenvalues(values);
  const common = {
    eigenvalues,
    mean: columnOf(projections, count),
    ones: columnOf(projections, count + 1),
    temperature,
    width,
    biasVariance,
    rank: requireRank(eigenvalues, temperature, 1),
  };
  return Array.from({ length: count }, (_, j) => ({ ...common, targets: { data: columnOf(projections, j), shape: [size, 1] } }));
}

/** Checks everything but the rank and returns the symmetrised kernel. */
function checkInput({ targets, temperature, width, biasVariance = 0, kernel: given }: MultiOutputInput): Matrix {
  const kernel = checkKernel(given);
  const size = kernel.shape[0];
  if (targets.shape[0] !== size) throw shapeError("targets", `${size} rows, like the kernel`, `${targets.shape[0]}`);
  if (!targets.data.every(Number.isFinite)) throw inputError("targets", "finite numbers", "NaN or infinity");
  checkParameters(temperature, width, biasVariance);
  return kernel;
}

function requireRank(eigenvalues: Float64Array, temperature: number, outputs: number): number {
  const rank = rankOf(eigenvalues);
  if (temperature === 0 && (outputs > 1 || rank < eigenvalues.length)) {
    throw inputError(
      "temperature",
      outputs > 1 ? "a positive number for a matrix order parameter (several outputs)" : "a positive number, since the kernel is singular",
      0,
    );
  }
  return rank;
}

/** Everything at given order parameters, in the eigenbasis V of Q. */
export interface MultiOutputState {
  /** q_a and V. */
  readonly values: Float64Array;
  readonly rotation: Matrix;
  /** d_ia = T + k_i q_a: P × D. */
  readonly denominators: Matrix;
  /** A⁻¹vec(Y): P × D. */
  readonly residual: Matrix;
  /** The directions integrated out: m (if any) and 1 (with a bias), in the eigenbasis of K. */
  readonly directions: readonly Float64Array[];
  /** Posterior mean and covariance of their coefficients, index direction·D + output. */
  readonly coefficients: Float64Array;
  readonly covariance: Matrix;
  readonly logDeterminant: number;
  /** vec(Y)ᵀA⁻¹vec(Y). */
  readonly quadratic: number;
}

/**
 * A = T + Q ⊗ K + ζ ⊗ m mᵀ + b I ⊗ 11ᵀ factorised by Woodbury's identity in the eigenbases: O(D²P + D³). `zeta` belongs to the problem's
 * `mean`.
 */
export function multiOutputState(problem: MultiOutputSpectrum, orderParameter: Matrix, zeta?: Matrix): MultiOutputState {
  const { eigenvalues: k, targets, mean, ones, temperature, biasVariance: b } = problem;
  const [size, outputs] = targets.shape;
  const { values, vectors: rotation } = symmetricEigen(orderParameter);
  const z = multiply(targets, rotation);
  const denominators = zeros(size, outputs);
  let logDeterminant = 0;
  for (let i = 0; i < size; i++) {
    for (let a = 0; a < outputs; a++) {
      const d = temperature + k[i]! * values[a]!;
      denominators.data[i * outputs + a] = d;
      logDeterminant += Math.log(d);
    }
  }
  const directions: Float64Array[] = [];
  const prior: Matrix[] = [];
  if (mean && zeta) {
    directions.push(mean);
    prior.push(rotateInto(rotation, zeta));
  }
  if (b > 0) {
    directions.push(ones);
    const scaled = zeros(outputs, outputs);
    for (let a = 0; a < outputs; a++) scaled.data[a * outputs + a] = b;
    prior.push(scaled);
  }
  const count = directions.length * outputs;
  const residual = zeros(size, outputs);
  if (count === 0) {
    let quadratic = 0;
    for (let at = 0; at < residual.data.length; at++) {
      residual.data[at] = z.data[at]! / denominators.data[at]!;
      quadratic += z.data[at]! * residual.data[at]!;
    }
    return {
      values,
      rotation,
      denominators,
      residual,
      directions,
      coefficients: new Float64Array(0),
      covariance: zeros(0, 0),
      logDeterminant,
      quadratic,
    };
  }
  // C (prior covariance), S and t = Wᵀ D⁻¹ z; posterior covariance (C⁻¹ + S)⁻¹ = (1 + C S)⁻¹ C needs no inverse of C
  const c = zeros(count, count);
  const s = zeros(count, count);
  const t = new Float64Array(count);
  directions.forEach((x, alpha) => {
    for (let a = 0; a < outputs; a++) {
      const row = alpha * outputs + a;
      for (let e = 0; e < outputs; e++) c.data[row * count + alpha * outputs + e] = prior[alpha]!.data[a * outputs + e]!;
      for (let i = 0; i < size; i++) t[row]! += (x[i]! * z.data[i * outputs + a]!) / denominators.data[i * outputs + a]!;
      directions.forEach((y, beta) => {
        let sum = 0;
        for (let i = 0; i < size; i++) sum += (x[i]! * y[i]!) / denominators.data[i * outputs + a]!;
        s.data[row * count + beta * outputs + a] = sum;
      });
    }
  });
  const system = multiply(c, s);
  for (let i = 0; i < count; i++) system.data[i * count + i]! += 1;
  const factors = lu(system);
  const covariance = symmetrise(solveLu(factors, c));
  const coefficients = multiply(covariance, { data: t, shape: [count, 1] }).data;
  logDeterminant += factors.logAbsoluteDeterminant;
  let quadratic = 0;
  for (let i = 0; i < size; i++) {
    for (let a = 0; a < outputs; a++) {
      const at = i * outputs + a;
      let rest = z.data[at]!;
      directions.forEach((x, alpha) => (rest -= x[i]! * coefficients[alpha * outputs + a]!));
      residual.data[at] = rest / denominators.data[at]!;
      quadratic += z.data[at]! * residual.data[at]!;
    }
  }
  return { values, rotation, denominators, residual, directions, coefficients, covariance, logDeterminant, quadratic };
}

/** Γ₊ and Γ₋ for the kernel's order parameter, in the eigenbasis of Q. */
export function kernelTraces(problem: MultiOutputSpectrum, state: MultiOutputState): { readonly plus: Matrix; readonly minus: Matrix } {
  const { eigenvalues: k } = problem;
  const { denominators, residual, directions, covariance } = state;
  const [size, outputs] = denominators.shape;
  const count = covariance.shape[0];
  const up = zeros(outputs, outputs);
  const down = zeros(outputs, outputs);
  for (let i = 0; i < size; i++) {
    for (let a = 0; a < outputs; a++) {
      const da = denominators.data[i * outputs + a]!;
      up.data[a * outputs + a]! += k[i]! / da;
      for (let e = 0; e < outputs; e++) {
        down.data[a * outputs + e]! += k[i]! * residual.data[i * outputs + a]! * residual.data[i * outputs + e]!;
        const scale = k[i]! / da / denominators.data[i * outputs + e]!;
        directions.forEach((x, alpha) => {
          directions.forEach((y, beta) => {
            up.data[a * outputs + e]! -= scale * x[i]! * y[i]! * covariance.data[(alpha * outputs + a) * count + beta * outputs + e]!;
          });
        });
      }
    }
  }
  return { plus: symmetrise(up), minus: down };
}

/** The matrix action of D outputs with one hidden layer (no mean): O(D²P + D³) an evaluation; the PD × PD matrix is never formed. */
export function multiOutputAction(problem: MultiOutputSpectrum): MatrixAction {
  return {
    dimension: problem.targets.shape[1],
    width: problem.width,
    energy(orderParameter): MatrixEnergy {
      const state = multiOutputState(problem, orderParameter);
      const { plus: up, minus } = kernelTraces(problem, state);
      return {
        value: state.logDeterminant + state.quadratic,
        plus: rotateBack(state.rotation, up),
        minus: rotateBack(state.rotation, minus),
      };
    },
  };
}

/** Mean (points × D), variance (points × D) and on request covariance (points·D)², index point·D + output. */
export interface MultiOutputPrediction {
  readonly mean: Matrix;
  readonly variance: Matrix;
  readonly covariance?: Matrix;
}

/** What prediction at new points needs: kernels without the readout bias, centred where the problem has a mean, and the mean there. */
export interface NewPoints {
  /** P* × P. */
  readonly cross: Matrix;
  /** P*. */
  readonly variances: Float64Array;
  /** P* × P*, for covariances. */
  readonly own?: Matrix;
  /** m at the new points. */
  readonly mean?: Float64Array;
}

/** Latent outputs at new points, at fixed order parameters. O(P* P² + P* P D²). */
export function predictMultiOutput(problem: MultiOutputProblem, state: MultiOutputState, points: NewPoints): MultiOutputPrediction {
  const { values: q, denominators, residual, directions } = state;
  const [size, outputs] = denominators.shape;
  const v = multiply(points.cross, problem.vectors);
  const count = v.shape[0];
  const at = directions.map((x) => (x === problem.mean ? points.mean! : new Float64Array(count).fill(1)));
  const mean = multiply(v, residual);
  for (let t = 0; t < count; t++) for (let a = 0; a < outputs; a++) mean.data[t * outputs + a]! *= q[a]!;
  // l = x* − q v D⁻¹ x: how a direction is seen through the conditioned process
  const leverage = directions.map((x, alpha) => {
    const scaled = zeros(size, outputs);
    for (let i = 0; i < size; i++)
      for (let a = 0; a < outputs; a++) scaled.data[i * outputs + a] = (q[a]! * x[i]!) / denominators.data[i * outputs + a]!;
    const seen = multiply(v, scaled);
    return { data: seen.data.map((value, j) => at[alpha]![Math.floor(j / outputs)]! - value), shape: seen.shape } as Matrix;
  });
  addCoefficientMeans(mean, at, state);
  const own = (a: number): Matrix => {
    const scaled = zeros(count, size);
    for (let t = 0; t < count; t++)
      for (let i = 0; i < size; i++) scaled.data[t * size + i] = (q[a]! * v.data[t * size + i]!) / denominators.data[i * outputs + a]!;
    const explained = multiplyTransposedRight(scaled, v);
    return symmetrise({ data: explained.data.map((value, j) => q[a]! * (points.own!.data[j]! - value)), shape: [count, count] });
  };
  const marginal = zeros(count, outputs);
  for (let t = 0; t < count; t++) {
    for (let a = 0; a < outputs; a++) {
      let explained = 0;
      for (let i = 0; i < size; i++) explained += v.data[t * size + i]! ** 2 / denominators.data[i * outputs + a]!;
      marginal.data[t * outputs + a] = Math.max(q[a]! * points.variances[t]! - q[a]! ** 2 * explained, 0);
    }
  }
  return assemble(state, mean, marginal, leverage, points.own ? Array.from({ length: outputs }, (_, a) => own(a)) : undefined);
}

/** Latent outputs at the training points without cancellation: y − Tr and T(1 − T A⁻¹). O(P²D). */
export function predictMultiOutputTrain(problem: MultiOutputProblem, state: MultiOutputState): MultiOutputPrediction {
  const { eigenvalues: k, targets, vectors, temperature: T } = problem;
  const { values: q, denominators, residual, directions, rotation } = state;
  const [size, outputs] = denominators.shape;
  const z = multiply(targets, rotation);
  const fitted = multiply(vectors, { data: z.data.map((value, j) => value - T * residual.data[j]!), shape: z.shape });
  const marginal = zeros(size, outputs);
  for (let t = 0; t < size; t++) {
    for (let i = 0; i < size; i++) {
      const square = vectors.data[t * size + i]! ** 2;
      for (let a = 0; a < outputs; a++)
        marginal.data[t * outputs + a]! += (square * T * q[a]! * k[i]!) / denominators.data[i * outputs + a]!;
    }
  }
  const leverage = directions.map((x) => {
    const scaled = zeros(size, outputs);
    for (let i = 0; i < size; i++)
      for (let a = 0; a < outputs; a++) scaled.data[i * outputs + a] = (T * x[i]!) / denominators.data[i * outputs + a]!;
    return multiply(vectors, scaled);
  });
  return assemble(state, fitted, marginal, leverage);
}

function addCoefficientMeans(mean: Matrix, at: readonly Float64Array[], state: MultiOutputState): void {
  const outputs = mean.shape[1];
  at.forEach((x, alpha) => {
    for (let t = 0; t < x.length; t++)
      for (let a = 0; a < outputs; a++) mean.data[t * outputs + a]! += x[t]! * state.coefficients[alpha * outputs + a]!;
  });
}

/** Adds the covariance of the integrated coefficients and rotates from the eigenbasis of Q to outputs. */
function assemble(
  state: MultiOutputState,
  mean: Matrix,
  marginal: Matrix,
  leverage: readonly Matrix[],
  blocks?: readonly Matrix[],
): MultiOutputPrediction {
  const { rotation, covariance: cov } = state;
  const [count, outputs] = mean.shape;
  const size = cov.shape[0];
  const rotated = multiplyTransposedRight(mean, rotation);
  /** Covariance of eigen-outputs a, e at points t, s. */
  const between = (t: number, s: number): Matrix => {
    const out = zeros(outputs, outputs);
    for (let a = 0; a < outputs; a++) {
      out.data[a * outputs + a] = blocks ? blocks[a]!.data[t * count + s]! : marginal.data[t * outputs + a]!;
      for (let e = 0; e < outputs; e++) {
        leverage.forEach((l, alpha) => {
          leverage.forEach((m, beta) => {
            out.data[a * outputs + e]! +=
              l.data[t * outputs + a]! * m.data[s * outputs + e]! * cov.data[(alpha * outputs + a) * size + beta * outputs + e]!;
          });
        });
      }
    }
    return multiplyTransposedRight(multiply(rotation, out), rotation);
  };
  const variance = zeros(count, outputs);
  const covariance = blocks ? zeros(count * outputs, count * outputs) : undefined;
  for (let t = 0; t < count; t++) {
    if (covariance) {
      for (let s = 0; s < count; s++) {
        const c = between(t, s);
        for (let a = 0; a < outputs; a++)
          for (let e = 0; e < outputs; e++)
            covariance.data[(t * outputs + a) * count * outputs + s * outputs + e] = c.data[a * outputs + e]!;
      }
      for (let a = 0; a < outputs; a++) variance.data[t * outputs + a] = covariance.data[(t * outputs + a) * (count * outputs + 1)]!;
    } else {
      const c = between(t, t);
      for (let a = 0; a < outputs; a++) variance.data[t * outputs + a] = Math.max(c.data[a * outputs + a]!, 0);
    }
  }
  return { mean: rotated, variance, ...(covariance ? { covariance } : {}) };
}

/**
 * Posterior mean of σ_w²φφᵀ/N on the training inputs at fixed order parameters: [m mᵀ +] K + (1/N) K Σ_ab Q_ab(r_a r_bᵀ − A⁻¹_ab) K, with a
 * mean also (1/N)(m pᵀ + p mᵀ), p = K E Σ_a ξ_a r_a. Exact given Q for φ = identity. O(P³ + P²D).
 */
export function multiOutputLearnedKernel(problem: MultiOutputProblem, state: MultiOutputState): Matrix {
  const { eigenvalues: k, mean, width, vectors } = problem;
  const { values: q, denominators, residual, directions, coefficients, covariance } = state;
  const [size, outputs] = denominators.shape;
  const count = covariance.shape[0];
  const diagonal = k.slice();
  const columns: Float64Array[] = [];
  const signs: number[] = [];
  const add = (sign: number, column: Float64Array): void => {
    columns.push(column);
    signs.push(sign);
  };
  const towardsMean = new Float64Array(size);
  for (let a = 0; a < outputs; a++) {
    const scale = Math.sqrt(q[a]! / width);
    const column = (f: (i: number) => number): Float64Array => Float64Array.from({ length: size }, (_, i) => f(i));
    for (let i = 0; i < size; i++) diagonal[i]! -= (q[a]! * k[i]! * k[i]!) / (width * denominators.data[i * outputs + a]!);
    add(
      1,
      column((i) => scale * k[i]! * residual.data[i * outputs + a]!),
    );
    // A⁻¹ is smaller than D⁻¹ by the directions integrated out: a small positive form, factorised by its eigenvectors
    if (directions.length > 0) {
      const own = zeros(directions.length, directions.length);
      for (let alpha = 0; alpha < directions.length; alpha++)
        for (let beta = 0; beta < directions.length; beta++)
          own.data[alpha * directions.length + beta] = covariance.data[(alpha * outputs + a) * count + beta * outputs + a]!;
      const eigen = symmetricEigen(own);
      eigen.values.forEach((value, j) => {
        const root = Math.sqrt(Math.max(value, 0));
        add(
          1,
          column(
            (i) =>
              directions.reduce((sum, x, alpha) => sum + x[i]! * eigen.vectors.data[alpha * directions.length + j]!, 0) *
              ((scale * root * k[i]!) / denominators.data[i * outputs + a]!),
          ),
        );
      });
    }
    if (mean && directions[0] === mean) {
      for (let i = 0; i < size; i++) {
        let joint = coefficients[a]! * residual.data[i * outputs + a]!;
        directions.forEach(
          (x, alpha) => (joint -= (x[i]! * covariance.data[a * count + alpha * outputs + a]!) / denominators.data[i * outputs + a]!),
        );
        towardsMean[i]! += (k[i]! * joint) / width;
      }
    }
  }
  if (mean && directions[0] === mean) {
    add(1, mean);
    add(
      1,
      mean.map((value, i) => Math.SQRT1_2 * (value + towardsMean[i]!)),
    );
    add(
      -1,
      mean.map((value, i) => Math.SQRT1_2 * (value - towardsMean[i]!)),
    );
  }
  const stacked = zeros(size, columns.length);
  columns.forEach((column, j) => column.forEach((value, i) => (stacked.data[i * columns.length + j] = value)));
  return sandwich(vectors, diagonal, stacked, signs);
}
