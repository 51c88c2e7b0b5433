import { zeros, type Matrix, type RandomLayer, type SiteMap } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft, multiplyTransposedRight } from "@finitewidth/linalg";
import { entriesPerSite, isIdentityMap } from "../../site-map.js";
import type { Stage, StageSite, Stretch } from "./stage.js";

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
 * out = σ_w/√(N K) Σ_k T_k z W_kᵀ + σ_b b with parameters from `start` on: weights [unit][channel][map] or [unit][map][channel], then one bias per
 * unit when σ_b² > 0.
 */
export function randomStage(layer: RandomLayer, units: number, site: StageSite, start: number): RandomStage {
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
  let read: Matrix | undefined;
  const valuesOf = (theta: Float64Array): Matrix => {
    const own = theta.subarray(weights.start, weights.start + weights.length);
    return { data: law ? own.map((value) => law.value(value)) : own, shape: [units, inner] };
  };
  const features = (below: Matrix): Matrix => {
    const out = plain ? { data: below.data.slice(), shape: below.shape } : zeros(points * sites, inner);
    if (!plain) maps.forEach((map, k) => gather(map, below, out, k, layout));
    for (let i = 0; i < out.data.length; i++) out.data[i]! *= scale;
    return out;
  };
  const pullbackFeatures = (cotangent: Matrix): Matrix => {
    const out = plain ? { data: cotangent.data.slice(), shape: cotangent.shape } : zeros(points * site.sites, channels);
    if (!plain) maps.forEach((map, k) => scatter(map, cotangent, out, k, layout));
    for (let i = 0; i < out.data.length; i++) out.data[i]! *= scale;
    return out;
  };
  return {
    channels: units,
    sites,
    weights,
    parameters: weights.length + (bias > 0 ? units : 0),
    lastFeatures: () => read!,
    pullbackFeatures,
    forward(theta, below) {
      // above the inputs every run reads the same
      if (site.parametersBelow || read === undefined) read = features(below);
      const out = multiplyTransposedRight(read, valuesOf(theta));
      if (bias > 0) for (let i = 0; i < out.data.length; i++) out.data[i]! += bias * theta[biases + (i % units)]!;
      return out;
    },
    pullback(theta, cotangent, gradient) {
      const own = multiplyTransposedLeft(cotangent, read!).data;
      if (law) for (let i = 0; i < own.length; i++) own[i]! *= law.derivative(theta[weights.start + i]!);
      gradient.set(own, weights.start);
      if (bias > 0) {
        gradient.fill(0, biases, biases + units);
        for (let i = 0; i < cotangent.data.length; i++) gradient[biases + (i % units)]! += bias * cotangent.data[i]!;
      }
      return site.parametersBelow ? pullbackFeatures(multiply(cotangent, valuesOf(theta))) : undefined;
    },
  };
}

interface Layout {
  readonly points: number;
  readonly channels: number;
  readonly inner: number;
  readonly perChannel: number;
  readonly perMap: number;
}

/** Columns of T_k z in what the layer reads. */
function gather(map: SiteMap, { data }: Matrix, { data: out }: Matrix, k: number, layout: Layout): void {
  visit(map, layout, k, (from, to, weight) => {
    for (let c = 0, target = to; c < layout.channels; c++, target += layout.perChannel) out[target]! += weight * data[from + c]!;
  });
}

function scatter(map: SiteMap, { data }: Matrix, { data: out }: Matrix, k: number, layout: Layout): void {
  visit(map, layout, k, (from, to, weight) => {
    for (let c = 0, source = to; c < layout.channels; c++, source += layout.perChannel) out[from + c]! += weight * data[source]!;
  });
}

function visit(
  map: SiteMap,
  { points, channels, inner, perMap }: Layout,
  k: number,
  entry: (from: number, to: number, weight: number) => void,
): void {
  const { inputSites, outputSites, sources, weights } = map;
  const R = entriesPerSite(map);
  for (let mu = 0; mu < points; mu++) {
    for (let e = 0; e < sources.length; e++) {
      if (sources[e]! < 0) continue;
      entry((mu * inputSites + sources[e]!) * channels, (mu * outputSites + Math.floor(e / R)) * inner + k * perMap, weights?.[e] ?? 1);
    }
  }
}
