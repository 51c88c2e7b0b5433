import { inputError, type Matrix } from "@finitewidth/core";

/**
 * Attention maps of one layer, Ω^h_ij with query i and key j: one set per example, or one set for all of them. Rows need not sum to one;
 * they may depend on the raw inputs, never on hidden states.
 */
export interface AttentionMaps {
  readonly heads: number;
  readonly tokens: number;
  /** Number of sets; 1 when all examples share one. */
  readonly sets: number;
  /** sets × heads × tokens × tokens. */
  readonly data: Float64Array;
}

/** Sequences of tokens: examples × tokens × features. */
export interface Sequences {
  readonly examples: number;
  readonly tokens: number;
  readonly features: number;
  readonly data: Float64Array;
}

/** Ω of one head as it is stored: view of tokens × tokens numbers. */
export function mapOf({ heads, tokens, sets, data }: AttentionMaps, example: number, head: number): Float64Array {
  const size = tokens * tokens;
  const at = ((sets === 1 ? 0 : example) * heads + head) * size;
  return data.subarray(at, at + size);
}

/** Columns from `at` on of a matrix with a row for each (example, token). */
export interface TokenColumns {
  readonly data: Float64Array;
  readonly columns: number;
  readonly at: number;
}

/** target += Ω^h source, or its adjoint, over `count` columns. O(P T² count). */
export function addMapped(
  maps: AttentionMaps,
  head: number,
  source: TokenColumns,
  target: TokenColumns,
  count: number,
  adjoint = false,
): void {
  const { tokens } = maps;
  const [x, y] = [source.data, target.data];
  for (let first = 0; first * target.columns < y.length; first += tokens) {
    const map = mapOf(maps, first / tokens, head);
    for (let i = 0; i < tokens; i++) {
      for (let j = 0; j < tokens; j++) {
        const weight = map[i * tokens + j]!;
        if (weight === 0) continue;
        const to = (first + (adjoint ? j : i)) * target.columns + target.at;
        const from = (first + (adjoint ? i : j)) * source.columns + source.at;
        for (let c = 0; c < count; c++) y[to + c]! += weight * x[from + c]!;
      }
    }
  }
}

/** One head that reads every token from itself: a tokenwise embedding. */
export function identityMaps(tokens: number): AttentionMaps {
  const data = new Float64Array(tokens * tokens);
  for (let i = 0; i < tokens; i++) data[i * tokens + i] = 1;
  return { heads: 1, tokens, sets: 1, data };
}

/** Maps from nested lists, [head][query][key]. @throws FinitewidthError (code "input") naming the entry below `path`. */
export function commonMaps(matrices: readonly (readonly (readonly number[])[])[], tokens: number, path: string): AttentionMaps {
  if (matrices.length === 0) throw inputError(path, "at least one head", []);
  const data = new Float64Array(matrices.length * tokens * tokens);
  for (const [h, matrix] of matrices.entries()) {
    if (matrix.length !== tokens) throw inputError(`${path}[${h}]`, `${tokens} rows, one per token`, matrix.length);
    for (const [i, row] of matrix.entries()) {
      if (row.length !== tokens) throw inputError(`${path}[${h}][${i}]`, `${tokens} numbers, one per token`, row.length);
      for (const [j, value] of row.entries()) {
        if (!Number.isFinite(value)) throw inputError(`${path}[${h}][${i}][${j}]`, "a finite number", value);
        data[(h * tokens + i) * tokens + j] = value;
      }
    }
  }
  return { heads: matrices.length, tokens, sets: 1, data };
}

/**
 * Softmax attention of frozen queries and keys, Ω_ij = softmax_j(q_i·k_j/√G), q = W_Q x, k = W_K x of the raw tokens: `queries` and `keys`
 * hold one G × features matrix per head. Rows sum to one. Cost: heads × examples × (tokens × features × G + tokens² × G).
 */
export function softmaxMaps(inputs: Sequences, queries: readonly Matrix[], keys: readonly Matrix[], scale?: number): AttentionMaps {
  const { examples, tokens, features, data } = inputs;
  const heads = queries.length;
  const out = new Float64Array(examples * heads * tokens * tokens);
  for (let h = 0; h < heads; h++) {
    const size = queries[h]!.shape[0];
    const strength = scale ?? 1 / Math.sqrt(size);
    for (let mu = 0; mu < examples; mu++) {
      const x = data.subarray(mu * tokens * features, (mu + 1) * tokens * features);
      const [q, k] = [project(x, queries[h]!, tokens), project(x, keys[h]!, tokens)];
      const map = out.subarray((mu * heads + h) * tokens * tokens, (mu * heads + h + 1) * tokens * tokens);
      for (let i = 0; i < tokens; i++) softmaxRow(map.subarray(i * tokens, (i + 1) * tokens), q, k, i, size, strength);
    }
  }
  return { heads, tokens, sets: examples, data: out };
}

/** x Wᵀ: tokens × G. */
function project(x: Float64Array, weights: Matrix, tokens: number): Float64Array {
  const [size, features] = weights.shape;
  const out = new Float64Array(tokens * size);
  for (let i = 0; i < tokens; i++) {
    for (let g = 0; g < size; g++) {
      let sum = 0;
      for (let f = 0; f < features; f++) sum += x[i * features + f]! * weights.data[g * features + f]!;
      out[i * size + g] = sum;
    }
  }
  return out;
}

function softmaxRow(row: Float64Array, q: Float64Array, k: Float64Array, i: number, size: number, strength: number): void {
  let top = -Infinity;
  for (let j = 0; j < row.length; j++) {
    let score = 0;
    for (let g = 0; g < size; g++) score += q[i * size + g]! * k[j * size + g]!;
    row[j] = strength * score;
    top = Math.max(top, row[j]!);
  }
  let total = 0;
  for (let j = 0; j < row.length; j++) total += row[j] = Math.exp(row[j]! - top);
  for (let j = 0; j < row.length; j++) row[j]! /= total;
}
