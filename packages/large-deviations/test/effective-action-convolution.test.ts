import { matrix, matrixFromRows, type SiteBlocks } from "@finitewidth/core";
import { siteBlocks } from "@finitewidth/kernels";
import { addDiagonal, identity, solve } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose, flatten, readFixture } from "../../../tools/testing.ts";
import {
  blockAction,
  blockLearnedKernel,
  blockMeanSaddle,
  blockState,
  createBlockProblem,
  createMultiOutputProblem,
  matrixAction,
  matrixMinima,
  meanSaddle,
  multiOutputAction,
  multiOutputLearnedKernel,
  predictBlocks,
  predictBlocksTrain,
  predictMultiOutput,
  multiOutputState,
  renormalisedBlocks,
} from "../src/index.js";
import { layersOf } from "./registry.ts";

interface Case {
  readonly case: string;
  readonly inputs: {
    readonly images: number[][][][];
    readonly testImages: number[][][][];
    readonly mask: number;
    readonly stride: number;
    readonly channels: number;
    readonly temperature: number;
    readonly activation: string;
    readonly pooling: number[][] | null;
    readonly y: number[];
    readonly QTest: number[][];
  };
  readonly expected: {
    readonly patchCount: number;
    readonly blocksFirstRow: number[][][];
    readonly kernelInfinite: number[][];
    readonly actionAtQTest: number;
    readonly gradientAtQTest: number[][];
    readonly Q: number[][];
    readonly S: number;
    readonly mean: number[];
    readonly variance: number[];
  };
  readonly tolerance: { readonly relative: number };
}
const cases = readFixture<{ cases: Case[] }>("effective-action/convolution").cases;
const blocksOfCase = ({ inputs }: Case) =>
  siteBlocks(
    layersOf({
      type: "convolutional",
      inputShape: [inputs.images[0]!.length, inputs.images[0]![0]!.length, inputs.images[0]![0]![0]!.length],
      layers: [
        { channels: inputs.channels, kernelSize: [inputs.mask, inputs.mask], stride: [inputs.stride, inputs.stride], padding: "valid" },
      ],
      readout: inputs.pooling ? "global-average" : "flatten",
      activation: inputs.activation,
    }),
  )!;
const rows = (images: number[][][][]) => matrixFromRows(images.map((image) => flatten(image)));
const blocksOf = (fixture: Case, which: "train" | "cross"): SiteBlocks => {
  const between = blocksOfCase(fixture);
  const train = rows(fixture.inputs.images);
  return which === "train" ? between(train) : between(train, rows(fixture.inputs.testImages));
};
const column = (y: readonly number[]) => matrixFromRows(y.map((value) => [value]));

describe.each(cases.map((c) => [c.case, c] as const))("fixture: %s", (_, fixture) => {
  const { inputs, expected, tolerance } = fixture;
  const within = { relative: tolerance.relative, absolute: tolerance.relative };
  const blocks = blocksOf(fixture, "train");
  const problem = createBlockProblem({ blocks, targets: column(inputs.y), temperature: inputs.temperature, width: inputs.channels });
  const action = blockAction(problem);
  it("blocks and action", () => {
    expectClose(
      blocks.blocks.slice(0, expected.blocksFirstRow.length).map((b) => Array.from(b.data)),
      expected.blocksFirstRow,
      within,
    );
    expectClose(renormalisedBlocks(blocks.blocks, blocks.sites, 1, identity(blocks.sites)), expected.kernelInfinite, within);
    const { value, gradient } = matrixAction(action, matrixFromRows(inputs.QTest));
    expectClose(value, expected.actionAtQTest, within);
    expectClose(gradient, expected.gradientAtQTest, within);
  });
  it("minimum and predictions", () => {
    const [minimum] = matrixMinima(action, false);
    expect(minimum.converged).toBe(true);
    expectClose(minimum.orderParameter, expected.Q, within);
    expectClose(minimum.action, expected.S, within);
    const state = blockState(problem, minimum.orderParameter);
    const fit = {
      sites: blocks.sites,
      orderParameter: minimum.orderParameter,
      root: state.root,
      form: state.form,
      weights: state.weights,
      biasVariance: 0,
      outputs: 1,
    };
    const { mean, variance } = predictBlocks(fit, blocksOf(fixture, "cross"));
    expectClose(mean, expected.mean, within);
    expectClose(variance, expected.variance, within);
    const between = blocksOfCase(fixture);
    const train = rows(inputs.images);
    const again = predictBlocks(fit, between(train, train), between(train));
    const direct = predictBlocksTrain(problem, state);
    expectClose(again.mean, direct.mean, { absolute: 1e-10 });
    expectClose(again.variance, direct.variance, { absolute: 1e-10 });
  });
});

describe("consistency with the fully connected theory (one site)", () => {
  const kernel = matrixFromRows(
    Array.from({ length: 6 }, (_, a) => Array.from({ length: 6 }, (__, b) => Math.cos(1.3 * (a - b)) + 0.5 * Math.exp(-Math.abs(a - b)))),
  );
  const targets = matrixFromRows([
    [1, 0.3],
    [-0.4, 1.1],
    [0.9, -2],
    [-1.7, 0.2],
    [0.1, 0.6],
    [1.4, -0.8],
  ]);
  const means = matrix(1, 6, Float64Array.of(0.1, 0.08, 0.12, 0.05, 0.11, 0.09));
  const blocks: SiteBlocks = { sites: 1, blocks: [kernel], means };
  const common = { targets, temperature: 0.3, width: 5, biasVariance: 0.2 };
  it("several outputs with a bias", () => {
    const block = matrixMinima(blockAction(createBlockProblem({ blocks, ...common })), false)[0];
    const fast = matrixMinima(multiOutputAction(createMultiOutputProblem({ kernel, ...common })), false)[0];
    expectClose(block.orderParameter, fast.orderParameter, { absolute: 1e-9 });
    expectClose(block.action, fast.action, { relative: 1e-10 });
    const problem = createBlockProblem({ blocks, ...common });
    const several = createMultiOutputProblem({ kernel, ...common });
    const learned = blockLearnedKernel(problem, blockState(problem, block.orderParameter), block.orderParameter);
    expectClose(learned, multiOutputLearnedKernel(several, multiOutputState(several, block.orderParameter)), { absolute: 1e-9 });
  });
  it("several outputs, a mean and a bias, predictions included", () => {
    const problem = createBlockProblem({ blocks, ...common, centred: true });
    const slow = blockMeanSaddle(problem);
    const centred = problem.blocks[0]!;
    const fastProblem = createMultiOutputProblem({ kernel: centred, ...common, mean: means.data });
    const fast = meanSaddle(fastProblem);
    expect(slow.converged && fast.converged).toBe(true);
    expectClose(slow.orderParameter, fast.orderParameter, { absolute: 1e-9 });
    expectClose(slow.zeta, fast.zeta, { absolute: 1e-9 });
    expectClose(slow.xi, fast.xi, { absolute: 1e-9 });
    const state = blockState(problem, slow.orderParameter, slow.zeta);
    const fit = {
      sites: 1,
      orderParameter: slow.orderParameter,
      zeta: slow.zeta,
      root: state.root,
      form: state.form,
      weights: state.weights,
      means,
      biasVariance: 0.2,
      outputs: 2,
    };
    const own = matrix(
      6,
      1,
      Float64Array.from({ length: 6 }, (_, i) => kernel.data[7 * i]!),
    );
    const slowPrediction = predictBlocks(fit, { ...blocks, own }, blocks);
    const fastPrediction = predictMultiOutput(fastProblem, multiOutputState(fastProblem, fast.orderParameter, fast.zeta), {
      cross: centred,
      variances: Float64Array.from({ length: 6 }, (_, i) => centred.data[7 * i]!),
      own: centred,
      mean: means.data,
    });
    expectClose(slowPrediction.mean, fastPrediction.mean, { absolute: 1e-9 });
    expectClose(slowPrediction.variance, fastPrediction.variance, { absolute: 1e-9 });
    expectClose(slowPrediction.covariance!, fastPrediction.covariance!, { absolute: 1e-9 });
    expectClose(predictBlocks(fit, { ...blocks, own }).variance, fastPrediction.variance, { absolute: 1e-9 });
  });
  it("Q = 1 is the infinite-width process", () => {
    const problem = createBlockProblem({ blocks, ...common });
    const { residual } = blockState(problem, identity(2));
    const plain = solve(addDiagonal({ data: kernel.data.map((value) => value + 0.2), shape: kernel.shape }, 0.3), targets);
    expectClose(residual, plain.data, { absolute: 1e-10 });
  });
});

describe("rejections", () => {
  const kernel = matrixFromRows([
    [1, 0.2],
    [0.2, 1],
  ]);
  const means = matrix(1, 2, new Float64Array(2));
  it("T < 0, asymmetric blocks, wrong shapes", () => {
    const blocks: SiteBlocks = { sites: 1, blocks: [kernel], means };
    const targets = column([1, 2]);
    expect(() => createBlockProblem({ blocks, targets, temperature: -1, width: 3 })).toThrow(/temperature: expected a number ≥ 0/);
    expect(() =>
      createBlockProblem({
        blocks: {
          ...blocks,
          blocks: [
            matrixFromRows([
              [1, 0.2],
              [0.3, 1],
            ]),
          ],
        },
        targets,
        temperature: 1,
        width: 3,
      }),
    ).toThrow(/transpose/);
    expect(() => createBlockProblem({ blocks: { ...blocks, sites: 2 }, targets, temperature: 1, width: 3 })).toThrow(
      /blocks: expected 4 matrices/,
    );
    expect(() => createBlockProblem({ blocks, targets: column([1, 2, 3]), temperature: 1, width: 3 })).toThrow(/blocks\[0\]/);
    expect(() => createBlockProblem({ blocks, targets, temperature: 1, width: 0 })).toThrow(/width/);
  });
});
