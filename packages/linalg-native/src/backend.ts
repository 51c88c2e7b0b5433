import { zeros, type Matrix } from "@finitewidth/core";
import {
  backend,
  withDenseConstants,
  type Backend,
  type CholeskyOutcome,
  type ElementwiseMap,
  type KernelMap,
  type SymmetricEigen,
  type Tridiagonalisation,
} from "@finitewidth/linalg";
import { loadAddon, type Addon } from "./addon.js";
import { elementwiseCodes, transpositions } from "./codes.js";
import { nativeWorkspace } from "./workspace.js";

/** Where the add-on is. */
export interface NativeOptions {
  /** Path of the add-on; by default that of the package for this machine. */
  readonly path?: string;
}

/**
 * Backend on the add-on, for `setBackend` of @finitewidth/linalg, named after the instructions in use ("native-avx512", "native-avx2",
 * "native-neon"); undefined where there is none (`nativeProblem` says why). It works on the
 * arrays of the caller without copying them, on one thread, with the widest instructions of the processor. Normals and the eigenvectors of
 * tridiagonal matrices stay with the backend in use when this one is made.
 */
export function createNativeBackend(options: NativeOptions = {}): Backend | undefined {
  const found = loadAddon(options.path);
  return "addon" in found ? nativeBackend(found.addon, backend()) : undefined;
}

/** Why `createNativeBackend` returns undefined; undefined where it does not. */
export function nativeProblem(options: NativeOptions = {}): string | undefined {
  const found = loadAddon(options.path);
  return "problem" in found ? found.problem : undefined;
}

const kernelCodes: Record<KernelMap, number> = { erf: 0, relu: 1, step: 2, sign: 3 };

function nativeBackend(addon: Addon, others: Backend): Backend {
  const name = `native-${addon.instructions()}`;

  function multiply(a: Matrix, b: Matrix, transposed: "none" | "left" | "right"): Matrix {
    const [m, k] = transposed === "left" ? [a.shape[1], a.shape[0]] : a.shape;
    const n = transposed === "right" ? b.shape[0] : b.shape[1];
    const out = zeros(m, n);
    addon.multiply(m, n, k, 1, a.data, b.data, 0, out.data, transpositions[transposed]);
    return out;
  }

  function gram(x: Matrix): Matrix {
    const [m, k] = x.shape;
    const out = zeros(m, m);
    addon.gram(m, k, x.data, out.data, false, true);
    return out;
  }

  function cholesky(a: Matrix, out = new Float64Array(a.data.length)): CholeskyOutcome {
    const n = a.shape[0];
    const pivot = addon.cholesky(n, a.data, out);
    return pivot < 0 ? { factor: { data: out, shape: a.shape } } : { pivot, value: out[pivot * n + pivot]! };
  }

  function choleskyInverse(l: Matrix, out = new Float64Array(l.data.length)): Matrix {
    addon.choleskyInverse(l.shape[0], l.data, out);
    return { data: out, shape: l.shape };
  }

  function solveTriangular(l: Matrix, b: Matrix, transposed: boolean): Matrix {
    const [n, m] = b.shape;
    const data = b.data.slice();
    addon.solveTriangular(n, m, l.data, data, transposed);
    return { data, shape: b.shape };
  }

  function tridiagonalise(a: Matrix): Tridiagonalisation {
    const n = a.shape[0];
    const [diagonal, offDiagonal, scales] = [n, Math.max(n - 1, 0), n].map((length) => new Float64Array(length)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const reflectors = zeros(n, n);
    addon.tridiagonalise(n, a.data, reflectors.data, diagonal, offDiagonal, scales);
    return { diagonal, offDiagonal, reflectors, scales };
  }

  function applyReflectors({ reflectors, scales }: Tridiagonalisation, b: Matrix, transposed: boolean): Matrix {
    const [n, m] = b.shape;
    const data = b.data.slice();
    addon.applyReflectors(n, m, reflectors.data, scales, data, transposed);
    return { data, shape: b.shape };
  }

  function symmetricEigen(a: Matrix): SymmetricEigen {
    const n = a.shape[0];
    const form = tridiagonalise(a);
    const { values, vectors } = others.tridiagonalEigen(form);
    addon.applyReflectors(n, n, form.reflectors.data, form.scales, vectors.data, false);
    return { values, vectors };
  }

  function map(kind: ElementwiseMap, x: Float64Array, out: Float64Array): void {
    if (out !== x) out.set(x);
    addon.map(elementwiseCodes[kind], out);
  }

  return {
    ...others,
    name,
    multiply,
    gram,
    cholesky,
    choleskyInverse,
    solveTriangular,
    tridiagonalise,
    applyReflectors,
    symmetricEigen,
    map,
    symmetricKernel: (kind, covariance, out) => addon.symmetricKernel(kernelCodes[kind], covariance.shape[0], covariance.data, out),
    crossKernel: (kind, covariance, rows, columns, out) => addon.crossKernel(kernelCodes[kind], covariance.data, out, rows, columns),
    workspace: (shapes, constants) => withDenseConstants((all) => nativeWorkspace(name, addon, all), shapes, constants),
  };
}
