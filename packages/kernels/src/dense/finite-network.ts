import { shapeError, zeros, type Activation, type FiniteNetwork, type FiniteNetworkState, type Matrix } from "@finitewidth/core";
import { createWorkspace, gram } from "@finitewidth/linalg";
import type { DenseChain } from "../chain.js";
import { arrayActivation } from "./finite-activation.js";

/** A layer's share of θ: `width` rows of `inner` weights, then one bias per unit when σ_b² > 0. */
interface LayerPlan {
  readonly width: number;
  readonly inner: number;
  readonly weights: number;
  readonly biases: number | undefined;
  /** σ_w/√inner: goes to the activities that the layer reads, so that weights are used as they are. */
  readonly scale: number;
  readonly biasScale: number;
}

/** A layer in the workspace: what it reads, its weights and what it makes of them. */
interface LayerState {
  /** scale · φ(hˡ⁻¹), P × N_{l−1}. */
  readonly read: Matrix;
  readonly weights: Matrix;
  /** hˡ, P × N_l. */
  readonly preactivation: Matrix;
  /** Gradient of the weights. */
  readonly gradient: Matrix;
  /** φ′(hˡ) times the scale of the layer above, and the gradient with respect to hˡ. */
  readonly slopes: Matrix;
  readonly bar: Matrix;
}

/** Columns that are not zero throughout, ascending; undefined where all are such. Weights of the others move nothing. */
function liveColumns({ data, shape: [rows, columns] }: Matrix): Int32Array | undefined {
  const live = new Uint8Array(columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) if (data[i * columns + j] !== 0) live[j] = 1;
  // products over no column at all are left to nobody
  if (!live.includes(1)) live[0] = 1;
  return live.every((value) => value === 1) ? undefined : Int32Array.from(live.keys()).filter((j) => live[j] === 1);
}

function planLayers(chain: DenseChain, features: number, outputs: number): readonly LayerPlan[] {
  let at = 0;
  let inner = features;
  return [...chain.widths, outputs].map((width, l): LayerPlan => {
    const weights = at;
    at += width * inner;
    const biased = chain.biasVariance[l]! > 0;
    const biases = biased ? at : undefined;
    if (biased) at += width;
    const plan = {
      width,
      inner,
      weights,
      biases,
      scale: Math.sqrt(chain.weightVariance[l]! / inner),
      biasScale: Math.sqrt(chain.biasVariance[l]!),
    };
    inner = width;
    return plan;
  });
}

const left = { transposed: "left" } as const;
const right = { transposed: "right" } as const;

/** Everything that runs of a network need, laid out once: repeated runs copy θ in and the gradient out and allocate nothing. */
function layOut(plans: readonly LayerPlan[], activation: Activation, inputs: Matrix) {
  const rows = inputs.shape[0];
  const live = liveColumns(inputs);
  const columns = live?.length ?? inputs.shape[1];
  const first = zeros(rows, columns);
  if (live === undefined) scaledCopy(inputs, plans[0]!.scale, first);
  else {
    const [from, to, scale] = [inputs.data, first.data, plans[0]!.scale];
    for (let i = 0; i < rows; i++) live.forEach((k, j) => (to[i * columns + j] = scale * from[i * inputs.shape[1] + k]!));
  }
  const shapes = plans.flatMap(({ width, inner }, l) => {
    const weights = [width, l === 0 ? columns : inner] as const;
    return [weights, weights, ...Array.from({ length: 4 }, () => [rows, width] as const)] as const;
  });
  const workspace = createWorkspace(shapes, [first]);
  // what a layer reads; the first one reads the constant, which is kept as a matrix only for a network without hidden layers
  let read = plans.length === 1 ? first : zeros(0, 0);
  const layers = plans.map((_, l): LayerState => {
    const [weights, gradient, preactivation, activity, slopes, bar] = workspace.matrices.slice(6 * l, 6 * l + 6) as [
      Matrix,
      Matrix,
      Matrix,
      Matrix,
      Matrix,
      Matrix,
    ];
    const layer = { read, weights, preactivation, gradient, slopes, bar };
    read = activity;
    return layer;
  });
  return { workspace, inputs: workspace.constants[0]!, layers, live, phi: arrayActivation(activation) };
}

/**
 * A fully connected network of finite width as a function of whitened parameters θ, all inputs at once: W = σ_w θ_W, b = σ_b θ_b. θ holds,
 * layer by layer, N_l × N_{l−1} weights (row-major) and then N_l biases when σ_b²(l) > 0; the readout likewise with D rows.
 * Matrices of a state are views of memory that the next forward run of the same network overwrites.
 * Inputs that are zero at every point (the rims of images) are left out of all products, and their weights have gradient 0; in WebAssembly
 * so are all other zeros where they are frequent.
 * Cost: 2 P Σ N_{l−1} N_l flops forward, twice that backward; 8 (2 Σ N_{l−1} N_l + P N_0 + 4 P Σ N_l) bytes from the first run on. @throws
 * FinitewidthError (code "shape") when θ has the wrong length. Source: docs/theories/monte-carlo.md.
 */
export function finiteFullyConnected(
  chain: DenseChain,

  inputs: Matrix,
  outputs: number,
): FiniteNetwork {
  const [rows, features] = inputs.shape;
  const { activation } = chain;
  const plans = planLayers(chain, features, outputs);
  const hidden = plans.slice(0, -1);
  const readout = plans.at(-1)!;
  const parameters = readout.weights + outputs * readout.inner + (readout.biases === undefined ? 0 : outputs);
  let laidOut: ReturnType<typeof layOut> | undefined;
  // φ′ of the last forward run is worked out by its first pullback
  let slopesReady = false;
  const load = (theta: Float64Array, l: number): void => {
    const { weights, width, inner } = plans[l]!;
    const { layers, live } = laidOut!;
    const { data } = layers[l]!.weights;
    if (l > 0 || live === undefined) return data.set(theta.subarray(weights, weights + width * inner));
    for (let i = 0, at = 0; i < width; i++)
      for (let j = 0, row = weights + i * inner; j < live.length; j++) data[at++] = theta[row + live[j]!]!;
  };
  /** read · Wᵀ + b. */
  const affine = (theta: Float64Array, l: number): Matrix => {
    const { workspace, layers, inputs } = laidOut!;
    const { read, weights, preactivation: out } = layers[l]!;
    load(theta, l);
    if (l === 0) inputs.multiplyTransposed(weights, out);
    else workspace.multiply(read, weights, out, right);
    const { width, biases, biasScale } = plans[l]!;
    if (biases !== undefined) {
      for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) out.data[i * width + j]! += biasScale * theta[biases + j]!;
    }
    return out;
  };
  /** Gradient of the layer's own parameters from the gradient with respect to what it put out, its `bar`. */
  const ownGradient = (l: number, gradient: Float64Array): void => {
    const { workspace, layers, inputs, live } = laidOut!;
    const { read, bar, gradient: own } = layers[l]!;
    if (l === 0) inputs.leftMultiplyTransposed(bar, own);
    else workspace.multiply(bar, read, own, left);
    const { weights, width, inner, biases, biasScale } = plans[l]!;
    if (l > 0 || live === undefined) gradient.set(own.data, weights);
    else {
      gradient.fill(0, weights, weights + width * inner);
      for (let i = 0, at = 0; i < width; i++)
        for (let j = 0, row = weights + i * inner; j < live.length; j++) gradient[row + live[j]!] = own.data[at++]!;
    }
    if (biases !== undefined) {
      gradient.fill(0, biases, biases + width);
      for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) gradient[biases + j]! += biasScale * bar.data[i * width + j]!;
    }
  };
  /** From the gradient with respect to the features, in the `bar` of the last hidden layer. */
  const backThroughHidden = (theta: Float64Array, gradient: Float64Array): void => {
    const { workspace, layers, phi } = laidOut!;
    for (let l = hidden.length - 1; l >= 0; l--) {
      const { preactivation, slopes, bar, weights } = layers[l]!;
      if (!slopesReady) phi.slopes(preactivation, plans[l + 1]!.scale, slopes, workspace);
      multiplyInto(bar.data, slopes.data);
      ownGradient(l, gradient);
      if (l > 0) {
        load(theta, l);
        workspace.multiply(bar, weights, layers[l - 1]!.bar);
      }
    }
    slopesReady = true;
  };

  return {
    parameters,
    readoutParameters: parameters - readout.weights,
    offsets: plans.map((plan) => plan.weights),
    forward: (theta): FiniteNetworkState => {
      if (theta.length !== parameters) throw shapeError("theta", `${parameters} numbers`, `${theta.length}`);
      const { workspace, layers, phi } = (laidOut ??= layOut(plans, activation, inputs));
      slopesReady = false;
      for (const l of hidden.keys()) phi.values(affine(theta, l), plans[l + 1]!.scale, layers[l + 1]!.read, workspace);
      return {
        outputs: affine(theta, hidden.length),
        features: layers.at(-1)!.read,
        // what layer l + 1 reads is φ(hˡ) σ_w/√N_l
        hiddenKernels: () =>
          hidden.map((_, l) => {
            const kernel = gram(layers[l + 1]!.read);
            scaledCopy(kernel, 1 / chain.weightVariance[l + 1]!, kernel);
            return kernel;
          }),
      };
    },
    pullback: (theta, _state, cotangent, gradient) => {
      const { workspace, layers } = laidOut!;
      const { bar, weights } = layers.at(-1)!;
      bar.data.set(cotangent.data);
      ownGradient(hidden.length, gradient);
      load(theta, hidden.length);
      if (hidden.length > 0) workspace.multiply(bar, weights, layers.at(-2)!.bar);
      backThroughHidden(theta, gradient);
    },
    pullbackFeatures: (theta, _state, cotangent, gradient) => {
      laidOut!.layers.at(-2)?.bar.data.set(cotangent.data);
      backThroughHidden(theta, gradient);
    },
  };
}

/** out := c x. */
function scaledCopy({ data: x }: Matrix, c: number, { data: out }: Matrix): void {
  for (let i = 0; i < out.length; i++) out[i] = c * x[i]!;
}

/** x := x ∘ y. */
function multiplyInto(x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) x[i]! *= y[i]!;
}
