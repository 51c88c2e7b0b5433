import { zeros, type Matrix } from "@finitewidth/core";
import { transpose } from "@finitewidth/linalg";
import { fromPairs, toPairs } from "../kernel-flow/index-pairs.js";
import { fieldJet } from "./field-jet.js";
import { fieldOf, respond, type Live, type Variables } from "./variables.js";

/** Responses of the Gaussian field under a reading or a normalisation to all variables. */
export interface FieldResponse {
  /** Of K on index pairs: pairs × variables. */
  readonly kernel: Matrix;
  /** Of its mean: n × variables. */
  readonly mean: Matrix;
}

/** Unit changes of all variables below, one after the other: O(variables · n³). */
export function fieldResponse(variables: Variables, live: Live): FieldResponse {
  const n = live.kernel.shape[0];
  const pairs = (n * (n + 1)) / 2;
  const [kernel, mean] = [zeros(variables.size, pairs), zeros(variables.size, n)];
  const dv = new Float64Array(variables.size);
  for (let i = 0; i < live.from; i++) {
    dv[i] = 1;
    const { first, meanFirst } = fieldJet(variables, fieldOf(live), dv);
    toPairs(first, kernel.data.subarray(i * pairs, (i + 1) * pairs));
    mean.data.set(meanFirst, i * n);
    dv[i] = 0;
  }
  return { kernel: transpose(kernel), mean: transpose(mean) };
}

/** Rows of 𝒥 of a statistic: its variables as linear functions of those below it. */
export function linearResponse(live: Live, { kernel, mean }: FieldResponse): Matrix {
  const variables = kernel.shape[1];
  const n = live.kernel.shape[0];
  const columns = { kernel: transpose(kernel), mean: transpose(mean) };
  const pairs = kernel.shape[0];
  const out = zeros(variables, live.size);
  for (let i = 0; i < live.from; i++) {
    const change = fromPairs(columns.kernel.data.subarray(i * pairs, (i + 1) * pairs), n);
    const shift = columns.mean.data.subarray(i * n, (i + 1) * n);
    if (live.kind === "norm") {
      for (let a = 0; a < n; a++) {
        out.data[i * live.size + a] = shift[a]!;
        out.data[i * live.size + n + a] = change.data[a * n + a]!;
      }
    } else out.data.set(respond(live, change, shift), i * live.size);
  }
  return transpose(out);
}

/** (1 − 𝒥)⁻¹ by substitution: 𝒥 is strictly triangular in the order of the statistics. `rows`: those of 𝒥, statistic by statistic. */
export function totalResponse({ live, size }: Variables, rows: readonly Matrix[]): Matrix {
  const out = zeros(size, size);
  for (const [k, { from, size: own }] of live.entries()) {
    const j = rows[k]!;
    for (let p = 0; p < own; p++) {
      const target = out.data.subarray((from + p) * size, (from + p + 1) * size);
      target[from + p] = 1;
      for (let q = 0; q < from; q++) {
        const factor = j.data[p * size + q]!;
        if (factor === 0) continue;
        const source = out.data.subarray(q * size, (q + 1) * size);
        for (let i = 0; i <= q; i++) target[i]! += factor * source[i]!;
      }
    }
  }
  return out;
}
