import { inlineRun, resolveNetworkInput, zeros, type FiniteNetwork, type FittedMethod, type Matrix } from "@finitewidth/core";
import type { IslandEvidence } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it, test } from "vitest";
import { planReferee } from "../src/referee/budget.js";
import { joinGroups, type RefereeGroup } from "../src/referee/chains.js";
import { chainHealth } from "../src/referee/judgement.js";
import { judgeKernels } from "../src/referee/kernel-verdict.js";
import { judgeEvidence, verdictsOf } from "../src/referee/verdicts.js";
import { referee } from "../src/index.js";
import { randomMatrix, registry } from "./helpers.js";

const numbers = (seed: number, count: number): Float64Array => stream(31, seed).normals(new Float64Array(count));

/** Two chains, two layers, `draws` draws. */
function group(seed: number, draws: number): RefereeGroup {
  const at = (k: number, count: number) => numbers(100 * seed + k, count);
  const chain = (k: number) => ({
    mean: at(k, 6),
    square: at(k + 1, 6),
    variance: at(k + 2, 3),
    control: { mean: at(k + 3, 6), variance: at(k + 4, 3), kernel: at(k + 5, 4) },
  });
  return {
    ladder: { exponents: [0, 1], stepSizes: [seed] },
    levels: [{ exponent: seed } as unknown as RefereeGroup["levels"][number]],
    states: [{ position: at(0, 2) } as unknown as RefereeGroup["states"][number]],
    averages: [chain(10), chain(20)],
    kernels: [
      [at(30, 4), at(31, 4)],
      [at(32, 4), at(33, 4)],
    ],
    logLikelihoods: [at(40, draws), at(41, draws)],
    stein: [at(42, draws), at(43, draws)],
    acceptance: 0.1 * seed + 0.5,
    gradients: 1000 * seed,
  };
}

test("two records of the same chains count by their draws, and their traces follow one another", () => {
  const [a, b] = [group(1, 2), group(2, 6)];
  const joined = joinGroups(a, b);
  const mixed = (x: Float64Array, y: Float64Array) => x.map((value, i) => 0.25 * value + 0.75 * y[i]!);
  for (const c of [0, 1]) {
    const [found, one, other] = [joined, a, b].map(({ averages }) => averages[c]!) as [typeof a.averages[0], typeof a.averages[0], typeof a.averages[0]]; // prettier-ignore
    for (const part of ["mean", "square", "variance"] as const) expect(found[part]).toEqual(mixed(one[part], other[part]));
    for (const part of ["mean", "variance", "kernel"] as const)
      expect(found.control![part]).toEqual(mixed(one.control![part], other.control![part]));
    for (const l of [0, 1]) expect(joined.kernels[c]![l]).toEqual(mixed(a.kernels[c]![l]!, b.kernels[c]![l]!));
    expect([...joined.logLikelihoods[c]!]).toEqual([...a.logLikelihoods[c]!, ...b.logLikelihoods[c]!]);
    expect([...joined.stein[c]!]).toEqual([...a.stein[c]!, ...b.stein[c]!]);
  }
  expect(joined.acceptance).toBeCloseTo(0.25 * 0.6 + 0.75 * 0.7, 12);
  expect(joined).toMatchObject({ gradients: 3000, levels: a.levels, states: b.states, ladder: b.ladder });
});

describe("what the referee's own run says of itself", () => {
  /** Eight chains whose averages of first minus second halves, and of the Stein residual, lie so many standard errors from 0. */
  const health = (drift: number, stein: number, acceptance = 0.9, draws = 9) => {
    const values = (score: number) => Array.from({ length: 8 }, (_, c) => (c % 2 === 0 ? 1 : -1) + score / Math.sqrt(7));
    const traces = values(drift).map((d) =>
      Float64Array.from({ length: draws }, (_, k) => (2 * k < draws - 1 ? d : 2 * k === draws - 1 ? 40 : 0)),
    );
    return chainHealth(traces, values(stein).map((s) => Float64Array.from({ length: draws }, (_, k) => s + (k % 3) - 1)), acceptance); // prettier-ignore
  };
  // Student's t of seven degrees of freedom at 0.9995
  const bound = 5.408;
  it.each([
    [0, 0, 0.9, true],
    [0.98 * bound, -0.98 * bound, 0.9, true],
    [1.02 * bound, 0, 0.9, false],
    [-1.02 * bound, 0, 0.9, false],
    [0, 1.02 * bound, 0.9, false],
    [0, -1.02 * bound, 0.9, false],
    [0, 0, 0.501, true],
    [0, 0, 0.5, false],
  ])("drift %d, Stein residual %d, acceptance %d: healthy %s", (drift, stein, acceptance, healthy) => {
    const found = health(drift, stein, acceptance);
    expect(found).toMatchObject({ healthy, acceptance, stuckChains: 0 });
    expect(found.driftScore).toBeCloseTo(drift, 9);
    expect(found.steinScore).toBeCloseTo(stein, 9);
  });
  it("chains that are frozen from six draws on count as stuck", () => {
    const moving = Array.from({ length: 7 }, (_, c) => numbers(c + 500, 8));
    const frozen = (draws: number) => chainHealth([...moving.map((t) => t.slice(0, draws)), new Float64Array(draws).fill(0.2)], moving, 0.9); // prettier-ignore
    expect([frozen(5).stuckChains, frozen(6).stuckChains]).toEqual([0, 1]);
    expect(frozen(6).healthy).toBe(false);
  });
});

describe("verdicts about the evidence", () => {
  const island = (change: Partial<IslandEvidence> = {}): IslandEvidence => ({
    logEvidence: -10,
    standardError: 0.1,
    estimates: { forward: -10, backward: -10, bennett: -10, thermodynamic: -10 },
    standardErrors: { forward: 0.1, bennett: 0.1 },
    islandSpread: 0.3,
    effectiveIslands: 8,
    gapPerLevel: 0,
    steinScores: [],
    acceptance: [0.9, 0.8],
    islandWeights: new Float64Array(8).fill(1 / 8),
    objections: ["some objection"],
    ...change,
  });
  const verdict = (logEvidence: number, own = 0, infinite?: number, change: Partial<IslandEvidence> = {}) =>
    judgeEvidence({ logEvidence, ...(own ? { logEvidenceStandardError: own } : {}) }, island(change), infinite);
  // t₇: 2.365 and 4.785
  it.each([
    [-10.5, 0, "confirmed"],
    [-9.5, 0, "confirmed"],
    [-10.76, 0, "confirmed"],
    [-10.77, 0, "doubtful"],
    [-11.47, 0, "doubtful"],
    [-11.49, 0, "contradicted"],
    [-8.51, 0, "contradicted"],
    [-11.6, 0.3, "doubtful"],
  ])("%d ± %d: %s", (value, own, status) => {
    const found = verdict(value, own);
    expect(found.status).toBe(status);
    expect(found.error).toBeCloseTo(Math.abs(value + 10), 12);
    expect(found.standardError).toBeCloseTo(Math.hypot(0.1, own), 12);
  });
  it("says what it was held against, with the interval of Student's t that both errors make", () => {
    // 2.365 √(0.1² + 0.3²) = 0.748
    expect(verdict(-11.6, 0.3).how).toBe(
      "annealed runs of the real network give -10.00 ± 0.100 (Student, 7 degrees of freedom: 95 % within ± 0.748)",
    );
  });
  it("a difference that is seen and more than a fifth of what finite width changes confirms nothing", () => {
    expect(verdict(-10.5, 0, -12.6).status).toBe("confirmed");
    expect(verdict(-10.5, 0, -7.6).status).toBe("doubtful");
    expect(verdict(-10.2, 0, -10.1).status).toBe("confirmed");
    expect(verdict(-10.25, 0, -10.1).status).toBe("doubtful");
  });
  it("a bad run of the referee judges nothing, and says so", () => {
    expect(verdict(-10.1, 0, undefined, { islandSpread: 1, acceptance: [0.9, 0.2] }).status).toBe("confirmed");
    for (const change of [{ islandSpread: 1.01 }, { acceptance: [0.9, 0.19, 0.8] }])
      expect(verdict(-10.1, 0, undefined, change)).toMatchObject({
        status: "unchecked",
        error: null,
        standardError: null,
        how: expect.stringMatching(/some objection.*"evidence": true/) as string,
      });
  });
});

it("gives a verdict to what a method gives, and to nothing else", () => {
  const blank: Matrix = { data: new Float64Array(1), shape: [1, 1] };
  const quantities = (method: FittedMethod, labelled: boolean) =>
    Object.keys(verdictsOf(method, labelled, (quantity) => ({ status: "doubtful", error: 0, standardError: 0, how: quantity })));
  const predictive = { mean: blank, variance: blank };
  expect(quantities({ predictive }, true)).toEqual(["predictive", "generalizationError"]);
  expect(quantities({ predictive, logEvidence: 0 }, false)).toEqual(["predictive", "logEvidence"]);
  expect(quantities({ hiddenKernels: [blank], orderParameter: blank }, true)).toEqual(["hiddenKernels", "orderParameter"]);
});

it("of several hidden kernels the one that is furthest off, in units of its own shift, is named", () => {
  const kernels = (values: readonly number[]): Matrix[] =>
    values.map((value) => ({ data: new Float64Array(9).fill(value), shape: [3, 3] }));
  const chains = Array.from({ length: 16 }, (_, c) =>
    kernels([2, 5, 9]).map(({ data }, l) => data.map((value, i) => value + 1e-3 * numbers(c + 600, 27)[9 * l + i]!)),
  );
  const rule = { tolerance: 0.05, alpha: 0.002, trust: 0.05 };
  // shifts 1, 3, 0.5 (times 3: nine entries)
  const judge = (values: readonly number[]) => judgeKernels({ hiddenKernels: kernels(values) }, chains, kernels([1, 2, 8.5]), rule);
  expect(judge([2, 5, 9]).status).toBe("confirmed");
  for (const [values, layer, error, shift] of [
    [[2, 5, 9.25], 3, 0.75, "1.50"],
    [[2, 6.8, 9.25], 2, 5.4, "9.00"],
    [[0.5, 5, 9], 1, 4.5, "3.00"],
  ] as const) {
    const found = judge(values);
    expect(found.status).toBe("contradicted");
    expect(found.how).toMatch(new RegExp(`^16 chains .*layer ${layer} differs.*moved it by ${shift}`));
    expect(found.error).toBeCloseTo(error, 1);
  }
});

describe("plans of the referee", () => {
  const network = (count: number) =>
    ({
      parameters: 60,
      readoutParameters: 10,
      forward: () => ({ features: { shape: [20, count], data: new Float64Array(0) } }),
    }) as unknown as FiniteNetwork;
  const plan = (change: object = {}, count = 10) => planReferee(network(count), 20, 30, { chains: 32, draws: 14, seconds: 100, ...change });
  it("three looks at once, four and fourteen times the draws, as many as are wanted and the time allows", () => {
    expect(plan()).toEqual({ chains: 32, particles: 16, looks: [14, 56, 196] });
    expect(plan({ looks: 2, draws: 10 })).toEqual({ chains: 32, particles: 16, looks: [10, 40] });
    expect(plan({ chains: 160 })).toMatchObject({ chains: 160, particles: 20 });
    expect(plan({ seconds: 1e-4 })).toBeUndefined();
    const sizes = [0.02, 0.04, 0.08, 0.12, 0.2, 0.6].map((seconds) => plan({ seconds }));
    const work = sizes.map((size) => (size ? size.chains * size.looks.at(-1)! + size.particles : 0));
    expect(work).toEqual(work.toSorted((a, b) => a - b));
    expect(new Set(work).size).toBeGreaterThan(3);
  });
  it("control variates and wide networks cost more", () => {
    const least = (change: object, count?: number) => {
      let [low, high] = [1e-4, 1e4];
      for (let k = 0; k < 40; k++) {
        const middle = Math.sqrt(low * high);
        if (plan({ ...change, looks: 1, seconds: middle }, count)?.particles === 16) high = middle;
        else low = middle;
      }
      return high;
    };
    // 32 chains · 14 draws · 5(2·50·50 + (2·30 + 20)·20·10), and 8 · 16 particles on two levels · 5(2·20·50 + 20·20·10)
    const controls = 448 * 5 * (5000 + 16000) + 256 * 5 * (2000 + 4000);
    expect((least({ controls: true }) - least({})) * 1e10).toBeCloseTo(controls, -3);
    // gradients: (32 + 256) at one step of π/2 and 32 · 18 at the last level's; 3 solves of 10³ more… features on 20 and on 10 columns
    const solve = (count: number) => Math.min(20, count) ** 2 * Math.max(20, count);
    const gradients = (32 + 2 * 8 * 16) * 2 + 32 * (14 + 4) * 2;
    const more = gradients * 3 * (solve(20) - solve(10)) + 448 * (2 * (solve(20) - solve(10)) + 60 * (400 - 100));
    expect((least({}, 20) - least({}, 10)) * 1e10).toBeCloseTo(more, -3);
  });
});

it("compares every second of a thousand test points, in outputs, variances and labels alike", async () => {
  const count = 1000;
  const targets = randomMatrix(3, 1, 2);
  const tests = { inputs: { data: new Float64Array(2 * count), shape: [count, 2] as const }, targets: { data: new Float64Array(count), shape: [count, 1] as const } }; // prettier-ignore
  const problem = {
    network: resolveNetworkInput({ type: "fully-connected", widths: [3], activation: "erf" } as { type: string }, registry),
    inputs: zeros(3, 2),
    targets,
    temperature: 0.5,
    scaling: "standard" as const,
  };
  const off = (parity: number): FittedMethod => ({
    predictive: {
      mean: { data: Float64Array.from({ length: count }, (_, i) => (i % 2 === parity ? 0.3 : 0)), shape: [count, 1] },
      variance: { data: Float64Array.from({ length: count }, (_, i) => (i % 2 === parity ? 0.1 : 0)), shape: [count, 1] },
    },
  });
  const run = inlineRun({ registry, seed: 1 });
  const { verdicts, referee: own } = await referee(problem, { odd: off(1), even: off(0) }, tests, { chains: 8, draws: 7, looks: 1 }, run);
  expect(own["testPoints"]).toBe(500);
  expect(Object.values(verdicts["odd"]!).map(({ status }) => status)).toEqual(["confirmed", "confirmed"]);
  expect(Object.values(verdicts["even"]!).map(({ status }) => status)).toEqual(["contradicted", "contradicted"]);
});
