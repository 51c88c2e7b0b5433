import { plugin as activations } from "@finitewidth/activations";
import {
  createRegistry,
  resolveArchitecture,
  type Architecture,
  type Network,
  type Registry,
  type Run,
  type Task,
} from "@finitewidth/core";
import { mixingLaw, type ConvolutionalMixingLaw } from "@finitewidth/kernels";
import { plugin as priorAttention } from "@finitewidth/prior-attention";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin as priorSequential } from "@finitewidth/prior-sequential";
import { plugin } from "../src/index.js";

/** All prior models, all activations, the theories of this package. */
export const testRegistry = (): Registry => createRegistry([activations, priorFc, priorConv, priorAttention, priorSequential, plugin]);

const registry = testRegistry();
/** Layers of a validated network. */
export const layersOf = (network: Network): Architecture => resolveArchitecture(registry, network);
/** Mixing law of a deep linear network. */
export const lawOf = (network: Network): ConvolutionalMixingLaw => mixingLaw(layersOf(network)) as ConvolutionalMixingLaw;

/** Like a pool of workers: chunks and results as plain data, finished in another order. */
export const scattered = (run: Run): Run => ({
  ...run,
  async *map<A, B>(task: Task<A, B>, chunks: readonly A[]): AsyncIterable<B> {
    const results: B[] = [];
    for (let i = chunks.length - 1; i >= 0; i--)
      results[i] = structuredClone(await task.run(structuredClone(chunks[i]!), { registry: run.registry, tick: () => undefined }));
    yield* results;
  },
});
