import { zeros } from "@finitewidth/core";
import type { DenseWorkspace, Shapes } from "@finitewidth/linalg";
import type { Addon } from "./addon.js";
import { elementwiseCodes, transpositions } from "./codes.js";

/** Matrices of the heap, which the add-on works on where they are. */
export function nativeWorkspace(name: string, addon: Addon, shapes: Shapes): DenseWorkspace {
  return {
    name,
    matrices: shapes.map(([rows, columns]) => zeros(rows, columns)),
    multiply: (a, b, out, { transposed = "none", alpha = 1, beta = 0 } = {}) => {
      const [m, n] = out.shape;
      addon.multiply(m, n, a.shape[transposed === "left" ? 0 : 1], alpha, a.data, b.data, beta, out.data, transpositions[transposed]);
    },
    gramLower: (x, out, transposed = false) => addon.gram(out.shape[0], x.shape[transposed ? 0 : 1], x.data, out.data, transposed, false),
    map: (kind, x) => addon.map(elementwiseCodes[kind], x.data),
    cholesky: (a) => addon.cholesky(a.shape[0], a.data, a.data),
    solveTriangular: (l, b, transposed = false) => addon.solveTriangular(b.shape[0], b.shape[1], l.data, b.data, transposed),
  };
}
