import type { Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  combine,
  multiply,
  multiplyTransposedRight,
  solveLower,
  symmetrise,
  trace,
  transpose,
} from "@finitewidth/linalg";

/** Symmetric matrices, one per layer, as one vector of unknowns. */
export interface LayerCoordinates {
  toUnknowns(matrices: readonly Matrix[]): Float64Array;
  toMatrices(x: Float64Array): Matrix[];
  /** All matrices positive semi-definite, to rounding. */
  isPositive(x: Float64Array): boolean;
}

function coordinates(
  layers: number,
  size: number,
  encode: (m: Matrix, l: number) => Matrix,
  decode: (m: Matrix, l: number) => Matrix,
): LayerCoordinates {
  const block = size * size;
  const part = (x: Float64Array, l: number): Matrix => ({ data: x.subarray(l * block, (l + 1) * block), shape: [size, size] });
  const indices = Array.from({ length: layers }, (_, l) => l);
  return {
    toUnknowns(matrices) {
      const x = new Float64Array(layers * block);
      for (const l of indices) x.set(encode(matrices[l]!, l).data, l * block);
      return x;
    },
    toMatrices: (x) => indices.map((l) => symmetrise(decode(part(x, l), l))),
    isPositive: (x) =>
      indices.every((l) => {
        const m = part(x, l);
        try {
          cholesky(addDiagonal(m, 1e-9 * Math.max(trace(m), 0) + Number.MIN_VALUE));
          return true;
        } catch {
          return false;
        }
      }),
  };
}

/**
 * Coordinates F⁻¹MF⁻ᵀ with F the Cholesky factors of reference matrices, shifted by 1e-6 of their mean variance so that singular ones have
 * one. O(L P³) once, and O(P³) for each matrix that goes in or out.
 */
export function whitenedCoordinates(references: readonly Matrix[]): LayerCoordinates {
  const P = references[0]!.shape[0];
  const factors = references.map((kernel) => cholesky(addDiagonal(kernel, 1e-6 * (trace(kernel) / P) || 1)).factor);
  const encode = (m: Matrix, l: number): Matrix => symmetrise(solveLower(factors[l]!, transpose(solveLower(factors[l]!, m))));
  const decode = (m: Matrix, l: number): Matrix => multiplyTransposedRight(multiply(factors[l]!, m), factors[l]!);
  return coordinates(references.length, P, encode, decode);
}

/** The matrices themselves, in units of the mean variance of reference matrices. */
export function scaledCoordinates(references: readonly Matrix[]): LayerCoordinates {
  const P = references[0]!.shape[0];
  const scales = references.map((kernel) => trace(kernel) / P || 1);
  return coordinates(
    references.length,
    P,
    (m, l) => combine(1 / scales[l]!, m, 0, m),
    (m, l) => combine(scales[l]!, m, 0, m),
  );
}
