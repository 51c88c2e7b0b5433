import { shapeError, type Activation, type FiniteNetwork, type FiniteNetworkState, type FullyConnectedNetwork, type Matrix } from "@finitewidth/core";
import { gram, multiply, multiplyTransposedLeft, multiplyTransposedRight } from "@finitewidth/linalg";
import { arrayActivation, scaledCopy } from "./finite-activation.js";

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

/** What a layer read and made. */
interface LayerState {
  /** scale · φ(hˡ⁻¹), P × N_{l−1}. */
  readonly read: Matrix;
  /** hˡ, P × N_l. */
  readonly preactivation: Matrix;
}
interface FullyConnectedState extends FiniteNetworkState {
  readonly layers: readonly LayerState[];
}

function planLayers(network: FullyConnectedNetwork, features: number, outputs: number): readonly LayerPlan[] {
  let at = 0;
  let inner = features;
  return [...network.widths, outputs].map((width, l): LayerPlan => {
    const weights = at;
    at += width * inner;
    const biased = network.biasVariance[l]! > 0;
    const biases = biased ? at : undefined;
    if (biased) at += width;
    const plan = { width, inner, weights, biases, scale: Math.sqrt(network.weightVariance[l]! / inner), biasScale: Math.sqrt(network.biasVariance[l]!) };
    inner = width;
    return plan;
  });
}

function scaled(m: Matrix, factor: number): Matrix {
  return { data: scaledCopy(m.data, factor), shape: m.shape };
}

/**
 * A fully connected network of finite width as a function of whitened parameters θ, all inputs at once: W = σ_w θ_W, b = σ_b θ_b. θ holds,
 * layer by layer, N_l × N_{l−1} weights (row-major) and then N_l biases when σ_b²(l) > 0; the readout likewise with D rows.
 * Cost: 2 P Σ N_{l−1} N_l flops forward, twice that backward. @throws FinitewidthError (code "shape") when θ has the wrong length.
 * Source: docs/theories/monte-carlo.md.
 */
export function finiteFullyConnected(network: FullyConnectedNetwork, activation: Activation, inputs: Matrix, outputs: number): FiniteNetwork {
  const [rows, features] = inputs.shape;
  const plans = planLayers(network, features, outputs);
  const hidden = plans.slice(0, -1);
  const readout = plans.at(-1)!;
  const parameters = readout.weights + outputs * readout.inner + (readout.biases === undefined ? 0 : outputs);
  const phi = arrayActivation(activation);
  const first = scaled(inputs, plans[0]!.scale);

  const weightsOf = (theta: Float64Array, { weights, width, inner }: LayerPlan): Matrix => ({ data: theta.subarray(weights, weights + width * inner), shape: [width, inner] });
  /** read · Wᵀ + b. */
  const affine = (theta: Float64Array, plan: LayerPlan, read: Matrix): Matrix => {
    const out = multiplyTransposedRight(read, weightsOf(theta, plan));
    if (plan.biases !== undefined) {
      const { width, biases, biasScale } = plan;
      for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) out.data[i * width + j]! += biasScale * theta[biases + j]!;
    }
    return out;
  };
  /** Gradient of the layer's own parameters from the gradient with respect to what it put out. */
  const ownGradient = (plan: LayerPlan, read: Matrix, bar: Matrix, gradient: Float64Array): void => {
    gradient.set(multiplyTransposedLeft(bar, read).data, plan.weights);
    if (plan.biases !== undefined) {
      const { width, biases, biasScale } = plan;
      gradient.fill(0, biases, biases + width);
      for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) gradient[biases + j]! += biasScale * bar.data[i * width + j]!;
    }
  };
  /** `cotangent`: gradient with respect to the features. */
  const backThroughHidden = (theta: Float64Array, layers: readonly LayerState[], cotangent: Matrix, gradient: Float64Array): void => {
    let above = cotangent;
    for (let l = hidden.length - 1; l >= 0; l--) {
      const plan = hidden[l]!;
      const { read, preactivation } = layers[l]!;
      const bar: Matrix = { data: phi.backward(preactivation.data, above.data, plans[l + 1]!.scale), shape: preactivation.shape };
      ownGradient(plan, read, bar, gradient);
      if (l > 0) above = multiply(bar, weightsOf(theta, plan));
    }
  };

  return {
    parameters,
    readoutParameters: parameters - readout.weights,
    offsets: plans.map((plan) => plan.weights),
    forward: (theta): FullyConnectedState => {
      if (theta.length !== parameters) throw shapeError("theta", `${parameters} numbers`, `${theta.length}`);
      const layers: LayerState[] = [];
      let read = first;
      for (const [l, plan] of hidden.entries()) {
        const preactivation = affine(theta, plan, read);
        layers.push({ read, preactivation });
        read = { data: phi.values(preactivation.data, plans[l + 1]!.scale), shape: preactivation.shape };
      }
      return {
        outputs: affine(theta, readout, read),
        features: read,
        layers,
        // what layer l + 1 reads is φ(hˡ) σ_w/√N_l
        hiddenKernels: () => hidden.map((_, l) => scaled(gram(layers[l + 1]?.read ?? read), 1 / network.weightVariance[l + 1]!)),
      };
    },
    pullback: (theta, state, cotangent, gradient) => {
      ownGradient(readout, state.features, cotangent, gradient);
      backThroughHidden(theta, (state as FullyConnectedState).layers, multiply(cotangent, weightsOf(theta, readout)), gradient);
    },
    pullbackFeatures: (theta, state, cotangent, gradient) => backThroughHidden(theta, (state as FullyConnectedState).layers, cotangent, gradient),
  };
}
