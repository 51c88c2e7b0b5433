import { createRegistry, fit, matrixFromRows, type Fitted, type Matrix, type Plugin, type Run } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { symmetricSquareRoot } from "@finitewidth/linalg";
import { plugin as convolutional } from "@finitewidth/prior-conv";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { monteCarlo, plugin } from "../src/index.js";
import { normalMatrix } from "../../../tools/testing.ts";

export const registry = createRegistry([activations, fullyConnected, convolutional, plugin]);
export const registryWith = (...extra: readonly Plugin[]) => createRegistry([activations, fullyConnected, convolutional, plugin, ...extra]);

/** Standard normals, rows × columns. */
export const randomMatrix = (rows: number, columns: number, seed: number): Matrix => normalMatrix(stream(seed), rows, columns);

/** Inputs whose kernel X Xᵀ/N0 is the given one (the fixtures of linear networks give kernels). */
export function inputsOfKernel(kernel: readonly (readonly number[])[]): Matrix {
  const factor = symmetricSquareRoot(matrixFromRows(kernel));
  return { data: factor.data.map((value) => value * Math.sqrt(kernel.length)), shape: factor.shape };
}

export interface NetworkFields {
  readonly widths: readonly number[];
  readonly activation: string;
  readonly weightVariance?: number | readonly number[];
  readonly biasVariance?: number | readonly number[];
}

/** Fits `monte-carlo` to a fully connected network. */
export function sample(
  network: NetworkFields,
  data: { readonly inputs: Matrix | number[][]; readonly targets: Matrix | number[] | number[][]; readonly temperature: number },
  options: Record<string, unknown> = {},
  settings: { readonly seed?: number; readonly run?: Run } = {},
): Promise<Fitted> {
  return fit(
    monteCarlo,
    { network: { type: "fully-connected", ...network }, ...data },
    { registry, options, seed: settings.seed ?? 1, ...(settings.run ? { run: settings.run } : {}) },
  );
}

/** Largest |value − expected|/error over all entries. */
export function worstScore(
  value: ArrayLike<number>,
  error: ArrayLike<number>,
  expected: ArrayLike<number>,
  expectedError?: ArrayLike<number>,
): number {
  let worst = 0;
  for (let i = 0; i < value.length; i++)
    worst = Math.max(worst, Math.abs(value[i]! - expected[i]!) / Math.hypot(error[i]!, expectedError?.[i] ?? 0));
  return worst;
}

/** A run that answers every chunk by hand, and keeps what was asked. */
export function answeredRun(
  answer: (task: string, chunk: never, index: number) => unknown,
  settings: { readonly registry?: Run["registry"]; readonly seed?: number } = {},
): Run & { readonly asked: { readonly task: string; readonly chunk: Record<string, unknown> }[] } {
  const asked: { task: string; chunk: Record<string, unknown> }[] = [];
  return {
    registry: settings.registry ?? registry,
    seed: settings.seed ?? 1,
    asked,
    async *map(task, chunks) {
      for (const [i, chunk] of chunks.entries()) {
        asked.push({ task: task.name, chunk: chunk as Record<string, unknown> });
        yield answer(task.name, chunk as never, i) as never;
      }
    },
  };
}

export const ladder = { exponents: [0, 1], stepSizes: [1, 0.4] };
export const normals = (count: number, ...indices: number[]): Float64Array => stream(17, ...indices).normals(new Float64Array(count));

/** Levels of an island that found this log evidence, without any scatter of its own. */
export const levels = (logEvidence: number, island: number) =>
  ladder.exponents.map((exponent) => ({
    exponent,
    logLikelihoods: new Float64Array(4).fill(logEvidence),
    acceptance: 0.9,
    stein: exponent * 0.1 * (-1) ** island,
  }));
