import { matrixFromRows, type EvidenceGradient, type FittedMethod, type Plugin, type Posterior, type Theory } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { planExperiment, resultToJson, runExperiment, type SolvedOutcome } from "../src/index.js";
import { base, registryWith, told } from "./cases.js";

const gradient: EvidenceGradient = { logWeightVariance: [1, 2], logBiasVariance: [null, 3], logTemperature: 4, widths: [5] };
const wantedCovariance: boolean[] = [];
const steep: Theory = {
  ...(told("steep", () => ({ logEvidence: 1, diagnostics: { own: 2 }, warnings: ["fit", "both"] })) as Theory),
  evidenceGradient: async () => gradient,
  predict: async (posterior, inputs, want, run) => {
    wantedCovariance.push(want.covariance);
    return { ...(await told("x").predict(posterior as never, inputs, want, run)), warnings: ["both", "predict"] };
  },
};
const flat = told("flat") as Theory;
const bad = told("bad", () => ({ logEvidence: Number.NaN })) as Theory;
const thrower: Theory = { ...flat, name: "thrower", fit: () => Promise.reject("a text") };
/** Everything that a referee can be told of a method. */
const everything: Theory = {
  ...(told("everything", () => ({
    logEvidence: 1,
    orderParameter: 2,
    modes: 3,
    hiddenKernels: [matrixFromRows([[4]])],
    standardError: { logEvidence: 5, hiddenKernels: [matrixFromRows([[6]])] },
  })) as Theory),
  predict: async (posterior, inputs, want, run) => {
    const own = await flat.predict(posterior, inputs, want, run);
    const replicates = [{ mean: own.variance, variance: own.mean }];
    return { ...own, probabilities: own.variance, standardError: { mean: own.variance, variance: own.mean }, replicates };
  },
};
const inTraining = told("in-training", ({ targets }) => ({ train: { mean: targets, variance: targets } })) as Theory;
const heard: Record<string, FittedMethod>[] = [];
const listener: Plugin = {
  name: "listener",
  referees: [
    {
      name: "listener",
      summary: "writes down what it hears",
      judge: async ({ temperature }, methods, tests) => {
        heard.push({ ...methods });
        if (temperature === 7) throw "no error at all";
        return { verdicts: {}, referee: { tests: tests !== undefined } };
      },
    },
  ],
};
const theories = [steep, flat, bad, thrower, everything, inTraining];
const registry = registryWith({ ...listener, theories });
const solve = async (change: object) => {
  const { plan, steps } = await runExperiment({ ...base, ...change }, { registry });
  const { problem, outcomes, verdicts } = steps[0]!.problems[0]!;
  return { plan, steps, problem, outcomes, verdicts };
};
const { test: _test, ...untested } = base.data;
const unlabelled = { ...base.data, test: { inputs: base.data.test.inputs } };

describe("a method on a network", () => {
  it("gives derivatives when asked for, says when it has none, and every warning once", async () => {
    wantedCovariance.length = 0;
    const methods = ["steep", { method: "steep", label: "asked", gradients: true }, { method: "flat", gradients: true }];
    const { outcomes } = await solve({ methods, referee: false });
    const [silent, asked, none] = outcomes as SolvedOutcome[];
    expect(silent!.posterior.diagnostics).toEqual({ own: 2 });
    expect(asked!.posterior.diagnostics).toEqual({ own: 2, evidenceGradient: gradient });
    expect(asked!.warnings).toEqual(["fit", "both", "predict"]);
    expect(none!.posterior.diagnostics).toEqual({});
    expect(none!.warnings).toEqual(["flat gives no derivatives of its log evidence here"]);
    expect(wantedCovariance).toEqual([false, false]);
  });

  it("predicts where there are test inputs, and has errors where there are labels too", async () => {
    const of = async (data: object) => (await solve({ data, methods: ["flat"], referee: false })).outcomes[0] as SolvedOutcome;
    const [labelled, inputs, nothing] = [await of(base.data), await of(unlabelled), await of(untested)];
    expect([...labelled.predictive!.mean.data]).toEqual([0.5, 1.5, 1, 2, -0.3, 0.7]);
    expect(labelled.generalizationError!.variance).toBeCloseTo((1 + 1 + 0.64) / 3, 14);
    expect(inputs.predictive!.mean).toEqual(labelled.predictive!.mean);
    expect(inputs).not.toHaveProperty("generalizationError");
    expect(nothing).not.toHaveProperty("predictive");
    expect(nothing.posterior.problem.targets.shape).toEqual([5, 2]);
  });

  it("withholds numbers that are not finite; whatever is thrown is an error", async () => {
    const { outcomes } = await solve({ methods: ["bad", "thrower"], referee: false });
    expect(outcomes).toMatchObject([
      { status: "failed", error: { code: "not-converged", path: "logEvidence" } },
      { status: "failed", error: { message: "a text" } },
    ]);
    expect(outcomes.every((one) => one.status === "failed" && one.error instanceof Error)).toBe(true);
  });

  it("leaves out what would take too long to compute for so many points, unless it is there already", async () => {
    const points = (count: number) => ({
      train: { inputs: Array.from({ length: count }, (_, i) => [i]), targets: Array.from({ length: count }, () => [0]) },
    });
    const lazy = (key: string, value: unknown) => ({
      get [key]() {
        return value;
      },
    });
    const kernel = matrixFromRows([[1]]);
    const own = (getters: boolean): Theory => {
      const theory = told("lazy") as Theory;
      return {
        ...theory,
        fit: async (...call) => {
          const posterior = await theory.fit(...call);
          const fields = { hiddenKernels: [kernel], train: { mean: kernel, variance: kernel } };
          if (!getters) return { ...posterior, ...fields };
          return Object.defineProperties(posterior, {
            ...Object.getOwnPropertyDescriptors(lazy("hiddenKernels", fields.hiddenKernels)),
            ...Object.getOwnPropertyDescriptors(lazy("train", fields.train)),
          }) as Posterior;
        },
      };
    };
    const of = async (count: number, getters: boolean) => {
      const { steps } = await runExperiment(
        { ...base, data: points(count), network: { ...base.network }, methods: ["lazy"], referee: false },
        { registry: registryWith({ name: "lazy", theories: [own(getters)] }) },
      );
      const { posterior, warnings } = steps[0]!.problems[0]!.outcomes[0] as SolvedOutcome;
      return { kernels: posterior.hiddenKernels !== undefined, train: posterior.train !== undefined, warnings };
    };
    expect(await of(8000, true)).toEqual({ kernels: true, train: true, warnings: [] });
    expect(await of(8001, false)).toEqual({ kernels: true, train: true, warnings: [] });
    expect(await of(8001, true)).toEqual({
      kernels: false,
      train: true,
      warnings: ["hidden kernels are left out for more than 8000 training points"],
    });
    expect(await of(20_001, true)).toEqual({
      kernels: false,
      train: false,
      warnings: [
        "hidden kernels are left out for more than 8000 training points",
        "predictions at the training inputs are left out for more than 20000 training points",
      ],
    });
  });
});

describe("what the referee hears", () => {
  it("is everything that a method gives, at the test inputs, or where there are none at the training inputs", async () => {
    heard.length = 0;
    const { outcomes, verdicts } = await solve({ methods: ["everything", "bad"] });
    const { mean, variance } = (outcomes[0] as SolvedOutcome).predictive!;
    expect(heard).toEqual([
      {
        everything: {
          predictive: {
            mean,
            variance,
            probabilities: variance,
            standardError: { mean: variance, variance: mean },
            replicates: [{ mean: variance, variance: mean }],
          },
          logEvidence: 1,
          logEvidenceStandardError: 5,
          hiddenKernels: [matrixFromRows([[4]])],
          hiddenKernelStandardErrors: [matrixFromRows([[6]])],
          orderParameter: 2,
          modes: 3,
        },
      },
    ]);
    expect(verdicts!.referee).toEqual({ tests: true, seconds: expect.any(Number) as number });
    heard.length = 0;
    const { problem, verdicts: own } = await solve({ data: untested, methods: ["in-training", "flat"] });
    const { targets } = problem.problem;
    expect(heard).toEqual([{ "in-training": { predictive: { mean: targets, variance: targets } }, flat: {} }]);
    expect(own!.referee).toMatchObject({ tests: false });
    heard.length = 0;
    await solve({ methods: ["bad"] });
    expect(heard).toEqual([]);
  });

  it("is unchecked when it fails: all that a method gives, errors of test points only where they have labels", async () => {
    const checked = async (data: object) => {
      const { plan, steps } = await solve({ data, methods: ["everything", "flat"], likelihood: { temperature: 7 } });
      const json = resultToJson(plan, steps) as { results: Record<string, { verdict: Record<string, unknown> }>; referee: object };
      expect(json.referee).toEqual({ checked: false, why: "the referee failed: no error at all" });
      return Object.values(json.results).map(({ verdict }) => Object.keys(verdict));
    };
    const all = ["predictive", "generalizationError", "logEvidence", "hiddenKernels", "orderParameter"];
    expect(await checked(base.data)).toEqual([all, ["predictive", "generalizationError"]]);
    expect(await checked(unlabelled)).toEqual([all.filter((key) => key !== "generalizationError"), ["predictive"]]);
    expect(await checked(untested)).toEqual([["logEvidence", "hiddenKernels", "orderParameter"], []]);
  });
});

describe("the experiment in result.json", () => {
  it("has methods and networks with their defaults, what was asked of them, and the file's own words where a sweep changes them", async () => {
    const methods = ["flat", { method: "steep", label: "asked", level: 4, gradients: true, save: true }, { method: "exact", draws: 1000 }];
    const of = async (change: object) => {
      const plan = await planExperiment({ ...base, methods, ...change }, { registry });
      return resultToJson(plan, [])["experiment"] as { methods: object[]; network?: object; networks?: object[] };
    };
    const single = await of({});
    expect(single.methods.slice(0, 2)).toEqual([
      { method: "flat", level: 3 },
      { method: "steep", label: "asked", level: 4, gradients: true, save: true },
    ]);
    expect(single.methods[2]).toMatchObject({ method: "exact", draws: 1000 });
    expect(single.network).toEqual({ ...base.network, weightVariance: [1, 1], biasVariance: [0, 0] });
    expect(single).not.toHaveProperty("networks");
    const { network, ...rest } = base;
    const several = await planExperiment(
      { ...rest, methods, networks: [network, { ...network, label: "b", widths: [3, 2] }] },
      { registry },
    );
    const json = resultToJson(several, [])["experiment"] as { networks: object[] };
    expect(json.networks).toMatchObject([
      { label: "fully-connected", widths: [5], biasVariance: [0, 0] },
      { label: "b", widths: [3, 2], biasVariance: [0, 0, 0] },
    ]);
    expect(json).not.toHaveProperty("network");
    expect((await of({ sweep: { seed: [1] } })).network).toEqual(base.network);
    expect((await of({ methods: "applicable" })).methods).toBe("applicable");
  });
});
