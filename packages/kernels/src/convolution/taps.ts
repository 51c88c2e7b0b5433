/** Geometry of one convolutional layer, one entry per spatial axis. */
export interface FilterGeometry {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: "circular" | "zero" | "valid" | readonly number[];
  readonly dilation: readonly number[];
}

/** Which input site every tap of a filter reads, for every output site. Sites are numbered row-major over the spatial axes. */
export interface TapTable {
  readonly inputSites: number;
  readonly outputSites: number;
  /** |m|, the number of taps of the filter. */
  readonly tapCount: number;
  /** τ(i, m) at i·|m| + m, row-major over the axes of the filter; −1 where the tap falls on zero padding. */
  readonly taps: Int32Array;
}

/** A tap table between two grids. */
export interface GridTapTable extends TapTable {
  /** Extents, one per axis. */
  readonly inputSize: readonly number[];
  readonly outputSize: readonly number[];
}

const product = (values: readonly number[]): number => values.reduce((all, value) => all * value, 1);

/**
 * Number of output sites along one axis: ⌈size/stride⌉ for circular and zero padding, ⌊(size + 2p − d(k−1) − 1)/stride⌋ + 1 for p explicit
 * zeros on both sides ("valid": p = 0). Not positive when the filter does not fit.
 */
export function outputExtent(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  padding: "circular" | "zero" | "valid" | number,
): number {
  if (padding === "circular" || padding === "zero") return Math.ceil(size / stride);
  const zeros = padding === "valid" ? 0 : padding;
  return Math.floor((size + 2 * zeros - dilation * (kernel - 1) - 1) / stride) + 1;
}

/**
 * Input coordinate of every (output coordinate, tap) along one axis, −1 for padding: offset d(m − ⌊(k−1)/2⌋) when centred, dm − p
 * otherwise.
 */
function axisTaps(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  padding: "circular" | "zero" | "valid" | number,
): Int32Array[] {
  const centred = padding === "circular" || padding === "zero";
  const shift = centred ? dilation * Math.floor((kernel - 1) / 2) : padding === "valid" ? 0 : padding;
  return Array.from({ length: Math.max(0, outputExtent(size, kernel, stride, dilation, padding)) }, (_, i) =>
    Int32Array.from({ length: kernel }, (__, m) => {
      const at = i * stride + m * dilation - shift;
      if (padding === "circular") return ((at % size) + size) % size;
      return at < 0 || at >= size ? -1 : at;
    }),
  );
}

/**
 * Tap table of a layer on an input of the given extents (one per axis). Cost: output sites × taps. Theory: docs/theories/convolution.md §1.
 */
export function tapTable(layer: FilterGeometry, inputSize: readonly number[]): GridTapTable {
  const { kernelSize, stride, dilation, padding } = layer;
  const axes = inputSize.map((size, axis) =>
    axisTaps(size, kernelSize[axis]!, stride[axis]!, dilation[axis]!, typeof padding === "string" ? padding : padding[axis]!),
  );
  const outputSize = axes.map((axis) => axis.length);
  const outputSites = product(outputSize);
  const tapCount = product(kernelSize);
  const taps = new Int32Array(outputSites * tapCount);
  for (let i = 0; i < outputSites; i++) {
    for (let m = 0; m < tapCount; m++) taps[i * tapCount + m] = inputSite(axes, inputSize, outputSize, kernelSize, i, m);
  }
  return { inputSize, outputSize, inputSites: product(inputSize), outputSites, tapCount, taps };
}

function inputSite(
  axes: readonly Int32Array[][],
  inputSize: readonly number[],
  outputSize: readonly number[],
  kernelSize: readonly number[],
  site: number,
  tap: number,
): number {
  let [position, filter, unit, at] = [site, tap, 1, 0];
  for (let axis = inputSize.length - 1; axis >= 0; axis--) {
    const coordinate = axes[axis]![position % outputSize[axis]!]![filter % kernelSize[axis]!]!;
    if (coordinate < 0) return -1;
    at += coordinate * unit;
    unit *= inputSize[axis]!;
    position = Math.floor(position / outputSize[axis]!);
    filter = Math.floor(filter / kernelSize[axis]!);
  }
  return at;
}
