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

/** Pairs of points that are computed at once: every point from `from` to `to` with itself, or rows by columns. */
export type Lanes =
  | { readonly kind: "own"; readonly side: PointSide; readonly from: number; readonly to: number }
  | {
      readonly kind: "cross";
      readonly rows: PointSide;
      readonly columns: PointSide;
      readonly rowRange: readonly [from: number, to: number];
      readonly columnRange: readonly [from: number, to: number];
      /** Rows and columns are the same points. */
      readonly same: boolean;
    };

/** Number of pairs of points. */
export const laneCount = (lanes: Lanes): number =>
  lanes.kind === "own" ? lanes.to - lanes.from : (lanes.rowRange[1] - lanes.rowRange[0]) * (lanes.columnRange[1] - lanes.columnRange[0]);

/** All quantities of a plan for some pairs of points: (pair of sites) × lanes each. Points of their own leave what they have to the pairs. */
export function runPlan(plan: SitePlan, composition: Composition, lanes: Lanes): readonly Float64Array[] {
  const count = laneCount(lanes);
  const buffers: Float64Array[] = [];
  plan.quantities.forEach((quantity, q) => {
    const out = new Float64Array(quantity.pairs.first.length * count);
    buffers.push(out);
    evaluate(quantity, q, out, buffers, composition, lanes, count);
    if (lanes.kind === "own") keepOwn(plan, composition, q, out, lanes);
  });
  return buffers;
}

/** Keeps variances and scales of points; rounding can leave differences of equal units slightly negative. */
function keepOwn(
  plan: SitePlan,
  { norms }: Composition,
  q: number,
  values: Float64Array,
  { side, from, to }: Lanes & { kind: "own" },
): void {
  const { pairs, shape } = plan.quantities[q]!;
  const diagonal = (): Float64Array => {
    const out = side.variances.get(q) ?? new Float64Array(shape[0] * side.points);
    side.variances.set(q, out);
    for (let i = 0; i < shape[0]; i++) {
      const p = pairs.at(i, i);
      for (let at = from; at < to; at++) out[i * side.points + at] = Math.max(0, values[p * (to - from) + at - from]!);
    }
    return out;
  };
  if (plan.momentVariances.has(q)) diagonal();
  plan.norms.forEach((below, norm) => {
    if (below !== q) return;
    const variances = diagonal();
    const { epsilon } = norms[norm]!;
    const scales = (side.scales[norm] ??= new Float64Array(variances.length));
    for (let i = 0; i < shape[0]; i++)
      for (let k = i * side.points + from; k < i * side.points + to; k++)
        scales[k] = variances[k]! + epsilon > 0 ? 1 / Math.sqrt(variances[k]! + epsilon) : 0;
  });
}

function evaluate(
  quantity: Quantity,
  q: number,
  out: Float64Array,
  buffers: readonly Float64Array[],
  composition: Composition,
  lanes: Lanes,
  count: number,
): void {
  const { operation } = quantity;
  switch (operation.kind) {
    case "inputs":
      return inputMoments(quantity, q, out, lanes, count);
    case "linear":
      return linear(quantity, out, buffers, count, operation.bias);
    case "moment":
      return lanes.kind === "own"
        ? ownMoments(quantity, operation.activation, operation.below, out, buffers[operation.below]!, lanes)
        : crossMoments(quantity, operation.activation, operation.below, out, buffers[operation.below]!, lanes);
    case "scale":
      return scale(quantity, out, buffers[operation.below]!, lanes, count, operation.left, operation.right);
    case "softmax":
      return softmax(quantity, q, out, buffers[operation.below]!, composition, operation.layer, lanes, count);
  }
}

function inputMoments({ pairs: { first, second } }: Quantity, q: number, out: Float64Array, lanes: Lanes, count: number): void {
  const [rows, columns] = lanes.kind === "own" ? [lanes.side, lanes.side] : [lanes.rows, lanes.columns];
  const [left, right] = [rows.inputs.get(q)!, columns.inputs.get(q)!];
  const channels = left[0]!.shape[1];
  const part = ({ data }: Matrix, [from, to]: readonly [number, number]): Matrix => ({
    data: data.subarray(from * channels, to * channels),
    shape: [to - from, channels],
  });
  for (let p = 0; p < first.length; p++) {
    const [x, y] = [left[first[p]!]!, right[second[p]!]!];
    if (lanes.kind === "cross") {
      const { data } = multiplyTransposedRight(part(x, lanes.rowRange), part(y, lanes.columnRange));
      for (let k = 0; k < count; k++) out[p * count + k] = data[k]! / channels;
    } else {
      for (let k = 0; k < count; k++) {
        const start = (lanes.from + k) * channels;
        let sum = 0;
        for (let c = start; c < start + channels; c++) sum += x.data[c]! * y.data[c]!;
        out[p * count + k] = sum / channels;
      }
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

function ownMoments(
  { pairs: { first, second }, sources }: Quantity,
  activation: Activation,
  below: number,
  out: Float64Array,
  values: Float64Array,
  { side, from, to }: Lanes & { kind: "own" },
): void {
  const variances = side.variances.get(below)!;
  const { diagonal } = activation.moments;
  const { kernel } = pairMoments(activation.moments);
  const count = to - from;
  for (let p = 0; p < first.length; p++) {
    const [i, j] = [first[p]! * side.points, second[p]! * side.points];
    for (let k = 0; k < count; k++) {
      const at = from + k;
      out[p * count + k] =
        i === j ? diagonal(variances[i + at]!) : kernel(variances[i + at]!, values[sources![p]! * count + k]!, variances[j + at]!);
    }
  }
}

function crossMoments(
  { pairs: { first, second }, sources }: Quantity,
  activation: Activation,
  below: number,
  out: Float64Array,
  values: Float64Array,
  lanes: Lanes & { kind: "cross" },
): void {
  const { rows, columns, rowRange, columnRange } = lanes;
  const [a, b] = [rows.variances.get(below)!, columns.variances.get(below)!];
  const shape = [rowRange[1] - rowRange[0], columnRange[1] - columnRange[0]] as const;
  const count = shape[0] * shape[1];
  const square = lanes.same && rowRange[0] === columnRange[0] && rowRange[1] === columnRange[1];
  for (let p = 0; p < first.length; p++) {
    const [i, j] = [first[p]!, second[p]!];
    const block: Matrix = { data: values.subarray(sources![p]! * count, (sources![p]! + 1) * count), shape };
    const rowVariances = a.subarray(i * rows.points + rowRange[0], i * rows.points + rowRange[1]);
    if (square && i === j) {
      // one site of the same points: a symmetric kernel, half of it to compute
      for (let k = 0; k < shape[0]; k++) block.data[k * shape[0] + k] = rowVariances[k]!;
      out.set(kernelMap(activation, block).data, p * count);
    } else {
      const columnVariances = b.subarray(j * columns.points + columnRange[0], j * columns.points + columnRange[1]);
      out.set(crossKernelMap(activation, rowVariances, block, columnVariances).data, p * count);
    }
  }
}

function scale(
  { pairs: { first, second }, sources }: Quantity,
  out: Float64Array,
  values: Float64Array,
  lanes: Lanes,
  count: number,
  left?: number,
  right?: number,
): void {
  const [rows, columns] = lanes.kind === "own" ? [lanes.side, lanes.side] : [lanes.rows, lanes.columns];
  const one = left === undefined ? undefined : rows.scales[left]!;
  const other = right === undefined ? undefined : columns.scales[right]!;
  const width = lanes.kind === "own" ? 1 : lanes.columnRange[1] - lanes.columnRange[0];
  const [r0, c0] = lanes.kind === "own" ? [lanes.from, lanes.from] : [lanes.rowRange[0], lanes.columnRange[0]];
  for (let p = 0; p < first.length; p++) {
    for (let k = 0; k < count; k++) {
      const row = r0 + Math.floor(k / width);
      const column = lanes.kind === "own" ? row : c0 + (k % width);
      const factor = (one?.[first[p]! * rows.points + row] ?? 1) * (other?.[second[p]! * columns.points + column] ?? 1);
      out[p * count + k] = factor * values[sources![p]! * count + k]!;
    }
  }
}

function softmax(
  { pairs: { first, second }, shape: [s], sources }: Quantity,
  q: number,
  out: Float64Array,
  values: Float64Array,
  { layers }: Composition,
  layer: number,
  lanes: Lanes,
  count: number,
): void {
  const { random } = layers[layer]!;
  const moment = new Float64Array(s * s);
  const attended = new Float64Array(s * s);
  const omegaOf = (side: PointSide): Float64Array => {
    let omega = side.attention.get(q);
    if (omega === undefined) side.attention.set(q, (omega = new Float64Array(side.points * s * s)));
    return omega;
  };
  const [rows, columns] = lanes.kind === "own" ? [lanes.side, lanes.side] : [lanes.rows, lanes.columns];
  const width = lanes.kind === "own" ? 1 : lanes.columnRange[1] - lanes.columnRange[0];
  for (let k = 0; k < count; k++) {
    for (let e = 0; e < s * s; e++) moment[e] = values[sources![e]! * count + k]!;
    const row = (lanes.kind === "own" ? lanes.from : lanes.rowRange[0]) + Math.floor(k / width);
    const column = lanes.kind === "own" ? row : lanes.columnRange[0] + (k % width);
    const left = omegaOf(rows).subarray(row * s * s, (row + 1) * s * s);
    if (lanes.kind === "own") {
      for (let e = 0; e < s * s; e++) left[e] = random.scores!.scoreVariance * moment[e]!;
      softmaxRows({ data: left, shape: [s, s] });
    }
    const right = omegaOf(columns).subarray(column * s * s, (column + 1) * s * s);
    attended.fill(0);
    for (let i = 0; i < s; i++)
      for (let j = 0; j < s; j++) {
        const w = left[i * s + j]!;
        for (let c = 0; c < s; c++) attended[i * s + c]! += w * moment[j * s + c]!;
      }
    for (let p = 0; p < first.length; p++) {
      let sum = 0;
      for (let c = 0; c < s; c++) sum += attended[first[p]! * s + c]! * right[second[p]! * s + c]!;
      out[p * count + k] = random.weightVariance * sum + random.biasVariance;
    }
  }
}
