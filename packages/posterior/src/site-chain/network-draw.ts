import { zeros, type Matrix, type RandomStream, type SiteMap } from "@finitewidth/core";
import { gram, multiply, multiplyTransposedLeft, multiplyTransposedRight, solveCholesky, thinSvd } from "@finitewidth/linalg";
import { outputDesign, pushFactor, type SiteGeometry, type StackedFeatures } from "@finitewidth/numerics";
import type { SiteConditional } from "./conditional.js";
import type { SiteProblem } from "./problem.js";

/** What a draw of the network needs besides the chain: geometry, patches of all sites and of reduced sites of the training inputs. */
export interface NetworkDrawing {
  readonly problem: SiteProblem;
  /** σ_w² of layers 1 … L+1. */
  readonly weightVariance: readonly number[];
  readonly geometry: MappedGeometry;
  readonly features: readonly Matrix[];
  readonly reduced: StackedFeatures;
  /** t_m of layers 2 … L between reduced sites, before any simplification of the chain. */
  readonly taps: readonly (readonly Matrix[])[];
}

/** Geometry with what hidden kernels above layer 1 take: how sites are combined and read. */
export type MappedGeometry = SiteGeometry & Required<Pick<SiteGeometry, "siteBases" | "siteMaps">>;
export const hasSiteMaps = (geometry: SiteGeometry): geometry is MappedGeometry =>
  geometry.siteBases !== undefined && geometry.siteMaps !== undefined;

/** Multiplications that one network takes: mean and fluctuation through all layers. */
export function networkCost({ problem, geometry, features }: NetworkDrawing): number {
  const [points, width] = features[0]!.shape;
  const { layers } = problem.law.chain;
  const first = features.length * width * layers[0]!.width;
  const rest = layers
    .slice(1)
    .reduce(
      (sum, { width: channels }, l) =>
        sum +
        geometry.siteMaps[l + 1]!.reduce((entries, map) => entries + map.sources.length, 0) * layers[l]!.width * channels +
        (geometry.siteMaps[l + 1]![0]!.outputSites * channels * points) / 2,
      0,
    );
  return 2 * points * (first + rest);
}

/** Entries of a map: output site, input site, weight. */
function eachEntry({ outputSites, sources, weights }: SiteMap, visit: (to: number, from: number, weight: number) => void): void {
  const count = sources.length / outputSites;
  sources.forEach((from, e) => {
    if (from >= 0) visit(Math.floor(e / count), from, weights?.[e] ?? 1);
  });
}

/** t_m = U_lᵀ T_mᵀ U_{l+1}, l = 1 … L − 1. */
export function reducedTaps({ siteBases, siteMaps }: MappedGeometry): Matrix[][] {
  return siteMaps.slice(1).map((maps, l) =>
    maps.map((map) => {
      const above = siteBases[l + 1]!;
      const columns = above.shape[1];
      const moved = zeros(map.inputSites, columns);
      eachEntry(map, (to, from, weight) => {
        for (let c = 0; c < columns; c++) moved.data[from * columns + c]! += weight * above.data[to * columns + c]!;
      });
      return multiplyTransposedLeft(siteBases[l]!, moved);
    }),
  );
}

/**
 * Ĝ² … Ĝ^L, averaged over sites, of a network drawn from the posterior given its mixing matrices: an unbiased estimate of E[Ĝ^l | Y,
 * chain], which the mixing matrices alone do not determine. Filters of layers 2 … L are drawn given the chain (their part in the row space
 * of the layer above is fixed by the M_l, the rest is prior noise); first-layer filters and biases are Gaussian given those and Y. Their
 * mean and their fluctuation are run through the network separately: cross terms average to 0. Source: docs/theories/convolution.md §7.
 */
export function drawHiddenKernels(drawing: NetworkDrawing, conditional: SiteConditional, random: RandomStream): Matrix[] {
  const { problem, features } = drawing;
  const { layers } = problem.law.chain;
  const { targets, temperature, outputs, points } = problem;
  const filters = layers.slice(0, -1).map((_, l) => drawFilters(drawing, conditional, l, random));
  const width = features[0]!.shape[1];
  const design = outputDesign(drawing.reduced, conditional.factors[0]!.f);
  const constants = biasDesign(problem, conditional);
  const rank = design.shape[1];
  const prior = random.normals(new Float64Array(layers[0]!.width * width));
  const priorBias = constants.map(({ channels }) => random.normals(new Float64Array(channels)));
  // Matheron: prior draw plus gain × (0 − its outputs − noise) has the posterior's fluctuations
  const residual = multiply(design, { data: prior.slice(0, rank), shape: [rank, 1] }).data.map(
    (value) => -value - Math.sqrt(temperature) * random.normal(),
  );
  constants.forEach(({ columns }, l) => {
    const count = columns.shape[1];
    for (let a = 0; a < outputs; a++) {
      let sum = 0;
      for (let c = 0; c < count; c++) sum += columns.data[a * count + c]! * priorBias[l]![c]!;
      for (let mu = 0; mu < points; mu++) residual[a * points + mu]! -= sum;
    }
  });
  const correction = solveCholesky(conditional.root, { data: residual, shape: [targets.length, 1] }).data;
  const kernelsOf = (weights: Float64Array, start: Float64Array, startBias: readonly Float64Array[]): Matrix[] => {
    const theta = start.slice();
    const gain = multiplyTransposedLeft(design, { data: weights, shape: [targets.length, 1] }).data;
    for (let k = 0; k < rank; k++) theta[k]! += gain[k]!;
    const biases = constants.map(({ columns }, l) => {
      const out = startBias[l]!.slice();
      const count = columns.shape[1];
      for (let c = 0; c < count; c++)
        for (let a = 0; a < outputs; a++)
          for (let mu = 0; mu < points; mu++) out[c]! += columns.data[a * count + c]! * weights[a * points + mu]!;
      return out;
    });
    return runNetwork(drawing, theta, filters, biases);
  };
  const mean = kernelsOf(
    conditional.alpha,
    new Float64Array(prior.length),
    priorBias.map((bias) => new Float64Array(bias.length)),
  );
  const fluctuation = kernelsOf(correction, prior, priorBias);
  return mean.map((kernel, l) => ({ data: kernel.data.map((value, k) => value + fluctuation[l]!.data[k]!), shape: kernel.shape }));
}

interface BiasDesign {
  /** D × r_l: what a unit of each leading channel's (whitened) bias adds to the outputs. */
  readonly columns: Matrix;
  readonly channels: number;
}

/** Biases of layers 2 … L, then of the readout. */
function biasDesign({ law, outputs }: SiteProblem, { factors }: SiteConditional): BiasDesign[] {
  const out = law.chain.layers.slice(1).map(({ biasVariance, biasWeights, sites, width }, k): BiasDesign => {
    const { f } = factors[k + 1]!;
    const rank = f.shape[1];
    const columns = zeros(outputs, rank);
    for (let a = 0; a < outputs; a++) {
      for (let i = 0; i < sites; i++)
        for (let c = 0; c < rank; c++)
          columns.data[a * rank + c]! += Math.sqrt(biasVariance) * biasWeights[i]! * f.data[(a * sites + i) * rank + c]!;
    }
    return { columns, channels: width };
  });
  const readout = zeros(outputs, outputs);
  for (let a = 0; a < outputs; a++) readout.data[a * outputs + a] = Math.sqrt(law.chain.readoutBiasVariance);
  return [...out, { columns: readout, channels: outputs }];
}

/**
 * Filters of layer l + 2 (counting layers from 1; `l` is the index of the layer below): C_{l+2} × (|m| C_{l+1}), entry (c, (m, c')). With
 * E = √(s/|m|) [(I⊗t_m)F]_m the weights that read channel c' are σ[g + E⁺(√C b_c' − E g)], σ² = s/(C|m|), b_c' a column of the factor
 * below.
 */
function drawFilters(
  { problem, weightVariance, taps }: NetworkDrawing,
  { factors }: SiteConditional,
  l: number,
  random: RandomStream,
): Matrix {
  const { layers } = problem.law.chain;
  const [below, above] = [layers[l]!.width, layers[l + 1]!.width];
  const upper = factors[l + 1]!.f;
  const lower = factors[l]!.f;
  const rank = upper.shape[1];
  const count = taps[l]!.length;
  const s = weightVariance[l + 1]!;
  const rows = lower.shape[0];
  const e = pushFactor({ layer: { variance: s, taps: taps[l]! }, rows, inner: count * rank }, problem.outputs, upper);
  const noise = random.normals(new Float64Array(count * rank * below));
  const g: Matrix = { data: noise, shape: [count * rank, below] };
  const gap = multiply(e, g);
  for (let i = 0; i < rows; i++)
    for (let c = 0; c < below; c++)
      gap.data[i * below + c] =
        (c < lower.shape[1] ? Math.sqrt(below) * lower.data[i * lower.shape[1] + c]! : 0) - gap.data[i * below + c]!;
  const { left, values, right } = thinSvd(e);
  const projected = multiplyTransposedLeft(left, gap);
  const cut = 1e-11 * (values[0] ?? 0);
  for (let k = 0; k < values.length; k++)
    for (let c = 0; c < below; c++) projected.data[k * below + c] = values[k]! > cut ? projected.data[k * below + c]! / values[k]! : 0;
  const fixed = multiply(right, projected);
  const sigma = Math.sqrt(s / (below * count));
  const out = zeros(above, count * below);
  for (let c = 0; c < above; c++) {
    for (let m = 0; m < count; m++) {
      for (let b = 0; b < below; b++) {
        const inside = c < rank ? noise[(m * rank + c) * below + b]! + fixed.data[(m * rank + c) * below + b]! : random.normal();
        out.data[c * count * below + m * below + b] = sigma * inside;
      }
    }
  }
  return out;
}

/** Kernels of layers 2 … L of one network: rows (input, site), channels last. */
function runNetwork(
  { problem, geometry, features }: NetworkDrawing,
  theta: Float64Array,
  filters: readonly Matrix[],
  biases: readonly Float64Array[],
): Matrix[] {
  const [points, width] = features[0]!.shape;
  const channels = problem.law.chain.layers[0]!.width;
  const first: Matrix = { data: theta, shape: [channels, width] };
  let activity = zeros(points * features.length, channels);
  features.forEach((feature, i) => {
    const h = multiplyTransposedRight(feature, first);
    for (let mu = 0; mu < points; mu++)
      activity.data.set(h.data.subarray(mu * channels, (mu + 1) * channels), (mu * features.length + i) * channels);
  });
  return filters.map((filter, l) => {
    const maps = geometry.siteMaps[l + 1]!;
    const { inputSites, outputSites } = maps[0]!;
    const below = activity.shape[1];
    const patches = zeros(points * outputSites, maps.length * below);
    maps.forEach((map, m) => {
      eachEntry(map, (to, from, weight) => {
        for (let mu = 0; mu < points; mu++) {
          const source = (mu * inputSites + from) * below;
          const target = ((mu * outputSites + to) * maps.length + m) * below;
          for (let c = 0; c < below; c++) patches.data[target + c]! += weight * activity.data[source + c]!;
        }
      });
    });
    activity = multiplyTransposedRight(patches, filter);
    const above = filter.shape[0];
    const scale = Math.sqrt(problem.law.chain.layers[l + 1]!.biasVariance);
    const constant = geometry.constants?.[l + 1];
    if (scale > 0)
      for (let k = 0; k < activity.data.length; k++)
        activity.data[k]! += scale * (constant?.[Math.floor(k / above) % outputSites] ?? 1) * biases[l]![k % above]!;
    const kernel = gram({ data: activity.data, shape: [points, outputSites * above] });
    return { data: kernel.data.map((value) => value / (outputSites * above)), shape: kernel.shape };
  });
}
