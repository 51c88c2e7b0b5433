import {
  inputError,
  name,
  nonNegativeInteger,
  nonNegativeNumber,
  oneOf,
  positiveInteger,
  positiveNumber,
  type LayerContext,
  type LayerShape,
} from "@finitewidth/core";
import { outputExtent, tapTable, type FilterGeometry, type GridTapTable } from "@finitewidth/kernels";
import * as v from "valibot";

/** The key `layer` of an entry: its name is looked up in the registry, so any is fine here. */
export const layerName = name;

/** σ_w² > 0 (default 1) and σ_b² ≥ 0 (default 0) of a layer of weights. */
export const variances = { weightVariance: v.optional(positiveNumber, 1), biasVariance: v.optional(nonNegativeNumber, 0) };

/** Integers ≥ 1, one for each axis of the grid. */
export const sizes = v.pipe(
  v.array(positiveInteger, "a list of positive integers, one per grid axis"),
  v.nonEmpty("one positive integer per grid axis"),
);

const paddingMode = oneOf(["circular", "zero", "valid"]);
const explicitPadding = v.array(nonNegativeInteger, "integers ≥ 0, one per grid axis");
export const padding = v.lazy((value) => (Array.isArray(value) ? explicitPadding : paddingMode));

/** Above a flattening only a dense layer can stand. */
export function requireGrid(below: LayerShape, { path }: LayerContext, what: string): void {
  if (below.grid.length === 0 || below.flattened)
    throw inputError(path, `a grid of sites below ${what}`, below.flattened ? "flattened sites" : "units without sites");
}

/** Units that activations, normalisations and sums can act on. */
export function requireGaussian(below: LayerShape, { path }: LayerContext, what: string): void {
  const remedy = "put a dense layer, a convolution or an attention below it";
  if (below.input) throw inputError(path, `${what} on units that are Gaussian at infinite width (${remedy})`, "the inputs");
  if (below.flattened) throw inputError(path, `${what} before the flattening, where it acts on every site alike`, "flattened sites");
  if (!below.gaussian)
    throw inputError(path, `${what} on units that are Gaussian at infinite width (${remedy})`, "units above an activation");
}

/** Which sites a window reads. `size` names the field that holds its extents. */
export function windowTable(filter: FilterGeometry, size: string, below: LayerShape, { path }: LayerContext): GridTapTable {
  const { grid } = below;
  const perAxis = (field: string, values: readonly number[]): void => {
    if (values.length !== grid.length) throw inputError(`${path}.${field}`, `${grid.length} numbers, one per grid axis`, values);
  };
  perAxis(size, filter.kernelSize);
  perAxis("stride", filter.stride);
  perAxis("dilation", filter.dilation);
  if (typeof filter.padding !== "string") perAxis("padding", filter.padding);
  const extent = (axis: number): number =>
    outputExtent(
      grid[axis]!,
      filter.kernelSize[axis]!,
      filter.stride[axis]!,
      filter.dilation[axis]!,
      typeof filter.padding === "string" ? filter.padding : filter.padding[axis]!,
    );
  if (grid.some((_, axis) => extent(axis) < 1))
    throw inputError(
      `${path}.${size}`,
      `a window that fits the ${grid.join(" × ")} sites of its padded grid`,
      filter.kernelSize.join(" × "),
    );
  return tapTable(filter, grid);
}
