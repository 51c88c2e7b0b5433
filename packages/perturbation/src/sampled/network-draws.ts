import { readoutOf, type Architecture, type FiniteNetworkState, type Matrix } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { gram } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";

/** Kernels of one drawn network: K̂^{L+1} and Ĝ¹ … Ĝ^L over its inputs. */
export interface DrawnKernels {
  readonly output: Matrix;
  readonly hidden: readonly Matrix[];
}

/** K̂^{L+1} = Φ Φᵀ + σ_b² of a network's state. */
export function readoutKernel(architecture: Architecture, state: FiniteNetworkState): Matrix {
  const kernel = gram(state.features);
  const bias = readoutOf(architecture).biasVariance;
  for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! += bias;
  return kernel;
}

/** States of networks drawn from the prior, one after the other; the arrays of a state may be reused by the next. */
export function* drawStates(
  architecture: Architecture,
  inputs: Matrix,
  count: number,
  seed: number,
  ...indices: readonly number[]
): Generator<FiniteNetworkState> {
  const network = realise(architecture, inputs, 1);
  const source = stream(seed, ...indices);
  const theta = new Float64Array(network.parameters);
  for (let s = 0; s < count; s++) yield network.forward(source.normals(theta));
}

/** Kernels of `count` networks. O(count) forward runs; all kernels are kept. */
export function drawKernels(
  architecture: Architecture,
  inputs: Matrix,
  count: number,
  seed: number,
  batch: number,
  tick: (fraction: number) => void,
): DrawnKernels[] {
  const out: DrawnKernels[] = [];
  for (const state of drawStates(architecture, inputs, count, seed, batch)) {
    tick(out.length / count);
    out.push({
      output: readoutKernel(architecture, state),
      hidden: state.hiddenKernels().map(({ data, shape }) => ({ data: data.slice(), shape })),
    });
  }
  return out;
}
