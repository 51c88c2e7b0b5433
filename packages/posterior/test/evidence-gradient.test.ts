import { erf, identity, infiniteWidthRecursion, pullBackVariances, relu } from "@finitewidth/activations";
import { matrixFromRows } from "@finitewidth/core";
import { gram } from "@finitewidth/linalg";
import { describe, test } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { conditionGaussianProcess } from "../src/infinite-width/gaussian-process.js";
import { gaussianProcessAdjoint } from "../src/infinite-width/evidence-gradient.js";
import { scalarEvidenceScores } from "../src/scalar/evidence-gradient.js";
import { scalarLaw } from "../src/scalar/law.js";
import { scalarData } from "../src/scalar/likelihood.js";
import { integrateScalarPosterior } from "../src/scalar/posterior.js";
import { spectralProblem } from "../src/spectrum/problem.js";

const phi = { erf, relu, linear: identity };
const tolerance = { relative: 1e-8, absolute: 1e-9 };

interface InfiniteFixture {
  readonly cases: readonly {
    readonly inputs: {
      readonly X: number[][];
      readonly Y: number[][];
      readonly T: number;
      readonly activation: "erf" | "relu" | "linear";
      readonly sw2: number[];
      readonly sb2: number[];
    };
    readonly expected: { readonly logEvidence: number; readonly dLogSw2: number[]; readonly dLogSb2: number[]; readonly dLogT: number };
  }[];
}

describe("infinite width", () => {
  const { cases } = readFixture<InfiniteFixture>("evidence-trust/nngp-evidence-gradient");
  test.each(cases.map((each, i) => [i, each] as const))("fixture, case %d", (_, { inputs, expected }) => {
    const { X, Y, T, sw2, sb2 } = inputs;
    const activation = phi[inputs.activation];
    const first = gram(matrixFromRows(X));
    const k1 = { data: first.data.map((value) => (sw2[0]! * value) / X[0]!.length + sb2[0]!), shape: first.shape };
    const recursion = infiniteWidthRecursion(activation, k1, sw2.slice(1), sb2.slice(1));
    const process = conditionGaussianProcess(recursion.preactivation.at(-1)!, matrixFromRows(Y), T);
    expectClose(process.logEvidence, expected.logEvidence, tolerance);
    const adjoint = gaussianProcessAdjoint(process);
    const found = pullBackVariances(activation, recursion, sw2, sb2, adjoint);
    expectClose(found.logWeightVariance, expected.dLogSw2, tolerance, "log σ_w²");
    expectClose(found.logBiasVariance, expected.dLogSb2, tolerance, "log σ_b²");
    let trace = 0;
    for (let i = 0; i < X.length; i++) trace += adjoint.data[i * (X.length + 1)]!;
    expectClose(0.5 * T * trace, expected.dLogT, tolerance, "log T");
  });
});

interface ScalarFixture {
  readonly cases: readonly {
    readonly inputs: {
      readonly K: number[][];
      readonly y: number[];
      readonly T: number;
      readonly widths: number[];
      readonly scale: number;
    };
    readonly expected: { readonly logEvidence: number; readonly dLogScale: number; readonly dLogT: number };
  }[];
}

describe("deep linear networks with one output", () => {
  const { cases } = readFixture<ScalarFixture>("evidence-trust/exact-scalar-gradient");
  test.each(cases.filter(({ inputs }) => inputs.widths.every(Number.isInteger)).map((each, i) => [i, each] as const))(
    "fixture, case %d",
    (_, { inputs, expected }) => {
      const data = scalarData(spectralProblem(matrixFromRows(inputs.K), matrixFromRows(inputs.y.map((value) => [value])), inputs.T));
      const law = scalarLaw(
        inputs.widths,
        inputs.widths.map((__, l) => (l === 0 ? inputs.scale : 1)),
      );
      const posterior = integrateScalarPosterior(law, data);
      expectClose(posterior.logEvidence, expected.logEvidence, tolerance);
      const { kernel, noise } = scalarEvidenceScores(posterior, data);
      expectClose(kernel, expected.dLogScale, tolerance, "log scale");
      expectClose(noise, expected.dLogT, tolerance, "log T");
    },
  );
});
