import { createRegistry, inlineRun, type Claim, type Run, type Theory } from "@finitewidth/core";
import { exact } from "@finitewidth/posterior";
import { stream } from "@finitewidth/random";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import {
  criticalScore,
  faults,
  infiniteWidth,
  smallestCaught,
  studentScore,
  family,
  fullyConnected,
  judge,
  runVerification,
  standardPlugins,
  verificationReports,
  type Comparison,
  type SampleChunk,
  type SuiteEvidence,
} from "../src/index.js";
import { sampleFor } from "../src/truth.js";

const document = parseHTML("<!doctype html><html><body></body></html>").document as unknown as Document;
const linear = (theories: readonly { name: string }[]) =>
  family({
    name: "linear",
    theories,
    network: fullyConnected("identity", [4], [1.3, 0.7]),
    points: 4,
    features: 3,
    temperature: 0.3,
    sampling: { kind: "importance", samples: 50_000 },
    seed: 11,
  });
const exactly = (claimed: number[], value: number[], standardError: number[]): Comparison => ({
  factor: 1,
  claimed: Float64Array.from(claimed),
  sampled: { value: Float64Array.from(value), standardError: Float64Array.from(standardError), effectiveSamples: 100 },
});

/** The exact theory with one of its numbers off by a factor. */
function faulty(name: string, change: (claim: Claim) => Claim): Theory {
  return {
    ...(exact as Theory),
    name,
    *claims(fitted, registry) {
      for (const claim of (exact as Theory).claims(fitted, registry)) yield change(claim);
    },
  };
}
const scaled = (id: string, factor: number) => (claim: Claim) =>
  claim.id === id ? { ...claim, value: { ...claim.value, data: claim.value.data.map((value) => factor * value) } } : claim;

describe("judging", () => {
  it("counts comparisons: one in a hundred correct suites shows a false alarm", () => {
    expect(criticalScore(1)).toBeCloseTo(2.576, 3);
    expect(criticalScore(1000)).toBeGreaterThan(4.2);
  });

  it("allows for errors that are themselves estimated from chunks", () => {
    // Student's t with 39 degrees of freedom, two-sided 1 %, 2.708
    expect(studentScore(criticalScore(1), 39)).toBeCloseTo(2.7079, 3);
    expect(studentScore(3, undefined)).toBe(3);
    const at = (z: number) => {
      const one = exactly([1 + 0.01 * z], [1], [0.01]);
      return [{ ...one, sampled: { ...one.sampled, degreesOfFreedom: 39 } }];
    };
    const threshold = criticalScore(10_000);
    expect(threshold).toBeCloseTo(4.89, 2);
    const student = studentScore(threshold, 39);
    expect(student).toBeGreaterThan(5.5);
    expect(judge("exact", at(student - 0.01), threshold).agrees).toBe(true);
    expect(judge("exact", at(student + 0.01), threshold).agrees).toBe(false);
  });

  it("counts false alarms of normal samples in 40 chunks: at most the stated rate", () => {
    const threshold = criticalScore(100);
    let [alarms, naive] = [0, 0];
    const [suites, comparisons, chunks] = [400, 100, 40];
    for (let s = 0; s < suites; s++) {
      const normals = stream(5, s).normals(new Float64Array(comparisons * chunks));
      const value = new Float64Array(comparisons);
      const standardError = new Float64Array(comparisons);
      for (let i = 0; i < comparisons; i++) {
        const own = normals.subarray(i * chunks, (i + 1) * chunks);
        value[i] = own.reduce((a, b) => a + b) / chunks;
        standardError[i] = Math.sqrt(own.reduce((sum, x) => sum + (x - value[i]!) ** 2, 0) / (chunks * (chunks - 1)));
      }
      const sampled = { value, standardError, effectiveSamples: chunks };
      const claimed = new Float64Array(comparisons);
      if (!judge("exact", [{ factor: 1, claimed, sampled: { ...sampled, degreesOfFreedom: chunks - 1 } }], threshold).agrees) alarms++;
      if (!judge("exact", [{ factor: 1, claimed, sampled }], threshold).agrees) naive++;
    }
    // 4 are expected, more than 12 happen once in 4000; with normal quantiles 4 % of the suites
    expect(alarms).toBeLessThanOrEqual(12);
    expect(naive).toBeGreaterThan(alarms);
  });

  it("finds the smallest relative error that a claim would not survive", () => {
    expect(smallestCaught("exact", [exactly([1], [1], [0.01])], 4)!).toBeGreaterThan(0.04);
    expect(smallestCaught("exact", [exactly([1], [1], [0.01])], 4)!).toBeLessThan(0.04 * 1.11);
    expect(smallestCaught({ relative: 0.1 }, [exactly([2, 0], [2, 0], [0.02, 0.02])], 4)!).toBeCloseTo(0.15, 1);
    // claimed above what was sampled: larger errors upwards are caught first, those downwards from 1.02 (1 − r) = 0.96 on
    const downwards = smallestCaught("exact", [exactly([1.02], [1], [0.01])], 4)!;
    expect(downwards).toBeGreaterThan(1 - 0.96 / 1.02);
    expect(downwards).toBeLessThan((1 - 0.96 / 1.02) * 1.11);
    expect(smallestCaught({ relative: 100 }, [exactly([1], [1], [0.01])], 4)).toBeUndefined();
    const slope = [1, 2, 4].map((factor) => ({ ...exactly([1 + 0.3 * factor ** -2], [1], [1e-4]), factor }));
    expect(smallestCaught({ order: 2 }, slope, 4)!).toBeLessThan(0.06);
  });

  it("takes infinite width from N and 2N", () => {
    const at = (n: number): Comparison => exactly([3 + 2 / n, -1 / n], [3, 0], [0.1, 0.1]);
    expect([...infiniteWidth.comparison(at(8), at(16)).claimed]).toEqual([3, 0]);
    expect(faults.map(({ name }) => name)).toContain(infiniteWidth.of);
  });

  it("samples other networks at every width, and for prior and posterior", async () => {
    const chunks: SampleChunk[] = [];
    const base = inlineRun({ registry: createRegistry(standardPlugins), seed: 7 });
    const run: Run = {
      ...base,
      // eslint-disable-next-line require-yield
      async *map<A>(_task: unknown, asked: readonly A[]) {
        chunks.push(...(asked as unknown as SampleChunk[]));
        throw new Error("enough");
      },
    };
    const one = linear([{ name: "exact" }]);
    const claim = (of: "prior" | "posterior") => ({ estimand: { of, quantity: "train.mean" } }) as unknown as Claim;
    for (const index of [0, 1, 2])
      for (const of of ["prior", "posterior"] as const)
        await expect(sampleFor(one, one.build(1), [claim(of)], new Map(), index, run)).rejects.toThrow("enough");
    expect(chunks).toHaveLength(6 * 40);
    expect(new Set(chunks.map(({ index }) => index)).size).toBe(6 * 40);
    expect(new Set(chunks.map(({ seed }) => seed))).toEqual(new Set([7]));
  });

  it("accepts within the errors and rejects beyond, the claim's own error included", () => {
    expect(judge("exact", [exactly([1, 2], [1.02, 2], [0.01, 0.01])], 3).agrees).toBe(true);
    expect(judge("exact", [exactly([1, 2], [1.04, 2], [0.01, 0.01])], 3)).toMatchObject({ agrees: false, worst: 0 });
    expect(judge("exact", [{ ...exactly([1], [1.04], [0.01]), claimedError: Float64Array.of(0.01) }], 3).agrees).toBe(true);
    expect(judge({ relative: 0.05 }, [exactly([1], [1.04], [0.001])], 3).agrees).toBe(true);
    expect(judge("exact", [exactly([Number.NaN], [1], [0.01])], 3).agrees).toBe(false);
  });

  it("tells the order of a residual from its slope", () => {
    const residual = (order: number): Comparison[] =>
      [1, 2, 4].map((factor) => ({ ...exactly([1 + 0.3 * factor ** -order], [1], [1e-4]), factor }));
    expect(judge({ order: 2 }, residual(2), 4)).toMatchObject({ agrees: true });
    expect(judge({ order: 1 }, residual(2), 4).agrees).toBe(true);
    expect(judge({ order: 2 }, residual(1), 4).agrees).toBe(false);
    expect(judge({ order: 1 }, residual(0), 4).agrees).toBe(false);
  });

  it("rejects a residual at the largest width that the smallest one does not announce, where sampling resolves no slope", () => {
    // in standard errors at N and 4N: at eight the square is four times its own error
    const seen = (first: number, last: number) =>
      judge({ order: 2 }, [exactly([1 + 0.01 * first], [1], [0.01]), { ...exactly([1 + 0.01 * last], [1], [0.01]), factor: 4 }], threshold);
    const threshold = criticalScore(10_000);
    expect(seen(0, threshold - 0.1).agrees).toBe(true);
    expect(seen(0, threshold + 0.1).agrees).toBe(false);
    expect(seen(-7, threshold + 0.1).agrees).toBe(true);
    expect(seen(-7, threshold + 7 * 4 ** -1.65 + 0.1).agrees).toBe(false);
    expect(seen(7.5, 7.5).agrees).toBe(false);
    expect(seen(20, 20 / 16).agrees).toBe(true);
  });
});

describe("the suite", () => {
  const wrongMean = faulty("wrong-mean", scaled("predictive-mean", 1.1));
  const wrongKernel = faulty("wrong-kernel", scaled("hidden-kernel-1", 0.9));
  const blind = faulty("blind", (claim) => ({ ...claim, error: { relative: 10 } }));
  const registry = createRegistry([...standardPlugins, { name: "faults", theories: [wrongMean, wrongKernel, blind] }]);
  const check = (name: string): Promise<SuiteEvidence> =>
    runVerification({ suite: "quick", families: [linear([{ name }])] }, inlineRun({ registry, seed: 2 }));

  it("passes the exact theory, with power against every fault", async () => {
    const evidence = await check("exact");
    expect(evidence.failures).toEqual([]);
    expect(evidence.claims.filter((claim) => !claim.passed)).toEqual([]);
    expect(evidence.claims.length).toBeGreaterThan(8);
    const reports = verificationReports(evidence, document);
    expect(reports["report.md"]).toContain("Verification: passed");
    expect(reports["junit.xml"]).toContain(`tests="${evidence.claims.length}" failures="0" errors="0"`);
    expect(reports["report.html"]).toContain("exact / linear / hidden-kernel-1");
    expect(JSON.parse(reports["report.json"]).passed).toBe(true);
  });

  it("names the claim that is wrong by a factor", async () => {
    for (const [name, id] of [
      ["wrong-mean", "predictive-mean"],
      ["wrong-kernel", "hidden-kernel-1"],
    ] as const) {
      const evidence = await check(name);
      expect(evidence.passed).toBe(false);
      expect(evidence.claims.filter((claim) => !claim.verdict.agrees).map((claim) => claim.id)).toEqual([id]);
      expect(verificationReports(evidence, document)["junit.xml"]).toContain('failures="1"');
    }
  });

  it("fails a claim that no sample could contradict", async () => {
    const evidence = await check("blind");
    expect(evidence.claims.every((claim) => claim.verdict.agrees)).toBe(true);
    expect(evidence.claims.some((claim) => !claim.powerful)).toBe(true);
    expect(evidence.passed).toBe(false);
  });

  it("reports a theory that refuses its scenario", async () => {
    const families = [
      family({
        name: "erf",
        theories: [{ name: "exact" }],
        network: fullyConnected("erf", [3], [1, 1]),
        points: 2,
        features: 2,
        temperature: 1,
        sampling: { kind: "importance", samples: 100 },
        seed: 1,
      }),
    ];
    const evidence = await runVerification({ suite: "quick", families }, inlineRun({ registry }));
    expect(evidence.failures).toMatchObject([{ theory: "exact", scenario: "erf" }]);
    expect(evidence.passed).toBe(false);
  });

  it("says when a filter matches nothing", async () => {
    await expect(
      runVerification({ suite: "quick", filter: "no such claim", families: [linear([{ name: "exact" }])] }, inlineRun({ registry })),
    ).rejects.toThrow("--filter: expected part of a name");
  });
});
