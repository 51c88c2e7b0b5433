import { resolveArchitecture, resolveNetworkInput, type Matrix, type Tensor } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { conditionReadout } from "../src/index.js";
import type { MonteCarloState } from "../src/posterior/fit.js";
import { randomMatrix, registry, sample } from "./helpers.js";

const [chains, draws, points, tests, outputs] = [3, 40, 4, 3, 2];
const data = { inputs: randomMatrix(points, 3, 1), targets: randomMatrix(points, outputs, 2), temperature: 0.3 };
const at = randomMatrix(tests, 3, 3);
const options = { chains, draws, warmup: 30 };
/** Four batches of ten draws for each chain. */
const batches = 12;

const average = (rows: readonly ArrayLike<number>[]): number[] =>
  Array.from(rows[0]!, (_, i) => rows.reduce((sum, row) => sum + row[i]! / rows.length, 0));
/** Averages of successive tens, and the error of their mean. */
const overBatches = (rows: readonly ArrayLike<number>[]) => {
  const means = Array.from({ length: batches }, (_, b) => average(rows.slice(10 * b, 10 * b + 10)));
  const mean = average(means);
  const error = mean.map((m, i) => Math.sqrt(means.reduce((sum, row) => sum + (row[i]! - m) ** 2, 0) / (batches * (batches - 1))));
  return { means, mean, error };
};
const tolerance = { relative: 1e-9, absolute: 1e-12 };

describe.each([
  { widths: [5], activation: "tanh", weightVariance: [1.3, 0.7], biasVariance: [0.2, 0.4] },
  { widths: [3, 6], activation: "erf", weightVariance: [0.9, 1.4, 0.6], biasVariance: [0.1, 0, 0.3] },
])("averages of a network of widths $widths with two outputs", (network) => {
  const architecture = resolveArchitecture(registry, resolveNetworkInput({ type: "fully-connected", ...network }, registry));
  const [train, test] = [data.inputs, at].map((inputs) => realise(architecture, inputs, outputs));
  const run = sample(network, data, options, { seed: 7 });

  /** What every kept draw says, one after the other. */
  async function drawn() {
    const { theta } = (await run).posterior.state as MonteCarloState;
    const hidden = theta.shape[2]!;
    return Array.from({ length: chains * draws }, (_, k) => {
      const full = new Float64Array(train!.parameters);
      full.set(theta.data.subarray(k * hidden, (k + 1) * hidden));
      const state = train!.forward(full);
      const kernels = state.hiddenKernels().map((kernel) => kernel.data.slice());
      const readout = conditionReadout(state.features, Math.sqrt(network.biasVariance.at(-1)!), data.targets, data.temperature);
      const norm = readout.readoutNorm().data;
      const own = readout.train();
      const features = test!.forward(full).features;
      const { mean, variance } = readout.predict(features);
      return {
        kernels,
        norm,
        logLikelihood: readout.logLikelihood,
        train: { mean: own.mean.data.slice(), variance: own.variance.slice() },
        test: { mean: mean.data.slice(), variance: variance.slice(), covariance: readout.covariance(features).data.slice() },
      };
    });
  }
  const second = ({ mean, variance }: { readonly mean: Float64Array; readonly variance: Float64Array }) =>
    mean.map((m, i) => m * m + variance[Math.floor(i / outputs)]!);

  it("outputs at training and test inputs, with the errors of their batches", async () => {
    const { posterior, predict } = await run;
    const each = await drawn();
    for (const [where, found] of [
      ["train", posterior.train!],
      ["test", await predict(at)],
    ] as const) {
      // prettier-ignore
      const m = overBatches(each.map((draw) => draw[where].mean));
      const s = overBatches(each.map((draw) => second(draw[where])));
      expectClose(found.mean, m.mean, tolerance);
      expectClose(
        found.variance,
        s.mean.map((value, i) => value - m.mean[i]! ** 2),
        tolerance,
      );
      expectClose(found.standardError!.mean, m.error, tolerance);
      const influence = m.mean.map((mean, i) => s.means.map((row, b) => row[i]! - 2 * mean * m.means[b]![i]!));
      const errors = influence.map((values) => {
        const centre = values.reduce((sum, value) => sum + value / batches, 0);
        return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (batches * (batches - 1)));
      });
      expectClose(found.standardError!.variance, errors, { relative: 1e-7 });
    }
  });

  it("joint covariances of test points and outputs", async () => {
    const each = await drawn();
    const { mean, covariance } = await (await run).predict(at, { covariance: true });
    const size = tests * outputs;
    const expected = Array.from({ length: size * size }, (_, k) => {
      const [i, j] = [Math.floor(k / size), k % size];
      const within = i % outputs === j % outputs ? Math.floor(i / outputs) * tests + Math.floor(j / outputs) : undefined;
      const product = average(each.map(({ test: { mean: m, covariance: c } }) => [m[i]! * m[j]! + (within === undefined ? 0 : c[within]!)]))[0]!; // prettier-ignore
      return product - mean.data[i]! * mean.data[j]!;
    });
    expect(covariance!.shape).toEqual([size, size]);
    expectClose(covariance!, expected, { relative: 1e-8, absolute: 1e-12 });
  });

  it("hidden kernels, the norm of the readout, traces and their figure", async () => {
    const { posterior } = await run;
    const each = await drawn();
    posterior.hiddenKernels!.forEach((kernel, l) => {
      const { mean, error } = overBatches(each.map(({ kernels }) => kernels[l]!));
      expectClose(kernel, mean, tolerance, `kernel ${l + 1}`);
      expectClose(posterior.standardError!.hiddenKernels![l]!, error, tolerance, `error of kernel ${l + 1}`);
    });
    const { mean, error } = overBatches(each.map(({ norm }) => norm));
    expectClose(posterior.diagnostics["readoutNorm"] as number[], mean, tolerance);
    if (network.widths.length === 1) {
      expectClose(posterior.orderParameter as Matrix, mean, tolerance);
      expectClose(posterior.standardError!.orderParameter as Matrix, error, tolerance);
    } else expect([posterior.orderParameter, posterior.standardError!.orderParameter]).toEqual([undefined, undefined]);
    const traces = posterior.diagnostics["traces"] as Record<string, { mean: number }>;
    const traced = (of: (draw: (typeof each)[number]) => number) => average(each.map((draw) => [of(draw)]))[0]!;
    expectClose(traces["log likelihood"]!.mean, traced(({ logLikelihood }) => logLikelihood), tolerance); // prettier-ignore
    expectClose(
      traces["readout norm"]!.mean,
      traced(({ norm }) => norm[0]! + norm[3]!),
      tolerance,
    );
    network.widths.forEach((_, l) =>
      expectClose(
        traces[`trace of hidden kernel ${l + 1}`]!.mean,
        traced(({ kernels }) => [0, 5, 10, 15].reduce((sum, i) => sum + kernels[l]![i]!, 0)),
        tolerance,
      ),
    );
    const outputsTraced = Object.keys(traces).filter((name) => name.startsWith("f["));
    expect(outputsTraced.length).toBeGreaterThan(3);
    for (const name of outputsTraced) {
      const [point, d] = name.match(/\d+/g)!.map(Number) as [number, number];
      expectClose(traces[name]!.mean, traced(({ train: { mean: m } }) => m[point * outputs + d]!), tolerance, name); // prettier-ignore
    }
    const { series } = posterior.figures![0] as unknown as { series: { label: string; x: Float64Array; y: Float64Array }[] };
    expect(series.map(({ label }) => label)).toEqual(["chain 1", "chain 2", "chain 3"]);
    const { logLikelihood } = posterior.state as MonteCarloState;
    series.forEach(({ x, y }, c) => {
      expect([...x]).toEqual(Array.from({ length: draws }, (_, k) => k));
      expectClose(y, each.slice(c * draws, (c + 1) * draws).map((draw) => draw.logLikelihood), tolerance); // prettier-ignore
      expect([...y]).toEqual([...logLikelihood.data.subarray(c * draws, (c + 1) * draws)]);
    });
  });

  it("stored draws are spread over the chain, and do not change it", async () => {
    const { posterior } = await sample(network, data, { ...options, storedDraws: 10 }, { seed: 7 });
    const all = (await run).posterior;
    const [few, full] = [posterior, all].map(({ state }) => (state as MonteCarloState).theta) as [Tensor, Tensor];
    const hidden = full.shape[2]!;
    expect(few.shape).toEqual([chains, 10, hidden]);
    for (let c = 0; c < chains; c++)
      for (let k = 0; k < 10; k++)
        expect(few.data.subarray((c * 10 + k) * hidden, (c * 10 + k + 1) * hidden)).toEqual(
          full.data.subarray((c * draws + 4 * k + 3) * hidden, (c * draws + 4 * k + 4) * hidden),
        );
    expect(posterior.train).toEqual(all.train);
    expect(posterior.diagnostics).toEqual({ ...all.diagnostics, storedDraws: 10 });
    expect(posterior.diagnostics).toMatchObject({ chains, draws, sampler: "hmc", readout: "integrated out" });
    expect(posterior.solver.iterations).toBe(chains * (draws + 30));
  });
});
