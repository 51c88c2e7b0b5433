import type { Architecture, Matrix, RandomStream } from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import { gram, innerProduct, multiply, multiplyTransposedLeft } from "@finitewidth/linalg";
import type { RotationState } from "@finitewidth/numerics";
import { isStepwise } from "../posterior/chain.js";
import type { SamplingProblem } from "../posterior/densities.js";
import { visitSteinMehler } from "../posterior/stein-mehler.js";

/**
 * Mean and variance at the test inputs to first order in the kernel of the readout about its prior mean K, and the prior means of these:
 * exact for one hidden layer at any width, since E K̂ = K.
 */
export interface LinearResponse {
  /** α = (K + T)⁻¹Y, P × D, and B = (K + T)⁻¹K_*, P × P*. */
  readonly weights: Matrix;
  readonly projection: Matrix;
  /** Prior means: of ΨΦᵀα (P*·D), of the squared norms of the rows of Ψ (P*), of Ĝ¹ (P²). */
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly kernel: Float64Array;
  /** ∂ℓ/∂K̂ at K, ½(ααᵀ − D(K + T)⁻¹), P × P, and the prior mean of its product with ΦΦᵀ. */
  readonly slope: Matrix;
  readonly likelihood: number;
}

/** What has posterior mean zero and moves with the outputs and the kernel. */
export interface Control {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly kernel: Float64Array;
}

/**
 * Whether E K̂ = K exactly and ∇ℓ exists, one fully connected hidden layer with slopes, and there are at least as many units as points:
 * below that the kernel is no small way from its mean, and the controls explain nothing.
 */
export function hasControls(architecture: Architecture, points: number): boolean {
  const widths = denseChain(architecture)?.widths ?? [];
  return widths.length === 1 && widths[0]! >= points && !isStepwise(architecture);
}

/** With Ψ = Φ_* − BᵀΦ: ΨΦᵀα and the squared norms of the rows of Ψ, linear in the kernel ΦΦᵀ of all inputs. O(P P* N). */
export function linearResponse(
  features: Matrix,
  tests: Matrix,
  { weights, projection }: Pick<LinearResponse, "weights" | "projection">,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  const psi = multiplyTransposedLeft(projection, features);
  const [rows, columns] = psi.shape;
  const variance = new Float64Array(rows);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const value = tests.data[i * columns + j]! - psi.data[i * columns + j]!;
      psi.data[i * columns + j] = value;
      variance[i]! += value * value;
    }
  return { mean: multiply(psi, multiplyTransposedLeft(features, weights)).data, variance };
}

/**
 * Control variates at draws of the posterior: response − its prior mean − the Stein–Mehler estimate of its shift, whose posterior mean is
 * zero. At large N the outputs fluctuate with the kernel, by O(N^{−1/2}), which this takes away; the Stein–Mehler term itself fluctuates by
 * O(1/N). Five forward runs of training and test inputs and O(P P* N + P² N) per draw.
 */
export function createControl(
  problem: SamplingProblem,
  tests: SamplingProblem["network"],
  response: LinearResponse,
): (state: RotationState, random: RandomStream) => Control {
  const { network } = problem;
  const xi = new Float64Array(network.parameters - network.readoutParameters);
  const full = new Float64Array(network.parameters);
  return ({ position, gradient }, random) => {
    const control = { mean: response.mean.map(negated), variance: response.variance.map(negated), kernel: response.kernel.map(negated) };
    const add = (theta: Float64Array, weight: number): void => {
      const state = network.forward(theta);
      const { mean, variance } = linearResponse(state.features, tests.forward(theta).features, response);
      addTo(control.mean, mean, weight);
      addTo(control.variance, variance, weight);
      addTo(control.kernel, state.hiddenKernels()[0]!.data, weight);
    };
    full.set(position);
    add(full, 1);
    visitSteinMehler(position, gradient, random, { xi, full }, (point, weight) => add(point, -weight));
    return control;
  };
}

/**
 * The same for ℓ at a level of an annealing: ∂ℓ/∂K̂·(K̂ − K) − its Stein–Mehler shift, whose mean under N(0, 1)e^{bℓ} is zero. Five forward
 * runs and O(P² N).
 */
export function createLikelihoodControl(
  { network }: SamplingProblem,
  { slope, likelihood }: LinearResponse,
): (state: RotationState, exponent: number, random: RandomStream) => number {
  const xi = new Float64Array(network.parameters - network.readoutParameters);
  const full = new Float64Array(network.parameters);
  const linear = (theta: Float64Array): number => innerProduct(slope, gram(network.forward(theta).features));
  return ({ position, gradient }, exponent, random) => {
    full.set(position);
    let control = linear(full) - likelihood;
    if (exponent > 0)
      visitSteinMehler(position, gradient, random, { xi, full }, (point, weight) => (control -= exponent * weight * linear(point)));
    return control;
  };
}

const negated = (value: number): number => -value;
const addTo = (sum: Float64Array, values: Float64Array, weight: number): void => values.forEach((value, i) => (sum[i]! += weight * value));

/** Rows less their controls; undefined where a row has none. */
export function controlled(
  rows: readonly Float64Array[],
  controls: readonly (Float64Array | undefined)[],
): readonly Float64Array[] | undefined {
  if (controls.some((control) => control === undefined)) return undefined;
  return rows.map((row, c) => row.map((value, i) => value - controls[c]![i]!));
}
