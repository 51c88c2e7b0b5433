import { rowsOf } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { runCommand } from "./command.js";
import { inputsWithKernel } from "./kernel-inputs.js";

// Fixture cases are read loosely: each test states the fields that it uses.
interface Case {
  readonly case: string;
  readonly inputs: ReturnType<typeof JSON.parse>;
  readonly expected: ReturnType<typeof JSON.parse>;
  readonly tolerance: ReturnType<typeof JSON.parse>;
}
const cases = (name: string): Case[] => readFixture<{ cases: Case[] }>(`effective-action/${name}`).cases;
const column = (values: readonly number[]) => values.map((value) => [value]);

async function solve(experiment: object) {
  const { status, stderr, result } = await runCommand("run", experiment);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return result.results["effective-action"];
}

describe("finitewidth run reproduces the effective action", () => {
  it.each(cases("deep").map((entry) => [entry.case, entry] as const))("deep: %s", async (_name, { inputs, expected, tolerance }) => {
    const result = await solve({
      data: { train: { inputs: inputs.X, targets: column(inputs.y) }, test: { inputs: inputs.XTest } },
      network: {
        type: "fully-connected",
        widths: inputs.widths,
        activation: inputs.activation,
        weightVariance: inputs.weightVariances,
        biasVariance: inputs.biasVariances,
      },
      likelihood: { temperature: inputs.temperature },
      methods: [{ method: "effective-action", closure: inputs.closure }],
    });
    expectClose(result.orderParameter, expected.Q, tolerance, "orderParameter");
    expectClose(result.predictive.mean, expected.mean, tolerance, "mean");
    expectClose(result.predictive.variance, expected.variance, tolerance, "variance");
    expectClose(result.logEvidence, expected.logEvidenceLaplace, { relative: tolerance.logEvidenceLaplace }, "logEvidence");
  });

  it.each(
    cases("non-odd")
      .filter((entry) => entry.inputs.X !== undefined)
      .map((entry) => [entry.case, entry] as const),
  )("activations with a mean: %s", async (_name, { inputs, expected, tolerance }) => {
    const run = (options: object) =>
      solve({
        data: { train: { inputs: inputs.X, targets: column(inputs.y) }, test: { inputs: inputs.XTest } },
        network: { type: "fully-connected", widths: [inputs.width], activation: inputs.activation },
        likelihood: { temperature: inputs.temperature },
        methods: [{ method: "effective-action", ...options }],
      });
    const saddle = await run({ mode: "saddle" });
    expectClose(saddle.orderParameter, expected.Q, tolerance, "orderParameter");
    expectClose(saddle.predictive.mean, expected.mean, tolerance, "mean");
    expectClose(saddle.predictive.variance, expected.variance, tolerance, "variance");
    expectClose(
      (await run({ mode: "saddle", mean: "plain" })).orderParameter,
      expected.QPlainScalarTheory,
      tolerance,
      "orderParameter, plain theory",
    );
    const integral = await run({ mode: "integral" });
    expectClose(integral.logEvidence, expected.integral.logEvidence, { relative: tolerance.integralRelative }, "logEvidence, integral");
    expectClose(integral.predictive.mean, expected.integral.mean, { relative: tolerance.integralRelative }, "mean, integral");
    expectClose(integral.predictive.variance, expected.integral.variance, { relative: tolerance.integralRelative }, "variance, integral");
  });

  it.each(
    [...cases("scalar-action"), ...cases("two-minima")]
      .filter((entry) => entry.inputs.temperature > 0)
      .map((entry) => [entry.case, entry] as const),
  )("one hidden layer, as a linear network with the same kernel: %s", async (_name, { inputs, expected }) => {
    const P = inputs.K.length;
    // Test kernels of the fixture are a diagonal: give the test points any correlation that keeps the joint kernel positive.
    const X = rowsOf(inputsWithKernel(inputs.K));
    const run = (mode: string) =>
      solve({
        data: { train: { inputs: X, targets: column(inputs.y) } },
        network: { type: "fully-connected", widths: [inputs.width], activation: "identity", biasVariance: [0, inputs.readoutBiasVariance] },
        likelihood: { temperature: inputs.temperature },
        methods: [{ method: "effective-action", mode }],
      });
    const tolerance = { relative: 1e-8, absolute: 1e-9 };
    const [saddle, integral] = [await run("saddle"), await run("integral")];
    expectClose(saddle.orderParameter, expected.Q, tolerance, "orderParameter");
    expectClose(integral.orderParameter, expected.Q, tolerance, "orderParameter in integral mode");
    expectClose(saddle.logEvidence, expected.logEvidenceLaplace, tolerance, "logEvidence, Laplace");
    expectClose(integral.logEvidence, expected.posteriorQ.logEvidence, tolerance, "logEvidence, integral");
    expect(saddle.diagnostics.minima).toHaveLength(expected.minima.length);
    if (expected.learnedKernelSaddle)
      expectClose(saddle.hiddenKernels[0].mean, expected.learnedKernelSaddle, { relative: 1e-7, absolute: 1e-8 }, "hiddenKernels");
    expect(saddle.train.mean).toHaveLength(P);
  });

  it.each(
    cases("multi-output")
      .filter((entry) => entry.inputs.K)
      .map((entry) => [entry.case, entry] as const),
  )("several outputs: %s", async (_name, { inputs, expected, tolerance }) => {
    const result = await solve({
      data: { train: { inputs: rowsOf(inputsWithKernel(inputs.K)), targets: inputs.Y } },
      network: { type: "fully-connected", widths: [inputs.width], activation: "identity", biasVariance: [0, inputs.readoutBiasVariance] },
      likelihood: { temperature: inputs.temperature },
      methods: ["effective-action"],
    });
    expectClose(result.orderParameter, expected.Q, { relative: tolerance.relative, absolute: 1e-9 }, "orderParameter");
    expectClose(result.logEvidence, expected.logEvidenceLaplace, { relative: tolerance.logEvidenceLaplace }, "logEvidence");
  });

  it.each(
    cases("convolution")
      .filter((entry) => entry.inputs.pooling === null)
      .map((entry) => [entry.case, entry] as const),
  )("one convolutional layer: %s", async (_name, { inputs, expected, tolerance }) => {
    const [, C, H, W] = [inputs.images.length, inputs.images[0].length, inputs.images[0][0].length, inputs.images[0][0][0].length];
    const result = await solve({
      data: {
        train: { inputs: inputs.images.map((image: number[][][]) => image.flat(2)), targets: column(inputs.y) },
        test: { inputs: inputs.testImages.map((image: number[][][]) => image.flat(2)) },
      },
      network: {
        type: "convolutional",
        inputShape: [C, H, W],
        layers: [
          { channels: inputs.channels, kernelSize: [inputs.mask, inputs.mask], stride: [inputs.stride, inputs.stride], padding: "valid" },
        ],
        readout: "flatten",
        activation: inputs.activation,
        ...(inputs.weightVariances ? { weightVariance: inputs.weightVariances } : {}),
      },
      likelihood: { temperature: inputs.temperature },
      // The fixture applies the formula of odd activations to relu too.
      methods: [{ method: "effective-action", mean: "plain" }],
    });
    expectClose(result.orderParameter, expected.Q, { relative: tolerance.relative, absolute: 1e-9 }, "orderParameter");
    expectClose(result.predictive.mean, expected.mean, { relative: tolerance.relative, absolute: 1e-9 }, "mean");
    expectClose(result.predictive.variance, expected.variance, { relative: tolerance.relative, absolute: 1e-9 }, "variance");
  });

  it.each(cases("posterior-sampling").map((entry) => [entry.case, entry] as const))(
    "beside sampled posteriors: %s",
    async (_name, { inputs, expected, tolerance }) => {
      const theory = expected.theory.integral ? "integral" : "saddle";
      const result = await solve({
        data: { train: { inputs: inputs.X, targets: column(inputs.y) }, test: { inputs: inputs.XTest, targets: column(inputs.yTest) } },
        network: {
          type: "fully-connected",
          widths: inputs.widths,
          activation: inputs.activation,
          weightVariance: inputs.weightVariances,
          biasVariance: inputs.biasVariances,
        },
        likelihood: { temperature: inputs.temperature },
        methods: [{ method: "effective-action", mode: theory }],
      });
      const known = expected.theory[theory] ?? expected.theory.nested;
      if (known?.mean) expectClose(result.predictive.mean, known.mean, { relative: tolerance.theoryRelative, absolute: 1e-8 }, "mean");
      if (known?.generalisationError)
        expectClose(
          result.generalizationError.total,
          known.generalisationError,
          { relative: tolerance.theoryRelative },
          "generalizationError",
        );
    },
  );
});
