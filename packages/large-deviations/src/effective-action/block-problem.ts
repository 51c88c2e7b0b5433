import { FinitewidthError, inputError, shapeError, zeros, type Matrix, type SiteBlocks } from "@finitewidth/core";
import { identity, multiply, multiplyTransposedLeft, multiplyTransposedRight, symmetrise } from "@finitewidth/linalg";
import { conditionTargets, fixedPoint, type ConditionedTargets } from "@finitewidth/numerics";
import type { MatrixAction, MatrixEnergy } from "./matrix-minima.js";
import { blendOrders, meanIteration, meanUpdate, type MeanSaddle } from "./mean-saddle.js";
import { checkParameters } from "./scalar-problem.js";
import { largest, plus } from "./small-matrix.js";

/**
 * One hidden layer with S sites that the readout sees, and D outputs: K_R[(μ,d),(ν,e)] = Σ_ij Q_{(id),(je)} B_ij[μν], Q of size SD with
 * index site·D + output (local kernel renormalisation). With `means` the blocks are centred, B_ij − m_i m_jᵀ, and K_R gains Σ ζ_{(id),(je)}
 * m_i m_jᵀ.
 */
export interface BlockProblem {
  readonly sites: number;
  /** B_ij at i·S + j: P × P. */
  readonly blocks: readonly Matrix[];
  /** m_i: S × P. */
  readonly means?: Matrix;
  /** Y: P × D. */
  readonly targets: Matrix;
  readonly temperature: number;
  readonly width: number;
  readonly biasVariance: number;
}

export interface BlockInput {
  readonly blocks: SiteBlocks;
  readonly targets: Matrix;
  /** T ≥ 0; T = 0 needs independent points. */
  readonly temperature: number;
  readonly width: number;
  /** @defaultValue 0 */
  readonly biasVariance?: number;
  /** Treat the mean of the activation as a second order parameter. @defaultValue false */
  readonly centred?: boolean;
}

/** B_ij − m_i m′_jᵀ for all pairs; rows belong to `left` (S × P), columns to `right`. */
export function centreBlocks(blocks: readonly Matrix[], sites: number, left: Matrix, right: Matrix): readonly Matrix[] {
  const columns = right.shape[1];
  const rows = left.shape[1];
  return blocks.map((b, at) => {
    const [i, j] = [Math.floor(at / sites), at % sites];
    return {
      data: b.data.map((value, k) => value - left.data[i * rows + Math.floor(k / columns)]! * right.data[j * columns + (k % columns)]!),
      shape: b.shape,
    };
  });
}

/** @throws FinitewidthError (code "input" or "shape") for T < 0, N ≤ 0, negative variances, NaN, B_ij ≠ B_jiᵀ or shapes that do not fit. */
export function createBlockProblem(input: BlockInput): BlockProblem {
  const { targets, temperature, width, biasVariance = 0, centred = false } = input;
  const { sites, blocks, means } = input.blocks;
  checkParameters(temperature, width, biasVariance);
  if (blocks.length !== sites * sites) throw shapeError("blocks", `${sites * sites} matrices (pairs of sites)`, `${blocks.length}`);
  const size = targets.shape[0];
  let top = 0;
  let asymmetry = 0;
  for (const [at, b] of blocks.entries()) {
    if (b.shape[0] !== size || b.shape[1] !== size) throw shapeError(`blocks[${at}]`, `${size} × ${size}`, `${b.shape[0]} × ${b.shape[1]}`);
    if (!b.data.every(Number.isFinite)) throw inputError(`blocks[${at}]`, "finite numbers", "NaN or infinity");
    const other = blocks[(at % sites) * sites + Math.floor(at / sites)]!;
    for (let mu = 0; mu < size; mu++) {
      for (let nu = 0; nu < size; nu++) {
        top = Math.max(top, Math.abs(b.data[mu * size + nu]!));
        asymmetry = Math.max(asymmetry, Math.abs(b.data[mu * size + nu]! - other.data[nu * size + mu]!));
      }
    }
  }
  if (asymmetry > 1e-8 * top) throw inputError("blocks", "B_ij equal to the transpose of B_ji", `entries that differ by ${asymmetry}`);
  if (!targets.data.every(Number.isFinite)) throw inputError("targets", "finite numbers", "NaN or infinity");
  const useMeans = centred && means.data.some((value) => value !== 0);
  return {
    sites,
    blocks: useMeans ? centreBlocks(blocks, sites, means, means) : blocks,
    ...(useMeans ? { means } : {}),
    targets,
    temperature,
    width,
    biasVariance,
  };
}

/** K_R between rows and columns of the blocks, index point·D + output, without the mean's and the bias's parts. O(S²D²P P′). */
export function renormalisedBlocks(blocks: readonly Matrix[], sites: number, outputs: number, orderParameter: Matrix): Matrix {
  const [rows, columns] = blocks[0]!.shape;
  const out = zeros(rows * outputs, columns * outputs);
  const n = sites * outputs;
  const width = columns * outputs;
  for (let i = 0; i < sites; i++) {
    for (let j = 0; j < sites; j++) {
      const b = blocks[i * sites + j]!.data;
      for (let d = 0; d < outputs; d++) {
        for (let e = 0; e < outputs; e++) {
          const q = orderParameter.data[(i * outputs + d) * n + j * outputs + e]!;
          if (q === 0) continue;
          for (let mu = 0; mu < rows; mu++) {
            const row = (mu * outputs + d) * width + e;
            for (let nu = 0; nu < columns; nu++) out.data[row + nu * outputs]! += q * b[mu * columns + nu]!;
          }
        }
      }
    }
  }
  return out;
}

/** Columns m_i ⊗ e_d: (points·D) × (S·D). */
export function meanDirections(means: Matrix, outputs: number): Matrix {
  const [sites, points] = means.shape;
  const out = zeros(points * outputs, sites * outputs);
  for (let i = 0; i < sites; i++)
    for (let mu = 0; mu < points; mu++)
      for (let d = 0; d < outputs; d++) out.data[(mu * outputs + d) * sites * outputs + i * outputs + d] = means.data[i * points + mu]!;
  return out;
}

/** Adds b between equal outputs. */
export function addBias(a: Matrix, outputs: number, b: number): void {
  const [rows, columns] = a.shape;
  if (b === 0) return;
  for (let i = 0; i < rows; i++) for (let j = i % outputs; j < columns; j += outputs) a.data[i * columns + j]! += b;
}

/** A at given order parameters, conditioned on; without null directions where T is lost in rounding. */
export interface BlockState extends ConditionedTargets {
  /** A − T. */
  readonly covariance: Matrix;
  readonly inverse: Matrix;
  /** A⁻¹vec(Y), index point·D + output. */
  readonly residual: Float64Array;
}

/** O(P³D³ + S²D²P²). @throws FinitewidthError (code "not-positive-definite"). */
export function blockState(problem: BlockProblem, orderParameter: Matrix, zeta?: Matrix): BlockState {
  const { blocks, sites, targets, means, temperature, biasVariance } = problem;
  const outputs = targets.shape[1];
  let a = symmetrise(renormalisedBlocks(blocks, sites, outputs, orderParameter));
  if (means && zeta) {
    const v = meanDirections(means, outputs);
    a = plus(a, symmetrise(multiplyTransposedRight(multiply(v, zeta), v)));
  }
  addBias(a, outputs, biasVariance);
  const conditioned = conditionTargets(a, { data: targets.data, shape: [targets.data.length, 1] }, temperature, { regular: true });
  return { ...conditioned, covariance: a, inverse: conditioned.resolvent(), residual: conditioned.weights.data };
}

/** Γ₊[(id),(je)] = Σ A⁻¹[μd,νe] B_ij[μν] and Γ₋ = Σ r_μd r_νe B_ij[μν]. O(S²D²P²). */
export function blockTraces(problem: BlockProblem, { inverse, residual }: BlockState): { readonly plus: Matrix; readonly minus: Matrix } {
  const { blocks, sites, targets } = problem;
  const [size, outputs] = targets.shape;
  const n = sites * outputs;
  const up = zeros(n, n);
  const down = zeros(n, n);
  const width = size * outputs;
  for (let i = 0; i < sites; i++) {
    for (let j = 0; j < sites; j++) {
      const b = blocks[i * sites + j]!.data;
      for (let d = 0; d < outputs; d++) {
        for (let e = 0; e < outputs; e++) {
          let [trace, data] = [0, 0];
          for (let mu = 0; mu < size; mu++) {
            let [row, rowData] = [0, 0];
            for (let nu = 0; nu < size; nu++) {
              const value = b[mu * size + nu]!;
              row += value * inverse.data[(mu * outputs + d) * width + nu * outputs + e]!;
              rowData += value * residual[nu * outputs + e]!;
            }
            trace += row;
            data += rowData * residual[mu * outputs + d]!;
          }
          up.data[(i * outputs + d) * n + j * outputs + e] = trace;
          down.data[(i * outputs + d) * n + j * outputs + e] = data;
        }
      }
    }
  }
  return { plus: symmetrise(up), minus: symmetrise(down) };
}

/**
 * The matrix action of sites and outputs (the mean, if any, is left to `blockMeanSaddle`). An energy costs what `blockState` does, O(P³D³ +
 * S²D²P²).
 */
export function blockAction(problem: BlockProblem): MatrixAction {
  return {
    dimension: problem.sites * problem.targets.shape[1],
    width: problem.width,
    energy(orderParameter): MatrixEnergy {
      const state = blockState(problem, orderParameter);
      return { value: state.logDeterminant + state.quadratic, ...blockTraces(problem, state) };
    },
  };
}

/**
 * Saddle in (Q, ζ) for an activation with a mean: the matrix version of `meanSaddle`, damped fixed point. O(P³D³ + S²D²P²) a step. @throws
 * FinitewidthError (code "input") for a problem without a mean.
 */
export function blockMeanSaddle(problem: BlockProblem, onIteration?: (iteration: number) => void): MeanSaddle {
  const { means, targets, sites } = problem;
  const outputs = targets.shape[1];
  if (!means) throw new FinitewidthError("the problem has no mean: minimise its action instead", { code: "input" });
  const n = sites * outputs;
  const v = meanDirections(means, outputs);
  const { step, factor, residual, iterations } = fixedPoint(
    { orderParameter: identity(n), zeta: identity(n) },
    ({ orderParameter, zeta }) => {
      const state = blockState(problem, orderParameter, zeta);
      const traces = blockTraces(problem, state);
      const xi = multiply(zeta, multiplyTransposedLeft(v, { data: state.residual, shape: [state.residual.length, 1] })).data;
      const vz = multiply(v, zeta);
      const xiCovariance = symmetrise(plus(zeta, multiplyTransposedLeft(vz, multiply(state.inverse, vz)), -1));
      const next = meanUpdate(zeta, traces, xi, xiCovariance, problem.width);
      return {
        residual:
          Math.max(largest(plus(next.zeta, zeta, -1)), largest(plus(next.orderParameter, orderParameter, -1))) / largest(orderParameter),
        move: blendOrders({ orderParameter, zeta }, next),
        xi,
        xiCovariance,
      };
    },
    { tolerance: 1e-13, maximumIterations: 3000, ...meanIteration, onIteration },
  );
  const { xi, xiCovariance } = step;
  return { ...step.move(factor), xi, xiCovariance, converged: residual < 1e-9, iterations, residual };
}
