import { zeros, type InfiniteWidthKernels, type Matrix, type SiteMap } from "@finitewidth/core";
import { requireImages } from "../convolution/images.js";
import { requireMemory } from "../convolution/memory.js";
import { rowsOfMap } from "../site-map.js";
import type { Composition } from "./graph.js";
import { sitePlan, type SitePlan } from "./site-plan.js";
import { blockLanes, ownLanes, runPlan, type PointSide } from "./site-run.js";

/** Bytes of all quantities for the pairs of points that are computed at once. */
const blockBytes = 2 ** 27;

const plans = new WeakMap<Composition, SitePlan>();

/**
 * Infinite-width kernels of any composition between `inputs` (P × N0) and themselves or `others` (P′ × N0): `preactivation` holds S^v of
 * every random layer, `hidden` the second moments E ψψᵀ read by those that do not read the inputs, both averaged over sites, in document
 * order, the readout last. Points with themselves come first, s × s blocks of each (their variances, norms and attention), then pairs of
 * points, block by block, at the pairs of sites that the outputs need. O(P P′ · pairs of sites · entries) and as many two-point functions
 * as pairs; 8 (2L + 1) P P′ bytes and one block.
 * @throws FinitewidthError "shape" for rows of the wrong length, "memory" when pairs of sites or kernels do not fit.
 * Theory: docs/theories/layers.md.
 */
export function compositionKernels(composition: Composition, inputs: Matrix, others?: Matrix): InfiniteWidthKernels {
  const { channels, sites } = composition.input ?? { channels: inputs.shape[1], sites: 1 };
  requireImages(inputs, channels, sites);
  if (others) requireImages(others, channels, sites, "others");
  let plan = plans.get(composition);
  if (plan === undefined) plans.set(composition, (plan = sitePlan(composition)));
  const [P, columns] = [inputs.shape[0], (others ?? inputs).shape[0]];
  const perPair = 8 * plan.quantities.reduce((sum, { pairs }) => sum + pairs.first.length, 0);
  const perPoint =
    8 * plan.quantities.reduce((sum, { shape, operation }) => sum + shape[0] * (operation.kind === "softmax" ? shape[1] : 1), 0);
  requireMemory(
    plan.bytes + Math.max(blockBytes, perPair) + perPoint * (P + columns) + 8 * 2 * composition.layers.length * P * columns,
    "infinite-width kernels",
    "use fewer inputs",
  );
  const size = Math.max(1, Math.floor(blockBytes / perPair));
  const averages = averagesOf(plan);
  const own = (rows: Matrix): { readonly side: PointSide; readonly means: readonly Matrix[] } => {
    const side = pointSide(plan, rows, channels, sites);
    const means = averages.map(() => zeros(rows.shape[0], 1));
    for (let from = 0; from < rows.shape[0]; from += size) {
      const lanes = ownLanes(side, from, Math.min(rows.shape[0], from + size));
      const buffers = runPlan(plan, composition, lanes);
      averages.forEach((quantity, k) => means[k]!.data.set(siteAverage(plan, quantity, buffers, lanes.left.length), from));
    }
    return { side, means };
  };
  const left = own(inputs);
  const right = others ? own(others) : left;
  const results = averages.map(() => zeros(P, columns));
  const edge = Math.max(1, Math.floor(Math.sqrt(size)));
  for (let r = 0; r < P; r += edge) {
    for (let c = 0; c < (others ? columns : r + 1); c += edge) {
      const [rowRange, columnRange] = [
        [r, Math.min(P, r + edge)],
        [c, Math.min(columns, c + edge)],
      ] as const;
      const lanes = blockLanes(left.side, right.side, rowRange, columnRange);
      const buffers = runPlan(plan, composition, lanes);
      averages.forEach((quantity, k) => put(results[k]!, rowRange, columnRange, siteAverage(plan, quantity, buffers, lanes.left.length)));
    }
  }
  if (!others) results.forEach((kernel, k) => completeSymmetric(kernel, left.means[k]!.data));
  const count = composition.layers.length;
  return {
    preactivation: results.slice(0, count),
    hidden: results.slice(count),
    ...(others ? { othersDiagonal: right.means[count - 1]!.data } : {}),
  };
}

/** Quantities of the result: S^v of all layers, then what those that do not read the inputs read. */
const averagesOf = ({ layers }: SitePlan): readonly number[] => [
  ...layers.map(({ units }) => units),
  ...layers.flatMap(({ reading }) => (reading === undefined ? [] : [reading])),
];

function siteAverage({ quantities }: SitePlan, quantity: number, buffers: readonly Float64Array[], lanes: number): Float64Array {
  const { pairs, shape } = quantities[quantity]!;
  const out = new Float64Array(lanes);
  for (let i = 0; i < shape[0]; i++) {
    const p = pairs.at(i, i);
    for (let k = 0; k < lanes; k++) out[k]! += buffers[quantity]![p * lanes + k]!;
  }
  return out.map((value) => value / shape[0]);
}

function put({ data, shape }: Matrix, [r0, r1]: readonly [number, number], [c0, c1]: readonly [number, number], block: Float64Array): void {
  for (let r = r0; r < r1; r++) data.set(block.subarray((r - r0) * (c1 - c0), (r - r0 + 1) * (c1 - c0)), r * shape[1] + c0);
}

/** The upper triangle from the lower one, the diagonal from the points with themselves. */
function completeSymmetric({ data, shape: [n] }: Matrix, diagonal: Float64Array): void {
  for (let i = 0; i < n; i++) {
    data[i * n + i] = diagonal[i]!;
    for (let j = 0; j < i; j++) data[j * n + i] = data[i * n + j]!;
  }
}

function pointSide({ quantities }: SitePlan, inputs: Matrix, channels: number, sites: number): PointSide {
  const points = inputs.shape[0];
  const read = new Map<number, readonly Matrix[]>();
  quantities.forEach(({ operation }, q) => {
    if (operation.kind === "inputs") read.set(q, siteInputs(inputs, channels, sites, operation.map));
  });
  return { points, inputs: read, variances: new Map(), scales: [], attention: new Map() };
}

/** One P × channels matrix for each site of T z. */
function siteInputs(inputs: Matrix, channels: number, sites: number, map: SiteMap | undefined): readonly Matrix[] {
  const points = inputs.shape[0];
  const site = (entries: readonly (readonly [number, number])[]): Matrix => {
    const out = zeros(points, channels);
    for (const [at, weight] of entries)
      for (let mu = 0; mu < points; mu++)
        for (let c = 0; c < channels; c++) out.data[mu * channels + c]! += weight * inputs.data[(mu * channels + c) * sites + at]!;
    return out;
  };
  return map ? rowsOfMap(map).map(site) : Array.from({ length: sites }, (_, at) => site([[at, 1]]));
}
