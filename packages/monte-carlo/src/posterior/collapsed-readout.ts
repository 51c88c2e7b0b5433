import { FinitewidthError, type Matrix } from "@finitewidth/core";
import {
  choleskyInverse,
  combine,
  createWorkspace,
  gram,
  innerProduct,
  multiply,
  multiplyTransposedRight,
  type Workspace,
} from "@finitewidth/linalg";
import { conditionTargets, mayLoseNoise, type ConditionedTargets } from "@finitewidth/numerics";

/** log N(Y | 0, A) of A = T + σ_b² + ΦΦᵀ and its gradient, evaluated over and over: like `conditionReadout`, but in place. */
export interface CollapsedReadout {
  /** log N(Y | 0, A), all outputs; NaN where A is not positive definite. */
  logLikelihood(features: Matrix): number;
  /**
   * ∂ log N(Y | 0, A)/∂Φ = (R Rᵀ − D A⁻¹)Φ, R = A⁻¹Y, at the features of the last `logLikelihood`, P × F; valid until the next one, and to
   * be asked for once.
   */
  cotangent(): Matrix;
}

/** From this order on an inverse that leaves out the zeros of L⁻¹ is worth its way into the memory of the backend and back. */
const sharedInverse = 128;
const left = { transposed: "left" } as const;

/**
 * For P × `count` features. Cost O(min(P, F)² max(P, F)) a call, no allocation. Source: docs/theories/monte-carlo.md, "Collapsed
 * posterior".
 */
export function collapsedReadout(count: number, bias: number, targets: Matrix, temperature: number): CollapsedReadout {
  const [points, outputs] = targets.shape;
  const size = count + (bias === 0 ? 0 : 1);
  const ofPoints = points <= size;
  const order = Math.min(points, size);
  const workspace = createWorkspace([
    [points, size],
    [order, order],
    [points, outputs],
    [size, outputs],
    [ofPoints ? 0 : points, size],
    [ofPoints ? 0 : size, size],
    [points, count],
  ]);
  const [phi, factor, residual, weights, direct, inverse, stripped] = workspace.matrices as [
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
  ];
  const constant = -0.5 * points * outputs * Math.log(2 * Math.PI);
  const fromOutputs = { transposed: "right", beta: -outputs } as const;

  const load = ({ data }: Matrix): void => {
    if (bias === 0) return phi.data.set(data);
    for (let i = 0; i < points; i++) {
      for (let j = 0; j < count; j++) phi.data[i * size + j] = data[i * count + j]!;
      phi.data[i * size + count] = bias;
    }
  };
  const withoutBias = (full: Matrix): Matrix => {
    if (bias === 0) return full;
    for (let i = 0; i < points; i++) for (let j = 0; j < count; j++) stripped.data[i * count + j] = full.data[i * size + j]!;
    return stripped;
  };
  /** The conditioning of all theories, in place of the one in place, where T may be lost in the rounding of ΦΦᵀ. */
  let conditioned: ConditionedTargets | undefined;
  /** Factor of T + ΦΦᵀ or T + ΦᵀΦ; its log det, NaN where there is none. */
  const factorise = (): number => {
    workspace.gramLower(phi, factor, !ofPoints);
    let largest = 0;
    for (let i = 0; i < order; i++) {
      largest = Math.max(largest, factor.data[i * (order + 1)]!);
      factor.data[i * (order + 1)]! += temperature;
    }
    const failed = workspace.cholesky(factor) >= 0;
    conditioned = Number.isFinite(largest) && (failed || mayLoseNoise(factor, largest, temperature)) ? conditionAnew() : undefined;
    if (conditioned) return conditioned.logDeterminant;
    if (failed) return Number.NaN;
    let logDeterminant = 0;
    for (let i = 0; i < order; i++) logDeterminant += 2 * Math.log(factor.data[i * (order + 1)]!);
    return logDeterminant + (ofPoints ? 0 : (points - size) * Math.log(temperature));
  };
  const conditionAnew = (): ConditionedTargets | undefined => {
    try {
      return conditionTargets(gram(phi), targets, temperature);
    } catch (error) {
      if (error instanceof FinitewidthError) return undefined;
      throw error;
    }
  };
  /** YᵀA⁻¹Y, all outputs; leaves R = A⁻¹Y and ΦᵀR. */
  const solve = (): number => {
    if (conditioned) {
      residual.data.set(conditioned.weights.data);
      workspace.multiply(phi, residual, weights, left);
      return conditioned.quadratic;
    }
    if (ofPoints) {
      residual.data.set(targets.data);
      workspace.solveTriangular(factor, residual);
      const quadratic = innerProduct(residual, residual);
      workspace.solveTriangular(factor, residual, true);
      workspace.multiply(phi, residual, weights, left);
      return quadratic;
    }
    residual.data.set(targets.data);
    workspace.multiply(phi, residual, weights, left);
    solveBoth(workspace, factor, weights);
    workspace.multiply(phi, weights, residual, { alpha: -1 / temperature, beta: 1 / temperature });
    // |y − f|²/T + |w|²: a sum of squares, no cancellation at small T
    return temperature * innerProduct(residual, residual) + innerProduct(weights, weights);
  };
  const invert = (): void => {
    if (size >= sharedInverse) return void choleskyInverse(factor, inverse.data);
    inverse.data.fill(0);
    for (let i = 0; i < size; i++) inverse.data[i * (size + 1)] = 1;
    solveBoth(workspace, factor, inverse);
  };
  return {
    logLikelihood: (features) => {
      load(features);
      const logDeterminant = factorise();
      return Number.isNaN(logDeterminant) ? Number.NaN : constant - 0.5 * (outputs * logDeterminant + solve());
    },
    // R Wᵀ − D A⁻¹Φ, where A⁻¹Φ = Φ (T + ΦᵀΦ)⁻¹
    cotangent: () => {
      if (conditioned) {
        const own = multiply(conditioned.resolvent(), phi);
        phi.data.set(combine(-outputs, own, 1, multiplyTransposedRight(residual, weights)).data);
        return withoutBias(phi);
      }
      if (ofPoints) {
        solveBoth(workspace, factor, phi);
        workspace.multiply(residual, weights, phi, fromOutputs);
        return withoutBias(phi);
      }
      invert();
      workspace.multiply(phi, inverse, direct);
      workspace.multiply(residual, weights, direct, fromOutputs);
      return withoutBias(direct);
    },
  };
}

function solveBoth(workspace: Workspace, factor: Matrix, b: Matrix): void {
  workspace.solveTriangular(factor, b);
  workspace.solveTriangular(factor, b, true);
}
