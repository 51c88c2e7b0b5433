import { createProblem, fit, inlineRun, matrixFromRows, rowsOf, validate, zeros, type PriorResult } from "@finitewidth/core";
import { symmetricEigenvalues } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  identityResidualCoefficients,
  outputDensityFactor,
  perturbative,
  skipCoefficients,
  vertexFlow,
  type PerturbativeOptions,
} from "../src/index.js";
import { expansionWarnings } from "../src/posterior/corrections.js";
import { positiveVariance } from "../src/posterior/positive-variance.js";
import { registry } from "./networks.js";

const prior = (inputs: number[][], network: Record<string, unknown>): Promise<PriorResult> => {
  const problem = createProblem(
    { network: { type: "fully-connected", ...network }, inputs, targets: inputs.map(() => 0), temperature: 1 },
    registry,
  );
  return perturbative.prior!(
    { network: problem.network, inputs: problem.inputs, outputs: 1, evaluateAt: [], samples: 1 },
    validate(perturbative.options, {}) as PerturbativeOptions,
    inlineRun({ registry }),
  );
};

describe("warnings by the size of the expansion parameters", () => {
  const of = (logWeightStd: number, kernelFluctuation: number): string[] =>
    expansionWarnings({ logWeightStd, kernelFluctuation, relativeKernelShift: 0.1 }).map((text) => text.split(":")[0]!);
  // sizes of networks that were compared with runs of the real one (docs/theories/perturbative.md, "When it holds")
  it.each([
    [0.64, 0.07, []],
    [1.6, 0.45, []],
    [2.4, 0.41, []],
    [3.5, 0.2, []],
    [4.4, 0.44, ["the log evidence is doubtful"]],
    [5, 0.79, ["first-order corrections are doubtful", "the log evidence is doubtful"]],
    [3.2, 1.8, ["not perturbative", "the log evidence is doubtful"]],
  ] as const)("s = %d, κ = %d", (s, kappa, warned) => expect(of(s, kappa)).toEqual(warned));
});

describe("second moments obey Cauchy–Schwarz", () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])(
    "sign at nearly equal inputs (%i): a moment within bounds, and a warning where first order is not",
    async (power) => {
      const network = { widths: [10, 10], activation: "sign" };
      const inputs = [[1, 0.5], [1, 0.5 + 10 ** -power]]; // prettier-ignore
      const { secondMoment, kernelMeanShift, warnings } = await prior(inputs, network);
      const [[a, c], [, b]] = rowsOf(secondMoment!) as [[number, number], [number, number]];
      const wide = (await prior(inputs, { ...network, widths: [1e15, 1e15] })).secondMoment!.data;
      const [first, bound] = [wide[1]! + kernelMeanShift!.data[1]!, Math.sqrt(a * b)];
      expectClose([a, b], [0, 3].map((i) => wide[i]! + kernelMeanShift!.data[i]!), { relative: 1e-12 }); // prettier-ignore
      expectClose(c, Math.abs(first) <= bound ? first : Math.min(wide[1]!, bound), { relative: 1e-12 });
      expect(secondMoment!.data[2]).toBe(c);
      expect(Math.abs(c)).toBeLessThanOrEqual(Math.sqrt(a * b) * (1 + 1e-12));
      if (power > 2 && power < 7) expect(warnings.join()).toMatch(/inputs 1 and 2.*nearly parallel.*infinite-width one is given there/);
      else if (power === 0) expect(warnings.join()).not.toMatch(/nearly parallel/);
    },
  );
});

describe("variances are never negative", () => {
  it("v e^(δ/v) where v + δ is, unchanged elsewhere", () => {
    const column = (values: number[]) => matrixFromRows(values.map((value) => [value]));
    const { variance, replaced } = positiveVariance(column([2, 2, 0]), column([1.5, -1, -0.5]));
    expect(replaced).toBe(2);
    expectClose(variance.data, [1.5, 2 * Math.exp(-1.5), 0], { relative: 1e-15 });
  });

  it.each([
    ["identity", [1], 3, 1e-3, 1],
    ["erf", [2, 4], 2, 1, 0.05],
  ] as const)(
    "%s, widths %j, %i outputs: how many are replaced, and which kernels are indefinite",
    async (activation, widths, D, scale, temperature) => {
      const rows = (seed: number, n: number, m: number, size = 1): number[][] =>
        Array.from({ length: n }, (_, i) => [...stream(62, seed, i).normals(new Float64Array(m))].map((x) => size * x));
      const network = { type: "fully-connected", widths, activation };
      const problem = { network, inputs: rows(1, 4, 3), targets: rows(2, 4, D, scale), temperature };
      const { posterior, predict } = await fit(perturbative, problem, { registry, options: { engine: "exact" } });
      const { train, negativeVariances, indefiniteKernels } = posterior.diagnostics as unknown as {
        train: Record<"leadingVariance" | "varianceCorrection", number[][]>;
        negativeVariances: number;
        indefiniteKernels: number[];
      };
      const bounded = (leading: number[], correction: number[]) =>
        leading.map((v, i) => (v + correction[i]! >= 0 ? v + correction[i]! : v * Math.exp(correction[i]! / v)));
      const negative = (leading: number[], correction: number[]) => leading.filter((v, i) => v + correction[i]! < 0).length;
      const own = [train.leadingVariance.flat(), train.varianceCorrection.flat()] as const;
      expectClose(posterior.train!.variance, bounded(...own), { relative: 1e-10 });
      expect(negativeVariances).toBe(negative(...own));
      const told = posterior.warnings.join();
      if (negativeVariances > 0) expect(told).toContain(`broken down for ${negativeVariances} of ${4 * D} training variances`);
      else expect(told).not.toContain("training variances");
      const indefinite = posterior.hiddenKernels!.flatMap((kernel, l) => {
        const values = symmetricEigenvalues(kernel);
        return values[0]! < -1e-10 * values.at(-1)! ? [l + 1] : [];
      });
      expect(indefiniteKernels).toEqual(indefinite);
      if (indefinite.length > 0) expect(told).toContain(`hidden kernel of layer ${indefinite.join(", ")} is not positive semidefinite`);
      else expect(told).not.toContain("positive semidefinite");
      const found = await predict(rows(3, 5, 3));
      const { infiniteWidth, correction } = found.diagnostics as unknown as Record<
        "infiniteWidth" | "correction",
        { variance: number[][] }
      >;
      const parts = [infiniteWidth.variance.flat(), correction.variance.flat()] as const;
      expectClose(found.variance, bounded(...parts), { relative: 1e-10 });
      const count = negative(...parts);
      expect(found.warnings?.map((text) => text.split(" predictive")[0]) ?? []).toEqual(
        count > 0 ? [`first order has broken down for ${count} of ${5 * D}`] : [],
      );
    },
  );

  it.each([0, 1, 2])("narrow networks pulled hard (%i)", async (seed) => {
    const random = stream(61, seed);
    const rows = (n: number, m: number, scale: number): number[][] =>
      Array.from({ length: n }, () => [...random.normals(new Float64Array(m))].map((x) => scale * x));
    const { posterior, predict } = await fit(
      perturbative,
      {
        network: { type: "fully-connected", widths: [3, 3], activation: "erf" },
        inputs: rows(4, 3, 1),
        targets: rows(4, 1, 0.01),
        temperature: 0.05,
      },
      { registry, options: { engine: "exact" } },
    );
    const found = await predict(rows(3, 3, 1), { covariance: true });
    for (const one of [found, posterior.train!]) expect(one.variance.data.every((value) => value >= 0)).toBe(true);
    expectClose(
      [0, 4, 8].map((at) => found.covariance!.data[at]!),
      found.variance.data,
      { relative: 1e-10, absolute: 1e-14 },
    );
  });
});

it("noise below the rounding of a singular kernel is no obstacle; beside a nearly singular one it is refused or its few digits told", async () => {
  const ask = (temperature: number, ...inputs: number[][]) =>
    fit(
      perturbative,
      { network: { type: "fully-connected", widths: [10], activation: "identity" }, inputs, targets: inputs.map(([x]) => x!), temperature },
      { registry },
    );
  for (const temperature of [1e-6, 1e-12, 0.1])
    expect((await ask(temperature, [1, 2], [2, 1], [1, 1])).posterior.warnings.join()).not.toMatch(/digits/);
  // so near the first that it is a direction of its own, but hardly
  const near = [1 + 1e-6, 2];
  await expect(ask(1e-12, [1, 2], near)).rejects.toThrow(/^likelihood\.temperature: the noise 1e-12 is lost in the rounding.*"exact"/);
  expect((await ask(1e-6, [1, 2], near)).posterior.warnings.join()).toMatch(/rounding leaves about [2-4] digits/);
});

describe("bad input is named", () => {
  it("inputs of zero variance, where the activation has no derivative", async () => {
    const network = { type: "fully-connected", widths: [5], activation: "sign" };
    const problem = (inputs: number[][], more: object = {}) => ({ network: { ...network, ...more }, inputs, targets: inputs.map(() => 1), temperature: 0.1 }); // prettier-ignore
    await expect(fit(perturbative, problem([[1, 2], [0, 0]]), { registry })).rejects.toThrow(/^inputs\[1\]: expected an input with a positive variance \("sign"/); // prettier-ignore
    const fitted = await fit(perturbative, problem([[1, 2]]), { registry });
    await expect(fitted.predict([[0, 0]])).rejects.toThrow(/training inputs first.*positive variance/);
    await fit(perturbative, problem([[1, 2], [0, 0]], { biasVariance: 0.1 }), { registry }); // prettier-ignore
    await expect(fitted.predict([[1, 2, 3]])).rejects.toThrow(/^inputs: expected 2 features per row, like the training inputs, got 3/);
    expect((await fitted.predict(zeros(0, 2), { covariance: true })).covariance!.shape).toEqual([0, 0]);
  });
  it("entries of the flow of kernels, one by one", () => {
    const good = { activation: registry.activation("erf"), widths: [5, 6], weightVariance: [1, 2], biasVariance: [0, 0.1] };
    const kernel = matrixFromRows([[1, 0.2], [0.2, 2]]); // prettier-ignore
    const flow =
      (change: object, first = kernel) =>
      () =>
        vertexFlow({ ...good, ...change }, first);
    flow({})();
    expect(flow({ widths: [] })).toThrow(/^widths: expected at least one hidden layer/);
    expect(flow({ widths: [5, 0] })).toThrow(/^widths\[1\]: expected a positive integer, got 0/);
    expect(flow({ widths: [5.5, 6] })).toThrow(/^widths\[0\]/);
    expect(flow({ weightVariance: [1] })).toThrow(/^weightVariance: expected 2 numbers/);
    expect(flow({ biasVariance: [0, 0, 0] })).toThrow(/^biasVariance: expected 2 numbers/);
    expect(flow({ weightVariance: [1, 0] })).toThrow(/^weightVariance\[1\]: expected a positive number, got 0/);
    expect(flow({ weightVariance: [Infinity, 1] })).toThrow(/^weightVariance\[0\]/);
    expect(flow({ biasVariance: [-0.1, 0] })).toThrow(/^biasVariance\[0\]: expected a number ≥ 0, got -0\.1/);
    expect(flow({}, zeros(1, 2))).toThrow(/^firstKernel: expected a square matrix/);
    expect(flow({}, matrixFromRows([[1, NaN], [NaN, 1]]))).toThrow(/^firstKernel\[0\]\[1\]: expected a finite number/); // prettier-ignore
    expect(flow({}, matrixFromRows([[1, 0], [0, -1]]))).toThrow(/^firstKernel\[1\]\[1\]: expected a variance ≥ 0, got -1/); // prettier-ignore
    expect(flow({ activation: registry.activation("sign") }, matrixFromRows([[1, 0], [0, 0]]))).toThrow(/^firstKernel\[1\]\[1\]: expected a positive variance: sign/); // prettier-ignore
    flow({}, matrixFromRows([[1, 0], [0, 0]]))(); // prettier-ignore
    expect(() => outputDensityFactor([1], { kernel: 0, variance: 1, meanShift: 0 })).toThrow(
      /^kernel: expected a positive variance, got 0/,
    );
  });
  it("connections and sizes of linear networks with skips", () => {
    const skips = (variances: number[][], widths: number[]) => () => skipCoefficients(variances, widths);
    skips([[], [1], [0.5, 0.2]], [4])();
    expect(skips([[], [1]], [])).toThrow(/^variances: expected one row per layer/);
    expect(skips([[], [1], [0.5, 0.2]], [4, 5])).toThrow(/^widths: expected 1 widths, one per hidden layer/);
    expect(skips([[], [1], [0.5, -0.2]], [4])).toThrow(/^variances\[2\]\[1\]: expected a number ≥ 0, got -0\.2/);
    expect(skips([[], [1], [0, 0]], [4])).toThrow(/^variances\[2\]: expected at least one incoming connection/);
    const residual = { layers: 3, width: 5, identityVariance: 0.5, weightVariance: 0.7 };
    expect(() => identityResidualCoefficients({ ...residual, layers: 0 })).toThrow(/^layers: expected a positive integer, got 0/);
    expect(() => identityResidualCoefficients({ ...residual, width: 1.5 })).toThrow(/^width: expected a positive integer, got 1\.5/);
    expect(() => identityResidualCoefficients({ ...residual, identityVariance: -1 })).toThrow(
      /^identityVariance: expected a number ≥ 0, got -1/,
    );
    // without skips: m_l = b^{2l}, c_l = l b^{4l}/N, of a first layer of variance 1
    const { mean, covariance } = identityResidualCoefficients({ ...residual, identityVariance: 0 });
    expectClose([...mean], [1, 0.7, 0.49], { relative: 1e-14 });
    expectClose([...covariance], [1 / 5, (2 * 0.49) / 5, (3 * 0.49 ** 2) / 5], { relative: 1e-12 });
  });
});
