import type { Backend } from "../backend.js";
import { cholesky, solveTriangular } from "./cholesky.js";
import { crossKernel, map, symmetricKernel } from "./maps.js";
import { normalBlock } from "./normals.js";
import { gram, multiply } from "./products.js";
import { tridiagonalEigen, tridiagonalEigenvalues } from "./tridiagonal-eigen.js";
import { applyReflectors, tridiagonalise } from "./tridiagonalise.js";

/** Plain TypeScript: the oracle in tests and the fallback where WebAssembly SIMD is missing. */
export const referenceBackend: Backend = {
  name: "reference",
  multiply,
  gram,
  cholesky,
  solveTriangular,
  tridiagonalise,
  applyReflectors,
  tridiagonalEigenvalues,
  tridiagonalEigen,
  symmetricEigen(a) {
    const t = tridiagonalise(a);
    const { values, vectors } = tridiagonalEigen(t);
    return { values, vectors: applyReflectors(t, vectors, false) };
  },
  normalBlock(out, key, block) {
    out.set(normalBlock(out.length, key, block));
  },
  map,
  symmetricKernel,
  crossKernel,
};
