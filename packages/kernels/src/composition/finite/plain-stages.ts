import { zeros, type Activation, type Matrix, type SiteMap } from "@finitewidth/core";
import { arrayActivation } from "../../dense/finite-activation.js";
import { applyMap, applyTransposed, everywhere } from "../source-maps.js";
import { addInto, scaledBy, type Memory, type Stage, type StageSite } from "./stage.js";

/** φ(z). */
export function pointwiseStage(activation: Activation, { points, channels, sites }: StageSite, memory: Memory): Stage {
  const phi = arrayActivation(activation);
  const values = memory.reserve(points * sites, channels);
  const slopes = memory.reserve(points * sites, channels);
  let preactivation: Matrix;
  return {
    channels,
    sites,
    forward(_, below) {
      preactivation = below;
      phi.values(below, 1, values(), memory.workspace);
      return values();
    },
    pullback(_, { data: c, shape }) {
      const { data } = slopes();
      phi.slopes(preactivation, 1, slopes(), memory.workspace);
      return { data: data.map((value, i) => value * c[i]!), shape };
    },
  };
}

/** T z for every unit. */
export function siteMapStage(map: SiteMap, { channels }: StageSite): Stage {
  const pointMap = everywhere(map);
  return {
    channels,
    sites: map.outputSites,
    forward: (_, below) => applyMap(pointMap, below),
    pullback: (_, cotangent) => applyTransposed(pointMap, cotangent),
  };
}

/** y = (z − z̄) r, r = (v̂ + ε)^{−1/2} over the units; z ← r(c − mean c − y·mean(c∘y)). Units that are all equal become 0 when ε = 0. */
export function normaliseStage(epsilon: number, { channels: N, sites }: StageSite): Stage {
  let y: Matrix;
  let scales: Float64Array;
  return {
    channels: N,
    sites,
    forward(_, { data, shape }) {
      y = zeros(...shape);
      scales = new Float64Array(shape[0]);
      for (let row = 0; row < shape[0]; row++) {
        let mean = 0;
        for (let j = row * N; j < (row + 1) * N; j++) mean += data[j]! / N;
        let variance = 0;
        for (let j = row * N; j < (row + 1) * N; j++) variance += (data[j]! - mean) ** 2 / N;
        const r = variance + epsilon > 0 ? 1 / Math.sqrt(variance + epsilon) : 0;
        scales[row] = r;
        for (let j = row * N; j < (row + 1) * N; j++) y.data[j] = r * (data[j]! - mean);
      }
      return y;
    },
    pullback(_, { data: c }) {
      const out = zeros(...y.shape);
      for (let row = 0; row < y.shape[0]; row++) {
        let [mean, along] = [0, 0];
        for (let j = row * N; j < (row + 1) * N; j++) {
          mean += c[j]! / N;
          along += (c[j]! * y.data[j]!) / N;
        }
        for (let j = row * N; j < (row + 1) * N; j++) out.data[j] = scales[row]! * (c[j]! - mean - y.data[j]! * along);
      }
      return out;
    },
  };
}

/** Stages one after the other. */
export function sequence(stages: readonly Stage[], site: StageSite): Stage {
  const last = stages.at(-1) ?? site;
  return {
    channels: last.channels,
    sites: last.sites,
    forward: (theta, below) => stages.reduce((z, stage) => stage.forward(theta, z), below),
    pullback: (theta, cotangent, gradient) =>
      stages.reduceRight<Matrix | undefined>((c, stage) => (c === undefined ? undefined : stage.pullback(theta, c, gradient)), cotangent),
  };
}

/** Σ_k coefficients_k branch_k(z). */
export function mergeStage(branches: readonly Stage[], coefficients: readonly number[]): Stage {
  const [{ channels, sites }] = branches as readonly [Stage];
  const sum = (parts: readonly (Matrix | undefined)[], factors: readonly number[]): Matrix | undefined => {
    const [first, ...rest] = parts;
    if (first === undefined) return undefined;
    const out = { data: scaledBy(first.data, factors[0]!), shape: first.shape };
    rest.forEach((part, k) => part && addInto(out.data, scaledBy(part.data, factors[k + 1]!)));
    return out;
  };
  return {
    channels,
    sites,
    forward: (theta, below) =>
      sum(
        branches.map((branch) => branch.forward(theta, below)),
        coefficients,
      )!,
    pullback: (theta, { data, shape }, gradient) =>
      sum(
        branches.map((branch, k) => branch.pullback(theta, { data: scaledBy(data, coefficients[k]!), shape }, gradient)),
        branches.map(() => 1),
      ),
  };
}
