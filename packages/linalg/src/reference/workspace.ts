import { zeros } from "@finitewidth/core";
import { transpose } from "../elementary.js";
import type { DenseWorkspace, Shapes } from "../workspace.js";
import { referenceBackend } from "./backend.js";

/** The workspace where WebAssembly is missing: same interface, results of the reference copied into place. */
export function referenceWorkspace(shapes: Shapes): DenseWorkspace {
  return {
    name: "reference",
    matrices: shapes.map(([rows, columns]) => zeros(rows, columns)),
    multiply: (a, b, out, { transposed = "none", alpha = 1, beta = 0 } = {}) => {
      const product = referenceBackend.multiply(a, b, transposed).data;
      for (let i = 0; i < product.length; i++) out.data[i] = alpha * product[i]! + (beta === 0 ? 0 : beta * out.data[i]!);
    },
    gramLower: (x, out, transposed = false) => out.data.set(referenceBackend.gram(transposed ? transpose(x) : x).data),
    map: (kind, { data }) => referenceBackend.map(kind, data, data),
    cholesky: (a) => {
      const outcome = referenceBackend.cholesky(a);
      if ("pivot" in outcome) return outcome.pivot;
      a.data.set(outcome.factor.data);
      return -1;
    },
    solveTriangular: (l, b, transposed = false) => b.data.set(referenceBackend.solveTriangular(l, b, transposed).data),
  };
}
