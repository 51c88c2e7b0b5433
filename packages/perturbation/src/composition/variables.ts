import { identity, kernelSlopes, type KernelSlopes } from "@finitewidth/activations";
import { zeros, type Activation, type Matrix } from "@finitewidth/core";
import {
  everywhere,
  fullKernels,
  lift,
  sandwich,
  type Composition,
  type CompositionLayer,
  type Field,
  type FullKernels,
  type UnitReading,
} from "@finitewidth/kernels";
import { fromPairs, pairCount, toPairs } from "../kernel-flow/index-pairs.js";
import { meanResponse } from "./mean-response.js";

/** A random layer that reads units: its variables are the second moments R = Σ_i ψ_iψ_iᵀ/N of what it reads, on pairs of (point, site). */
export interface LiveReading {
  readonly kind: "reading";
  readonly layer: CompositionLayer;
  readonly reading: UnitReading;
  readonly activation: Activation;
  /** First variable, and their number. */
  readonly from: number;
  readonly size: number;
  /** Points × sites of ψ. */
  readonly n: number;
  /** K of the field under φ, and E φφᵀ there. */
  readonly kernel: Matrix;
  readonly slopes: KernelSlopes;
  /** D_ab = E φ′_aφ_b. */
  readonly meanSlope: Matrix;
}

/** A layer normalisation: its variables are m_a = Σ_i h_i/N and c_a = Σ_i (h_i − m)²/N, all m and then all c. */
export interface LiveNorm {
  readonly kind: "norm";
  readonly field: Field;
  readonly stream: number;
  readonly index: number;
  readonly from: number;
  readonly size: number;
  /** Points × sites. */
  readonly n: number;
  readonly kernel: Matrix;
}
export type Live = LiveReading | LiveNorm;

/** Averages over units on which layers above depend, as one list of numbers, in an order of dependence. */
export interface Variables {
  readonly composition: Composition;
  readonly full: FullKernels;
  readonly points: number;
  readonly live: readonly Live[];
  /** Number of all variables. */
  readonly size: number;
  /** The reading of a random layer, by its index; undefined for layers that read the inputs, which do not fluctuate. */
  readonly readings: ReadonlyMap<number, LiveReading>;
  readonly norms: ReadonlyMap<number, LiveNorm>;
}

export const fieldOf = (live: Live): Field => (live.kind === "norm" ? live.field : live.reading.field);
export const streamOf = (live: Live): number => (live.kind === "norm" ? live.stream : live.reading.stream);

/** Variables of a composition at some inputs (P × N0), with kernels and responses at infinite width. */
export function variablesOf(composition: Composition, inputs: Matrix): Variables {
  const full = fullKernels(composition, inputs);
  const points = inputs.shape[0];
  const live: Live[] = [];
  const readings = new Map<number, LiveReading>();
  const norms = new Map<number, LiveNorm>();
  let size = 0;
  for (const { kind, index } of composition.statistics) {
    if (kind === "norm") {
      const { field, stream } = composition.norms[index]!;
      const n = points * field.sites;
      const norm: LiveNorm = { kind, field, stream, index, from: size, size: 2 * n, n, kernel: full.between(field, field) };
      norms.set(index, norm);
      live.push(norm);
      size += norm.size;
      continue;
    }
    const layer = composition.layers[index]!;
    const { reading } = layer;
    if (reading.kind === "input") continue;
    const activation = reading.activation ?? identity;
    const kernel = full.between(reading.field, reading.field);
    const n = points * reading.sites;
    const entry: LiveReading = {
      kind: "reading",
      layer,
      reading,
      activation,
      from: size,
      size: pairCount(n),
      n,
      kernel,
      slopes: kernelSlopes(activation, kernel),
      meanSlope: meanResponse(activation, kernel),
    };
    readings.set(index, entry);
    live.push(entry);
    size += entry.size;
  }
  return { composition, full, points, live, size, readings, norms };
}

/** Π X Πᵀ of a reading. */
export const pool = ({ reading }: LiveReading, x: Matrix): Matrix => (reading.map ? sandwich(everywhere(reading.map), x) : x);

/** Change of S^v for changes dv of all variables; undefined where it has none. */
export function layerChange({ readings }: Variables, layer: number, dv: Float64Array): Matrix | undefined {
  const reading = readings.get(layer);
  if (reading === undefined) return undefined;
  const part = dv.subarray(reading.from, reading.from + reading.size);
  return part.some((value) => value !== 0) ? lift(reading.layer, fromPairs(part, reading.n)) : undefined;
}

/** J_ab: response Ġ X_ab + ½(G̈_ab X_aa + G̈_ba X_bb) + D_ab μ_a + D_ba μ_b of E φφᵀ, pooled, on pairs. */
export function respond(live: LiveReading, change: Matrix | undefined, mean: Float64Array | undefined): Float64Array {
  const n = live.kernel.shape[0];
  const out = zeros(n, n);
  const { slope, curvature } = live.slopes;
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < n; b++) {
      const [ab, ba] = [a * n + b, b * n + a];
      let value = 0;
      if (change)
        value +=
          slope.data[ab]! * change.data[ab]! +
          0.5 * (curvature.data[ab]! * change.data[a * n + a]! + curvature.data[ba]! * change.data[b * n + b]!);
      if (mean) value += live.meanSlope.data[ab]! * mean[a]! + live.meanSlope.data[ba]! * mean[b]!;
      out.data[ab] = value;
    }
  }
  return toPairs(pool(live, out));
}
