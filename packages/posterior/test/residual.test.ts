import { fit, matrixFromRows, type Matrix } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix, readFixture } from "../../../tools/testing.ts";
import {
  exact,
  hiddenKernelTerms,
  integrateScalarPosterior,
  nodeTables,
  posteriorMean,
  predictScalar,
  projectCross,
  scalarData,
  scalarLaw,
  spectralProblem,
  trainHiddenKernels,
} from "../src/index.js";
import { testRegistry } from "./registry.js";
import { type ScalarCase, kernelOf } from "./residual-cases.js";

interface ScalarExpected {
  readonly hiddenKernels: number[][][];
  readonly logEvidence: number;
  readonly meanLogQ: number;
  readonly meanQ: number;
  readonly predictiveCovariance: number[][];
  readonly predictiveMean: number[];
}

/** Law of log q of an embedding, residual layers bottom up, and a readout, all of one width. */
const residualLaw = (c: Pick<ScalarCase, "width" | "alphas" | "betas" | "readoutVariance">) =>
  scalarLaw(
    Array.from({ length: c.alphas.length + 1 }, () => c.width),
    [...c.betas.map((b) => b * b), c.readoutVariance],
    [...c.alphas, undefined],
  );

function solve(c: ScalarCase) {
  const p = c.trainingExamples;
  const all = kernelOf(c.inputs, c.embeddingVariance);
  const n = c.inputs.length;
  const block = (from: number, to: number, left: number, right: number) =>
    matrixFromRows(Array.from({ length: to - from }, (_, i) => Array.from(all.data.slice((from + i) * n + left, (from + i) * n + right))));
  const problem = spectralProblem(block(0, p, 0, p), matrixFromRows(c.targets.map((y) => [y])), c.temperature);
  const data = scalarData(problem);
  const law = residualLaw(c);
  const posterior = integrateScalarPosterior(law, data);
  const tables = nodeTables(posterior, data);
  const { vectors } = problem.spectrum;
  return {
    posterior,
    prediction: predictScalar(posterior, data, tables, projectCross(vectors, block(0, p, p, n)), block(p, n, p, n)),
    hidden: trainHiddenKernels(hiddenKernelTerms(law, posterior, data, tables), data, tables, vectors),
  };
}

describe("one output of a residual network", () => {
  const { inputs, expected, tolerance } = readFixture<{
    inputs: { cases: ScalarCase[] };
    expected: { cases: ScalarExpected[] };
    tolerance: { absolutePlusRelative: number };
  }>("attention-residual/residual-posterior-scalar");
  const close = { absolute: tolerance.absolutePlusRelative, relative: tolerance.absolutePlusRelative };

  it.each(inputs.cases.map((c, k) => ({ k, c })))("fixture residual-posterior-scalar, case $k", ({ k, c }) => {
    const { posterior, prediction, hidden } = solve(c);
    const e = expected.cases[k]!;
    expectClose(posterior.logEvidence, e.logEvidence, close, "evidence");
    expectClose([posteriorMean(posterior, (u) => u), posteriorMean(posterior, Math.exp)], [e.meanLogQ, e.meanQ], close, "moments");
    expectClose(prediction.mean, e.predictiveMean, close, "mean");
    expectClose(prediction.covariance!, e.predictiveCovariance, close, "covariance");
    expectClose(hidden, e.hiddenKernels, close, "hidden kernels");
  });

  it("without data the kernels are those of the prior, and skips of 0 are dense layers", () => {
    const c: ScalarCase = { ...inputs.cases[0]!, temperature: 1e12 };
    const { hidden } = solve(c);
    const k = kernelOf(c.inputs.slice(0, c.trainingExamples), c.embeddingVariance);
    let scale = 1;
    hidden.forEach((kernel, l) => {
      expectClose(kernel, { data: k.data.map((value) => scale * value), shape: k.shape }, { relative: 1e-9, absolute: 1e-9 }, `layer ${l}`);
      scale *= c.alphas[l]! ** 2 + c.betas[l]! ** 2;
    });
    const dense = solve({ ...inputs.cases[1]!, alphas: inputs.cases[1]!.alphas.map(() => 0) });
    const law = scalarLaw(
      Array.from({ length: inputs.cases[1]!.alphas.length + 1 }, () => inputs.cases[1]!.width),
      [...inputs.cases[1]!.betas.map((b) => b * b), inputs.cases[1]!.readoutVariance],
    );
    expect(law.skips.every((skip) => skip === undefined)).toBe(true);
    const p = inputs.cases[1]!.trainingExamples;
    const problem = spectralProblem(
      kernelOf(inputs.cases[1]!.inputs.slice(0, p), inputs.cases[1]!.embeddingVariance),
      matrixFromRows(inputs.cases[1]!.targets.map((y) => [y])),
      inputs.cases[1]!.temperature,
    );
    const data = scalarData(problem);
    const posterior = integrateScalarPosterior(law, data);
    const tables = nodeTables(posterior, data);
    expectClose(dense.posterior.logEvidence, posterior.logEvidence, { relative: 1e-12 });
    expectClose(dense.hidden, trainHiddenKernels(hiddenKernelTerms(law, posterior, data, tables), data, tables, problem.spectrum.vectors), {
      relative: 1e-9,
      absolute: 1e-10,
    });
  });
});

describe("a residual layer whose branch weighs nothing", () => {
  const dense = (width: number, weightVariance: number) => ({ layer: "dense", width, weightVariance });
  const network = (...layers: object[]) => ({ type: "sequential", inputShape: [3], layers });
  const random = stream(81);
  const draw = (n: number, m: number): Matrix => normalMatrix(random, n, m);
  const [inputs, test] = [draw(3, 3), draw(2, 3)];
  const registry = testRegistry();

  it.each([1, 2])("carries the units on, with another scale: %i outputs", async (outputs) => {
    const problem = { inputs, targets: draw(3, outputs), temperature: 0.3 };
    const skip = { layer: "residual", body: [dense(4, 0.5)], skip: -0.7, branch: 0 };
    const readout = { layer: "dense", weightVariance: 1.2 };
    const options = { registry, seed: 2, options: { draws: 1000 } };
    const carried = await fit(exact, { ...problem, network: network(dense(4, 1.3), skip, dense(5, 0.9), readout) }, options);
    const plain = await fit(exact, { ...problem, network: network(dense(4, 1.3), dense(5, 0.9 * 0.49), readout) }, options);
    const [a, b] = [carried.posterior, plain.posterior];
    const close = { relative: 1e-7, absolute: 1e-9 };
    expectClose(a.logEvidence!, b.logEvidence!, close, "evidence");
    const [first, second, third] = a.hiddenKernels!;
    expectClose(first!, b.hiddenKernels![0]!, close, "layer 1");
    expectClose(
      second!,
      b.hiddenKernels![0]!.data.map((value) => 0.49 * value),
      close,
      "layer 2",
    );
    expectClose(third!, b.hiddenKernels![1]!, close, "layer 3");
    const [p, q] = [await carried.predict(test), await plain.predict(test)];
    expectClose(p.mean, q.mean, close, "mean");
    expectClose(p.variance, q.variance, close, "variance");
  });
});
