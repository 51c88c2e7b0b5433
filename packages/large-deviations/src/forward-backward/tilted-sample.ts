import { applyAdjointJacobian } from "@finitewidth/activations";
import type { Activation, Matrix } from "@finitewidth/core";
import {
  affine,
  gram,
  multiply,
  multiplyTransposedLeft,
  scaleRows,
  symmetricEigen,
  symmetrise,
  type SymmetricEigen,
} from "@finitewidth/linalg";
import { spectralFunction } from "../effective-action/small-matrix.js";
import { divergent, fittedTilt, isFitted } from "./angular-proposal.js";
import type { TiltedMeasure } from "./closure.js";
import { symmetricRoot, type KernelRoot } from "./kernel-root.js";
import { whitenedTilt } from "./linear-closure.js";
import type { NodeBlocks } from "./node-blocks.js";
import type { GaussianNodes } from "./nodes.js";
import { jumps } from "./refusals.js";

/** Weight of the outermost shell of a lattice over what the proposal leaves beyond it. */
const shellToTail = 50;
/** Largest eigenvalue of the proposal's tilt, and the smallest, wider proposals where the first is too narrow for a lattice. */
export const clip = { lower: [-4, -1, 0], upper: 0.8 } as const;

/** Nodes of a tilted measure with its proposal N(0, S). */
export interface TiltedSample {
  readonly root: KernelRoot;
  /** S. */
  readonly covariance: Matrix;
  /** Symmetric (1 − Λ)^{−½} in whitened coordinates: y = stretch z, h = F y. */
  readonly stretch: Matrix;
  /** Λ/(1 − Λ) in whitened coordinates, S's excess over C. */
  readonly excess: Matrix;
  /** What is made at the nodes, those of this sample until the next one is taken. */
  readonly blocks: NodeBlocks;
  /** Self-normalised weights p. */
  readonly weights: Float64Array;
  /** Random nodes, φ of degree 1: factors s along their rays that take nodes to where the tilted measure has them. */
  readonly reaches?: Float64Array;
  /** Weights of functions of degree 2 of y: p, or ps² where there are `reaches`. */
  readonly squares: Float64Array;
  /** Those less w, which integrates what the proposal's own moments leave. */
  readonly differences: Float64Array;
  readonly cumulant: number;
  readonly effectiveFraction: number;
  /** Of lattices: `refinementError`, and the weight near the edge of the lattice in units of what the proposal itself leaves outside. */
  readonly error?: number;
  readonly edge?: number;
}

/** Σ_i factors_i rows_iᵀ rows_i. */
const weightedGram = (rows: Matrix, factors: Float64Array): Matrix => symmetrise(multiplyTransposedLeft(rows, scaleRows(rows, factors)));

/**
 * Nodes and weights of the tilted measure; `blocks` are those of the nodes. For φ of degree 1 the exponent of the measure is −q(y)/2 with
 * q = |y|² − 2gφᵀAφ, of degree 2 too, and random nodes have their radius for certain: y = z stretched goes to sy, s = |z|/√q, where q is
 * |z|² and the weight, (|z|²/q)^{P/2}, depends on the direction alone (lattices keep the exponential, which is no discontinuous function at
 * their origin). @throws FinitewidthError (code "not-positive-definite") when a homogeneous tilt is seen to diverge.
 */
export function sampleTilted(
  activation: Activation,
  nodes: GaussianNodes,
  blocks: NodeBlocks,
  { kernel, conjugate, weightVariance }: TiltedMeasure,
  lower: number = clip.lower[0],
): TiltedSample {
  const root = symmetricRoot(kernel);
  const [count, size] = nodes.points.shape;
  const random = !nodes.coarse;
  const capped =
    random && isFitted(activation, size)
      ? fittedTilt(activation, root, { kernel, conjugate, weightVariance }, nodes.points)
      : linearisedTilt(activation, root, { kernel, conjugate, weightVariance }, lower);
  const stretch = spectralFunction(capped, (value) => 1 / Math.sqrt(1 - value));
  const excess = spectralFunction(capped, (value) => value / (1 - value));
  const stretchedRoot = multiply(root.root, stretch);
  const covariance = gram(stretchedRoot);
  let logDeterminant = 0;
  for (const value of capped.values) logDeterminant += Math.log1p(-value);
  const exponents = new Float64Array(count);
  const homogeneous = activation.degree === 1;
  const reaches = homogeneous && random ? new Float64Array(count).fill(1) : undefined;
  let largest = Number.NEGATIVE_INFINITY;
  blocks.first(stretch, root.root, conjugate, ({ from, nodes: z, whitened, features, force, spare: quadratic }) => {
    blocks.multiply(z, excess, quadratic);
    for (let i = 0, j = 0; i < z.shape[0]; i++) {
      let [energy, proposal, radius] = [0, 0, 0];
      for (; j < (i + 1) * size; j++) {
        energy += features.data[j]! * force.data[j]!;
        proposal += z.data[j]! * quadratic.data[j]!;
        radius += whitened.data[j]! ** 2;
      }
      const decay = radius - 2 * weightVariance * energy;
      if (homogeneous && decay <= 0 && radius > 0) throw divergent();
      // |y|² − |z|² is `proposal`
      const ratio = radius > 0 ? (radius - proposal) / decay : 1;
      if (reaches) reaches[from + i] = Math.sqrt(ratio);
      const tilt = reaches ? 0.5 * size * Math.log(ratio) : weightVariance * energy - 0.5 * proposal;
      const exponent = tilt - 0.5 * logDeterminant;
      exponents[from + i] = exponent;
      if (exponent > largest) largest = exponent;
    }
  });
  const densities = exponents.map((value) => Math.exp(value - largest));
  const { weights, total } = selfNormalised(densities, nodes.weights);
  const squares = reaches ? weights.map((weight, i) => weight * reaches[i]! ** 2) : weights;
  const coarse = nodes.coarse && selfNormalised(densities, nodes.coarse);
  let concentration = 0;
  const differences = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    concentration += (weights[i]! * weights[i]!) / nodes.weights[i]!;
    differences[i] = squares[i]! - nodes.weights[i]!;
  }
  return {
    root,
    covariance,
    stretch,
    excess,
    blocks,
    weights,
    ...(reaches ? { reaches } : {}),
    squares,
    differences,
    cumulant: Math.log(total) + largest,
    effectiveFraction: 1 / concentration,
    ...(coarse
      ? {
          error: refinementError(
            Math.log(total / coarse.total),
            [blocks.features, multiply(nodes.points, stretch)].map((rows) => [
              weightedGram(rows, weights),
              weightedGram(rows, coarse.weights),
            ]),
            activation.smooth,
          ),
          edge: nodes.edge!.reduce((sum, i) => sum + weights[i]!, 0) / shellToTail,
        }
      : {}),
  };
}

/** Eigenvalues and vectors of 2FᵀBF, B = gJᵀ(C)[A], the eigenvalues kept in [lower, 0.8]. */
function linearisedTilt(
  activation: Activation,
  root: KernelRoot,
  { kernel, conjugate, weightVariance }: TiltedMeasure,
  lower: number,
): SymmetricEigen {
  // the slopes of a φ that jumps diverge at equal inputs: any proposal will do, so take the prior
  const tilt = jumps(activation) ? affine(0, kernel) : applyAdjointJacobian(activation, kernel, conjugate);
  const { values, vectors } = symmetricEigen(whitenedTilt(root, affine(weightVariance, tilt)));
  return { values: values.map((value) => Math.min(Math.max(value, lower), clip.upper)), vectors };
}

/** Weights w e/Σ w e and the sum. */
function selfNormalised(values: Float64Array, nodeWeights: Float64Array): { readonly weights: Float64Array; readonly total: number } {
  const weights = values.map((value, i) => value * nodeWeights[i]!);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { weights: weights.map((weight) => weight / total), total };
}

/**
 * Error of a lattice from its change to twice the spacing, e: the trapezoidal rule of an analytic function converges at least like
 * exp(−c/spacing), so that halving the spacing squares the error; at kinks it divides it by 4.
 */
function refinementError(logarithm: number, moments: readonly (readonly Matrix[])[], smooth: boolean): number {
  let error = Math.abs(logarithm);
  for (const [fine, coarse] of moments) {
    const scale = Math.max(...fine!.data.map(Math.abs));
    for (let i = 0; i < fine!.data.length; i++) error = Math.max(error, Math.abs(fine!.data[i]! - coarse!.data[i]!) / (scale || 1));
  }
  return smooth ? Math.min(error, error * error) : error / 4;
}
