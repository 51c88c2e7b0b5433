import type { Activation, FiniteNetworkState, Matrix, Network, PriorModel } from "@finitewidth/core";
import { gram } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";

/** A network that can be drawn from its prior. */
export interface DrawableNetwork {
  readonly network: Network;
  readonly activation: Activation;
  readonly priorModel: PriorModel;
}

/** Kernels of one drawn network: K̂^{L+1} and Ĝ¹ … Ĝ^L over its inputs. */
export interface DrawnKernels {
  readonly output: Matrix;
  readonly hidden: readonly Matrix[];
}

/** K̂^{L+1} = Φ Φᵀ + σ_b² of a network's state. */
export function readoutKernel(network: Network, state: FiniteNetworkState): Matrix {
  const kernel = gram(state.features);
  const bias = network.biasVariance.at(-1)!;
  for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! += bias;
  return kernel;
}

/** States of networks drawn from the prior, one after the other; the arrays of a state may be reused by the next. */
export function* drawStates(
  { network, activation, priorModel }: DrawableNetwork,
  inputs: Matrix,
  count: number,
  seed: number,
  ...indices: readonly number[]
): Generator<FiniteNetworkState> {
  const realised = priorModel.realise(network, activation, inputs, 1);
  const source = stream(seed, ...indices);
  const theta = new Float64Array(realised.parameters);
  for (let s = 0; s < count; s++) yield realised.forward(source.normals(theta));
}

/** Kernels of `count` networks. O(count) forward runs; all kernels are kept. */
export function drawKernels(
  setting: DrawableNetwork,
  inputs: Matrix,
  count: number,
  seed: number,
  batch: number,
  tick: (fraction: number) => void,
): DrawnKernels[] {
  const out: DrawnKernels[] = [];
  for (const state of drawStates(setting, inputs, count, seed, batch)) {
    tick(out.length / count);
    out.push({
      output: readoutKernel(setting.network, state),
      hidden: state.hiddenKernels().map(({ data, shape }) => ({ data: data.slice(), shape })),
    });
  }
  return out;
}
