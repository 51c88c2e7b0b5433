import { crossKernelMap, kernelMap, pairMoments } from "@finitewidth/activations";
import type { Activation, Matrix } from "@finitewidth/core";
import { multiplyTransposedRight } from "@finitewidth/linalg";
import type { Composition } from "./graph.js";
import type { Quantity, SitePlan } from "./site-plan.js";
import { softmaxRows } from "./softmax.js";

/** What points have of their own: the parts that kernels between two points need of either. */
export interface PointSide {
  readonly points: number;
  /** Inputs by quantity that reads them: one P × channels matrix per site. */
  readonly inputs: ReadonlyMap<number, readonly Matrix[]>;
  /** Variances (site × point) by quantity whose diagonal they are. */
  readonly variances: Map<number, Float64Array>;
  /** 1/√(c + ε) of every norm, site × point. */
  readonly scales: Float64Array[];
  /** Ω of softmax layers by quantity, point × site × site. */
  readonly attention: Map<number, Float64Array>;
}

/** Pairs of points that are computed at once, `left` and `right` of every lane: points with themselves, or a block of rows by columns. */
export interface Lanes {
  readonly rows: PointSide;
  readonly columns: PointSide;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** Every point with itself: what it has of its own is kept. */
  readonly own: boolean;
  /** First row and column, and how many, of a block; `same`: these are the same points. */
  readonly block?: { readonly from: readonly [number, number]; readonly shape: readonly [number, number]; readonly same: boolean };
}

/** Points `from` to `to` with themselves. */
export function ownLanes(side: PointSide, from: number, to: number): Lanes {
  const points = Int32Array.from({ length: to - from }, (_, k) => from + k);
  return { rows: side, columns: side, left: points, right: points, own: true };
}

/** A block of rows by columns. */
export function blockLanes(
  rows: PointSide,
  columns: PointSide,
  [r0, r1]: readonly [number, number],
  [c0, c1]: readonly [number, number],
): Lanes {
  const shape = [r1 - r0, c1 - c0] as const;
  const left = Int32Array.from({ length: shape[0] * shape[1] }, (_, k) => r0 + Math.floor(k / shape[1]));
  const right = Int32Array.from({ length: left.length }, (_, k) => c0 + (k % shape[1]));
  const same = rows === columns && r0 === c0 && r1 === c1;
  return { rows, columns, left, right, own: false, block: { from: [r0, c0], shape, same } };
}

/**
 * All quantities of a plan for some pairs of points: (pair of sites) × lanes each. Points with themselves leave what they have to the
 * pairs.
 */
export function runPlan(plan: SitePlan, composition: Composition, lanes: Lanes): readonly Float64Array[] {
  const buffers: Float64Array[] = [];
  plan.quantities.forEach((quantity, q) => {
    const out = new Float64Array(quantity.pairs.first.length * lanes.left.length);
    buffers.push(out);
    evaluate(quantity, q, out, buffers, composition, lanes);
    if (lanes.own) keepOwn(plan, composition, q, out, lanes);
  });
  return buffers;
}

/** Keeps variances and scales of points; rounding can leave differences of equal units slightly negative. */
function keepOwn(plan: SitePlan, { norms }: Composition, q: number, values: Float64Array, { rows: side, left }: Lanes): void {
  const { pairs, shape } = plan.quantities[q]!;
  const diagonal = (): Float64Array => {
    const out = side.variances.get(q) ?? new Float64Array(shape[0] * side.points);
    side.variances.set(q, out);
    for (let i = 0; i < shape[0]; i++) {
      const p = pairs.at(i, i);
      for (let k = 0; k < left.length; k++) out[i * side.points + left[k]!] = Math.max(0, values[p * left.length + k]!);
    }
    return out;
  };
  if (plan.momentVariances.has(q)) diagonal();
  plan.norms.forEach((below, norm) => {
    if (below !== q) return;
    const variances = diagonal();
    const { epsilon } = norms[norm]!;
    const scales = (side.scales[norm] ??= new Float64Array(variances.length));
    for (let i = 0; i < shape[0]; i++) {
      for (const point of left) {
        const c = variances[i * side.points + point]! + epsilon;
        scales[i * side.points + point] = c > 0 ? 1 / Math.sqrt(c) : 0;
      }
    }
  });
}

function evaluate(
  quantity: Quantity,
  q: number,
  out: Float64Array,
  buffers: readonly Float64Array[],
  composition: Composition,
  lanes: Lanes,
): void {
  const { operation } = quantity;
  switch (operation.kind) {
    case "inputs":
      return inputMoments(quantity, q, out, lanes);
    case "linear":
      return linear(quantity, out, buffers, lanes.left.length, operation.bias);
    case "moment":
      return moments(quantity, operation.activation, operation.below, out, buffers[operation.below]!, lanes);
    case "scale":
      return scale(quantity, out, buffers[operation.below]!, lanes, operation.left, operation.right);
    case "softmax":
      return softmax(quantity, q, out, buffers[operation.below]!, composition, operation.layer, lanes);
  }
}

/** From this many pairs of points on, products and kernel maps of whole blocks are faster than loops. */
const wholeBlock = 256;

function inputMoments(
  { pairs: { first, second } }: Quantity,
  q: number,
  out: Float64Array,
  { rows, columns, left, right, block }: Lanes,
): void {
  const [x, y] = [rows.inputs.get(q)!, columns.inputs.get(q)!];
  const channels = x[0]!.shape[1];
  const count = left.length;
  const part = ({ data }: Matrix, from: number, size: number): Matrix => ({
    data: data.subarray(from * channels, (from + size) * channels),
    shape: [size, channels],
  });
  for (let p = 0; p < first.length; p++) {
    const [a, b] = [x[first[p]!]!, y[second[p]!]!];
    if (block && count >= wholeBlock) {
      const { from, shape } = block;
      const { data } = multiplyTransposedRight(part(a, from[0], shape[0]), part(b, from[1], shape[1]));
      for (let k = 0; k < count; k++) out[p * count + k] = data[k]! / channels;
      continue;
    }
    for (let k = 0; k < count; k++) {
      const [i, j] = [left[k]! * channels, right[k]! * channels];
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += a.data[i + c]! * b.data[j + c]!;
      out[p * count + k] = sum / channels;
    }
  }
}

function linear({ tables, pairs }: Quantity, out: Float64Array, buffers: readonly Float64Array[], count: number, bias: number): void {
  for (const { below, starts, sources, weight, weights } of tables!) {
    const values = buffers[below]!;
    for (let p = 0; p < pairs.first.length; p++) {
      for (let e = starts[p]!; e < starts[p + 1]!; e++) {
        const w = weights?.[e] ?? weight;
        for (let k = p * count, s = sources[e]! * count; k < (p + 1) * count; k++, s++) out[k]! += w * values[s]!;
      }
    }
  }
  if (bias !== 0) for (let k = 0; k < out.length; k++) out[k]! += bias;
}

function moments(
  { pairs: { first, second }, sources }: Quantity,
  activation: Activation,
  below: number,
  out: Float64Array,
  values: Float64Array,
  { rows, columns, left, right, own, block }: Lanes,
): void {
  const [a, b] = [rows.variances.get(below)!, columns.variances.get(below)!];
  const count = left.length;
  const { diagonal } = activation.moments;
  const { kernel } = pairMoments(activation.moments);
  for (let p = 0; p < first.length; p++) {
    const [i, j] = [first[p]! * rows.points, second[p]! * columns.points];
    const source = sources![p]! * count;
    if (block && count >= wholeBlock) {
      const { from, shape, same } = block;
      const matrix: Matrix = { data: values.subarray(source, source + count), shape };
      const rowVariances = a.subarray(i + from[0], i + from[0] + shape[0]);
      if (same && first[p] === second[p]) {
        // one site of the same points: a symmetric kernel, half of it to compute
        for (let k = 0; k < shape[0]; k++) matrix.data[k * shape[0] + k] = rowVariances[k]!;
        out.set(kernelMap(activation, matrix).data, p * count);
      } else out.set(crossKernelMap(activation, rowVariances, matrix, b.subarray(j + from[1], j + from[1] + shape[1])).data, p * count);
      continue;
    }
    const equal = own && first[p] === second[p];
    for (let k = 0; k < count; k++) {
      const variance = a[i + left[k]!]!;
      out[p * count + k] = equal ? diagonal(variance) : kernel(variance, values[source + k]!, b[j + right[k]!]!);
    }
  }
}

function scale(
  { pairs: { first, second }, sources }: Quantity,
  out: Float64Array,
  values: Float64Array,
  { rows, columns, left, right }: Lanes,
  leftNorm?: number,
  rightNorm?: number,
): void {
  const one = leftNorm === undefined ? undefined : rows.scales[leftNorm]!;
  const other = rightNorm === undefined ? undefined : columns.scales[rightNorm]!;
  const count = left.length;
  for (let p = 0; p < first.length; p++) {
    const [i, j] = [first[p]! * rows.points, second[p]! * columns.points];
    for (let k = 0; k < count; k++)
      out[p * count + k] = (one?.[i + left[k]!] ?? 1) * (other?.[j + right[k]!] ?? 1) * values[sources![p]! * count + k]!;
  }
}

function softmax(
  { pairs: { first, second }, shape: [s], sources }: Quantity,
  q: number,
  out: Float64Array,
  values: Float64Array,
  { layers }: Composition,
  layer: number,
  { rows, columns, left, right, own }: Lanes,
): void {
  const { random } = layers[layer]!;
  const moment = new Float64Array(s * s);
  const attended = new Float64Array(s * s);
  const omegaOf = (side: PointSide): Float64Array => {
    let omega = side.attention.get(q);
    if (omega === undefined) side.attention.set(q, (omega = new Float64Array(side.points * s * s)));
    return omega;
  };
  const count = left.length;
  for (let k = 0; k < count; k++) {
    for (let e = 0; e < s * s; e++) moment[e] = values[sources![e]! * count + k]!;
    const one = omegaOf(rows).subarray(left[k]! * s * s, (left[k]! + 1) * s * s);
    if (own) {
      for (let e = 0; e < s * s; e++) one[e] = random.scores!.scoreVariance * moment[e]!;
      softmaxRows({ data: one, shape: [s, s] });
    }
    const other = omegaOf(columns).subarray(right[k]! * s * s, (right[k]! + 1) * s * s);
    attended.fill(0);
    for (let i = 0; i < s; i++) {
      for (let j = 0; j < s; j++) {
        const w = one[i * s + j]!;
        for (let c = 0; c < s; c++) attended[i * s + c]! += w * moment[j * s + c]!;
      }
    }
    for (let p = 0; p < first.length; p++) {
      let sum = 0;
      for (let c = 0; c < s; c++) sum += attended[first[p]! * s + c]! * other[second[p]! * s + c]!;
      out[p * count + k] = random.weightVariance * sum + random.biasVariance;
    }
  }
}
