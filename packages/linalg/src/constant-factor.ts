import type { Matrix } from "@finitewidth/core";
import type { DenseWorkspace, Shapes, Workspace } from "./workspace.js";

/** A matrix X that never changes, prepared once for products. Where the kernels can, its zeros cost nothing and hide NaN and ∞. */
export interface ConstantFactor {
  readonly shape: readonly [number, number];
  /** C := X Bᵀ for B n × columns of X. */
  multiplyTransposed(b: Matrix, out: Matrix): void;
  /** C := Bᵀ X for B rows of X × n. */
  leftMultiplyTransposed(b: Matrix, out: Matrix): void;
}

/** The factor copied to `x`, a matrix of the workspace, zeros included. */
export function denseFactor(kernels: Pick<Workspace, "multiply">, x: Matrix, source: Matrix): ConstantFactor {
  x.data.set(source.data);
  return {
    shape: x.shape,
    multiplyTransposed: (b, out) => kernels.multiply(x, b, out, { transposed: "right" }),
    leftMultiplyTransposed: (b, out) => kernels.multiply(b, x, out, { transposed: "left" }),
  };
}

/** A workspace whose constant factors are matrices of its own. */
export function withDenseConstants(make: (shapes: Shapes) => DenseWorkspace, shapes: Shapes, constants: readonly Matrix[]): Workspace {
  const kernels = make([...shapes, ...constants.map(({ shape }) => shape)]);
  const factors = kernels.matrices.slice(shapes.length).map((x, i) => denseFactor(kernels, x, constants[i]!));
  return { ...kernels, matrices: kernels.matrices.slice(0, shapes.length), constants: factors };
}
