import {
  createProblem,
  createRegistry,
  FinitewidthError,
  inlineRun,
  validate,
  type Network,
  type Plugin,
  type Run,
} from "@finitewidth/core";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { theoryChecks } from "@finitewidth/core/conformance";
import { defineActivation, plugin as activations } from "@finitewidth/activations";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { poolRun } from "@finitewidth/workers";
import { describe, expect, it } from "vitest";
import { logEvidence, monteCarlo, networkReferee, plugin } from "../src/index.js";
import { randomMatrix, registry, registryWith, sample } from "./helpers.js";

const data = { inputs: randomMatrix(5, 3, 1), targets: randomMatrix(5, 1, 2), temperature: 0.2 };
const quick = { chains: 2, draws: 40, warmup: 40 };

describe("conformance", () => {
  const problem = { network: { type: "fully-connected", widths: [4], activation: "erf" }, ...data };
  const checks = theoryChecks(monteCarlo as never, {
    registry,
    cases: [
      { problem, testInputs: randomMatrix(3, 3, 3), options: { ...quick, draws: 300 }, tolerance: 0.2 },
      {
        problem: {
          network: {
            type: "convolutional",
            inputShape: [1, 3],
            layers: [{ channels: 3, kernelSize: 2, padding: "circular" }],
            activation: "relu",
            biasVariance: 0.1,
          },
          ...data,
          targets: randomMatrix(5, 2, 4),
        },
        testInputs: randomMatrix(3, 3, 3),
        options: quick,
        tolerance: 1,
      },
    ],
    refused: { ...problem, temperature: 0 },
  });
  for (const check of checks) it(check.name, check.run);
});

describe("options", () => {
  it("have the documented defaults", () => {
    expect(validate(monteCarlo.options, {}, "options")).toEqual({
      sampler: "hmc",
      shifts: false,
      chains: 4,
      draws: 1000,
      warmup: 500,
      target: "posterior",
      readout: "integrated",
      metric: "unit",
      evidence: false,
      gradients: false,
    });
  });
  it.each([
    [{ sampler: "nuts" }, /options.sampler: expected one of "hmc", "mala", "langevin", "gibbs", got "nuts"/],
    [{ chains: 0 }, /options.chains: expected a positive integer, got 0/],
    [{ draws: 3 }, /options.draws: expected an integer ≥ 8, got 3/],
    [{ warmup: -1 }, /options.warmup/],
    [{ stepSize: 0 }, /options.stepSize: expected a positive number, got 0/],
    [{ targetAcceptance: 1 }, /options.targetAcceptance/],
    [{ target: "prior" }, /options.target/],
  ])("%j is rejected", (options, message) => {
    expect(() => validate(monteCarlo.options, options, "options")).toThrow(message);
  });
  it("refusals say what to use instead", async () => {
    const network = { widths: [4], activation: "relu" };
    await expect(sample(network, { ...data, temperature: 0 })).rejects.toThrow(/T > 0.*use exact or effective-action/);
    await expect(sample(network, data, { sampler: "gibbs" })).rejects.toThrow(/only linear networks/);
    await expect(sample({ ...network, activation: "sign" }, data, { sampler: "langevin" })).rejects.toThrow(/vanish; use "sampler": "hmc"/);
    await expect(sample({ widths: [4], activation: "relu" }, data, { sampler: "langevin", warmup: 0, draws: 10 })).rejects.toThrow(
      /stepSize/,
    );
  });
});

describe("what samplers are told, they do", () => {
  const report = async (options: Record<string, unknown>, widths: readonly number[] = [4], activation = "erf") => {
    const { diagnostics } = (await sample({ widths, activation }, data, { chains: 2, draws: 60, warmup: 60, ...options })).posterior;
    const acceptance = diagnostics["acceptance"] as number[];
    return { acceptance: (acceptance[0]! + acceptance[1]!) / 2, stepSize: diagnostics["stepSize"] as number[], gradients: diagnostics["gradients"] as number }; // prettier-ignore
  };
  it("steps are as long as the wanted acceptance allows", async () => {
    for (const options of [{}, { integrator: "rotation" }, { sampler: "mala" }, { metric: "diagonal" }]) {
      const [often, seldom] = [await report({ ...options, targetAcceptance: 0.95 }), await report({ ...options, targetAcceptance: 0.5 })];
      expect(often.acceptance, JSON.stringify(options)).toBeGreaterThan(0.85);
      expect(seldom.acceptance, JSON.stringify(options)).toBeLessThan(0.8);
      expect(Math.max(...often.stepSize), JSON.stringify(options)).toBeLessThan(Math.min(...seldom.stepSize));
    }
  });
  it("one gradient a draw of Langevin dynamics, adjusted or not; sweeps of Gibbs sampling take one for every label and layer", async () => {
    const langevin = await report({ sampler: "langevin", stepSize: 0.01 });
    expect(langevin).toMatchObject({ acceptance: 1, stepSize: [0.01, 0.01], gradients: 2 * 120 });
    const tuned = await report({ sampler: "langevin" });
    expect(tuned.stepSize[0]).not.toBe(tuned.stepSize[1]);
    expect(Math.max(...tuned.stepSize)).toBeLessThan(0.5);
    const mala = await report({ sampler: "mala" });
    expect(mala.gradients).toBeGreaterThanOrEqual(2 * 120);
    expect(mala.gradients).toBeLessThan(2 * 150);
    const gibbs = await report({ sampler: "gibbs", draws: 20, warmup: 10 }, [2, 3], "identity");
    expect(gibbs).toEqual({ acceptance: 1, stepSize: [0, 0], gradients: 2 * 30 * 3 * 5 });
  });
});

describe("a run that did not mix says so", () => {
  it("in warnings, in the diagnostics and in the solver's report", async () => {
    // steps far too small to move
    const { posterior } = await sample({ widths: [4], activation: "erf" }, data, {
      sampler: "langevin",
      stepSize: 1e-6,
      draws: 100,
      warmup: 10,
      chains: 4,
    });
    expect(posterior.solver.converged).toBe(false);
    expect(posterior.diagnostics["mixed"]).toBe(false);
    expect(posterior.diagnostics["rHat"]).toBeGreaterThan(1.05);
    expect(posterior.warnings.join()).toMatch(/the chains did not mix: largest R-hat .* raise "draws" and "warmup"/);
  });
  it("and a good one has no warnings, but a single chain has", async () => {
    expect((await sample({ widths: [6], activation: "erf" }, data, { draws: 300, warmup: 200 })).posterior.warnings).toEqual([]);
    expect(
      (await sample({ widths: [6], activation: "erf" }, data, { draws: 300, warmup: 200, chains: 1 })).posterior.warnings.join(),
    ).toMatch(/a single chain/);
  });
});

/** Activations that are not a number in places, or everywhere. */
const broken: Plugin = {
  name: "broken",
  activations: [
    { value: (h: number) => Math.sqrt(h + 3), derivative: (h: number) => 0.5 / Math.sqrt(h + 3) },
    { value: () => Number.NaN, derivative: () => Number.NaN },
  ].map((functions, i) => ({ ...registry.activation("erf"), name: `broken-${i}`, ...functions })),
};

describe("numbers that are not", () => {
  const own = createRegistry([activations, fullyConnected, plugin, broken]);
  const fitWith = (activation: string, options: Record<string, unknown>) => {
    const problem = createProblem({ network: { type: "fully-connected", widths: [2], activation }, ...data }, own);
    return monteCarlo.fit(problem, validate(monteCarlo.options, options, "options"), inlineRun({ registry: own, seed: 3 }));
  };
  it("a network that is NaN everywhere is an error, not a result", async () => {
    await expect(fitWith("broken-1", quick)).rejects.toThrow(FinitewidthError);
  });
  it("a network that is NaN in places never is at a draw, and the run reports the divergences", async () => {
    const posterior = await fitWith("broken-0", { ...quick, draws: 200 });
    expect(posterior.train!.mean.data.every(Number.isFinite)).toBe(true);
    expect(posterior.diagnostics["divergences"]).toBeGreaterThan(0);
    expect(posterior.warnings.join()).toMatch(/trajectories diverged/);
  });
  it("defineActivation is what third parties use; its networks sample as well", async () => {
    const own = createRegistry([
      activations,
      fullyConnected,
      plugin,
      {
        name: "third",
        activations: [
          defineActivation({
            name: "sine",
            summary: "φ(h) = sin h",
            odd: true,
            smooth: true,
            bounded: true,
            value: Math.sin,
            derivative: Math.cos,
          }),
        ],
      },
    ]);
    const problem = createProblem({ network: { type: "fully-connected", widths: [3], activation: "sine" }, ...data }, own);
    const posterior = await monteCarlo.fit(problem, validate(monteCarlo.options, quick, "options"), inlineRun({ registry: own }));
    expect(posterior.train!.mean.data.every(Number.isFinite)).toBe(true);
  });
});

describe("where chains run", () => {
  it("a pool of 1, 2 and 4 workers and this thread give the same numbers bit for bit", async () => {
    const network = { widths: [5], activation: "erf" };
    const options = { chains: 3, draws: 60, warmup: 40 };
    const test = randomMatrix(3, 3, 5);
    const inline = await sample(network, data, options, { seed: 4 });
    const expected = await inline.predict(test);
    for (const workers of [1, 2, 4]) {
      const run = poolRun({ registry, seed: 4, workers });
      try {
        const found = await sample(network, data, options, { run });
        expect(found.posterior.state).toEqual(inline.posterior.state);
        expect(found.posterior.diagnostics).toEqual(inline.posterior.diagnostics);
        expect(await found.predict(test)).toEqual(expected);
      } finally {
        run.close();
      }
    }
  });
  it("every chunk of work tells how far it is: from nothing to nearly all, never back", async () => {
    const seen = new Map<string, number[][]>();
    const watched: Run = {
      ...inlineRun({ registry: registryWith(likelihoods), seed: 2 }),
      async *map(task, chunks) {
        for (const chunk of chunks) {
          const told: number[] = [];
          seen.set(task.name, [...(seen.get(task.name) ?? []), told]);
          yield await task.run(chunk, { registry: this.registry, tick: (fraction) => void told.push(fraction) });
        }
      },
    };
    const described = { network: { type: "fully-connected", widths: [2], activation: "erf" }, inputs: randomMatrix(3, 2, 1), targets: [1, -1, 1] }; // prettier-ignore
    const options = (more: object) => validate(monteCarlo.options, { chains: 2, draws: 16, warmup: 10, ...more }, "options");
    const problem = createProblem({ ...described, temperature: 0.01 }, watched.registry);
    const at = randomMatrix(2, 2, 2);
    await logEvidence(problem, { islands: 3, particles: 4, attempts: 1, moves: 1 }, watched);
    for (const more of [{ shifts: true }, { sampler: "langevin" }, { integrator: "rotation" }]) {
      const posterior = await monteCarlo.fit(problem, options(more), watched);
      await monteCarlo.predict(posterior, at, { covariance: false }, watched);
    }
    const linear = { ...problem, network: { ...problem.network, activation: "identity" } as Network };
    await monteCarlo.fit(linear, options({ sampler: "gibbs" }), watched);
    await monteCarlo.prior!({ network: problem.network, inputs: at, outputs: 1, evaluateAt: [], samples: 400 }, options({}), watched);
    await monteCarlo.fit(createProblem({ ...described, likelihood: { type: "logistic" } }, watched.registry), options({}), watched);
    await networkReferee.judge(problem, {}, { inputs: at }, { chains: 8, draws: 7, looks: 1, seconds: 2 }, watched);
    expect([...seen.keys()].toSorted()).toEqual(["annealIsland", "drawPrior", "measurePriorDistance", "predictDraws", "runRefereeChains", "sampleChain", "sampleNetworkIsland", "shiftOfChain"]); // prettier-ignore
    for (const [task, chunks] of seen)
      for (const told of chunks) {
        expect(told.length, task).toBeGreaterThan(3);
        expect(told, task).toEqual(told.toSorted((a, b) => a - b));
        expect(told[0], task).toBeGreaterThanOrEqual(0);
        expect(told[0], task).toBeLessThan(0.35);
        // the last step, or level of an annealing, is not told any more; pilots only anneal
        const anneals = task === "annealIsland" || told === seen.get("runRefereeChains")![0];
        expect(told.at(-1), task).toBeGreaterThan(anneals ? 0.15 : task === "measurePriorDistance" ? 0.45 : 0.6);
        expect(told.at(-1), task).toBeLessThanOrEqual(1);
      }
  });
  it("cancelling stops a running chain in this thread", async () => {
    const controller = new AbortController();
    const started = performance.now();
    setTimeout(() => controller.abort(new Error("enough")), 150);
    const run = inlineRun({ registry, signal: controller.signal });
    await expect(sample({ widths: [30], activation: "erf" }, data, { draws: 1_000_000 }, { run })).rejects.toThrow("enough");
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
