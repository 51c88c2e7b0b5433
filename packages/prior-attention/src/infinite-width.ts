import { FinitewidthError, zeros, type InfiniteWidthKernels, type Matrix } from "@finitewidth/core";
import { affine, gram, multiplyTransposedRight } from "@finitewidth/linalg";
import { applyMaps, readTokens } from "./finite-network.js";
import { addMapped, mapOf, type AttentionMaps } from "./maps.js";
import type { AttentionModel, ParsedInputs } from "./model.js";

const largestKernel = 2 ** 31;

/** σ_w²/H Σ_h Ω^h(x) K Ω^h(x')ᵀ + σ_b² over (example, token) × (example, token). */
function through(kernel: Matrix, left: AttentionMaps, right: AttentionMaps, weightVariance: number, biasVariance: number): Matrix {
  const { tokens, heads } = left;
  const [rows, columns] = kernel.shape;
  const out = zeros(rows, columns);
  const scale = weightVariance / heads;
  for (let h = 0; h < heads; h++) {
    const half = new Float64Array(kernel.data.length);
    addMapped(left, h, { data: kernel.data, columns, at: 0 }, { data: half, columns, at: 0 }, columns);
    for (let r = 0; r < rows; r++) {
      for (let nu = 0; nu * tokens < columns; nu++) {
        const map = mapOf(right, nu, h);
        for (let i = 0; i < tokens; i++) {
          let sum = 0;
          for (let j = 0; j < tokens; j++) sum += map[i * tokens + j]! * half[r * columns + nu * tokens + j]!;
          out.data[r * columns + nu * tokens + i]! += scale * sum;
        }
      }
    }
  }
  if (biasVariance > 0) for (let k = 0; k < out.data.length; k++) out.data[k]! += biasVariance;
  return out;
}

/** Mean over tokens i of the blocks (i, i), or Σ_ij v_i v_j of the blocks (i, j): examples × examples. */
function contract({ data, shape: [rows, columns] }: Matrix, tokens: number, readout?: Float64Array): Matrix {
  const out = zeros(rows / tokens, columns / tokens);
  for (let mu = 0; mu < out.shape[0]; mu++) {
    for (let nu = 0; nu < out.shape[1]; nu++) {
      let sum = 0;
      for (let i = 0; i < tokens; i++) {
        const from = (mu * tokens + i) * columns + nu * tokens;
        if (readout === undefined) sum += data[from + i]! / tokens;
        else for (let j = 0; j < tokens; j++) sum += readout[i]! * readout[j]! * data[from + j]!;
      }
      out.data[mu * out.shape[1] + nu] = sum;
    }
  }
  return out;
}

const byToken = ({ sequences: { data, examples, tokens, features } }: ParsedInputs): Matrix => ({
  data,
  shape: [examples * tokens, features],
});

/** Kernels over (example, token) before the first layer and after each: K^l ← σ_w²/H Σ_h Ω^h K Ω^hᵀ + σ_b². */
function* tokenKernels(model: AttentionModel, left: ParsedInputs, right: ParsedInputs): Generator<Matrix> {
  const { features } = left.sequences;
  const { weightVariance, biasVariance } = model.network;
  const gram = multiplyTransposedRight(byToken(left), byToken(right));
  let kernel: Matrix = { data: gram.data.map((value) => value / features), shape: gram.shape };
  for (const [l, maps] of left.maps.entries()) {
    kernel = through(kernel, maps, right.maps[l]!, weightVariance[l]!, biasVariance[l]!);
    yield kernel;
  }
}

/** One example of parsed inputs. */
function exampleOf({ sequences, maps }: ParsedInputs, mu: number): ParsedInputs {
  const size = sequences.tokens * sequences.features;
  return {
    sequences: { ...sequences, examples: 1, data: sequences.data.subarray(mu * size, (mu + 1) * size) },
    maps: maps.map((set) => {
      const own = set.heads * set.tokens * set.tokens;
      return set.sets === 1 ? set : { ...set, sets: 1, data: set.data.subarray(mu * own, (mu + 1) * own) };
    }),
  };
}

/** Columns that features of the last layer have: one for every path of heads and feature, and what biases add. */
function featureColumns(model: AttentionModel, features: number): number {
  return model.heads.reduce((columns, heads, l) => columns * heads + (model.network.biasVariance[l]! > 0 ? 1 : 0), features);
}

/**
 * Features X^l over (example, token) with K^l = X^l X^lᵀ for l = 1 … L: the heads side by side, √(σ_w²/H) Ω^h X^{l−1}, and a constant
 * √σ_b². Their number multiplies by the heads of every layer.
 */
function* tokenFeaturesOf(model: AttentionModel, inputs: ParsedInputs): Generator<Matrix> {
  const { weightVariance, biasVariance } = model.network;
  const { features } = inputs.sequences;
  let x = affine(1 / Math.sqrt(features), byToken(inputs));
  for (const [l, maps] of inputs.maps.entries()) {
    const moved = affine(Math.sqrt(weightVariance[l]! / maps.heads), applyMaps(x, maps));
    x = biasVariance[l]! > 0 ? withColumn(moved, Math.sqrt(biasVariance[l]!)) : moved;
    yield x;
  }
}

function withColumn({ data, shape: [rows, columns] }: Matrix, value: number): Matrix {
  const out = zeros(rows, columns + 1);
  for (let r = 0; r < rows; r++) {
    out.data.set(data.subarray(r * columns, (r + 1) * columns), r * (columns + 1));
    out.data[(r + 1) * (columns + 1) - 1] = value;
  }
  return out;
}

/** One row per example from one per (example, token). */
const byExample = ({ data, shape: [rows, columns] }: Matrix, tokens: number): Matrix => ({
  data,
  shape: [rows / tokens, tokens * columns],
});

/** Kernels by features, layer by layer. */
function kernelsOfFeatures(model: AttentionModel, left: ParsedInputs, right: ParsedInputs, others: boolean): InfiniteWidthKernels {
  const { tokens, weightVariance, biasVariance } = model.network;
  const depth = model.heads.length;
  const rights = right === left ? undefined : tokenFeaturesOf(model, right);
  const hidden: Matrix[] = [];
  let [x, y]: [Matrix | undefined, Matrix | undefined] = [undefined, undefined];
  for (x of tokenFeaturesOf(model, left)) {
    y = rights === undefined ? x : (rights.next().value as Matrix);
    const [rows, columns] = [byExample(x, tokens), byExample(y, tokens)];
    hidden.push(affine(1 / tokens, y === x ? gram(rows) : multiplyTransposedRight(rows, columns)));
  }
  const [a, b] = [readTokens(x!, model.readout), readTokens(y!, model.readout)];
  const read = y === x ? gram(a) : multiplyTransposedRight(a, b);
  const output = (value: number): number => weightVariance[depth]! * value + biasVariance[depth]!;
  const preactivation = [...hidden, { data: read.data.map(output), shape: read.shape }];
  if (!others) return { preactivation, hidden };
  const width = b.shape[1];
  const othersDiagonal = Float64Array.from({ length: b.shape[0] }, (_, nu) =>
    output(b.data.subarray(nu * width, (nu + 1) * width).reduce((sum, value) => sum + value * value, 0)),
  );
  return { preactivation, hidden, othersDiagonal };
}

/**
 * Infinite-width kernels of an attention network: hidden ones averaged over tokens, the last as the readout reads them.
 * By features where paths are few, O(P P' T N0 Π H), else by kernels between all tokens, P P' T² numbers and O(H T³ P P') a layer.
 * @throws FinitewidthError (code "memory") for more than 2 GiB.
 */
export function attentionKernels(model: AttentionModel, inputs: Matrix, others?: Matrix): InfiniteWidthKernels {
  const left = model.parse(inputs);
  const right = others === undefined ? left : model.parse(others, "others");
  const { tokens } = model.network;
  const most = Math.max(left.sequences.examples, right.sequences.examples);
  if (featureColumns(model, left.sequences.features) <= Math.max(64, most * tokens))
    return kernelsOfFeatures(model, left, right, others !== undefined);
  const bytes = 24 * tokens * tokens * left.sequences.examples * right.sequences.examples;
  if (bytes > largestKernel)
    throw new FinitewidthError(
      `kernels between all tokens would take ${bytes} bytes, more than ${largestKernel}; use fewer inputs or tokens`,
      { code: "memory" },
    );
  const { weightVariance, biasVariance } = model.network;
  const depth = model.heads.length;
  const output = (kernel: Matrix): Matrix => {
    const read = contract(kernel, tokens, model.readout);
    return { data: read.data.map((value) => weightVariance[depth]! * value + biasVariance[depth]!), shape: read.shape };
  };
  const preactivation: Matrix[] = [];
  let last: Matrix | undefined;
  for (const kernel of tokenKernels(model, left, right)) {
    preactivation.push(contract(kernel, tokens));
    last = kernel;
  }
  const hidden = preactivation.slice();
  preactivation.push(output(last!));
  if (others === undefined) return { preactivation, hidden };
  const othersDiagonal = Float64Array.from({ length: others.shape[0] }, (_, nu) => {
    const own = exampleOf(right, nu);
    let kernel: Matrix | undefined;
    for (const next of tokenKernels(model, own, own)) kernel = next;
    return output(kernel!).data[0]!;
  });
  return { preactivation, hidden, othersDiagonal };
}
