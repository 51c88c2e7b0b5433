import {
  generalizationStandardError,
  resolveArchitecture,
  resolveNetworkInput,
  type FittedMethod,
  type Matrix,
  type Problem,
  type RefereeOptions,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { referee } from "../src/index.js";
import { infiniteWidthBaseline } from "../src/referee/baseline.js";
import { planReferee } from "../src/referee/budget.js";
import type { RefereeChunk, RefereeGroup } from "../src/referee/chains.js";
import { answeredRun, ladder, levels, normals, randomMatrix, registry } from "./helpers.js";

const [tests, outputs, chainCount] = [3, 2, 32];
const problem: Problem = {
  network: resolveNetworkInput(
    { type: "fully-connected", widths: [6, 5], activation: "erf", biasVariance: 0.1 } as { type: string },
    registry,
  ),
  inputs: randomMatrix(4, 3, 1),
  targets: randomMatrix(4, outputs, 2),
  temperature: 0.3,
  scaling: "standard",
};
const at = { inputs: randomMatrix(tests, 3, 3), targets: randomMatrix(tests, outputs, 4) };
const wide = infiniteWidthBaseline(problem, at.inputs, registry)!;
const table = (data: ArrayLike<number>, columns = outputs): Matrix => ({
  data: Float64Array.from(data),
  shape: [data.length / columns, columns],
});

interface World {
  /** Means of the network less those of infinite width. */
  readonly apart?: number;
  /** Half the difference of the chains' variances, about 1. */
  readonly scatter?: number;
  readonly acceptance?: number;
  readonly stuck?: number;
  /** Added to all means, by look. */
  readonly looks?: readonly number[];
  readonly distance?: object;
}
/** Chains of a network whose outputs have variance 1 and means `apart` from those of infinite width, with hidden kernels of their own. */
function world({ apart = 2, scatter = 0, acceptance = 0.9, stuck = 0, looks = [], distance = {} }: World) {
  return answeredRun((task, chunk: RefereeChunk, index): unknown => {
    if (task === "measurePriorDistance")
      return { chiSquare: 0.2, relativeEntropy: 0.1, totalVariation: 0.15, standardError: 0.02, ...distance };
    if (chunk.ladder === undefined) return { ladder, levels: [], gradients: 7 };
    const chains = Array.from({ length: chunk.chains }, (_, c) => c);
    const group: RefereeGroup = {
      ladder,
      levels: chunk.states ? [] : levels(-7, chunk.group),
      states: [{ position: Float64Array.of(chunk.look, chunk.group) }] as never,
      averages: chains.map((c) => {
        const mean = wide.mean.map((m) => m + apart + (looks[chunk.look] ?? 0));
        const variance = new Float64Array(tests).fill(1 + scatter * (c % 2 === 0 ? 1 : -1));
        return { mean, square: mean.map((m) => m * m), variance };
      }),
      kernels: chains.map((c) =>
        wide.hidden.map(({ data }, l) => data.map((value, i) => value + 0.1 * (l + 1) + 1e-4 * normals(16, index, c, l)[i]!)),
      ),
      logLikelihoods: chains.map((c) =>
        index === 0 && c < stuck ? new Float64Array(chunk.draws).fill(c) : normals(chunk.draws, index, c, 5),
      ),
      stein: chains.map((c) => normals(chunk.draws, index, c, 6)),
      acceptance,
      gradients: 100,
    };
    return group;
  });
}
/** A theory off by so much in its means, and in its variance. */
const theory = (apart: number, off: number, variance = 1, error?: number): FittedMethod => ({
  predictive: {
    mean: table(wide.mean.map((m) => m + apart + off)),
    variance: table(new Float64Array(6).fill(variance)),
    ...(error === undefined
      ? {}
      : { standardError: { mean: table(new Float64Array(6).fill(error)), variance: table(new Float64Array(6)) } }),
  },
});
const judge = async (given: World, methods: Record<string, FittedMethod>, options: RefereeOptions = {}, labelled = true) => {
  const run = world(given);
  const report = await referee(problem, methods, labelled ? at : { inputs: at.inputs }, options, run);
  return { ...report, asked: run.asked };
};
const statuses = async (given: World, methods: Record<string, FittedMethod>, options?: RefereeOptions, labelled?: boolean) => {
  const { verdicts } = await judge(given, methods, options, labelled);
  return Object.fromEntries(
    Object.entries(verdicts).map(([name, { predictive, generalizationError }]) => [
      name,
      [predictive?.status, generalizationError?.status],
    ]),
  );
};

describe("outputs of chains that are given", () => {
  it("means within the root of the tolerance times the variance, variances within the tolerance", async () => {
    const methods = {
      truth: theory(2, 0),
      near: theory(2, Math.sqrt(0.9 * 0.05)),
      far: theory(2, -Math.sqrt(1.1 * 0.05)),
      wider: theory(2, 0, 1.049),
      widest: theory(2, 0, 1.051),
      narrowest: theory(2, 0, 0.949),
    };
    expect(await statuses({}, methods, {}, false)).toEqual({
      truth: ["confirmed", undefined],
      near: ["confirmed", undefined],
      far: ["contradicted", undefined],
      wider: ["confirmed", undefined],
      widest: ["contradicted", undefined],
      narrowest: ["contradicted", undefined],
    });
    expect(await statuses({}, { far: theory(2, Math.sqrt(1.1 * 0.05)) }, { tolerance: 0.06 }, false)).toEqual({
      far: ["confirmed", undefined],
    });
  });

  it("nothing is confirmed that misses a fifth of what finite width moved", async () => {
    // means moved by 0.3: a fifth of it is 0.06
    const methods = { near: theory(0.3, 0.055), off: theory(0.3, 0.065) };
    expect(await statuses({ apart: 0.3 }, methods, {}, false)).toEqual({ near: ["confirmed", undefined], off: ["doubtful", undefined] });
  });

  it("a theory's own noise counts, squared where its mean is the target", async () => {
    const methods = { sure: theory(2, 0.3), noisy: theory(2, 0.3, 1, 0.3) };
    expect(await statuses({}, methods, {}, false)).toEqual({ sure: ["contradicted", undefined], noisy: ["doubtful", undefined] });
    const { verdicts } = await judge({}, methods);
    const mean = methods.noisy.predictive!.mean.data;
    const linear = mean.reduce((sum, m, i) => sum + (2 * Math.abs(m - at.targets.data[i]!) * 0.3) / 6, 0);
    expectClose(verdicts["noisy"]!.generalizationError!.standardError!, Math.hypot(linear, 0.09), { relative: 1e-9 });
    expect(verdicts["sure"]!.generalizationError!.standardError).toBeLessThan(1e-9);
  });

  it("replicates tell how the noise of a theory's outputs hangs together", async () => {
    const { predictive } = theory(2, 0.3, 1, 0.1);
    const replicates = [1, 2, 3, 4].map((k) => ({ mean: table(predictive!.mean.data.map((m) => m + 0.1 * (k - 2.5))), variance: table(new Float64Array(6).fill(1 + 0.02 * k)) })); // prettier-ignore
    const own = generalizationStandardError({ ...predictive!, replicates }, at.targets)!;
    const { verdicts } = await judge({}, { one: { predictive: { ...predictive!, replicates } } });
    expectClose(verdicts["one"]!.generalizationError!.standardError!, Math.hypot(own.total, 0.01), { relative: 1e-9 });
  });

  it("tells errors and what is furthest off", async () => {
    const { verdicts, referee: own } = await judge({}, { one: theory(2, 0.1, 1.5) });
    const truth = wide.mean.map((m) => m + 2);
    const bias = truth.reduce((sum, m, i) => sum + (m - at.targets.data[i]!) ** 2 / 6, 0);
    const theirs = truth.reduce((sum, m, i) => sum + (m + 0.1 - at.targets.data[i]!) ** 2 / 6, 0);
    const { predictive, generalizationError } = verdicts["one"]!;
    expectClose(predictive!.error!, 0.1, { relative: 1e-9 });
    expectClose(generalizationError!.error!, theirs + 0.5 - bias, { relative: 1e-9 });
    expect(predictive!.how).toMatch(
      /^32 chains of the real network: means differ by 0\.100 \(root mean square\) where the posterior deviation is 1\.00; variance 1\.50 against 1\.00 ± /,
    );
    const total = (bias + 1).toPrecision(3);
    expect(generalizationError!.how).toContain(`32 chains of the real network: ${total} ± `);
    expect(generalizationError!.how).toContain("furthest off is the variance, 1.50 against 1.00 ± ");
    expectClose(Object.values(own["generalizationError"] as Record<string, number>), [bias, 1, bias + 1], { relative: 1e-9 });
    expect(Object.keys(own["generalizationError"] as object)).toEqual(["bias", "variance", "total"]);
  });

  it("one look convicts at 0.002, several at 0.001", async () => {
    // Student's t of 31 degrees of freedom: 3.375 and 3.633; ± 0.1 over 32 chains
    const error = 0.1 / Math.sqrt(31);
    const off = { off: theory(2, 0, 1.05 + 3.5 * error) };
    expect(await statuses({ scatter: 0.1 }, off, { looks: 1 }, false)).toEqual({ off: ["contradicted", undefined] });
    expect(await statuses({ scatter: 0.1 }, off, { looks: 2 }, false)).toEqual({ off: ["doubtful", undefined] });
    expect(await statuses({ scatter: 0.1 }, { off: theory(2, 0, 1.05 + 3.7 * error) }, { looks: 2 }, false)).toEqual({
      off: ["contradicted", undefined],
    });
  });
});

describe("the run itself", () => {
  it("a pilot, then eight groups; further looks go on where the groups stand, as long as something is doubtful", async () => {
    const {
      verdicts,
      referee: own,
      asked,
    } = await judge({ scatter: 0.1, looks: [0, 0.04, 0.1] }, { one: theory(2, 0, 1.05) }, { draws: 10 });
    const chunks = asked.filter(({ task }) => task === "runRefereeChains").map(({ chunk }) => chunk as unknown as RefereeChunk);
    expect(chunks).toHaveLength(1 + 24);
    expect(chunks[0]).toMatchObject({ look: 0, group: 0, chains: 0, particles: 32, burnIn: 0, draws: 0, seed: 1 });
    expect(chunks[0]).not.toHaveProperty("ladder");
    for (const chunk of chunks) expect([chunk.problem, chunk.testInputs, "response" in chunk]).toEqual([problem, at.inputs, false]);
    chunks.slice(1).forEach(({ look, group, chains, particles, burnIn, draws, ladder: steps, states }, k) => {
      const nth = Math.floor(k / 8);
      expect({ look, group, chains, particles, burnIn, draws }).toEqual({
        look: nth,
        group: (k % 8) + 1,
        chains: 4,
        particles: 16,
        burnIn: nth === 0 ? 4 : 0,
        draws: [10, 30, 100][nth],
      });
      expect(steps).toBe(ladder);
      expect(states?.[0]!.position).toEqual(nth === 0 ? undefined : Float64Array.of(nth - 1, group));
    });
    // means of the three looks count by their draws
    const moved = (30 * 0.04 + 100 * 0.1) / 140;
    expectClose(verdicts["one"]!.predictive!.error!, moved, { relative: 1e-9 });
    expect(own).toMatchObject({
      checked: true,
      chains: chainCount,
      draws: 140,
      gradients: 8 * 300,
      testPoints: tests,
      acceptance: expect.closeTo(0.9, 12),
      stuckChains: 0,
    });
    const first = await judge({ looks: [0, 0.4] }, { one: theory(2, 0) }, { draws: 10 });
    expect(first.referee).toMatchObject({ draws: 10, gradients: 800 });
  });
  it("a doubtful evidence or kernel asks for no further look", async () => {
    const method = {
      ...theory(2, 0),
      logEvidence: -8,
      logEvidenceStandardError: 0.5,
      hiddenKernels: wide.hidden.map((kernel, l) =>
        table(
          kernel.data.map((value) => value + 0.125 * (l + 1)),
          4,
        ),
      ),
    };
    const { verdicts, referee: own } = await judge({}, { one: method }, { draws: 10 });
    expect(own["draws"]).toBe(10);
    expect(verdicts["one"]!.logEvidence).toMatchObject({ status: "doubtful", error: 1 });
    expect(own).toMatchObject({ logEvidence: expect.closeTo(-7, 12), logEvidenceObjections: [] });
    expect(verdicts["one"]!.hiddenKernels!.status).toBe("contradicted");
  });
  it("chains that did not mix judge evidence alone, and say what is wrong", async () => {
    const method = { ...theory(2, 0), logEvidence: -7 };
    const ill = await judge({ acceptance: 0.4 }, { one: method });
    expect(ill.referee["checked"]).toBe(false);
    expect(ill.verdicts["one"]!.predictive).toMatchObject({ status: "unchecked", error: null });
    expect(ill.verdicts["one"]!.generalizationError!.how).toMatch(
      /did not mix \(acceptance 0\.40, drift -?\d\.\d, Stein residual -?\d\.\d standard errors\)/,
    );
    expect(ill.verdicts["one"]!.logEvidence!.status).toBe("confirmed");
    const stuck = await judge({ stuck: 2 }, { one: method });
    expect(stuck.verdicts["one"]!.predictive!.how).toContain("did not mix (2 stuck)");
    expect(stuck.referee).toMatchObject({ checked: false, stuckChains: 2 });
  });
  it("control variates go to networks of one layer, and are counted in the plan", async () => {
    const single = { ...problem, network: { ...problem.network, widths: [6] } as never };
    const asked: RefereeChunk[] = [];
    const run = answeredRun((task, chunk: RefereeChunk) => {
      if (task === "runRefereeChains") asked.push(chunk);
      if (chunk.ladder) throw new Error("planned");
      return { ladder, levels: [], chiSquare: 1, relativeEntropy: 1, totalVariation: 1, standardError: 1 };
    });
    const network = realise(resolveArchitecture(registry, single.network), problem.inputs, outputs);
    const plan = (seconds: number, controls: boolean) => planReferee(network, 4, tests, { chains: 32, draws: 10, looks: 1, seconds, controls }, ladder); // prettier-ignore
    // just too short with control variates
    let [least, most] = [1e-4, 10];
    for (let k = 0; k < 60; k++) {
      const middle = (least + most) / 2;
      if (plan(middle, true)?.particles === 16) most = middle;
      else least = middle;
    }
    expect([plan(least, false)!.particles, plan(least, true)!.particles]).toEqual([16, 8]);
    await expect(referee(single, {}, at, { seconds: least, looks: 1, draws: 10 }, run)).rejects.toThrow("planned");
    expect(asked[0]!.response?.kernel).toHaveLength(16);
    expect(asked[1]).toMatchObject({ chains: 4, particles: 8 });
  });
  it("a pilot that needs too many levels ends the run; plans of three looks may be cut to what there is time for", async () => {
    const run = answeredRun(() => ({
      ladder: { exponents: Array.from({ length: 9000 }, () => 0), stepSizes: Array.from({ length: 9000 }, () => 0.02) },
      levels: [],
    }));
    const { verdicts, referee: own } = await referee(problem, { one: theory(2, 0) }, at, { seconds: 1 }, run);
    expect(own).toEqual({ checked: false, why: expect.stringContaining("more than the 1 seconds allowed") as string });
    expect(verdicts["one"]!.generalizationError!.status).toBe("unchecked");
    expect(run.asked).toHaveLength(1);
  });
  it("says how far the prior is from its Gaussian process", async () => {
    const of = async (distance: object) =>
      (await judge({ distance }, {}, { draws: 10 })).referee["priorDistance"] as Record<string, unknown>;
    expect(await of({})).toEqual({
      chiSquare: 0.2,
      relativeEntropy: 0.1,
      totalVariation: 0.15,
      standardError: 0.02,
      sentence: expect.stringMatching(
        /χ² ≈ 0\.2 ± 0\.02 to leading order: no event differs by more than about 0\.15 in probability/,
      ) as string,
    });
    expect(await of({ chiSquare: 3, totalVariation: 1.7 })).toMatchObject({
      totalVariation: 1,
      sentence: expect.stringContaining("another prior altogether") as string,
    });
    expect(await of({ chiSquare: 143, standardError: 21 })).toMatchObject({ sentence: expect.stringContaining("≈ 140 ± 20 to") as string });
  });
});
