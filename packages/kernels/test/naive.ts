import type { Matrix, Primitive, RandomLayer, SiteMap } from "@finitewidth/core";
import type { FilterGeometry } from "../src/index.js";

/**
 * Networks of every primitive by loops over points, sites and units, straight from docs/theories/layers.md: what real networks and kernels
 * are held to. Activities are [point][site][unit]; every activation is erf.
 */
export type Activity = number[][][];
/** A filter; undilated where nothing is said. */
export const geometry = (
  kernelSize: number[],
  stride: number[],
  padding: FilterGeometry["padding"],
  dilation = kernelSize.map(() => 1),
): FilterGeometry => ({ kernelSize, stride, padding, dilation });
export const sum = (count: number, term: (i: number) => number): number => {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
};
export const table = (rows: number, columns: number, entry: (i: number, j: number) => number): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (__, j) => entry(i, j)));

/** T as a matrix, output sites × input sites. */
function matrixOf({ inputSites, outputSites, sources, weights }: SiteMap): number[][] {
  const out = table(outputSites, inputSites, () => 0);
  const perSite = sources.length / outputSites;
  sources.forEach((source, e) => {
    if (source >= 0) out[Math.floor(e / perSite)]![source]! += weights ? weights[e]! : 1;
  });
  return out;
}

/** Rows (channel, site) of the inputs, last index fastest. */
const activityOf = ({ data, shape }: Matrix, channels: number, sites: number): Activity =>
  Array.from({ length: shape[0] }, (_, p) => table(sites, channels, (a, c) => data[p * shape[1] + c * sites + a]!));

const mapSites = (z: Activity, T: number[][]): Activity =>
  z.map((point) => table(T.length, point[0]!.length, (i, c) => sum(point.length, (j) => T[i]![j]! * point[j]![c]!)));

const softmax = (scores: number[]): number[] => {
  const weights = scores.map(Math.exp);
  return weights.map((w) => w / sum(weights.length, (i) => weights[i]!));
};

/** T_k z of every map of a layer of weights. */
export const readBy = (z: Activity, maps: readonly SiteMap[]): Activity[] => maps.map((map) => mapSites(z, matrixOf(map)));

/**
 * Outputs [point][output] and what every layer of weights reads, of the network with these parameters, or with units that `draw` makes of
 * what the layer reads.
 */
export function naiveNetwork(
  layers: readonly Primitive[],
  [channels, sites]: readonly [number, number],
  inputs: Matrix,
  outputs: number,
  theta: Float64Array,
  phi: (h: number) => number,
  draw?: (layer: RandomLayer, z: Activity) => Activity,
): { readonly outputs: number[][]; readonly readings: Activity[] } {
  let at = 0;
  const take = (...extents: number[]): ((...index: number[]) => number) => {
    const start = at;
    at += extents.reduce((all, extent) => all * extent, 1);
    return (...index) => theta[start + index.reduce((position, i, axis) => position * extents[axis]! + i, 0)]!;
  };
  const readings: Activity[] = [];
  const step = (z: Activity, layer: Primitive): Activity => {
    const N = z[0]![0]!.length;
    switch (layer.kind) {
      case "pointwise":
        return z.map((point) => point.map((units) => units.map(phi)));
      case "site-map":
        return mapSites(z, matrixOf(layer.map));
      case "normalise":
        return z.map((point) =>
          point.map((units) => {
            const mean = sum(N, (i) => units[i]!) / N;
            const variance = sum(N, (i) => (units[i]! - mean) ** 2) / N;
            return units.map((h) => (h - mean) / Math.sqrt(variance + layer.epsilon));
          }),
        );
      case "merge": {
        const branches = layer.branches.map((branch) => branch.reduce(step, z));
        return branches[0]!.map((point, p) =>
          point.map((units, a) => units.map((_, i) => sum(branches.length, (k) => layer.coefficients[k]! * branches[k]![p]![a]![i]!))),
        );
      }
      case "random": {
        readings.push(z);
        if (draw) return draw(layer, z);
        const units = layer.width ?? outputs;
        const value = (x: number): number => layer.weights?.value(x) ?? x;
        let read: Activity[];
        let weight: (u: number, c: number, k: number) => number;
        if (layer.scores) {
          const { heads, keys, scoreVariance } = layer.scores;
          const W = take(units, heads, N);
          const U = take(heads, keys, N);
          weight = (u, c, k) => W(u, k, c);
          read = Array.from({ length: heads }, (_, h) =>
            z.map((point) => {
              const kappa = table(point.length, keys, (a, q) => Math.sqrt(scoreVariance / N) * sum(N, (c) => point[a]![c]! * U(h, q, c)));
              const omega = kappa.map((one) => softmax(kappa.map((other) => sum(keys, (q) => one[q]! * other[q]!) / keys)));
              return mapSites([point], omega)[0]!;
            }),
          );
        } else {
          const K = layer.maps.length;
          const W = layer.order === "map-channel" ? take(units, K, N) : take(units, N, K);
          weight = (u, c, k) => (layer.order === "map-channel" ? W(u, k, c) : W(u, c, k));
          read = readBy(z, layer.maps);
        }
        const b = layer.biasVariance > 0 ? take(units) : () => 0;
        const scale = Math.sqrt(layer.weightVariance / (N * read.length));
        return read[0]!.map((point, p) =>
          table(
            point.length,
            units,
            (a, u) =>
              scale * sum(read.length, (k) => sum(N, (c) => read[k]![p]![a]![c]! * value(weight(u, c, k)))) +
              Math.sqrt(layer.biasVariance) * b(u),
          ),
        );
      }
    }
  };
  const top = layers.reduce(step, activityOf(inputs, channels, sites));
  return { outputs: top.map((point) => point[0]!), readings };
}

/** Mean over sites and units of ψψᵀ: P × P. */
export const meanProduct = (z: Activity): number[][] => {
  const [s, N] = [z[0]!.length, z[0]![0]!.length];
  return table(z.length, z.length, (p, q) => sum(s, (a) => sum(N, (i) => z[p]![a]![i]! * z[q]![a]![i]!)) / (s * N));
};

const product = (a: number[][], b: number[][]): number[][] =>
  a.map((row) => {
    const out = b[0]!.map(() => 0);
    row.forEach((value, k) => value !== 0 && b[k]!.forEach((other, j) => (out[j]! += value * other)));
    return out;
  });
const transposed = (a: number[][]): number[][] => table(a[0]!.length, a.length, (i, j) => a[j]![i]!);
const sandwiched = (a: number[][], x: number[][], b = a): number[][] => product(product(a, x), transposed(b));
const added = (a: number[][], b: number[][]): number[][] => a.map((row, i) => row.map((value, j) => value + b[i]![j]!));
const atEveryPoint = (points: number, T: number[][]): number[][] => {
  const [rows, columns] = [T.length, T[0]!.length];
  return table(points * rows, points * columns, (i, j) =>
    Math.floor(i / rows) === Math.floor(j / columns) ? T[i % rows]![j % columns]! : 0,
  );
};
/** E erf(x) erf(y) at the covariance (a, c; c, b). */
const erfMoment = (a: number, c: number, b: number): number => (2 / Math.PI) * Math.asin((2 * c) / Math.sqrt((1 + 2 * a) * (1 + 2 * b)));

/** S of every random layer and Q of what it reads at infinite width, over (point, site). */
export function naiveKernels(
  layers: readonly Primitive[],
  [channels, sites]: readonly [number, number],
  inputs: Matrix,
  moment: (a: number, c: number, b: number) => number = erfMoment,
) {
  const points = inputs.shape[0];
  const [S, Q]: [number[][][], number[][][]] = [[], []];
  /** A field is Σ_v A_v u^v; what is read of it is Π φ(field). */
  interface Node {
    readonly parts?: ReadonlyMap<number, number[][]>;
    readonly phi?: boolean;
    readonly pool?: number[][];
  }
  const covariance = (parts: ReadonlyMap<number, number[][]>): number[][] =>
    [...parts].map(([v, A]) => sandwiched(A, S[v]!)).reduce((one, other) => added(one, other));
  const second = ({ parts, phi, pool }: Node): number[][] => {
    if (parts === undefined) {
      const rows = activityOf(inputs, channels, sites).flat();
      const q = product(rows, transposed(rows)).map((row) => row.map((value) => value / channels));
      return pool ? sandwiched(pool, q) : q;
    }
    const K = covariance(parts);
    const G = phi ? K.map((row, i) => row.map((c, j) => moment(K[i]![i]!, c, K[j]![j]!))) : K;
    return pool ? sandwiched(pool, G) : G;
  };
  const step = (node: Node, layer: Primitive): Node => {
    switch (layer.kind) {
      case "pointwise":
        return { ...node, phi: true };
      case "site-map": {
        const T = atEveryPoint(points, matrixOf(layer.map));
        if (node.phi || node.parts === undefined) return { ...node, pool: node.pool ? product(T, node.pool) : T };
        return { parts: new Map([...node.parts].map(([v, A]) => [v, product(T, A)])) };
      }
      case "normalise": {
        const K = covariance(node.parts!);
        const scale = K.map((row, i) => 1 / Math.sqrt(row[i]! + layer.epsilon));
        return { parts: new Map([...node.parts!].map(([v, A]) => [v, A.map((row, i) => row.map((a) => a * scale[i]!))])) };
      }
      case "merge": {
        const all = new Map<number, number[][]>();
        layer.branches.forEach((branch, k) =>
          branch.reduce(step, node).parts!.forEach((A, v) => {
            const own = A.map((row) => row.map((a) => layer.coefficients[k]! * a));
            all.set(v, all.has(v) ? added(all.get(v)!, own) : own);
          }),
        );
        return { parts: all };
      }
      case "random": {
        const q = second(node);
        const s = q.length / points;
        const maps = layer.scores
          ? [
              table(q.length, q.length, (i, j) => {
                const first = i - (i % s);
                const own = softmax(Array.from({ length: s }, (_, b) => layer.scores!.scoreVariance * q[i]![first + b]!));
                return j >= first && j < first + s ? own[j - first]! : 0;
              }),
            ]
          : layer.maps.map((map) => atEveryPoint(points, matrixOf(map)));
        const raised = maps.map((T) => sandwiched(T, q)).reduce((one, other) => added(one, other));
        Q.push(q);
        S.push(raised.map((row) => row.map((value) => (layer.weightVariance * value) / maps.length + layer.biasVariance)));
        const n = raised.length;
        return { parts: new Map([[S.length - 1, table(n, n, (i, j) => (i === j ? 1 : 0))]]) };
      }
    }
  };
  layers.reduce<Node>(step, {});
  return { S, Q };
}

/** Mean over equal sites of a kernel over (point, site): points × points. */
export const siteMean = (kernel: number[][], points: number): number[][] => {
  const s = kernel.length / points;
  return table(points, points, (p, q) => sum(s, (a) => kernel[p * s + a]![q * s + a]!) / s);
};
