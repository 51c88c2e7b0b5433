import { createProblem, fit, resolveArchitecture, resolveNetworkInput } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { plugin as likelihoods, softmaxLikelihood } from "@finitewidth/likelihoods";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import type { NetworkDrawsState } from "../src/likelihood/fit.js";
import { sampleNetworkIsland } from "../src/likelihood/island.js";
import { monteCarlo } from "../src/index.js";
import { randomMatrix, registryWith } from "./helpers.js";

const registry = registryWith(likelihoods);
const network = { type: "fully-connected", widths: [4, 3], activation: "tanh", weightVariance: [1.2, 0.9, 3], biasVariance: [0.2, 0, 0.3] };
const architecture = resolveArchitecture(registry, resolveNetworkInput(network, registry));
const [inputs, at] = [randomMatrix(5, 2, 1), randomMatrix(3, 2, 2)];

describe("draws of all weights, two classes", () => {
  const run = fit(
    monteCarlo,
    { network, inputs, targets: [1, -1, 1, 1, -1], likelihood: { type: "logistic" } },
    { registry, options: { chains: 2, draws: 60 }, seed: 3 },
  );

  it("predict what a loop over the stored draws says, with the errors of independent chains", async () => {
    const { posterior, predict } = await run;
    const { theta, weights, chains } = posterior.state as NetworkDrawsState;
    const found = await predict(at);
    const real = realise(architecture, at, 1);
    expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    const draws = Array.from(weights, (weight, k) => {
      const f = real.forward(theta.data.subarray(k * theta.shape[1], (k + 1) * theta.shape[1])).outputs.data.slice();
      return { weight, chain: chains[k]!, f, p: f.map((value) => 1 / (1 + Math.exp(-value))) };
    });
    const count = chains.at(-1)! + 1;
    expect(count).toBe(posterior.diagnostics["chains"]);
    expect(posterior.diagnostics["storedDraws"]).toBe(weights.length);
    for (let i = 0; i < 3; i++) {
      const mean = draws.reduce((sum, { weight, f }) => sum + weight * f[i]!, 0);
      expectClose(found.mean.data[i]!, mean, { relative: 1e-10 });
      expectClose(
        found.variance.data[i]!,
        draws.reduce((sum, { weight, f }) => sum + weight * (f[i]! - mean) ** 2, 0),
        { relative: 1e-9 },
      );
      const classes = found.probabilities!.shape[1];
      const positive = draws.reduce((sum, { weight, p }) => sum + weight * p[i]!, 0);
      expectClose(found.probabilities!.data[i * classes + classes - 1]!, positive, { relative: 1e-10 });
      if (classes === 2) expectClose(found.probabilities!.data[2 * i]!, 1 - positive, { relative: 1e-10 });
      // chains of weight w_c: Σ (w_c (m_c − m))², up to the factor of a small sample
      const perChain = Array.from({ length: count }, (_, c) => draws.filter(({ chain }) => chain === c)).map((own) => {
        const weight = own.reduce((sum, draw) => sum + draw.weight, 0);
        return { weight, mean: own.reduce((sum, draw) => sum + draw.weight * draw.f[i]!, 0) / weight };
      });
      const square = perChain.reduce((sum, chain) => sum + (chain.weight * (chain.mean - mean)) ** 2, 0);
      const ratio = found.standardError!.mean.data[i]! ** 2 / square;
      expect(ratio).toBeGreaterThan(0.99);
      expect(ratio).toBeLessThan(1 + 2 / (count - 1) + 0.2);
    }
  });

  it("report hidden kernels between the training points, averaged over all draws", async () => {
    const { posterior } = await run;
    const { theta, weights } = posterior.state as NetworkDrawsState;
    const real = realise(architecture, inputs, 1);
    const sums = [new Float64Array(25), new Float64Array(25)];
    weights.forEach((weight, k) =>
      real
        .forward(theta.data.subarray(k * theta.shape[1], (k + 1) * theta.shape[1]))
        .hiddenKernels()
        .forEach(({ data }, l) => data.forEach((value, i) => (sums[l]![i]! += weight * value))),
    );
    expect(posterior.hiddenKernels!.map(({ shape }) => shape)).toEqual([
      [5, 5],
      [5, 5],
    ]);
    const every = posterior.diagnostics["draws"] === posterior.diagnostics["storedDraws"];
    posterior.hiddenKernels!.forEach((kernel, l) => {
      if (every) expectClose(kernel, sums[l]!, { relative: 1e-9 });
      else
        kernel.data.forEach((value, i) =>
          expect(Math.abs(value - sums[l]![i]!)).toBeLessThan(5 * posterior.standardError!.hiddenKernels![l]!.data[i]! + 1e-9),
        );
    });
    expect(every).toBe(true);
    // training outputs are predictions at the training inputs
    const again = await (await run).predict(inputs);
    for (const part of ["mean", "variance", "probabilities"] as const)
      expectClose(again[part]!, posterior.train![part]!.data, { relative: 1e-8 });
  });
});

it("an island keeps the last draws of its particles, whose outputs, likelihoods and kernels belong together", async () => {
  const problem = createProblem({ network, inputs, targets: [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]], likelihood: { type: "softmax", scale: 0.7 } }, registry); // prettier-ignore
  const [particles, draws, stored] = [3, 4, 2];
  const chunk = (kept: number) => ({ problem, particles, draws, stored: kept, burnIn: 3, seed: 4, indices: [1, 2] });
  const run = (kept: number) => sampleNetworkIsland.run(chunk(kept), { registry, tick: () => {} });
  const [all, last] = [await run(draws), await run(stored)];
  const real = realise(architecture, inputs, 2);
  const observation = softmaxLikelihood(0.7).observe(problem.targets);
  const p = real.parameters;
  const sums = Array.from({ length: particles }, () => [new Float64Array(25), new Float64Array(25)]);
  for (let at = 0; at < particles * draws; at++) {
    const state = real.forward(all.theta.data.subarray(at * p, (at + 1) * p));
    expectClose(all.latents.data.slice(10 * at, 10 * at + 10), state.outputs.data, { relative: 1e-12 });
    expectClose(all.logLikelihoods[at]!, observation.evaluate(state.outputs.data), { relative: 1e-10 });
    state.hiddenKernels().forEach(({ data }, l) => data.forEach((value, i) => (sums[Math.floor(at / draws)]![l]![i]! += value)));
  }
  for (const l of [0, 1]) expectClose(all.hiddenKernels[l]!, sums.flatMap((each) => [...each[l]!]), { relative: 1e-11 }); // prettier-ignore
  // few trajectories are rejected
  expect(new Set(all.logLikelihoods).size).toBeGreaterThan(6);
  expect(last.theta.shape).toEqual([particles * stored, p]);
  for (let k = 0; k < particles; k++)
    expect(last.theta.data.slice(k * stored * p, (k + 1) * stored * p)).toEqual(
      all.theta.data.slice((k * draws + 2) * p, (k + 1) * draws * p),
    );
  expect([last.latents, last.hiddenKernels, last.acceptance]).toEqual([all.latents, all.hiddenKernels, all.acceptance]);
});
