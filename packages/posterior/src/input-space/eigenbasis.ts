import type { Matrix, MixingLaw } from "@finitewidth/core";
import { multiplyTransposedLeft } from "@finitewidth/linalg";
import { inputSpaceCross, inputSpaceVectors } from "./problem.js";

/** Eigenvectors V of the training kernel as a state keeps them. Plain data. */
export interface KeptBasis {
  /** V itself, P × r, or what makes it of the inputs: W, (N0 + 1) × r. */
  readonly vectors: Matrix;
  /** Which of both; V where absent. */
  readonly basis?: "inputs";
  readonly values: Float64Array;
}

/** What the eigenvectors do, without saying where they are. */
export interface Eigenbasis {
  /** Rows from … to of V. */
  rows(from: number, to: number): Matrix;
  /** VᵀK_x at other inputs: r × P*. */
  cross(inputs: Matrix): Matrix;
}

export function eigenbasis({ vectors, basis, values }: KeptBasis, law: MixingLaw, train: Matrix): Eigenbasis {
  if (basis === "inputs") {
    return { rows: (from, to) => inputSpaceVectors(vectors, train, from, to), cross: (inputs) => inputSpaceCross(vectors, values, inputs) };
  }
  const rank = vectors.shape[1];
  return {
    rows: (from, to) => ({ data: vectors.data.subarray(from * rank, to * rank), shape: [to - from, rank] }),
    cross: (inputs) => multiplyTransposedLeft(vectors, law.siteKernels(train, inputs)[0]!),
  };
}

/** Training points predicted together. */
const block = 4096;

/** Calls `predict` with blocks of rows of V and puts what it returns, D numbers a point each, one after the other. */
export function overTrainingPoints<K extends string>(
  points: number,
  basis: Eigenbasis,
  predict: (rows: Matrix) => Readonly<Record<K, Float64Array>>,
): Record<K, Float64Array> {
  const out: Partial<Record<K, Float64Array>> = {};
  for (let from = 0; from < points; from += block) {
    const to = Math.min(from + block, points);
    for (const [name, values] of Object.entries(predict(basis.rows(from, to))) as [K, Float64Array][]) {
      const size = values.length / (to - from);
      (out[name] ??= new Float64Array(points * size)).set(values, from * size);
    }
  }
  return out as Record<K, Float64Array>;
}
