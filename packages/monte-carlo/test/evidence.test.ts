import {
  inlineRun,
  matrixFromRows,
  readoutOf,
  resolveArchitecture,
  resolveNetworkInput,
  type Matrix,
  type Problem,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { logMeanExp } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it, test } from "vitest";
import { expectClose, flatten, readFixture } from "../../../tools/testing.ts";
import { hiddenBlocks } from "../src/evidence/parameter-blocks.js";
import { scoresOf } from "../src/evidence/scores.js";
import { readoutAt } from "../src/posterior/densities.js";
import { collapsedLogLikelihood, logEvidence, type EvidenceOptions, type SampledEvidence } from "../src/index.js";
import { registry, sample } from "./helpers.js";

interface Inputs {
  readonly X: number[][];
  readonly Y?: number[][];
  readonly y?: number[];
  readonly T: number;
  readonly widths: number[];
  readonly activation: string;
  readonly sw2?: number[];
  readonly sb2?: number[];
}
const run = (seed = 1) => inlineRun({ registry, seed });

function problemOf({ X, Y, y, T, widths, activation, sw2, sb2 }: Inputs): Problem {
  const network = resolveNetworkInput(
    {
      type: "fully-connected",
      widths,
      activation: activation === "linear" ? "identity" : activation,
      weightVariance: sw2 ?? 1,
      biasVariance: sb2 ?? 0,
    },
    registry,
  );
  const targets: Matrix = matrixFromRows(Y ?? y!.map((value) => [value]));
  return { network, inputs: matrixFromRows(X), targets, temperature: T, scaling: "standard" };
}
const evidenceOf = (inputs: Inputs, options: EvidenceOptions = {}, seed = 1): Promise<SampledEvidence> =>
  logEvidence(problemOf(inputs), options, run(seed));

interface NetworkFixture {
  readonly cases: readonly {
    readonly inputs: Inputs & { readonly whitenedWeights: number[][][]; readonly whitenedBiases: (number[] | null)[] };
    readonly expected: {
      readonly logLikelihood: number;
      readonly gradient: number[];
      readonly scoreReadoutLogSw2: number;
      readonly scoreReadoutLogSb2: number;
      readonly scoreLogT: number;
      readonly scoreHiddenLogSw2: number[];
      readonly steinControls: number[];
    };
  }[];
}

describe("likelihood and scores at given weights", () => {
  const { cases } = readFixture<NetworkFixture>("evidence-trust/collapsed-network");
  const tolerance = { relative: 1e-8, absolute: 1e-9 };
  test.each(cases.map((each, i) => [i, each] as const))("fixture collapsed-network, case %d", (_, { inputs, expected }) => {
    const problem = problemOf(inputs);
    const architecture = resolveArchitecture(registry, problem.network);
    const network = realise(architecture, problem.inputs, problem.targets.shape[1]);
    const sampling = {
      network,
      targets: problem.targets,
      temperature: problem.temperature,
      readoutBias: Math.sqrt(readoutOf(architecture).biasVariance),
    };
    const target = collapsedLogLikelihood(sampling);
    // θ: weights of a layer row by row, then its biases; the fixture's gradient: unit by unit, weights then bias
    const theta = Float64Array.from(
      inputs.whitenedWeights.flatMap((weights, l) => [...weights.flat(), ...(inputs.whitenedBiases[l] ?? [])]),
    );
    const gradient = new Float64Array(target.dimension);
    const logLikelihood = target.evaluate(theta, gradient);
    expectClose(logLikelihood, expected.logLikelihood, tolerance);
    const blocks = hiddenBlocks(architecture, network);
    const byUnit = blocks.flatMap(({ weights: [from, to], biases }, l) => {
      const width = inputs.widths[l]!;
      const inner = (to - from) / width;
      return Array.from({ length: width }, (_, i) => [
        ...gradient.subarray(from + i * inner, from + (i + 1) * inner),
        ...(biases ? [gradient[biases[0] + i]!] : []),
      ]).flat();
    });
    expectClose(byUnit, expected.gradient, { relative: 1e-6, absolute: 1e-8 });
    const { readout } = readoutAt(sampling, theta, new Float64Array(network.parameters));
    const { values, controls } = scoresOf(
      { position: theta, gradient, logLikelihood },
      blocks,
      readout,
      problem.targets,
      problem.temperature,
    );
    const layers = blocks.length + 1;
    expectClose(values[layers - 1]!, expected.scoreReadoutLogSw2, tolerance);
    expectClose(values[2 * layers - 1]!, expected.scoreReadoutLogSb2, tolerance);
    expectClose(values[2 * layers]!, expected.scoreLogT, tolerance);
    // with biases the fixture counts from the second layer on, and its first control holds weights and biases
    const biased = blocks[0]!.biases !== undefined;
    expectClose(values.slice(biased ? 1 : 0, layers - 1), expected.scoreHiddenLogSw2, tolerance);
    const merged = biased ? [controls[0]! + controls[1]!, ...controls.slice(2)] : controls;
    expectClose(merged, expected.steinControls, tolerance);
  });
});

interface LinearFixture {
  readonly cases: readonly {
    readonly inputs: Inputs;
    readonly expected: {
      readonly logEvidence: number;
      readonly dLogSw2: number;
      readonly dLogT: number;
      readonly logRatioWider: number[];
      readonly logRatioNarrower: number[];
    };
  }[];
}

describe("deep linear networks, exact values", () => {
  const { cases } = readFixture<LinearFixture>("evidence-trust/log-evidence-linear");
  it.each(cases.map((each, i) => [i, each] as const))("fixture log-evidence-linear, case %d", async (_, { inputs, expected }) => {
    const { logEvidence: value, standardError, gradient } = await evidenceOf(inputs, { gradients: true });
    expect(Math.abs(value - expected.logEvidence)).toBeLessThan(4 * standardError);
    expect(Math.abs(value - expected.logEvidence)).toBeLessThan(0.6);
    const error = gradient!.standardError!;
    gradient!.logWeightVariance.forEach((each, l) =>
      expect(Math.abs(each! - expected.dLogSw2), `layer ${l}`).toBeLessThan(4.5 * error.logWeightVariance[l]!),
    );
    expect(Math.abs(gradient!.logTemperature! - expected.dLogT)).toBeLessThan(4.5 * error.logTemperature!);
    expect(gradient!.logBiasVariance.every((each) => each === null)).toBe(true);
    gradient!.widths.forEach((each, l) =>
      expect(Math.abs(each! - expected.logRatioWider[l]!), `width ${l}`).toBeLessThan(4.5 * error.widths[l]!),
    );
  });
});

interface NonlinearFixture {
  readonly cases: readonly {
    readonly inputs: Inputs;
    readonly expected: Record<
      "logEvidence" | "logEvidenceSE" | "dLogSw2Readout" | "dLogSw2ReadoutSE" | "dLogSb2Readout" | "dLogSb2ReadoutSE" | "dLogT" | "dLogTSE",
      number
    > &
      Partial<Record<`${"dLogSw2Hidden" | "dLogSw2HiddenFrom2" | "dLogSb2HiddenFrom2"}${"" | "SE"}`, number[]>>;
  }[];
}

describe("nonlinear networks against importance sampling from the prior", () => {
  const { cases } = readFixture<NonlinearFixture>("evidence-trust/log-evidence-nonlinear");
  it.each(cases.map((each, i) => [i, each] as const))("fixture log-evidence-nonlinear, case %d", async (_, { inputs, expected }) => {
    const { logEvidence: value, standardError, gradient, converged } = await evidenceOf(inputs, { gradients: true });
    const within = (estimate: number, error: number, truth: number, truthError: number, what: string): void =>
      expect(Math.abs(estimate - truth) / Math.hypot(error, truthError), what).toBeLessThan(4.5);
    expect(converged).toBe(true);
    within(value, standardError, expected.logEvidence, expected.logEvidenceSE, "log evidence");
    const error = gradient!.standardError!;
    const last = inputs.widths.length;
    within(gradient!.logTemperature!, error.logTemperature!, expected.dLogT, expected.dLogTSE, "log T");
    within(
      gradient!.logWeightVariance[last]!,
      error.logWeightVariance[last]!,
      expected.dLogSw2Readout,
      expected.dLogSw2ReadoutSE,
      "readout",
    );
    if (inputs.sb2?.[last])
      within(
        gradient!.logBiasVariance[last]!,
        error.logBiasVariance[last]!,
        expected.dLogSb2Readout,
        expected.dLogSb2ReadoutSE,
        "readout bias",
      );
    const hidden = (
      key: "dLogSw2Hidden" | "dLogSw2HiddenFrom2" | "dLogSb2HiddenFrom2",
      values: readonly (number | null)[],
      errors: readonly (number | null)[],
    ): void => expected[key]?.forEach((each, l) => within(values[l]!, errors[l]!, each, expected[`${key}SE`]![l]!, `${key}[${l}]`));
    hidden("dLogSw2Hidden", gradient!.logWeightVariance, error.logWeightVariance);
    hidden("dLogSw2HiddenFrom2", gradient!.logWeightVariance.slice(1), error.logWeightVariance.slice(1));
    hidden("dLogSb2HiddenFrom2", gradient!.logBiasVariance.slice(1), error.logBiasVariance.slice(1));
  });
});

describe("invariants", () => {
  const { cases } = readFixture<LinearFixture>("evidence-trust/log-evidence-linear");
  const { inputs, expected } = cases[0]!;

  it("30 seeds against the exact value: the scores have unit variance, and a value wrong by one nat is caught", async () => {
    const scores: number[] = [];
    let caught = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const { logEvidence: value, standardError } = await evidenceOf(inputs, { attempts: 1, particles: 16 }, seed);
      scores.push((value - expected.logEvidence) / standardError);
      if (Math.abs(value - expected.logEvidence - 1) > 2.36 * standardError) caught++;
    }
    const square = scores.reduce((sum, z) => sum + z * z, 0) / 30;
    // t₇ scores: below 0.3 or above 2.6 with probability about 1e-3
    expect(square).toBeGreaterThan(0.3);
    expect(square).toBeLessThan(2.6);
    expect(Math.abs(scores.reduce((sum, z) => sum + z, 0)) / Math.sqrt(30)).toBeLessThan(3.5);
    expect(caught).toBeGreaterThan(25);
  }, 60_000);

  it("any number of workers gives the same bits; outputs may be rotated; repeated features change nothing", async () => {
    const first = await evidenceOf(inputs, { islands: 3, particles: 8, attempts: 1 }, 5);
    const again = await evidenceOf(inputs, { islands: 3, particles: 8, attempts: 1 }, 5);
    expect(again).toEqual(first);
    const both = inputs.y!.map((value, i) => [value, Math.cos(i)]);
    const rotated = both.map(([a, b]) => [0.6 * a! - 0.8 * b!, 0.8 * a! + 0.6 * b!]);
    const { y: _, ...rest } = inputs;
    const one = await evidenceOf({ ...rest, Y: both }, { islands: 3, particles: 8, attempts: 1 }, 6);
    const other = await evidenceOf({ ...rest, Y: rotated }, { islands: 3, particles: 8, attempts: 1 }, 6);
    expectClose(other.logEvidence, one.logEvidence, { absolute: 1e-6 });
    const padded = await evidenceOf({ ...inputs, X: inputs.X.map((row) => [...row, ...row, ...row].map((value) => value)) }, {}, 7);
    expect(Math.abs(padded.logEvidence - expected.logEvidence)).toBeLessThan(4.5 * padded.standardError);
  });

  it("activations without slopes are sampled too: sign against importance sampling", async () => {
    const problem: Inputs = { ...inputs, activation: "sign", widths: [6], X: inputs.X.slice(0, 5), y: inputs.y!.slice(0, 5) };
    const { logEvidence: value, standardError, converged } = await evidenceOf(problem);
    const { network: prior, targets, temperature } = problemOf(problem);
    const network = realise(resolveArchitecture(registry, prior), problemOf(problem).inputs, 1);
    const target = collapsedLogLikelihood({ network, targets, temperature, readoutBias: 0 });
    const random = stream(9);
    const gradient = new Float64Array(target.dimension);
    const draws = Float64Array.from({ length: 20000 }, () => target.evaluate(random.normals(new Float64Array(target.dimension)), gradient));
    const truth = logMeanExp(draws);
    expect(converged).toBe(true);
    expect(Math.abs(value - truth.value)).toBeLessThan(4 * Math.hypot(standardError, truth.standardError));
  });

  it("option of the method", async () => {
    const { posterior } = await sample(
      { widths: [3], activation: "erf" },
      { inputs: inputs.X, targets: inputs.y!, temperature: 0.1 },
      { evidence: true, gradients: true, draws: 50, warmup: 50 },
    );
    expect(posterior.logEvidence).toBeTypeOf("number");
    expect(posterior.standardError!.logEvidence).toBeGreaterThan(0);
    expect(posterior.diagnostics["evidence"]).toMatchObject({ converged: true });
    expect(posterior.diagnostics["evidenceGradient"]).toMatchObject({ logBiasVariance: [null, null] });
    const plain = await sample(
      { widths: [3], activation: "erf" },
      { inputs: inputs.X, targets: inputs.y!, temperature: 0.1 },
      { draws: 50, warmup: 50 },
    );
    expect(plain.posterior.logEvidence).toBeUndefined();
    // the chains are the same with and without evidence
    expect(flatten(plain.posterior.hiddenKernels!)).toEqual(flatten(posterior.hiddenKernels!));
  });

  it("convolutions and mean-field scaling", async () => {
    const network = resolveNetworkInput(
      {
        type: "convolutional",
        inputShape: [1, 8],
        layers: [{ channels: 6, kernelSize: [3] }],
        readout: "flatten",
        activation: "identity",
      } as { type: string },
      registry,
    );
    const problem: Problem = { ...problemOf(inputs), network };
    const found = await logEvidence(problem, { gradients: true }, run());
    expect(found.gradient!.widths).toEqual([null]);
    expectClose(found.gradient!.logWeightVariance[0]!, found.gradient!.logWeightVariance[1]!, { relative: 1e-9 });
    const meanField = await logEvidence({ ...problemOf(inputs), scaling: "mean-field" }, {}, run());
    const width = inputs.widths[0]!;
    const standard = await logEvidence(problemOf({ ...inputs, sw2: [1, 1 / width], T: inputs.T / width }), {}, run());
    expectClose(meanField.logEvidence, standard.logEvidence, { relative: 1e-12 });
  });
});
