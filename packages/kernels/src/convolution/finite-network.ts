import { zeros, type FiniteNetwork, type FiniteNetworkState, type Matrix } from "@finitewidth/core";
import { gram, multiply, multiplyTransposedLeft, multiplyTransposedRight } from "@finitewidth/linalg";
import type { ConvolutionChain } from "../chain.js";
import { requireImages } from "./images.js";
import { requireMemory } from "./memory.js";
import type { TapTable } from "./taps.js";

/** One layer's share of the parameter vector: weights (channels × taps·C_{l−1}, tap-major), then one bias per channel when σ_b² > 0. */
interface LayerPlan {
  readonly table: TapTable;
  readonly channels: number;
  readonly inner: number;
  readonly weights: number;
  readonly biases: number | undefined;
  readonly weightScale: number;
  readonly biasScale: number;
}

interface LayerState {
  /** (P·S_l) × inner: what every site reads. */
  readonly patches: Matrix;
  /** (P·S_l) × C_l. */
  readonly preactivation: Matrix;
  readonly activity: Matrix;
}
interface ConvolutionalState extends FiniteNetworkState {
  readonly layers: readonly LayerState[];
}

/** (input, site) × (tap, channel): rows of what each site reads; zeros on padding. `activity` is (P·S_in) × C. */
function gatherPatches(table: TapTable, activity: Matrix, rows: number): Matrix {
  const { taps, tapCount, inputSites, outputSites } = table;
  const channels = activity.shape[1];
  const out = zeros(rows * outputSites, tapCount * channels);
  for (let mu = 0; mu < rows; mu++) {
    for (let p = 0; p < outputSites * tapCount; p++) {
      const at = taps[p]!;
      if (at < 0) continue;
      const source = (mu * inputSites + at) * channels;
      out.data.set(activity.data.subarray(source, source + channels), (mu * outputSites * tapCount + p) * channels);
    }
  }
  return out;
}

/** Adjoint of `gatherPatches`. */
function scatterPatches(table: TapTable, patches: Matrix, rows: number): Matrix {
  const { taps, tapCount, inputSites, outputSites } = table;
  const channels = patches.shape[1] / tapCount;
  const out = zeros(rows * inputSites, channels);
  for (let mu = 0; mu < rows; mu++) {
    for (let p = 0; p < outputSites * tapCount; p++) {
      const at = taps[p]!;
      if (at < 0) continue;
      const [source, target] = [(mu * outputSites * tapCount + p) * channels, (mu * inputSites + at) * channels];
      for (let c = 0; c < channels; c++) out.data[target + c]! += patches.data[source + c]!;
    }
  }
  return out;
}

/** Rows (channels, site) → one row per (input, site) with the channels side by side. */
function channelsLast(inputs: Matrix, channels: number, sites: number): Matrix {
  const out = zeros(inputs.shape[0] * sites, channels);
  for (let mu = 0; mu < inputs.shape[0]; mu++) {
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < sites; i++) out.data[(mu * sites + i) * channels + c] = inputs.data[mu * channels * sites + c * sites + i]!;
  }
  return out;
}

const scaled = (data: Float64Array, scale: number): Float64Array => data.map((value) => scale * value);

function planLayers(chain: ConvolutionChain): {
  readonly plans: readonly LayerPlan[];
  readonly offsets: number[];
  readonly hidden: number;
} {
  const offsets: number[] = [];
  let at = 0;
  let below = chain.geometry.channels;
  const plans = chain.geometry.layers.map((table, l): LayerPlan => {
    const channels = chain.channels[l]!;
    const inner = table.tapCount * below;
    offsets.push(at);
    const weights = at;
    at += channels * inner;
    const biased = chain.biasVariance[l]! > 0;
    const biases = biased ? at : undefined;
    if (biased) at += channels;
    below = channels;
    return {
      table,
      channels,
      inner,
      weights,
      biases,
      weightScale: Math.sqrt(chain.weightVariance[l]! / inner),
      biasScale: Math.sqrt(chain.biasVariance[l]!),
    };
  });
  offsets.push(at);
  return { plans, offsets, hidden: at };
}

/**
 * A convolutional network of finite width as a function of whitened parameters, all inputs at once: patches are gathered and multiplied
 * by the filters as matrices. Readout features: φ(h^L)/√(C_L S_L) over (site, channel) for `flatten`, the site average over √C_L for
 * `global-average`, times σ_w(L+1). Readout parameters: D rows of features, then D biases when σ_b²(L+1) > 0.
 * Cost of a run: 2 P Σ S_l |m| C_{l−1} C_l flops forward, twice that backward.
 * @throws FinitewidthError "shape" for rows of the wrong length, "memory" when the patches do not fit.
 */
export function finiteConvolutional(chain: ConvolutionChain, inputs: Matrix, outputs: number): FiniteNetwork {
  const { geometry, activation } = chain;
  requireImages(inputs, geometry.channels, geometry.inputSites);
  const rows = inputs.shape[0];
  const { plans, offsets, hidden } = planLayers(chain);
  requireMemory(
    8 * rows * plans.reduce((all, plan) => all + plan.table.outputSites * (plan.inner + 2 * plan.channels), 0),
    "the patches and activities of the network",
    "use fewer inputs, fewer channels or larger strides",
  );
  const top = plans.at(-1)!;
  const topSites = top.table.outputSites;
  const pooled = chain.readout === "global-average";
  const featureCount = pooled ? top.channels : topSites * top.channels;
  const featureScale = Math.sqrt(chain.weightVariance.at(-1)! / (pooled ? top.channels : top.channels * topSites));
  const readoutBias = Math.sqrt(chain.biasVariance.at(-1)!);
  const readoutParameters = outputs * featureCount + (readoutBias > 0 ? outputs : 0);
  const firstPatches = gatherPatches(plans[0]!.table, channelsLast(inputs, geometry.channels, geometry.inputSites), rows);

  const weightsOf = (theta: Float64Array, plan: LayerPlan): Matrix => ({
    data: scaled(theta.subarray(plan.weights, plan.weights + plan.channels * plan.inner), plan.weightScale),
    shape: [plan.channels, plan.inner],
  });
  const readoutOf = (theta: Float64Array): Matrix => ({
    data: theta.subarray(hidden, hidden + outputs * featureCount),
    shape: [outputs, featureCount],
  });

  const runLayer = (theta: Float64Array, plan: LayerPlan, patches: Matrix): LayerState => {
    const preactivation = multiplyTransposedRight(patches, weightsOf(theta, plan));
    if (plan.biases !== undefined) {
      for (let i = 0; i < preactivation.data.length; i++)
        preactivation.data[i]! += plan.biasScale * theta[plan.biases + (i % plan.channels)]!;
    }
    return { patches, preactivation, activity: { data: preactivation.data.map((h) => activation.value(h)), shape: preactivation.shape } };
  };
  const featuresOf = (activity: Matrix): Matrix => {
    if (!pooled) return { data: scaled(activity.data, featureScale), shape: [rows, featureCount] };
    const out = zeros(rows, featureCount);
    for (let i = 0; i < activity.data.length; i++) {
      out.data[Math.floor(i / (topSites * featureCount)) * featureCount + (i % featureCount)]! +=
        (featureScale / topSites) * activity.data[i]!;
    }
    return out;
  };
  const cotangentOfActivity = (cotangent: Matrix): Matrix => {
    if (!pooled) return { data: scaled(cotangent.data, featureScale), shape: [rows * topSites, top.channels] };
    const out = zeros(rows * topSites, top.channels);
    for (let i = 0; i < out.data.length; i++) {
      out.data[i] =
        (featureScale / topSites) * cotangent.data[Math.floor(i / (topSites * featureCount)) * featureCount + (i % featureCount)]!;
    }
    return out;
  };
  const backThroughHidden = (theta: Float64Array, layers: readonly LayerState[], cotangent: Matrix, gradient: Float64Array): void => {
    let activityBar = cotangentOfActivity(cotangent);
    for (let l = plans.length - 1; l >= 0; l--) {
      const plan = plans[l]!;
      const { patches, preactivation } = layers[l]!;
      const bar: Matrix = {
        data: activityBar.data.map((value, i) => value * activation.derivative(preactivation.data[i]!)),
        shape: preactivation.shape,
      };
      gradient.set(scaled(multiplyTransposedLeft(bar, patches).data, plan.weightScale), plan.weights);
      if (plan.biases !== undefined) {
        gradient.fill(0, plan.biases, plan.biases + plan.channels);
        for (let i = 0; i < bar.data.length; i++) gradient[plan.biases + (i % plan.channels)]! += plan.biasScale * bar.data[i]!;
      }
      if (l > 0) activityBar = scatterPatches(plan.table, multiply(bar, weightsOf(theta, plan)), rows);
    }
  };

  return {
    parameters: hidden + readoutParameters,
    readoutParameters,
    offsets,
    forward: (theta): ConvolutionalState => {
      const layers: LayerState[] = [];
      for (const plan of plans) {
        const below = layers.at(-1);
        layers.push(runLayer(theta, plan, below === undefined ? firstPatches : gatherPatches(plan.table, below.activity, rows)));
      }
      const features = featuresOf(layers.at(-1)!.activity);
      const result = multiplyTransposedRight(features, readoutOf(theta));
      if (readoutBias > 0) {
        for (let i = 0; i < result.data.length; i++)
          result.data[i]! += readoutBias * theta[hidden + outputs * featureCount + (i % outputs)]!;
      }
      return {
        outputs: result,
        features,
        layers,
        hiddenKernels: () =>
          layers.map(({ activity }) => {
            const width = activity.data.length / rows;
            const k = gram({ data: activity.data, shape: [rows, width] });
            return { data: scaled(k.data, 1 / width), shape: k.shape };
          }),
      };
    },
    pullback: (theta, state, cotangent, gradient) => {
      gradient.set(multiplyTransposedLeft(cotangent, state.features).data, hidden);
      if (readoutBias > 0) {
        const start = hidden + outputs * featureCount;
        gradient.fill(0, start, start + outputs);
        for (let i = 0; i < cotangent.data.length; i++) gradient[start + (i % outputs)]! += readoutBias * cotangent.data[i]!;
      }
      backThroughHidden(theta, (state as ConvolutionalState).layers, multiply(cotangent, readoutOf(theta)), gradient);
    },
    pullbackFeatures: (theta, state, cotangent, gradient) =>
      backThroughHidden(theta, (state as ConvolutionalState).layers, cotangent, gradient),
  };
}
