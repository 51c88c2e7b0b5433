import { kernelMap } from "@finitewidth/activations";
import { zeros, type Matrix } from "@finitewidth/core";
import { gram, symmetrise, transpose } from "@finitewidth/linalg";
import { requireImages } from "../convolution/images.js";
import { requireMemory } from "../convolution/memory.js";
import type { Composition, CompositionLayer, Field, Reading } from "./graph.js";
import { softmaxScores } from "./softmax.js";
import { applyMap, everywhere, sourceMaps, type PointMap } from "./source-maps.js";

/** Infinite-width kernels over all points and sites, index point·sites + site: what corrections in 1/N are made of. Computed once, kept. */
export interface FullKernels {
  readonly points: number;
  /** S^v of every random layer, (P·s_v) × (P·s_v); the last is the covariance of one output. */
  readonly layers: readonly Matrix[];
  /** c_a of every norm: the diagonal of the kernel below it, P·s. */
  readonly norms: readonly Float64Array[];
  /** 1/√(c + ε) of every norm. */
  readonly scales: readonly Float64Array[];
  /** A_v of a field. */
  maps(field: Field): ReadonlyMap<number, PointMap>;
  /** K^{xy} = Σ_v A^x_v S^v A^y_vᵀ of two fields of one stream; K of one field with itself is exactly symmetric. */
  between(x: Field, y: Field): Matrix;
  /** Q = Π G(K) Πᵀ = E ψψᵀ of a reading; of the inputs z zᵀ/N0. */
  second(reading: Reading): Matrix;
  /** Ω of every softmax layer, by its index: P blocks of s × s. */
  readonly attention: ReadonlyMap<number, Matrix>;
}

/** A X Bᵀ. O(n_out (n_in + n_out) R), n = P·s and R entries per site. */
export const sandwich = (a: PointMap, x: Matrix, b: PointMap = a): Matrix => transpose(applyMap(b, transpose(applyMap(a, x))));

/**
 * c Σ_k T_k X T_kᵀ for a layer whose maps are given (no softmax): how a change of what is read reaches S^v. O(n_out (n_in + n_out) R) a
 * map, n = P·s and R entries per site.
 */
export function lift({ random, coefficient }: CompositionLayer, x: Matrix): Matrix {
  return weightedSum(
    random.maps.map((map) => sandwich(everywhere(map), x)),
    coefficient,
  );
}

function weightedSum(terms: readonly Matrix[], coefficient: number): Matrix {
  const out = zeros(...terms[0]!.shape);
  for (const { data } of terms) for (let i = 0; i < data.length; i++) out.data[i]! += coefficient * data[i]!;
  return out;
}

/** Rows (channels, site) as one row per (point, site): (P·s) × channels. */
export function siteRows(inputs: Matrix, channels: number, sites: number): Matrix {
  const out = zeros(inputs.shape[0] * sites, channels);
  for (let mu = 0; mu < inputs.shape[0]; mu++)
    for (let c = 0; c < channels; c++)
      for (let a = 0; a < sites; a++) out.data[(mu * sites + a) * channels + c] = inputs.data[(mu * channels + c) * sites + a]!;
  return out;
}

/**
 * All kernels of a composition on all sites of P inputs. O(Σ_v (P·s_v)²·maps) time and 8 Σ_v (P·s_v)² bytes: for few points;
 * `infiniteWidthKernels` keeps only what outputs need. @throws FinitewidthError "shape", "memory".
 */
export function fullKernels(composition: Composition, inputs: Matrix): FullKernels {
  const [points, features] = inputs.shape;
  const { channels, sites } = composition.input ?? { channels: features, sites: 1 };
  requireImages(inputs, channels, sites);
  const size = composition.layers.reduce((sum, layer) => sum + (points * layer.sites) ** 2 + 2 * (points * layer.reading.sites) ** 2, 0);
  requireMemory(16 * size, "the kernels over all sites", "use fewer inputs, larger strides or pooling");
  const layers: Matrix[] = [];
  const norms: Float64Array[] = [];
  const scales: Float64Array[] = [];
  const attention = new Map<number, Matrix>();
  const shared = new Map<Field, ReadonlyMap<number, PointMap>>();
  const kernels = new Map<Field, Matrix>();
  const maps = (field: Field): ReadonlyMap<number, PointMap> => sourceMaps(field, points, scales, shared);
  const between = (x: Field, y: Field): Matrix => {
    const found = x === y ? kernels.get(x) : undefined;
    if (found !== undefined) return found;
    const [left, right] = [maps(x), maps(y)];
    const terms = [...left].flatMap(([v, a]) => (right.has(v) ? [sandwich(a, layers[v]!, right.get(v)!)] : []));
    if (terms.length === 0) return zeros(points * x.sites, points * y.sites);
    const sum = weightedSum(terms, 1);
    if (x !== y) return sum;
    const kernel = symmetrise(sum);
    kernels.set(x, kernel);
    return kernel;
  };
  const second = (reading: Reading): Matrix => {
    if (reading.kind === "input") {
      const rows = siteRows(inputs, channels, sites);
      const q = gram(reading.map ? applyMap(everywhere(reading.map), rows) : rows);
      return { data: q.data.map((value) => value / channels), shape: q.shape };
    }
    const kernel = between(reading.field, reading.field);
    const moment = reading.activation ? kernelMap(reading.activation, kernel) : kernel;
    return reading.map ? symmetrise(sandwich(everywhere(reading.map), moment)) : moment;
  };
  for (const { kind, index } of composition.statistics) {
    if (kind === "norm") {
      const { field, epsilon } = composition.norms[index]!;
      const { data, shape } = between(field, field);
      const variances = Float64Array.from({ length: shape[0] }, (_, i) => data[i * shape[0] + i]!);
      norms[index] = variances;
      scales[index] = variances.map((c) => (c + epsilon > 0 ? 1 / Math.sqrt(c + epsilon) : 0));
      continue;
    }
    const layer = composition.layers[index]!;
    const q = second(layer.reading);
    let raised: Matrix;
    if (layer.random.scores) {
      const omega = softmaxScores(q, points, layer.random.scores.scoreVariance);
      attention.set(index, omega);
      raised = weightedSum([attend(omega, q)], layer.coefficient);
    } else raised = lift(layer, q);
    const kernel = symmetrise(raised);
    for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! += layer.random.biasVariance;
    layers[index] = kernel;
  }
  return { points, layers, norms, scales, maps, between, second, attention };
}

/** Ω X Ωᵀ with a block of Ω at every point. */
function attend(omega: Matrix, x: Matrix): Matrix {
  const s = omega.shape[1];
  return sandwich(
    { inputSites: s, outputSites: s, sources: Int32Array.from({ length: s * s }, (_, e) => e % s), weights: omega.data, perPoint: true },
    x,
  );
}
