import { FinitewidthError, inputError, type Activation, type Matrix } from "@finitewidth/core";
import { requirePairMemory } from "./index-pairs.js";
import { fullyConnectedChain, type FullyConnectedChain } from "./kernel-chain.js";
import { atWidths, meanShiftFlow } from "./mean-shift.js";
import { chainVertices, covarianceFlow } from "./vertex.js";

/** The random kernel of a fully connected prior to first order in 1/N, layers 1 … L+1. */
export interface VertexFlow {
  /** K¹ … K^{L+1} at infinite width, n × n. */
  readonly kernels: readonly Matrix[];
  /** δˡ = E K̂ˡ − Kˡ at the widths of the network. */
  readonly meanShifts: readonly Matrix[];
  /** Cov K̂ˡ over the index pairs a ≤ b (lexicographic), l = 2 … L+1: n_p × n_p. */
  readonly covariances: readonly Matrix[];
  /** The same per layer: [l][k] is the coefficient of 1/N_k; reuse them for any widths with `atWidths`. */
  readonly coefficients: { readonly meanShifts: readonly (readonly Matrix[])[]; readonly covariances: readonly (readonly Matrix[])[] };
}

/**
 * Flow of kernel, mean shift and covariance (four-point vertex) through the layers, any widths, variances and biases, coincident inputs
 * included, no inverse kernels. `firstKernel`: K¹, n × n. n⁴/24 four-point functions per layer and 8 n_p² bytes for each of L(L+1)/2 + L
 * matrices. Source: docs/theories/perturbative.md §2; S. Yaida (2019), eqs. for Ṽ and S̃ rewritten without core inverses.
 * @throws FinitewidthError: "input" naming a bad field, "memory" with the bytes needed.
 */
export function vertexFlow(network: FullyConnectedChain, firstKernel: Matrix, tick?: () => void): VertexFlow {
  checkChain(network);
  checkFirstKernel(firstKernel, network.activation);
  const L = network.widths.length;
  requirePairMemory(
    firstKernel.shape[0],
    (L * (L + 1)) / 2 + L,
    "take fewer points; corrections of a posterior do not need this object beyond a few dozen points",
  );
  const chain = fullyConnectedChain(network, firstKernel);
  const meanShifts = meanShiftFlow(network, firstKernel, tick);
  const covariances = covarianceFlow(chain, chainVertices(chain, undefined, tick)).preactivation;
  return {
    kernels: [...chain.layers.map((layer) => layer.kernel), chain.output],
    meanShifts: meanShifts.map((list) => atWidths(list, network.widths)),
    covariances: covariances.slice(1).map((list) => atWidths(list, network.widths)),
    coefficients: { meanShifts, covariances: covariances.slice(1) },
  };
}

/** Checks widths and variances above the first layer. @throws FinitewidthError (code "input") naming the field. */
export function checkChain({ widths, weightVariance, biasVariance }: FullyConnectedChain): void {
  if (widths.length === 0) throw inputError("widths", "at least one hidden layer", widths);
  for (const [i, width] of widths.entries())
    if (!(Number.isSafeInteger(width) && width >= 1)) throw inputError(`widths[${i}]`, "a positive integer", width);
  const lists = { weightVariance, biasVariance };
  for (const [path, values] of Object.entries(lists))
    if (values.length !== widths.length) throw inputError(path, `${widths.length} numbers, one per layer above the first`, values);
  for (const [i, value] of weightVariance.entries())
    if (!(value > 0 && Number.isFinite(value))) throw inputError(`weightVariance[${i}]`, "a positive number", value);
  for (const [i, value] of biasVariance.entries())
    if (!(value >= 0 && Number.isFinite(value))) throw inputError(`biasVariance[${i}]`, "a number ≥ 0", value);
}

/** Checks that K¹ is finite, its diagonal nonnegative, positive for φ homogeneous of degree 0. @throws FinitewidthError (code "input"). */
export function checkFirstKernel(kernel: Matrix, activation: Activation, path = "firstKernel"): void {
  const n = kernel.shape[0];
  if (n === 0 || kernel.shape[1] !== n)
    throw new FinitewidthError(`${path}: expected a square matrix with at least one row, got ${kernel.shape.join(" × ")}`, {
      code: "shape",
      path,
    });
  for (const [i, value] of kernel.data.entries())
    if (!Number.isFinite(value)) throw inputError(`${path}[${Math.floor(i / n)}][${i % n}]`, "a finite number", value);
  for (let i = 0; i < n; i++) {
    const value = kernel.data[i * n + i]!;
    if (value < 0) throw inputError(`${path}[${i}][${i}]`, "a variance ≥ 0", value);
    if (activation.degree === 0 && value === 0)
      throw inputError(
        `${path}[${i}][${i}]`,
        `a positive variance: ${activation.name} has no derivative at an input of zero variance (add a bias, or drop the zero input)`,
        value,
      );
  }
}
