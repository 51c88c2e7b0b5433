import { zeros, type Matrix } from "@finitewidth/core";
import { innerProduct, lu, multiply, solveLu, symmetricEigen, symmetrise, transpose } from "@finitewidth/linalg";
import type { MatrixAction, MatrixEnergy } from "./matrix-minima.js";
import type { MultiOutputSpectrum } from "./multi-output-problem.js";
import { targetsOutOfReach } from "./scalar-posterior.js";
import { rotateBack, rotateInto } from "./small-matrix.js";

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
 * `mean`. @throws FinitewidthError (code "not-converged"): see `targetsOutOfReach`.
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
  // order parameters that targets drive beyond all bounds
  if (!system.data.every(Number.isFinite)) throw targetsOutOfReach();
  const factors = lu(system);
  const covariance = symmetrise(solveLu(factors, c));
  const coefficients = multiply(covariance, { data: t, shape: [count, 1] }).data;
  logDeterminant += factors.logAbsoluteDeterminant;
  // a sum of squares: nothing cancels at small T
  const own = solveLu(lu(transpose(system)), { data: t, shape: [count, 1] });
  let quadratic = innerProduct(own, multiply(c, own));
  for (let i = 0; i < size; i++) {
    for (let a = 0; a < outputs; a++) {
      const at = i * outputs + a;
      let rest = z.data[at]!;
      directions.forEach((x, alpha) => (rest -= x[i]! * coefficients[alpha * outputs + a]!));
      residual.data[at] = rest / denominators.data[at]!;
      quadratic += rest * residual.data[at]!;
    }
  }
  return { values, rotation, denominators, residual, directions, coefficients, covariance, logDeterminant, quadratic };
}

/** Γ₊ and Γ₋ for the kernel's order parameter, in the eigenbasis of Q. O(P D² (1 + c²)) for c directions (bias, mean) beside the kernel. */
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
