import {
  createPause,
  readoutOf,
  resolveArchitecture,
  resolveNetworkInput,
  type FigureLab,
  type Matrix,
  type Task,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { gram } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";

/** A network as in an experiment file. */
export type WrittenNetwork = { readonly type: string; readonly [field: string]: unknown };

/** Networks to draw from the prior. */
export interface DrawChunk {
  readonly network: WrittenNetwork;
  readonly inputs: Matrix;
  readonly draws: number;
  readonly seed: number;
  readonly index: number;
}

/** f(X) of every draw (draws × P), and K̂^{L+1} of every draw (draws × P²) where it was asked for. */
export interface DrawnNetworks {
  readonly outputs: Float64Array;
  readonly kernels: Float64Array;
}

/** Draws networks with one output from the prior. */
export const drawNetworks: Task<DrawChunk, DrawnNetworks> = {
  module: import.meta.url,
  name: "drawNetworks",
  async run({ network, inputs, draws, seed, index }, { registry, tick }) {
    const architecture = resolveArchitecture(registry, resolveNetworkInput(network, registry));
    const real = realise(architecture, inputs, 1);
    const bias = readoutOf(architecture).biasVariance;
    const random = stream(seed, index);
    const theta = new Float64Array(real.parameters);
    const points = inputs.shape[0];
    const outputs = new Float64Array(draws * points);
    const kernels = new Float64Array(draws * points * points);
    const pause = createPause();
    for (let draw = 0; draw < draws; draw++) {
      const state = real.forward(random.normals(theta));
      outputs.set(state.outputs.data, draw * points);
      kernels.set(
        gram(state.features).data.map((value) => value + bias),
        draw * points * points,
      );
      if (draw % 256 === 0) {
        tick(draw / draws);
        await pause();
      }
    }
    return { outputs, kernels };
  },
};

/** Parts in which networks are drawn: enough of them for errors of anything from their scatter. */
export const parts = 32;

/** Draws networks in parts with streams of their own; `first` keeps streams of several questions apart. */
export async function drawParts(
  lab: FigureLab,
  network: WrittenNetwork,
  inputs: Matrix,
  draws: number,
  first = 0,
): Promise<DrawnNetworks[]> {
  const chunks = Array.from({ length: parts }, (_, k): DrawChunk => ({
    network,
    inputs,
    draws: Math.ceil(draws / parts),
    seed: lab.run.seed,
    index: first + k,
  }));
  const all: DrawnNetworks[] = [];
  for await (const one of lab.run.map(drawNetworks, chunks)) all.push(one);
  return all;
}

/** Mean of a number over parts with its standard error. */
export function overParts(values: readonly number[]): { readonly mean: number; readonly standardError: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const scatter = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, standardError: Math.sqrt(scatter / values.length) };
}

/** Mean over the entries. */
export const average = (values: Float64Array, of: (value: number) => number): number =>
  values.reduce((sum, value) => sum + of(value), 0) / values.length;

/** Density of draws in equal bins with its standard errors. */
export function histogram(drawn: readonly DrawnNetworks[], from: number, to: number, bins: number) {
  const width = (to - from) / bins;
  const counts = new Float64Array(bins);
  let total = 0;
  for (const { outputs } of drawn) {
    total += outputs.length;
    for (const value of outputs) {
      const bin = Math.floor((value - from) / width);
      if (bin >= 0 && bin < bins) counts[bin]!++;
    }
  }
  return {
    centres: Array.from(counts, (_, k) => from + (k + 0.5) * width),
    density: Array.from(counts, (count) => count / (total * width)),
    standardError: Array.from(counts, (count) => Math.sqrt(Math.max(count, 1)) / (total * width)),
  };
}
