import { fit, matrixFromRows, zeros, type Matrix } from "@finitewidth/core";
import { multiply, block } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  atWidths,
  contractVertex,
  convolutionChain,
  correctPrediction,
  evidenceCorrection,
  forwardBackward,
  fullyConnectedChain,
  gaussianPieces,
  identityResidualCoefficients,
  linearPairings,
  pairingFluctuation,
  perturbative,
  projectFluctuation,
  readoutWeights,
  residualRows,
  siteGram,
  skipPosterior,
  type KernelChain,
} from "../src/index.js";
import { activation, firstKernel, registry } from "./networks.js";

const padded = (a: Matrix, n: number): Matrix => {
  const out = zeros(n, n);
  const P = a.shape[0];
  for (let i = 0; i < P; i++) out.data.set(a.data.subarray(i * P, (i + 1) * P), i * n);
  return out;
};
const contraction =
  (chain: KernelChain) =>
  (l: number, b: Matrix): Matrix =>
    contractVertex(chain, l, b);
const sum = (a: Matrix, b: Matrix): Matrix => ({ data: a.data.map((value, i) => value + b.data[i]!), shape: a.shape });

describe("linear networks", () => {
  it("deep-linear", () => {
    interface DeepLinear {
      readonly inputs: {
        trainInputs: number[][];
        targets: number[][];
        testInputs: number[][];
        temperature: number;
        widths: number[];
        weightVariances: number[];
      };
      readonly expected: { hiddenKernels: number[][][]; mean1: number[][]; covariance1: number[][][][]; logEvidenceCorrection: number };
      readonly tolerance: { relative: number; absolute: number };
    }
    const { inputs, expected, tolerance } = readFixture<DeepLinear>("perturbative/deep-linear");
    const P = inputs.trainInputs.length;
    const [w1, ...w] = inputs.weightVariances;
    const chain = fullyConnectedChain(
      { activation: activation("linear"), widths: inputs.widths, weightVariance: w, biasVariance: w.map(() => 0) },
      firstKernel([...inputs.trainInputs, ...inputs.testInputs], w1!, 0),
    );
    const n = chain.output.shape[0];
    const pieces = gaussianPieces(block(chain.output, 0, P, 0, P), matrixFromRows(inputs.targets), inputs.temperature);
    const shifts = forwardBackward(chain, padded(pieces.gradient, n), contraction(chain));
    expected.hiddenKernels.forEach((kernel, l) =>
      expectClose(
        block(sum(chain.layers[l]!.secondMoment, atWidths(shifts.hidden[l]!, inputs.widths)), 0, P, 0, P),
        kernel,
        tolerance,
        `kernel ${l}`,
      ),
    );
    const pairings = linearPairings(chain).flatMap((list, k) =>
      list.map(({ weight, covariance }) => ({ weight: weight / inputs.widths[k]!, covariance })),
    );
    const fluctuation = pairingFluctuation(pairings, n, pieces);
    const rows = residualRows(multiply(block(chain.output, P, n, 0, P), pieces.inverse));
    const prediction = correctPrediction(rows, zeros(n, n), projectFluctuation(fluctuation, rows, pieces, true), pieces);
    expectClose(prediction.mean, expected.mean1, tolerance, "mean1");
    expectClose(prediction.covariance!, expected.covariance1, tolerance, "covariance1");
    const diagonal = correctPrediction(rows, zeros(n, n), projectFluctuation(fluctuation, rows, pieces, false), pieces);
    expectClose(diagonal.variance, prediction.variance, { relative: 1e-12 }, "variance");
    expectClose(
      evidenceCorrection(zeros(P, P), block(fluctuation.x, 0, P, 0, P), block(fluctuation.z, 0, P, 0, P), pieces),
      expected.logEvidenceCorrection,
      tolerance,
      "evidence",
    );
  });

  it("skip-linear", () => {
    interface Skip {
      readonly inputs: {
        inputGram: number[][];
        targets: number[][];
        temperature: number;
        skipVariances: number[][];
        widths: number[];
        identityResidual: { layers: number; width: number; identityVariance: number; weightVariance: number; firstLayerVariance: number };
      };
      readonly expected: {
        meanFactors: number[];
        covarianceFactors: number[][];
        posteriorHiddenKernels: number[][][];
        identityResidual: { meanFactors: number[]; covarianceFactors: number[] };
      };
      readonly tolerance: { relative: number; absolute: number };
    }
    const { inputs, expected, tolerance } = readFixture<Skip>("perturbative/skip-linear");
    const posterior = skipPosterior(
      matrixFromRows(inputs.inputGram),
      matrixFromRows(inputs.targets),
      inputs.temperature,
      inputs.skipVariances,
      inputs.widths,
    );
    expectClose(posterior.mean, expected.meanFactors, tolerance);
    expectClose(posterior.covariance, expected.covarianceFactors, tolerance);
    posterior.hiddenKernels.forEach((kernel, l) => expectClose(kernel, expected.posteriorHiddenKernels[l]!, tolerance, `kernel ${l}`));
    const residual = identityResidualCoefficients(inputs.identityResidual);
    expectClose(residual.mean, expected.identityResidual.meanFactors, tolerance);
    expectClose(residual.covariance, expected.identityResidual.covarianceFactors, tolerance);
    expect(() =>
      skipPosterior(
        matrixFromRows(inputs.inputGram),
        matrixFromRows(inputs.targets),
        inputs.temperature,
        inputs.skipVariances,
        [50, 0, 40],
      ),
    ).toThrow(/widths\[1\]/);
  });
});

it("a linear network whose skips all vanish is the fully connected one: evidence, kernels, predictions", async () => {
  const [variances, widths, temperature] = [[1.3, 0.7, 1.6], [6, 9], 0.4]; // prettier-ignore
  const train = [[1, 0.2, -0.5], [-0.4, 1.1, 0.6], [0.8, -0.3, 0.2], [0.3, 0.9, -1.2]]; // prettier-ignore
  const test = [[0.1, 0.9, -0.7], [1.2, -0.6, 0.3]]; // prettier-ignore
  const targets = [[1, -0.3], [-0.7, 0.8], [0.4, 0.5], [0.2, -0.9]]; // prettier-ignore
  const joint = firstKernel([...train, ...test], 1, 0);
  const found = skipPosterior(
    block(joint, 0, 4, 0, 4),
    matrixFromRows(targets),
    temperature,
    [[], [variances[0]!], [0, variances[1]!], [0, 0, variances[2]!]],
    widths,
  );
  const network = { type: "fully-connected", widths, activation: "identity", weightVariance: variances };
  const { posterior, predict } = await fit(perturbative, { network, inputs: train, targets, temperature }, { registry });
  const { leading, correction } = posterior.diagnostics["logEvidence"] as { leading: number; correction: number };
  expectClose([found.logEvidence.leading, found.logEvidence.correction], [leading, correction], { relative: 1e-10 });
  found.hiddenKernels.forEach((kernel, l) => expectClose(kernel, posterior.hiddenKernels![l]!, { relative: 1e-10 }));
  const scale = found.mean.at(-1)!;
  const rows = residualRows({
    data: multiply(block(joint, 4, 6, 0, 4), found.pieces.inverse).data.map((value) => scale * value),
    shape: [2, 4],
  });
  const projected = projectFluctuation(found.fluctuation(joint), rows, found.pieces, true);
  const { mean, covariance } = correctPrediction(rows, zeros(6, 6), projected, found.pieces);
  const prediction = await predict(test, { covariance: true });
  const { correction: first, infiniteWidth } = prediction.diagnostics as unknown as Record<"correction" | "infiniteWidth", Record<string, number[][]>>; // prettier-ignore
  expectClose(mean, first["mean"]!, { relative: 1e-9 });
  const wide = covariance!.data.map((value, i) => prediction.covariance!.data[i]! - value);
  // what is left is that of the Gaussian process: the same for both outputs, nothing between them
  expectClose([wide[0]!, wide[5]!, wide[10]!, wide[15]!], infiniteWidth["variance"]!, { relative: 1e-9 });
  expectClose([wide[1]!, wide[3]!, wide[2]! - wide[7]!], [0, 0, 0], { absolute: 1e-12 });
});

describe("convolutions", () => {
  it.each(["conv-linear-gap", "conv-linear-vectorized", "conv-relu-one-layer"])("%s", (name) => {
    interface Conv {
      readonly inputs: {
        inputs: number[][][];
        targets: number[][];
        temperature: number;
        activation: string;
        channels: number[];
        grid: number[];
        offsets: number[][];
        offsetWeights: number[];
        weightVariances: number[];
        readout: string;
      };
      readonly expected: {
        leadingHiddenKernels: number[][][];
        dataShifts: number[][][];
        outputKernel: number[][];
        outputKernelDataShift: number[][];
      };
      readonly tolerance: { relative: number; absolute: number };
    }
    const { inputs, expected, tolerance } = readFixture<Conv>(`perturbative/${name}`);
    const sites = inputs.grid[0]!;
    const phi = activation(inputs.activation);
    const chain = convolutionChain(
      {
        activation: phi,
        channels: inputs.channels,
        grid: inputs.grid,
        filters: inputs.channels.map(() => ({ offsets: inputs.offsets, weights: inputs.offsetWeights })),
        weightVariance: inputs.weightVariances,
        biasVariance: inputs.weightVariances.map(() => 0),
        readout: readoutWeights(inputs.readout === "vectorized" ? "flatten" : "global-average", sites),
      },
      siteGram(matrixFromRows(inputs.inputs.map((point) => point.flat())), inputs.inputs[0]!.length),
    );
    const pieces = gaussianPieces(chain.output, matrixFromRows(inputs.targets), inputs.temperature);
    const shifts = forwardBackward(chain, pieces.gradient, contraction(chain));
    chain.layers.forEach((layer, l) => {
      expectClose(layer.secondMoment, expected.leadingHiddenKernels[l]!, tolerance, `leading ${l}`);
      expectClose(atWidths(shifts.hidden[l]!, inputs.channels), expected.dataShifts[l]!, tolerance, `shift ${l}`);
    });
    expectClose(chain.output, expected.outputKernel, tolerance, "output");
    const x = atWidths(shifts.preactivation.at(-1)!, inputs.channels);
    expectClose(x, expected.outputKernelDataShift, tolerance, "output shift");
    if (phi.name === "identity") {
      const pairings = linearPairings(chain).flatMap((list, k) =>
        list.map(({ weight, covariance }) => ({ weight: weight / inputs.channels[k]!, covariance })),
      );
      expectClose(
        pairingFluctuation(pairings, chain.output.shape[0], pieces).x,
        x,
        { relative: 1e-9, absolute: 1e-14 },
        "X of the pairings",
      );
    }
  });

  it("rejects filters that do not average, and lopsided readouts", () => {
    const chain = {
      activation: activation("relu"),
      channels: [4],
      grid: [2],
      filters: [{ offsets: [[0], [1]], weights: [0.5, 0.5] }],
      weightVariance: [1, 1],
      biasVariance: [0, 0],
      readout: readoutWeights("flatten", 2),
    };
    const gram = siteGram(matrixFromRows([[1, 2]]), 1);
    expect(() => convolutionChain({ ...chain, filters: [{ offsets: [[0], [1]], weights: [0.5, 0.6] }] }, gram)).toThrow(
      /filters\[0\]\.weights: expected weights that sum to 1/,
    );
    expect(() => convolutionChain({ ...chain, filters: [{ offsets: [[0], [1]], weights: [1.5, -0.5] }] }, gram)).toThrow(
      /filters\[0\]\.weights/,
    );
    expect(() =>
      convolutionChain(
        {
          ...chain,
          readout: matrixFromRows([
            [0.5, 0.2],
            [0.1, 0.5],
          ]),
        },
        gram,
      ),
    ).toThrow(/readout/);
    expect(() => convolutionChain({ ...chain, channels: [0] }, gram)).toThrow(/channels\[0\]/);
  });
});
