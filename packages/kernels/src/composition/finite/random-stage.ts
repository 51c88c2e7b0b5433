import { zeros, type Matrix, type RandomLayer, type SiteMap } from "@finitewidth/core";
import { entriesPerSite, isIdentityMap } from "../../site-map.js";
import type { Memory, Stage, StageSite, Stretch } from "./stage.js";

/** Weights and biases of a layer of independent weights within θ. */
export interface RandomStage extends Stage {
  readonly weights: Stretch;
  /** What the units read in the last run, σ_w/√(N K) T_k z_j in the order of the weights: (point, site) × (channels·maps). */
  lastFeatures(): Matrix;
  /** From the gradient with respect to these to that of z. */
  pullbackFeatures(cotangent: Matrix): Matrix;
  readonly parameters: number;
}

/**
 * out = σ_w/√(N K) Σ_k T_k z W_kᵀ + σ_b b with parameters from `start` on: weights [unit][channel][map] or [unit][map][channel], then one
 * bias per unit when σ_b² > 0.
 */
export function randomStage(layer: RandomLayer, units: number, site: StageSite, start: number, memory: Memory): RandomStage {
  const { maps, weightVariance, biasVariance, weights: law } = layer;
  const { points, channels } = site;
  const sites = maps[0]!.outputSites;
  const inner = channels * maps.length;
  const scale = Math.sqrt(weightVariance / inner);
  const bias = Math.sqrt(biasVariance);
  const weights: Stretch = { start, length: units * inner };
  const biases = start + weights.length;
  const plain = maps.length === 1 && isIdentityMap(maps[0]!);
  const [perChannel, perMap] = layer.order === "map-channel" ? [1, channels] : [maps.length, 1];
  const layout = { points, channels, inner, perChannel, perMap };
  const rows = points * sites;
  const read = memory.reserve(rows, inner);
  const onRead = memory.reserve(rows, inner);
  const values = memory.reserve(units, inner);
  const onValues = memory.reserve(units, inner);
  const made = memory.reserve(rows, units);
  const onMade = memory.reserve(rows, units);
  let filled = false;
  const loadWeights = (theta: Float64Array): Matrix => {
    const out = values();
    const own = theta.subarray(weights.start, weights.start + weights.length);
    if (law) for (let i = 0; i < own.length; i++) out.data[i] = law.value(own[i]!);
    else out.data.set(own);
    return out;
  };
  /** σ_w/√(N K) T_k z_j in the order of the weights. */
  const fillRead = (below: Matrix): void => {
    const { data } = read();
    if (plain) for (let i = 0; i < data.length; i++) data[i] = scale * below.data[i]!;
    else {
      data.fill(0);
      maps.forEach((map, k) => gather(map, scale, below, read(), k, layout));
    }
  };
  const pullbackFeatures = (cotangent: Matrix): Matrix => {
    if (plain) return { data: cotangent.data.map((value) => scale * value), shape: cotangent.shape };
    const out = zeros(points * site.sites, channels);
    maps.forEach((map, k) => scatter(map, scale, cotangent, out, k, layout));
    return out;
  };
  return {
    channels: units,
    sites,
    weights,
    parameters: weights.length + (bias > 0 ? units : 0),
    lastFeatures: read,
    pullbackFeatures,
    forward(theta, below) {
      // above the inputs every run reads the same
      if (site.parametersBelow || !filled) fillRead(below);
      filled = true;
      const out = made();
      memory.workspace.multiply(read(), loadWeights(theta), out, { transposed: "right" });
      if (bias > 0) addBiases(out, theta.subarray(biases, biases + units), bias);
      return out;
    },
    pullback(theta, cotangent, gradient) {
      const { workspace } = memory;
      onMade().data.set(cotangent.data);
      workspace.multiply(onMade(), read(), onValues(), { transposed: "left" });
      gradient.set(onValues().data, weights.start);
      if (law) for (let i = weights.start; i < weights.start + weights.length; i++) gradient[i]! *= law.derivative(theta[i]!);
      if (bias > 0) biasGradient(cotangent, bias, gradient.subarray(biases, biases + units));
      if (!site.parametersBelow) return undefined;
      workspace.multiply(onMade(), loadWeights(theta), onRead());
      return pullbackFeatures(onRead());
    },
  };
}

/** Every row += scale · b. */
export function addBiases({ data }: Matrix, b: Float64Array, scale: number): void {
  for (let i = 0; i < data.length;) for (let j = 0; j < b.length; j++) data[i++]! += scale * b[j]!;
}

/** scale · Σ over rows, into `gradient`. */
export function biasGradient({ data }: Matrix, scale: number, gradient: Float64Array): void {
  gradient.fill(0);
  for (let i = 0; i < data.length;) for (let j = 0; j < gradient.length; j++) gradient[j]! += scale * data[i++]!;
}

interface Layout {
  readonly points: number;
  readonly channels: number;
  readonly inner: number;
  readonly perChannel: number;
  readonly perMap: number;
}

/** Columns of T_k z in what the layer reads. */
function gather(map: SiteMap, scale: number, { data }: Matrix, { data: out }: Matrix, k: number, layout: Layout): void {
  visit(map, scale, layout, k, (from, to, weight) => {
    for (let c = 0, target = to; c < layout.channels; c++, target += layout.perChannel) out[target]! += weight * data[from + c]!;
  });
}

function scatter(map: SiteMap, scale: number, { data }: Matrix, { data: out }: Matrix, k: number, layout: Layout): void {
  visit(map, scale, layout, k, (from, to, weight) => {
    for (let c = 0, source = to; c < layout.channels; c++, source += layout.perChannel) out[from + c]! += weight * data[source]!;
  });
}

function visit(
  map: SiteMap,
  scale: number,
  { points, channels, inner, perMap }: Layout,
  k: number,
  entry: (from: number, to: number, weight: number) => void,
): void {
  const { inputSites, outputSites, sources, weights } = map;
  const R = entriesPerSite(map);
  for (let mu = 0; mu < points; mu++) {
    for (let e = 0; e < sources.length; e++) {
      if (sources[e]! < 0) continue;
      entry(
        (mu * inputSites + sources[e]!) * channels,
        (mu * outputSites + Math.floor(e / R)) * inner + k * perMap,
        scale * (weights?.[e] ?? 1),
      );
    }
  }
}
