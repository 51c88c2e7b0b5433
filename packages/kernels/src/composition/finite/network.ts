import {
  refusal,
  shapeError,
  type Architecture,
  type FiniteNetwork,
  type FiniteNetworkState,
  type Matrix,
  type Primitive,
} from "@finitewidth/core";
import { gram } from "@finitewidth/linalg";
import { requireImages } from "../../convolution/images.js";
import { requireMemory } from "../../convolution/memory.js";
import { siteRows } from "../full-kernels.js";
import { mergeStage, normaliseStage, pointwiseStage, sequence, siteMapStage } from "./plain-stages.js";
import { randomStage, type RandomStage } from "./random-stage.js";
import { softmaxStage } from "./softmax-stage.js";
import { scaledBy, lazyMemory, type Memory, type Stage, type StageSite } from "./stage.js";

interface Builder {
  readonly points: number;
  readonly memory: Memory;
  readonly outputs: number;
  at: number;
  numbers: number;
  readonly offsets: number[];
  /** What every layer of weights that does not read the inputs read in the last run. */
  readonly readings: (Matrix | undefined)[];
  readout?: RandomStage;
  /** Whether hidden kernels are those of units before they are pooled, and these units. */
  readonly before: boolean;
  unpooled?: Matrix | undefined;
}

/**
 * A network of any layers as a function of whitened parameters θ, all inputs at once: one group of parameters per layer of weights in
 * document order, branches depth first. Weights of dense layers [unit][channel], above a flattening [unit][channel][site], of filters
 * [unit][channel][tap], of attention [unit][head][channel] and scores [head][key][channel], then biases [unit] where σ_b² > 0; weights that
 * are not Gaussian are functions of their θ. `hiddenKernels`: ψψᵀ/(N s) of what every layer of weights reads (`unpooled`: before pooling),
 * those above the inputs left out. Cost of a run: 2 P s K C N flops per layer of K maps from C to N units, twice that backward. @throws
 * FinitewidthError "shape", "memory"; "refused" for a readout whose weights are not Gaussian. Theory: docs/theories/layers.md, "Real
 * networks".
 */
export function compositionNetwork(
  { input, layers }: Architecture,
  inputs: Matrix,
  outputs: number,
  { unpooled = false }: { readonly unpooled?: boolean } = {},
): FiniteNetwork {
  const { channels, sites } = input ?? { channels: inputs.shape[1], sites: 1 };
  requireImages(inputs, channels, sites);
  const points = inputs.shape[0];
  const builder: Builder = { points, memory: lazyMemory(), outputs, at: 0, numbers: 0, offsets: [], readings: [], before: unpooled };
  const hidden = build(builder, layers.slice(0, -1), { points, channels, sites, parametersBelow: false });
  const hiddenParameters = builder.at;
  const below = { points, channels: hidden.channels, sites: hidden.sites, parametersBelow: hiddenParameters > 0 };
  const last = layers.at(-1);
  if (last?.kind !== "random" || last.scores || last.weights)
    throw refusal(
      "kernels",
      "the readout of a real network must be a dense layer of Gaussian weights; put a hidden layer of the other weights below it",
    );
  const top = build(builder, [last], below);
  const readout = builder.readout!;
  if (top.sites !== 1) throw shapeError("network.layers", "one site at the readout", `${top.sites}`);
  requireMemory(
    8 * (builder.numbers + builder.memory.size),
    "the activities of the network",
    "use fewer inputs, fewer units or larger strides",
  );
  const z = siteRows(inputs, channels, sites);
  return {
    parameters: builder.at,
    readoutParameters: builder.at - hiddenParameters,
    offsets: builder.offsets,
    forward(theta): FiniteNetworkState {
      if (theta.length !== builder.at) throw shapeError("theta", `${builder.at} numbers`, `${theta.length}`);
      const activity = hidden.forward(theta, z);
      const outputsOf = top.forward(theta, activity);
      const readings = builder.readings.filter((reading) => reading !== undefined);
      return {
        outputs: outputsOf,
        features: readout.lastFeatures(),
        hiddenKernels: () => readings.map((reading) => readingKernel(reading, points)),
      };
    },
    pullback(theta, _, cotangent, gradient) {
      const onHidden = readout.pullback(theta, cotangent, gradient);
      if (onHidden) hidden.pullback(theta, onHidden, gradient);
    },
    pullbackFeatures(theta, _, cotangent, gradient) {
      if (hiddenParameters > 0) hidden.pullback(theta, readout.pullbackFeatures(cotangent), gradient);
    },
  };
}

/** ψψᵀ/(N s) averaged over sites: P × P. */
function readingKernel({ data }: Matrix, points: number): Matrix {
  const width = data.length / points;
  const kernel = gram({ data, shape: [points, width] });
  return { data: scaledBy(kernel.data, 1 / width), shape: kernel.shape };
}

/** Stages of a list of layers; counts their parameters and what their activities take. */
function build(builder: Builder, layers: readonly Primitive[], site: StageSite): Stage {
  let below = site;
  const stages = layers.map((layer): Stage => {
    const before = builder.at;
    const stage = stageOf(builder, layer, below);
    builder.numbers += 3 * builder.points * stage.sites * stage.channels;
    below = { ...below, channels: stage.channels, sites: stage.sites, parametersBelow: below.parametersBelow || builder.at > before };
    return stage;
  });
  return sequence(stages, site);
}

function stageOf(builder: Builder, layer: Primitive, site: StageSite): Stage {
  switch (layer.kind) {
    case "pointwise":
      return layer.activation.linear ? sequence([], site) : pointwiseStage(layer.activation, site, builder.memory);
    case "site-map": {
      const stage = siteMapStage(layer.map, site);
      if (!builder.before || !site.parametersBelow) return stage;
      return {
        ...stage,
        forward(theta, below) {
          builder.unpooled ??= below;
          return stage.forward(theta, below);
        },
      };
    }
    case "normalise":
      return normaliseStage(layer.epsilon, site);
    case "merge":
      return mergeStage(
        layer.branches.map((branch) => build(builder, branch, site)),
        layer.coefficients,
      );
    case "random": {
      const units = layer.width ?? builder.outputs;
      const stage = layer.scores
        ? softmaxStage(layer, units, site, builder.at)
        : randomStage(layer, units, site, builder.at, builder.memory);
      if (layer.width === undefined && !layer.scores) builder.readout = stage as RandomStage;
      builder.offsets.push(builder.at);
      builder.at += stage.parameters;
      if (layer.scores) builder.numbers += 2 * builder.points * stage.sites * site.channels * layer.scores.heads + stage.parameters;
      const index = builder.readings.push(undefined) - 1;
      return {
        ...stage,
        forward: (theta, below) => {
          if (site.parametersBelow) builder.readings[index] = builder.unpooled ?? below;
          builder.unpooled = undefined;
          return stage.forward(theta, below);
        },
      };
    }
  }
}
