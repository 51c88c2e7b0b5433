import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, inlineRun, matrixFromRows, resolveNetworkInput, validate, type Figure, type Matrix } from "@finitewidth/core";
import { addDiagonal, lu, solve } from "@finitewidth/linalg";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, normalMatrix } from "../../../tools/testing.ts";
import { exact, multiOutputPrior, plugin } from "../src/index.js";
import { layersOf, testRegistry } from "./registry.ts";

describe("exact, mean-field scaling", () => {
  it("reports the mixing variable in the units of its rate function: N·(E q − q*) tends to a constant", async () => {
    const registry = createRegistry([activations, priorFc, plugin]);
    const inputs = [
      [1, 0.3, -0.5],
      [0.2, -1.1, 0.4],
      [-0.6, 0.8, 1.2],
    ];
    const meanQ = async (N: number): Promise<number> => {
      const network = { type: "fully-connected", widths: [N], activation: "identity" };
      const { posterior } = await fit(
        exact,
        { network, inputs, targets: [2, -1.5, 0.7], temperature: 0.3, scaling: "mean-field" },
        { registry },
      );
      return posterior.orderParameter as number;
    };
    const [a, b, c] = [await meanQ(200), await meanQ(400), await meanQ(800)];
    expect(a).toBeGreaterThan(1);
    expect((a - b) / (b - c)).toBeCloseTo(2, 1);
  });
});

describe("exact, prior of a network narrower than its outputs", () => {
  it("gives the moments and leaves out densities, which do not exist, with a warning", async () => {
    const registry = createRegistry([activations, priorFc, plugin]);
    const network = resolveNetworkInput({ type: "fully-connected", widths: [1], activation: "identity" }, registry);
    const problem = {
      network,
      inputs: matrixFromRows([
        [1, 0.5],
        [0.2, -1],
      ]),
      outputs: 3,
      evaluateAt: [
        matrixFromRows([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      ],
      samples: 1,
    };
    const result = await exact.prior!(problem, validate(exact.options, {}), inlineRun({ registry }));
    expect(result.excessKurtosis![0]).toBeCloseTo(6, 12);
    expect(result.logDensity).toBeUndefined();
    expect(result.warnings).toEqual([
      "log densities are left out: a width of 1 confines the 3 outputs to a subspace, where they have no density",
    ]);
  });
});

describe("what is said of the mixing variable of one output", () => {
  const registry = testRegistry();
  const inputs = [
    [1, 0.3, -0.5],
    [0.2, -1.1, 0.4],
  ];
  const densityOf = (figures: readonly Figure[] | undefined) => {
    const [figure] = figures!;
    if (figure!.kind !== "density") throw new Error(figure!.kind);
    return figure!;
  };
  /** ∫ y f(log x) d log x by the trapezoidal rule. */
  const integral = (x: ArrayLike<number>, y: ArrayLike<number>, f: (u: number) => number): number => {
    let sum = 0;
    for (let i = 1; i < x.length; i++) {
      const [a, b] = [Math.log(x[i - 1]!), Math.log(x[i]!)];
      sum += 0.5 * (b - a) * (y[i - 1]! * f(a) + y[i]! * f(b));
    }
    return sum;
  };

  it("without data, two units: q/0.7 is an exponential variable", async () => {
    const network = { type: "fully-connected", widths: [2], activation: "identity", weightVariance: [1.3, 0.7] };
    const { posterior } = await fit(exact, { network, inputs, targets: [1, -1], temperature: 1e9 }, { registry });
    const { diagnostics, state, solver, figures } = posterior;
    expectClose(posterior.orderParameter as number, 0.7, { relative: 1e-7 });
    const euler = 0.5772156649015329;
    expectClose(diagnostics["meanLogQ"] as number, Math.log(0.7) - euler, { relative: 1e-7 });
    expectClose(diagnostics["deviationLogQ"] as number, Math.PI / Math.sqrt(6), { relative: 1e-7 });
    const { levels, values } = diagnostics["quantiles"] as unknown as { levels: number[]; values: number[] };
    expect(levels).toEqual([0.025, 0.25, 0.5, 0.75, 0.975]);
    const nodes = (state as { logQ: Float64Array }).logQ;
    const spacing = nodes[1]! - nodes[0]!;
    // linear interpolation between nodes of the quadrature
    expectClose(
      values,
      levels.map((p) => -0.7 * Math.log(1 - p)),
      { relative: spacing ** 2 },
    );
    expect(diagnostics["modes"]).toHaveLength(1);
    expectClose((diagnostics["modes"] as number[])[0]!, 0.7, { relative: spacing });
    expect(diagnostics).toMatchObject({ method: "quadrature", nodes: nodes.length, rank: 2 });
    expect([solver.converged, solver.iterations]).toEqual([true, nodes.length]);
    const { series, marks } = densityOf(figures);
    expect(series.map(({ label }) => label)).toEqual(["prior", "posterior"]);
    for (const { label, x, y } of series) {
      expectClose(
        integral(x, y, () => 1),
        1,
        { absolute: 2e-3 },
        label,
      );
      expectClose(
        integral(x, y, (u) => u),
        Math.log(0.7) - euler,
        { absolute: 5e-3 },
        label,
      );
    }
    expect(marks!.map(({ label }) => label)).toEqual(["infinite width", "posterior mean"]);
    expectClose(
      marks!.map(({ x }) => x),
      [0.7, posterior.orderParameter as number],
      { relative: 1e-12 },
    );
  });

  it("with more points than features its density is still one", async () => {
    const network = { type: "fully-connected", widths: [3], activation: "identity" };
    const many = [...inputs, [-0.7, 0.4, 0.9], [1.2, 0.1, 0.3], [0.5, 0.5, -1.4], [-0.2, 0.8, 0.6]];
    const { posterior } = await fit(exact, { network, inputs: many, targets: [1, -1, 1, 1, -1, 1], temperature: 0.1 }, { registry });
    const { x, y } = densityOf(posterior.figures).series.find(({ label }) => label === "posterior")!;
    expectClose(
      integral(x, y, () => 1),
      1,
      { relative: 1e-9 },
    );
    expectClose(
      integral(x, y, (u) => u),
      posterior.diagnostics["meanLogQ"] as number,
      { relative: 1e-9 },
    );
  });

  it("two residual layers: their mean as the mark of infinite width, and the log-normal trunk beside the prior", async () => {
    const residual = { layer: "residual", body: [{ layer: "dense", width: 6, weightVariance: 0.5 }], skip: 0.8, branch: 0.6 };
    const layers = [{ layer: "dense", width: 6 }, residual, residual, { layer: "dense", weightVariance: 1.7 }];
    const network = { type: "sequential", inputShape: [3], layers };
    const { posterior } = await fit(exact, { network, inputs, targets: [1, -1], temperature: 1e9 }, { registry });
    const { series, marks } = densityOf(posterior.figures);
    expect(series.map(({ label }) => label)).toEqual(["prior", "posterior", "prior, log-normal trunk"]);
    expectClose(marks![0]!.x, posterior.orderParameter as number, { relative: 1e-6 });
    expectClose(marks![0]!.x, 1.7 * (0.64 + 0.36 * 0.5) ** 2, { relative: 1e-12 });
    for (const { label, x, y } of series)
      expectClose(
        integral(x, y, () => 1),
        1,
        { absolute: 5e-3 },
        label,
      );
    // moments of log q are those of the layers, Gaussian or not
    const mean = posterior.diagnostics["meanLogQ"] as number;
    for (const { label, x, y } of series)
      expectClose(
        integral(x, y, (u) => u),
        mean,
        { absolute: 0.02 },
        label,
      );
  });
});

describe("prior of two outputs with biases of all layers", () => {
  const registry = testRegistry();
  const run = inlineRun({ registry, seed: 3 });
  const networks = [
    { type: "fully-connected", widths: [3, 4], activation: "identity", weightVariance: [1.3, 0.8, 1.2], biasVariance: [0.2, 0.4, 0.5] },
    {
      type: "convolutional",
      inputShape: [1, 4],
      layers: [
        { channels: 3, kernelSize: [2], stride: [2], padding: "valid" },
        { channels: 2, kernelSize: [2], padding: "valid" },
      ],
      readout: "flatten",
      activation: "identity",
      weightVariance: [1.3, 0.8, 1.2],
      biasVariance: [0.2, 0.4, 0.5],
    },
  ];
  it.each(networks.map((network) => [network.type, network] as const))(
    "%s: density and fourth moments are averages over drawn covariances",
    async (_, given) => {
      const network = resolveNetworkInput(given, registry);
      const inputs: Matrix = { data: Float64Array.of(1, -0.4, 0.7, 0.3, -0.2, 0.9, 0.1, -1.1), shape: [2, 4] };
      const value: Matrix = { data: Float64Array.of(0.8, -0.5, 0.3, 1.4), shape: [2, 2] };
      const found = await exact.prior!(
        { network, inputs, outputs: 2, evaluateAt: "widths" in given ? [value] : [], samples: 1 },
        { draws: 1000 },
        run,
      );
      const prior = multiOutputPrior(layersOf(network), 2);
      const random = stream(44);
      const [draws, n] = [given.type === "convolutional" ? 4000 : 12_000, 2];
      const y: Matrix = { data: Float64Array.of(0.8, 0.3, -0.5, 1.4), shape: [4, 1] };
      const terms = 1 + 2 * n ** 4;
      const [sums, squares] = [new Float64Array(terms), new Float64Array(terms)];
      for (let k = 0; k < draws; k++) {
        const c = prior.sampleCovariance(inputs, random);
        const at = (i: number, j: number): number => c.data[i * 4 + j]!;
        const alpha = solve(addDiagonal(c, 0), y).data;
        const quadratic = alpha.reduce((sum, weight, i) => sum + weight * y.data[i]!, 0);
        const drawn = [Math.exp(-0.5 * (quadratic + lu(c).logAbsoluteDeterminant) - 2 * Math.log(2 * Math.PI))];
        for (let p = 0; p < n ** 4; p++) {
          const [i, j, l, m] = [p >> 3, (p >> 2) & 1, (p >> 1) & 1, p & 1];
          // one output, then outputs 1, 1, 2, 2
          drawn.push(at(i, j) * at(l, m) + at(i, l) * at(j, m) + at(i, m) * at(j, l));
          drawn.push(at(i, j) * at(2 + l, 2 + m) + at(i, 2 + l) * at(j, 2 + m) + at(i, 2 + m) * at(j, 2 + l));
        }
        drawn.forEach((term, i) => {
          sums[i]! += term / draws;
          squares[i]! += (term * term) / draws;
        });
      }
      const errors = squares.map((square, i) => Math.sqrt((square - sums[i]! ** 2) / draws));
      const s = (i: number, j: number): number => found.secondMoment!.data[i * n + j]!;
      const expected = Array.from({ length: n ** 4 }, (__, p) => {
        const [i, j, l, m] = [p >> 3, (p >> 2) & 1, (p >> 1) & 1, p & 1];
        return [
          found.fourthCumulant!.data[p]! + s(i, j) * s(l, m) + s(i, l) * s(j, m) + s(i, m) * s(j, l),
          found.kernelCovariance!.data[p]! + s(i, j) * s(l, m),
        ];
      });
      // over sites the density takes a sampler: one output has its own test
      const density = found.logDensity ? Math.exp(found.logDensity[0]!) : sums[0]!;
      errors[0] = Math.hypot(errors[0]!, density * ((found.standardError?.logDensity as Float64Array | undefined)?.[0] ?? 0));
      expectWithinStandardErrors([density, ...expected.flat()], sums, errors, 4.5, "density, fourth moments");
      for (const i of [0, 1])
        expectClose(found.excessKurtosis![i]!, found.fourthCumulant!.data[15 * i]! / s(i, i) ** 2, { relative: 1e-12 });
      expect(found.kernelMeanShift).toEqual({ data: new Float64Array(4), shape: [2, 2] });
    },
  );
});

it("a pooled convolution with more than 300 targets says that it leaves its hidden kernels out", async () => {
  const registry = testRegistry();
  const network = {
    type: "convolutional",
    inputShape: [1, 2],
    layers: [{ channels: 3, kernelSize: [1], padding: "valid" }],
    readout: "global-average",
    activation: "identity",
  };
  const random = stream(45);
  const of = (points: number) => ({
    network,
    inputs: normalMatrix(random, points, 2),
    targets: { data: random.normals(new Float64Array(points)), shape: [points, 1] as const },
    temperature: 0.5,
  });
  const [many, few] = [await fit(exact, of(301), { registry }), await fit(exact, of(20), { registry })];
  expect(many.posterior.warnings).toEqual(["hidden kernels of a convolution are left out for more than 300 targets"]);
  expect(Object.keys(many.posterior)).not.toContain("hiddenKernels");
  expect(few.posterior.warnings).toEqual([]);
  expect(few.posterior.hiddenKernels!.map(({ shape }) => shape)).toEqual([[20, 20]]);
});
