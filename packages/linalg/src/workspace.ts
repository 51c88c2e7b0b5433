import { inputError, shapeError, type Matrix } from "@finitewidth/core";
import { backend } from "./backend.js";
import { withDenseConstants, type ConstantFactor } from "./constant-factor.js";
import type { ElementwiseMap } from "./maps.js";
import { referenceWorkspace } from "./reference/workspace.js";
import { wasmWorkspace } from "./wasm/workspace.js";

/** How a product is formed: C := β C + α A B, one factor transposed when asked. With β = 0 what C held does not matter, NaN included. */
export interface ProductOptions {
  /** @defaultValue "none" */
  readonly transposed?: "none" | "left" | "right";
  /** @defaultValue 1 */
  readonly alpha?: number;
  /** @defaultValue 0 */
  readonly beta?: number;
}

/** Shapes of matrices: rows and columns of each. */
export type Shapes = readonly (readonly [number, number])[];

/** A workspace that takes its constant factors as they are, among its matrices. */
export type DenseWorkspace = Omit<Workspace, "constants">;

/**
 * Matrices that stay where the kernels work, and operations on them in place: nothing is copied and nothing allocated, for loops that do
 * the same small algebra thousands of times. Operands are the matrices of `matrices` or views of them (`subarray`); an output must not
 * overlap another operand. Not for threads: one workspace belongs to one caller. Operations throw FinitewidthError (code "shape") for sizes
 * that disagree and (code "input") for arrays from elsewhere.
 */
export interface Workspace {
  /** "reference", "wasm-simd", "wasm-relaxed", or the name of a backend with a workspace of its own. */
  readonly name: string;
  /** One matrix of zeros for each of the shapes asked for; their arrays stay valid as long as anything refers to them. */
  readonly matrices: readonly Matrix[];
  /** One for each of the constant matrices asked for. */
  readonly constants: readonly ConstantFactor[];
  /** C := β C + α A B (Aᵀ B, A Bᵀ). O(mkn). */
  multiply(a: Matrix, b: Matrix, out: Matrix, options?: ProductOptions): void;
  /** Lower triangle of C := X Xᵀ, or Xᵀ X when `transposed`; entries above the diagonal are undefined. O(n²k). */
  gramLower(x: Matrix, out: Matrix, transposed?: boolean): void;
  /** x := f(x) for every entry. O(mn). */
  map(kind: ElementwiseMap, x: Matrix): void;
  /**
   * A := L with A = L Lᵀ, lower triangle read, zeros above the diagonal. Returns −1, or the first pivot that is not positive, and then A is
   * undefined. O(n³/3).
   */
  cholesky(a: Matrix): number;
  /** B := L⁻¹ B, or L⁻ᵀ B, L n × n and B n × m. O(n²m). */
  solveTriangular(l: Matrix, b: Matrix, transposed?: boolean): void;
}

/** Refuses operands whose shapes do not agree. */
function checked(kernels: Workspace): Workspace {
  const square = ({ shape: [rows, columns] }: Matrix, path: string): number => {
    if (rows !== columns) throw shapeError(path, "a square matrix", `${rows} × ${columns}`);
    return rows;
  };
  const demand = (m: Matrix, rows: number, columns: number, path: string): void => {
    if (m.shape[0] !== rows || m.shape[1] !== columns) throw shapeError(path, `${rows} × ${columns}`, `${m.shape[0]} × ${m.shape[1]}`);
  };
  return {
    ...kernels,
    multiply: (a, b, out, options = {}) => {
      const { transposed } = options;
      const inner = transposed === "left" ? a.shape[0] : a.shape[1];
      demand(b, transposed === "right" ? b.shape[0] : inner, transposed === "right" ? inner : b.shape[1], "b");
      demand(out, transposed === "left" ? a.shape[1] : a.shape[0], transposed === "right" ? b.shape[0] : b.shape[1], "out");
      kernels.multiply(a, b, out, options);
    },
    gramLower: (x, out, transposed = false) => {
      const size = x.shape[transposed ? 1 : 0];
      demand(out, size, size, "out");
      kernels.gramLower(x, out, transposed);
    },
    cholesky: (a) => {
      square(a, "a");
      return kernels.cholesky(a);
    },
    solveTriangular: (l, b, transposed = false) => {
      demand(b, square(l, "l"), b.shape[1], "b");
      kernels.solveTriangular(l, b, transposed);
    },
    constants: kernels.constants.map((factor) => {
      const [m, n] = factor.shape;
      return {
        shape: factor.shape,
        multiplyTransposed: (b, out) => {
          demand(b, b.shape[0], n, "b");
          demand(out, m, b.shape[0], "out");
          factor.multiplyTransposed(b, out);
        },
        leftMultiplyTransposed: (b, out) => {
          demand(b, m, b.shape[1], "b");
          demand(out, b.shape[1], n, "out");
          factor.leftMultiplyTransposed(b, out);
        },
      };
    }),
  };
}

/**
 * A workspace with one matrix per shape. It follows the backend in use when it is made: that backend's own; or the same build of the
 * WebAssembly kernels (the best one beside other backends) on a private memory of fixed size, or TypeScript beside the reference. Numbers
 * depend on the build alone, not on addresses or on other workspaces. `constants` are copied in: changing them later changes nothing.
 * @throws FinitewidthError (code "input") for a size that is not a natural number, (code "memory") with the bytes needed when they cannot
 * be had.
 */
export function createWorkspace(shapes: Shapes, constants: readonly Matrix[] = []): Workspace {
  for (const [i, shape] of shapes.entries()) {
    for (const [j, size] of shape.entries())
      if (!(Number.isSafeInteger(size) && size >= 0)) throw inputError(`shapes[${i}][${j}]`, "an integer ≥ 0", size);
  }
  const { name, workspace } = backend();
  if (workspace) return checked(workspace(shapes, constants));
  if (name === "reference") return checked(withDenseConstants(referenceWorkspace, shapes, constants));
  const relaxed = name.startsWith("wasm-simd") ? undefined : wasmWorkspace("relaxed", shapes, constants);
  return checked(relaxed ?? wasmWorkspace("simd", shapes, constants) ?? withDenseConstants(referenceWorkspace, shapes, constants));
}
