import { readFileSync } from "node:fs";
import { matrixFromRows, zeros, type Matrix } from "@finitewidth/core";
import { expect, it } from "vitest";
import { binaryProbabilities, laplaceScalar, logisticLikelihood, predictSites } from "../src/index.js";

interface Golden {
  readonly variance: number;
  readonly length: number;
  readonly train: number[][];
  readonly test: number[][];
  readonly labels: number[];
  readonly logEvidence: number;
  /** Of class +1. */
  readonly probabilities: number[];
}
const { cases } = JSON.parse(readFileSync(new URL("goldens/scikit-learn.json", import.meta.url), "utf8")) as { cases: Golden[] };

it.each(cases.map((golden, i) => [i, golden] as const))(
  "the Laplace approximation of scikit-learn's GaussianProcessClassifier, case %i",
  (_i, golden) => {
    const between = (a: number[][], b: number[][]): Matrix => {
      const out = zeros(a.length, b.length);
      a.forEach((x, i) =>
        b.forEach((z, j) => {
          const square = x.reduce((sum, value, k) => sum + ((value - z[k]!) / 16) ** 2, 0);
          out.data[i * b.length + j] = golden.variance * Math.exp(-square / (2 * golden.length ** 2));
        }),
      );
      return out;
    };
    const kernel = between(golden.train, golden.train);
    const logistic = logisticLikelihood();
    const fit = laplaceScalar(kernel, logistic.observe(matrixFromRows(golden.labels.map((y) => [y]))));
    expect(Math.abs(fit.logEvidence - golden.logEvidence)).toBeLessThan(1e-6);
    const prior = new Float64Array(golden.test.length).fill(golden.variance);
    const { mean, variance } = predictSites(kernel, fit, between(golden.train, golden.test), prior);
    const p = binaryProbabilities(logistic, mean, variance);
    // it averages the logistic function over the Gaussian by five error functions, off by up to 1e-3; ours is the integral
    golden.probabilities.forEach((q, i) => expect(Math.abs(p.data[2 * i + 1]! - q)).toBeLessThan(1e-3));
  },
);
