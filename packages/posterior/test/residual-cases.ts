import { matrixFromRows } from "@finitewidth/core";
import { gram } from "@finitewidth/linalg";

export interface ScalarCase {
  readonly alphas: number[];
  readonly betas: number[];
  readonly embeddingVariance: number;
  readonly readoutVariance: number;
  readonly inputs: number[][];
  readonly targets: number[];
  readonly temperature: number;
  readonly trainingExamples: number;
  readonly width: number;
}

export const kernelOf = (rows: readonly (readonly number[])[], variance: number) => {
  const x = matrixFromRows(rows);
  const k = gram(x);
  return { data: k.data.map((value) => (variance * value) / x.shape[1]), shape: k.shape };
};
