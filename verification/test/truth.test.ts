import {
  createRegistry,
  inlineRun,
  matrixFromRows,
  validate,
  type Claim,
  type Posterior,
  type Prediction,
  type Theory,
} from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { family, fullyConnected, standardPlugins, type SampleChunk } from "../src/index.js";
import { sampleFor } from "../src/truth.js";

const matrix = (from: number) => matrixFromRows([[from, from + 0.5], [from + 1, from + 2]]); // prettier-ignore
const noisy = (from: number): Prediction => ({
  mean: matrix(from),
  variance: matrix(from + 10),
  standardError: { mean: matrix(from + 20), variance: matrix(from + 30) },
});
/** Chains that answer as they are told. */
function toldChains(change: Partial<Posterior>, asked: unknown[]): Theory {
  const { options } = createRegistry(standardPlugins).theory("monte-carlo");
  return {
    name: "monte-carlo",
    summary: "",
    options,
    refuses: () => undefined,
    claims: () => [],
    fit: async (problem, own, run) => {
      asked.push([problem, own, run.seed]);
      return {
        theory: "monte-carlo",
        problem,
        options: own,
        state: {},
        solver: { converged: true, iterations: 1, residual: 0, jitter: 0 },
        train: noisy(100),
        hiddenKernels: [matrix(200), matrix(300), matrix(400)],
        standardError: { hiddenKernels: [matrix(250), matrix(350)] },
        diagnostics: { effectiveSamples: 77 },
        warnings: ["slow", "stuck"],
        ...change,
      };
    },
    predict: async (_posterior, inputs) => (asked.push(inputs), noisy(500)),
  };
}
const chains = (change: Partial<Posterior> = {}) => {
  const asked: unknown[] = [];
  const others = standardPlugins.map((plugin) => ({
    ...plugin,
    theories: (plugin.theories ?? []).filter(({ name }) => name !== "monte-carlo"),
  }));
  const registry = createRegistry([...others, { name: "chains", theories: [toldChains(change, asked)] }]);
  const one = family({
    name: "chains",
    theories: [],
    network: fullyConnected("erf", [2, 3], [1, 1, 1]),
    points: 2,
    features: 2,
    outputs: 2,
    temperature: 0.3,
    sampling: { kind: "chains", chains: 3, draws: 40, warmup: 25 },
    seed: 1,
  });
  const scenario = one.build(1);
  const estimand = (quantity: string, layer?: number, of = "posterior") =>
    ({ estimand: { of, quantity, ...(layer === undefined ? {} : { layer }) } }) as unknown as Claim;
  const truth = new Map();
  const sample = (...claims: Claim[]) => sampleFor(one, scenario, claims, truth, 0, inlineRun({ registry, seed: 6 }));
  return { sample, estimand, asked, scenario, registry };
};

describe("the truth from chains", () => {
  it("is what they say with its errors, of outputs, training points and layers, from one run of the lengths that the scenario names", async () => {
    const { sample, estimand, asked, scenario, registry } = chains();
    const found = await sample(
      estimand("predictive.mean"),
      estimand("predictive.variance"),
      estimand("train.mean"),
      estimand("train.variance"),
      estimand("hiddenKernel", 1),
      estimand("hiddenKernel", 2),
    );
    const pair = (value: number, error: number) => ({ value: matrix(value).data, standardError: matrix(error).data, effectiveSamples: 77 });
    expect(found).toEqual([pair(500, 520), pair(510, 530), pair(100, 120), pair(110, 130), pair(200, 250), pair(300, 350)]);
    const options = validate(registry.theory("monte-carlo").options, { chains: 3, draws: 40, warmup: 25 });
    expect(asked).toEqual([[scenario.problem, options, 6], scenario.testInputs]);
    await expect(sample(estimand("hiddenKernel", 3))).rejects.toMatchObject({
      code: "refused",
      message: "chains do not give hiddenKernel",
    });
    await expect(sample(estimand("logEvidence"))).rejects.toThrow("chains do not give logEvidence");
    expect(asked).toHaveLength(2);
  });

  it("counts all draws where the chains do not say how many are worth something, and is none where they have not mixed", async () => {
    const { sample, estimand } = chains({ diagnostics: {} });
    expect((await sample(estimand("train.mean")))[0]!.effectiveSamples).toBe(120);
    const stuck = chains({ solver: { converged: false, iterations: 1, residual: 1, jitter: 0 } });
    await expect(stuck.sample(stuck.estimand("train.mean"))).rejects.toMatchObject({
      code: "not-converged",
      message: "chains of chains did not mix: slow; stuck",
    });
  });

  it("of the prior is sampled from networks all the same", async () => {
    const { sample, estimand, asked } = chains();
    const [kernel] = await sample(estimand("kernelMean", undefined, "prior"));
    expect(kernel!.degreesOfFreedom).toBe(39);
    expect(asked).toEqual([]);
  });
});

it("networks are shared out over forty chunks, rounded up, with what any theory asks for", async () => {
  const registry = createRegistry(standardPlugins);
  const chunks: SampleChunk[] = [];
  const run = {
    ...inlineRun({ registry, seed: 5 }),
    // eslint-disable-next-line require-yield
    async *map<A>(_task: unknown, asked: readonly A[]) {
      chunks.push(...(asked as unknown as SampleChunk[]));
      throw new Error("enough");
    },
  };
  const one = family({
    name: "one",
    theories: [],
    network: (factor) => fullyConnected("erf", [2], [1, 1])(factor),
    points: 2,
    features: 2,
    temperature: 0.3,
    sampling: { kind: "importance", samples: 401 },
    factors: [1, 3],
    seed: 1,
  });
  const scenario = one.build(3);
  const claims = [{ estimand: { of: "posterior", quantity: "train.mean" } }] as unknown as Claim[];
  await expect(sampleFor(one, scenario, claims, new Map(), 2, run, ["a", "b"])).rejects.toThrow("enough");
  expect(chunks).toEqual(
    Array.from({ length: 40 }, (_, k) => ({
      problem: scenario.problem,
      testInputs: scenario.testInputs,
      of: "posterior",
      quantities: ["a", "b"],
      samples: 11,
      seed: 5,
      index: 1_020_000 + k,
    })),
  );
});
