import { erf, identity, infiniteWidthRecursion, pullBackVariances, relu } from "@finitewidth/activations";
import {
  createProblem,
  differenceEvidenceGradient,
  inlineRun,
  matrixFromRows,
  type EvidenceGradient,
  type Matrix,
  type Theory,
} from "@finitewidth/core";
import {
  addDiagonal,
  gram,
  identity as unit,
  multiply,
  multiplyTransposedRight,
  scaleMixtureScores,
  solve,
  transpose,
} from "@finitewidth/linalg";
import { describe, expect, test } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import type { MatrixState } from "../src/exact/state.js";
import { exact, nngp } from "../src/index.js";
import { testRegistry } from "./registry.js";
import { conditionGaussianProcess } from "@finitewidth/numerics";
import { gaussianProcessAdjoint } from "../src/infinite-width/evidence-gradient.js";
import { scalarLaw } from "../src/scalar/law.js";
import { scalarData } from "../src/scalar/likelihood.js";
import { integrateScalarPosterior } from "../src/scalar/posterior.js";
import { spectralProblem } from "../src/spectrum/problem.js";

const registry = testRegistry();
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
      const { values, targets, ones, temperature, readoutBias, nullity, residualSquare } = data;
      const { kernel, noise } = scaleMixtureScores(
        { values, targets, ones, noise: temperature, biasVariance: readoutBias, nullity, residualSquare },
        { q: posterior.logQ.map(Math.exp), weights: posterior.weights },
      );
      expectClose(kernel, expected.dLogScale, tolerance, "log scale");
      expectClose(noise, expected.dLogT, tolerance, "log T");
    },
  );
});

describe("capability of the theories, against differences of fits", () => {
  const X = [
    [0.4, -1.2, 0.3],
    [1.1, 0.2, -0.7],
    [-0.5, 0.9, 1.4],
    [0.8, 0.6, 0.1],
    [-1.3, 0.2, 0.5],
  ];
  const y = [0.7, -0.4, 1.1, 0.3, -0.9];
  const network = (widths: number[], activation: string, weightVariance: number[], biasVariance: number[]) => ({
    type: "fully-connected",
    widths,
    activation,
    weightVariance,
    biasVariance,
  });
  const run = () => inlineRun({ registry });
  type Case = readonly [
    string,
    typeof nngp | typeof exact,
    object,
    { readonly scaling?: "mean-field"; readonly T?: number; readonly outputs?: number },
  ];
  test.each<Case>([
    ["infinite width, erf, biases", nngp, network([4, 3], "erf", [1.3, 0.9, 1.1], [0.2, 0.1, 0.3]), {}],
    ["infinite width, tanh", nngp, network([4], "tanh", [1.3, 0.9], [0, 0]), {}],
    ["infinite width, relu, three outputs", nngp, network([4, 3], "relu", [1.3, 0.9, 1.1], [0.2, 0, 0.3]), { outputs: 3 }],
    ["infinite width, two outputs, no noise", nngp, network([4], "erf", [1.3, 0.9], [0.1, 0.2]), { outputs: 2, T: 0 }],
    ["infinite width, mean field", nngp, network([4], "erf", [1.3, 0.9], [0, 0.2]), { scaling: "mean-field" }],
    [
      "infinite width, a convolution",
      nngp,
      {
        type: "convolutional",
        inputShape: [1, 3],
        layers: [{ channels: 5, kernelSize: [2] }],
        readout: "flatten",
        activation: "relu",
        weightVariance: 1.2,
        biasVariance: 0.1,
      },
      {},
    ],
    ["linear, one output", exact, network([4], "identity", [1.3, 0.9], [0, 0]), {}],
    ["linear, first and last biases", exact, network([4], "identity", [1.3, 0.9], [0.2, 0.3]), {}],
    ["linear, no noise", exact, network([4], "identity", [1.3, 0.9], [0, 0]), { T: 0 }],
    ["linear, no noise, biases that the inputs span", exact, network([4, 6], "identity", [1.3, 0.9, 0.7], [0.3, 0, 0.4]), { T: 0 }],
    ["linear, mean field", exact, network([4], "identity", [1.3, 0.9], [0.2, 0]), { scaling: "mean-field" }],
  ])("%s", async (_, theory, given, { scaling, T = 0.15, outputs = 1 }) => {
    const rows = T === 0 ? 3 : X.length;
    const problem = createProblem(
      {
        network: given as { type: string },
        inputs: X.slice(0, rows),
        targets: y.slice(0, rows).map((value, i) => Array.from({ length: outputs }, (__, a) => value + a * Math.cos(2 * i))),
        temperature: T,
        ...(scaling ? { scaling } : {}),
      },
      registry,
    );
    const one = theory as Theory;
    const posterior = await one.fit(problem, {}, run());
    const found = (await one.evidenceGradient!(posterior, run()))!;
    const wanted = await differenceEvidenceGradient(one, posterior, run());
    const flat = ({ logWeightVariance, logBiasVariance, logTemperature, widths }: EvidenceGradient): (number | null)[] => [
      ...logWeightVariance,
      ...logBiasVariance,
      logTemperature,
      ...widths,
    ];
    expect(flat(found).map((value) => value === null)).toEqual(flat(wanted).map((value) => value === null));
    expectClose(
      flat(found).filter((value) => value !== null),
      flat(wanted).filter((value) => value !== null),
      { relative: 1e-6, absolute: 1e-7 },
    );
  });

  test("several outputs of a linear network: within the errors of the draws, all layers alike", async () => {
    const targets = y.map((value, i) => [value, Math.cos(2 * i)]);
    const at = (factor: number) =>
      createProblem(
        { network: network([5, 6], "identity", [1.3, 0.9 * factor, 1.1], [0.2, 0, 0]), inputs: X, targets, temperature: 0.15 },
        registry,
      );
    const posterior = await exact.fit(at(1), { draws: 20000 }, run());
    const found = (await exact.evidenceGradient!(posterior, run()))!;
    const [up, down] = [await exact.fit(at(1.2), { draws: 20000 }, run()), await exact.fit(at(1 / 1.2), { draws: 20000 }, run())];
    const difference = (up.logEvidence! - down.logEvidence!) / (2 * Math.log(1.2));
    const error = Math.hypot(
      found.standardError!.logWeightVariance[1]!,
      Math.hypot(up.standardError!.logEvidence!, down.standardError!.logEvidence!) / (2 * Math.log(1.2)),
    );
    expect(Math.abs(found.logWeightVariance[1]! - difference)).toBeLessThan(4 * error + 0.02);
    expect(error).toBeLessThan(0.2);
    expectClose(found.logWeightVariance[1]!, found.logWeightVariance[2]!, { relative: 1e-12 });
    expectClose(found.logWeightVariance[0]! + found.logBiasVariance[0]!, found.logWeightVariance[1]!, { relative: 1e-9 });
    expect(found.widths).toEqual([null, null]);
  });

  test("several outputs: the average over the draws of the derivatives of their likelihoods, with its error", async () => {
    const [t, b] = [0.15, 0.25];
    const targets = y.map((value, i) => [value, 2 * Math.cos(2 * i), value * value - 1]);
    const given = network([5, 4], "identity", [1.3, 0.9, 1.1], [b, 0, 0]);
    const problem = createProblem({ network: given, inputs: X, targets, temperature: t }, registry);
    const posterior = await exact.fit(problem, { draws: 200, chains: 2, chainDraws: 40, warmup: 40 }, run());
    const found = (await exact.evidenceGradient!(posterior, run()))!;
    const { mixing, weights, batches, rotation } = posterior.state as MatrixState;
    const [n, d] = [X.length, 3];
    const kernel = multiplyTransposedRight(matrixFromRows(X), matrixFromRows(X)).data.map((value) => (1.3 * value) / 3);
    const scores = Array.from(weights, (weight, k) => {
      const q = multiply(multiply(rotation, { data: mixing.slice(9 * k, 9 * k + 9), shape: [3, 3] }), transpose(rotation)).data;
      const parts = (of: (i: number, j: number) => number): Matrix => ({
        data: Float64Array.from({ length: (n * d) ** 2 }, (_, at) => {
          const [r, c] = [Math.floor(at / (n * d)), at % (n * d)];
          return q[(r % d) * d + (c % d)]! * of(Math.floor(r / d), Math.floor(c / d));
        }),
        shape: [n * d, n * d],
      });
      const [linear, constant, one] = [parts((i, j) => kernel[i * n + j]!), parts(() => b), unit(n * d)];
      const noisy = addDiagonal({ data: linear.data.map((value, i) => value + constant.data[i]!), shape: linear.shape }, t);
      const alpha = solve(noisy, { data: problem.targets.data, shape: [n * d, 1] }).data;
      const inverse = solve(noisy, one).data;
      /** ∂ log N(Y | 0, Σ)/∂Σ along a direction. */
      const along = ({ data }: Matrix): number =>
        data.reduce((sum, value, at) => sum + 0.5 * value * (alpha[Math.floor(at / (n * d))]! * alpha[at % (n * d)]! - inverse[at]!), 0);
      return { weight, batch: batches[k]!, values: [along(linear), along(constant), t * along(one)] };
    });
    const average = (some: typeof scores): number[] => {
      const total = some.reduce((sum, { weight }) => sum + weight, 0);
      return [0, 1, 2].map((i) => some.reduce((sum, { weight, values }) => sum + (weight * values[i]!) / total, 0));
    };
    const derivatives = ([first, bias, noise]: number[]): (number | null)[][] => [
      [first!, first! + bias!, first! + bias!],
      [bias!, null, null],
      [noise!],
    ];
    const [weight, bias, noise] = derivatives(average(scores));
    expectClose(found.logWeightVariance as number[], weight as number[], { relative: 1e-8 }, "log σ_w²");
    expect(found.logBiasVariance.slice(1)).toEqual([null, null]);
    expectClose(found.logBiasVariance[0]!, bias![0]!, { relative: 1e-8 }, "log σ_b²");
    expectClose(found.logTemperature!, noise![0]!, { relative: 1e-8 }, "log T");
    const blocks = [...new Set(batches)];
    const without = blocks.map((block) => average(scores.filter(({ batch }) => batch !== block)));
    const jackknife = (of: (values: number[]) => number): number => {
      const middle = without.reduce((sum, values) => sum + of(values) / blocks.length, 0);
      return Math.sqrt((1 - 1 / blocks.length) * without.reduce((sum, values) => sum + (of(values) - middle) ** 2, 0));
    };
    // linearised against left out, one batch in 16 or more: 15 %
    const near = { relative: 0.15 };
    const { standardError } = found;
    expectClose(
      standardError!.logTemperature!,
      jackknife((values) => values[2]!),
      near,
      "error in log T",
    );
    expectClose(
      standardError!.logBiasVariance[0]!,
      jackknife((values) => values[1]!),
      near,
      "error in log σ_b²",
    );
    expectClose(
      standardError!.logWeightVariance[1]!,
      jackknife((values) => values[0]! + values[1]!),
      near,
      "error in log σ_w²",
    );
  });
});
