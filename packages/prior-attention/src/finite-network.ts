import { shapeError, zeros, type FiniteNetwork, type FiniteNetworkState, type Matrix } from "@finitewidth/core";
import { gram, multiply, multiplyTransposedLeft, multiplyTransposedRight } from "@finitewidth/linalg";
import { addMapped, type AttentionMaps } from "./maps.js";
import type { AttentionModel } from "./model.js";

/** A layer's share of θ: [unit][head][channel] weights, then one bias per unit when σ_b² > 0. */
interface LayerPlan {
  readonly width: number;
  /** Heads times channels below. */
  readonly inner: number;
  readonly at: number;
  readonly biases?: number;
  readonly scale: number;
  readonly biasScale: number;
}

/** [Ω^1 z, …, Ω^H z] side by side, (P T) × (H N). O(P H T² N). */
export function applyMaps({ data, shape: [rows, channels] }: Matrix, maps: AttentionMaps): Matrix {
  const columns = maps.heads * channels;
  const out = zeros(rows, columns);
  const source = { data, columns: channels, at: 0 };
  for (let h = 0; h < maps.heads; h++) addMapped(maps, h, source, { data: out.data, columns, at: h * channels }, channels);
  return out;
}

/** Adjoint of `applyMaps`. */
function applyAdjoint({ data, shape: [rows, columns] }: Matrix, maps: AttentionMaps): Matrix {
  const channels = columns / maps.heads;
  const out = zeros(rows, channels);
  const target = { data: out.data, columns: channels, at: 0 };
  for (let h = 0; h < maps.heads; h++) addMapped(maps, h, { data, columns, at: h * channels }, target, channels, true);
  return out;
}

interface State extends FiniteNetworkState {
  /** What every layer reads, maps applied. */
  readonly read: readonly Matrix[];
}

/**
 * An attention network of finite width as a function of whitened parameters θ, all inputs at once: values V = σ_w θ, layer by layer
 * [unit][head][channel] and then biases when σ_b²(l) > 0; the readout [output][channel] and its biases. Cost: 2 P T H N_{l−1} N_l flops a
 * layer.
 * @throws FinitewidthError (code "shape") when θ has the wrong length.
 */
export function finiteAttention(model: AttentionModel, inputs: Matrix, outputs: number): FiniteNetwork {
  const { sequences, maps } = model.parse(inputs);
  const { layers, weightVariance, biasVariance } = model.network;
  const { examples, tokens, features, data } = sequences;
  let at = 0;
  let channels = features;
  const plan = (width: number, heads: number, l: number): LayerPlan => {
    const inner = heads * channels;
    const own = { width, inner, at, scale: Math.sqrt(weightVariance[l]! / inner), biasScale: Math.sqrt(biasVariance[l]!) };
    at += width * inner;
    channels = width;
    if (!(biasVariance[l]! > 0)) return own;
    at += width;
    return { ...own, biases: at - width };
  };
  const plans = layers.map(({ width }, l) => plan(width, model.heads[l]!, l));
  const readout = plan(outputs, 1, layers.length);
  const parameters = at;
  const first = applyMaps({ data, shape: [examples * tokens, features] }, maps[0]!);

  const weightsOf = (theta: Float64Array, { at: from, width, inner }: LayerPlan): Matrix => ({
    data: theta.subarray(from, from + width * inner),
    shape: [width, inner],
  });
  const affine = (theta: Float64Array, own: LayerPlan, read: Matrix): Matrix => {
    const out = multiplyTransposedRight(read, weightsOf(theta, own));
    const { width, scale, biases, biasScale } = own;
    for (let r = 0; r < out.shape[0]; r++)
      for (let j = 0; j < width; j++)
        out.data[r * width + j] = scale * out.data[r * width + j]! + (biases === undefined ? 0 : biasScale * theta[biases + j]!);
    return out;
  };
  const ownGradient = (own: LayerPlan, read: Matrix, bar: Matrix, gradient: Float64Array): void => {
    const weights = multiplyTransposedLeft(bar, read).data;
    for (let k = 0; k < weights.length; k++) gradient[own.at + k] = own.scale * weights[k]!;
    if (own.biases === undefined) return;
    for (let j = 0; j < own.width; j++) {
      let sum = 0;
      for (let r = 0; r < bar.shape[0]; r++) sum += bar.data[r * own.width + j]!;
      gradient[own.biases + j] = own.biasScale * sum;
    }
  };
  const backThroughHidden = (theta: Float64Array, state: State, fromReadout: Matrix, gradient: Float64Array): void => {
    let bar = spreadOverTokens(fromReadout, model.readout);
    for (let l = plans.length - 1; l >= 0; l--) {
      const own = plans[l]!;
      ownGradient(own, state.read[l]!, bar, gradient);
      if (l === 0) break;
      const below = multiply(bar, weightsOf(theta, own));
      for (let k = 0; k < below.data.length; k++) below.data[k]! *= own.scale;
      bar = applyAdjoint(below, maps[l]!);
    }
  };

  return {
    parameters,
    readoutParameters: parameters - readout.at,
    offsets: [...plans, readout].map((own) => own.at),
    forward: (theta): State => {
      if (theta.length !== parameters) throw shapeError("theta", `${parameters} numbers`, `${theta.length}`);
      const read = [first];
      const hidden: Matrix[] = [];
      for (const [l, own] of plans.entries()) {
        hidden.push(affine(theta, own, read[l]!));
        if (l + 1 < plans.length) read.push(applyMaps(hidden[l]!, maps[l + 1]!));
      }
      const top = readTokens(hidden.at(-1)!, model.readout);
      return {
        read,
        outputs: affine(theta, readout, top),
        features: { data: top.data.map((value) => readout.scale * value), shape: top.shape },
        hiddenKernels: () => hidden.map((h) => tokenAverage(h, examples, tokens)),
      };
    },
    pullback: (theta, given, cotangent, gradient) => {
      const state = given as State;
      const { features: scaled } = state;
      const top = { data: scaled.data.map((value) => value / readout.scale), shape: scaled.shape };
      ownGradient(readout, top, cotangent, gradient);
      const bar = multiply(cotangent, weightsOf(theta, readout));
      backThroughHidden(theta, state, { data: bar.data.map((value) => readout.scale * value), shape: bar.shape }, gradient);
    },
    pullbackFeatures: (theta, given, cotangent, gradient) =>
      backThroughHidden(
        theta,
        given as State,
        { data: cotangent.data.map((value) => readout.scale * value), shape: cotangent.shape },
        gradient,
      ),
  };
}

/** Σ_i r_i h_i: examples × units from (example, token) × units. */
export function readTokens({ data, shape: [rows, width] }: Matrix, readout: Float64Array): Matrix {
  const tokens = readout.length;
  const out = zeros(rows / tokens, width);
  for (let r = 0; r < rows; r++) {
    const weight = readout[r % tokens]!;
    const to = Math.floor(r / tokens) * width;
    for (let j = 0; j < width; j++) out.data[to + j]! += weight * data[r * width + j]!;
  }
  return out;
}

/** Adjoint of `readTokens`. */
function spreadOverTokens({ data, shape: [examples, width] }: Matrix, readout: Float64Array): Matrix {
  const tokens = readout.length;
  const out = zeros(examples * tokens, width);
  for (let r = 0; r < examples * tokens; r++) {
    const from = Math.floor(r / tokens) * width;
    for (let j = 0; j < width; j++) out.data[r * width + j] = readout[r % tokens]! * data[from + j]!;
  }
  return out;
}

/** Σ_i h_i h_iᵀ/(T N): examples × examples. */
function tokenAverage({ data, shape: [, width] }: Matrix, examples: number, tokens: number): Matrix {
  // (token, unit) of an example as one row
  const kernel = gram({ data, shape: [examples, tokens * width] });
  return { data: kernel.data.map((value) => value / (tokens * width)), shape: kernel.shape };
}
