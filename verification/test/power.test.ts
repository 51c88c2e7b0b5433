import {
  createRegistry,
  hiddenWidths,
  inlineRun,
  resolveArchitecture,
  toStandardScaling,
  type Claim,
  type Network,
  type Theory,
} from "@finitewidth/core";
import { exact } from "@finitewidth/posterior";
import { describe, expect, it } from "vitest";
import {
  applyFault,
  checkPower,
  criticalScore,
  family,
  faults,
  fullyConnected,
  infiniteWidth,
  isPowerful,
  judge,
  runVerification,
  standardPlugins,
  studentScore,
  type Comparison,
  type PowerCheck,
  type ScenarioFamily,
} from "../src/index.js";

const threshold = criticalScore(10_000);
/** A number `z` standard errors away, from chunks or with errors that are known. */
const at = (z: number, degreesOfFreedom?: number, factor = 1): Comparison => ({
  factor,
  claimed: Float64Array.of(1 + 0.01 * z),
  sampled: {
    value: Float64Array.of(1),
    standardError: Float64Array.of(0.01),
    effectiveSamples: 100,
    ...(degreesOfFreedom === undefined ? {} : { degreesOfFreedom }),
  },
});
const check = (fault: string, applicable: boolean, caught: boolean): PowerCheck => ({ fault, applicable, caught, score: 0 });
const caught = (fault: string): PowerCheck => check(fault, true, true);
const missed = (fault: string): PowerCheck => check(fault, true, false);

describe("a fault is caught", () => {
  it("by the rule of the verdict: where the claim itself would be rejected, with the same score", () => {
    const student = studentScore(threshold, 39);
    for (const z of [0.5, 2, threshold - 0.1, threshold + 0.1, student - 0.01, student + 0.01, 9])
      for (const freedom of [39, undefined]) {
        const found = checkPower("fault", "exact", [at(0, freedom)], [at(z, freedom)], threshold);
        const verdict = judge("exact", [at(z, freedom)], threshold);
        expect(found.caught).toBe(!verdict.agrees);
        expect(found.score).toBe(verdict.score);
        expect(found.caught).toBe(z > (freedom === undefined ? threshold : student));
      }
  });

  it("with Student's t: what the normal score alone would reject is missed, and not accepted by the verdict either", () => {
    // 5.2 standard errors from 40 chunks: above the normal threshold 4.89, below that of t₃₉, 5.9
    expect(checkPower("fault", "exact", [at(0, 39)], [at(5.2, 39)], threshold).caught).toBe(false);
    expect(checkPower("fault", "exact", [at(0)], [at(5.2)], threshold).caught).toBe(true);
    expect(studentScore(threshold, 39)).toBeGreaterThan(5.7);
  });

  it("not where it changes nothing, though the claim be wrong", () => {
    expect(checkPower("fault", "exact", [at(9)], [at(9)], threshold)).toMatchObject({ applicable: false, caught: false });
    expect(checkPower("fault", "exact", [at(9)], [at(9 + 1e-8)], threshold).applicable).toBe(false);
    expect(checkPower("fault", "exact", [at(9)], [at(9 + 1e-5)], threshold).applicable).toBe(true);
  });

  it("not where the theory withdraws the claim", () => {
    expect(checkPower("fault", "exact", [at(0)], undefined, threshold)).toEqual({
      fault: "fault",
      applicable: true,
      caught: false,
      score: 0,
    });
  });

  it("at any of the widths that it changes", () => {
    const own = [at(0, 39, 1), at(0, 39, 2), at(0, 39, 4)];
    expect(checkPower("fault", { order: 1 }, own, [own[0]!, own[1]!, at(40, 39, 4)], threshold)).toMatchObject({
      applicable: true,
      caught: true,
    });
  });
});

describe("a claim has power", () => {
  const [width, limit, variance, readout] = ["N → 2N", "N → ∞", "σ_w² → 1/σ_w²", "readout σ_w² → 1.5 σ_w²"];

  it("names the faults that there are", () => {
    const names = [...faults.map(({ name }) => name), infiniteWidth.name];
    for (const name of [width, limit, variance, readout]) expect(names).toContain(name);
  });

  it.each([
    ["every kind caught", [caught(width), caught(limit), caught(variance)], true],
    ["one of a kind is enough", [missed("N → N − 1"), caught(width), caught(limit), missed(readout), caught(variance)], true],
    ["infinite width missed", [caught("N → N − 1"), caught(width), missed(limit), caught(variance)], false],
    ["a finite change of the width missed", [missed("N → N − 1"), missed(width), caught(limit), caught(variance)], true],
    ["dependent on the width alone", [missed(width), caught(limit), check(variance, false, false)], true],
    ["width missed", [missed(width), missed(limit), caught(variance)], false],
    ["variance missed", [caught(width), caught(limit), missed(variance), missed(readout)], false],
    ["independent of the width", [check(width, false, false), check(limit, false, false), caught(variance)], true],
    ["independent of everything", [check(width, false, false), check(limit, false, false), check(variance, false, false)], false],
    ["nothing was checked", [], false],
  ])("%s", (_name, power, expected) => expect(isPowerful(power)).toBe(expected));
});

describe("faults", () => {
  const registry = createRegistry(standardPlugins);
  const scenario = (scaling: "standard" | "mean-field") =>
    family({
      name: "one",
      theories: [],
      network: fullyConnected("identity", [4, 6], [1.3, 0.7, 1.1], [0.1, 0.2, 0.3]),
      points: 2,
      features: 2,
      temperature: 0.3,
      scaling,
      sampling: { kind: "importance", samples: 1 },
      seed: 1,
    }).build(1);
  const under = (name: string, scaling: "standard" | "mean-field" = "standard") =>
    applyFault(
      faults.find((fault) => fault.name === name)!,
      scenario(scaling),
      registry,
    ).problem;
  const of = (network: Network) => network as unknown as { widths: number[]; weightVariance: number[]; biasVariance: number[] };

  it("change what they name and nothing else", () => {
    const network = of(scenario("standard").problem.network);
    expect(of(under("N → N − 1").network)).toEqual({ ...network, widths: [3, 5] });
    expect(of(under("N → 2N").network)).toEqual({ ...network, widths: [8, 12] });
    expect(of(under("σ_w² → 1/σ_w²").network)).toEqual({ ...network, weightVariance: [1 / 1.3, 1 / 0.7, 1 / 1.1] });
    expect(of(under("readout σ_w² → 1.5 σ_w²").network)).toEqual({ ...network, weightVariance: [1.3, 0.7, 1.5 * 1.1] });
    for (const { name } of faults) expect(under(name)).toEqual({ ...scenario("standard").problem, network: under(name).network });
  });

  it("are not the same", () => {
    expect(faults.map(({ kind }) => kind).sort()).toEqual(["variance", "variance", "width", "width"]);
  });

  it.each(["N → N − 1", "N → 2N"])("%s in mean-field scaling leaves the outputs at infinite width, and the noise, as they are", (name) => {
    const [own, changed] = [scenario("mean-field").problem, under(name, "mean-field")].map((problem) =>
      toStandardScaling(problem, registry),
    );
    expect(changed!.temperature).toBeCloseTo(own!.temperature, 14);
    expect(changed!.targets).toEqual(own!.targets);
    for (const field of ["weightVariance", "biasVariance"] as const)
      of(changed!.network)[field].forEach((value, l) => expect(value).toBeCloseTo(of(own!.network)[field][l]!, 14));
    expect(hiddenWidths(resolveArchitecture(registry, changed!.network))).not.toEqual([4, 6]);
  });
});

describe("in the suite", () => {
  const small: ScenarioFamily = family({
    name: "small",
    theories: [{ name: "half-blind" }],
    network: fullyConnected("identity", [4], [1.3, 0.7]),
    points: 3,
    features: 3,
    temperature: 0.3,
    sampling: { kind: "importance", samples: 20_000 },
    seed: 11,
  });
  /** The exact theory, whose claim of the predictive mean is withdrawn for networks of 8 units. */
  const halfBlind: Theory = {
    ...(exact as Theory),
    name: "half-blind",
    *claims(fitted, registry) {
      const [width] = hiddenWidths(resolveArchitecture(registry, fitted.scenario.problem.network));
      for (const claim of (exact as Theory).claims(fitted, registry))
        if (width !== 8 || claim.id !== "predictive-mean") yield claim as Claim;
    },
  };

  it("verdict and power are of one threshold, claims are powerful as their checks say, and a withdrawn claim is missed", async () => {
    const registry = createRegistry([...standardPlugins, { name: "half", theories: [halfBlind] }]);
    const { claims } = await runVerification({ suite: "quick", families: [small] }, inlineRun({ registry, seed: 3 }));
    for (const claim of claims) {
      expect(claim.powerful).toBe(isPowerful(claim.power));
      expect(claim.passed).toBe(claim.verdict.agrees && claim.powerful);
      expect(claim.power.map(({ fault }) => fault)).toEqual(["N → N − 1", "N → 2N", "N → ∞", "σ_w² → 1/σ_w²", "readout σ_w² → 1.5 σ_w²"]);
      for (const one of claim.power) if (one.applicable) expect(one.caught).toBe(one.score > claim.threshold);
      // the largest deviation from the samples in standard errors, shortened by the ratio of the thresholds as in the verdict
      const { claimed, sampled, standardError } = claim.comparisons[0]!;
      const largest = Math.max(...claimed.map((value, i) => Math.abs(value - sampled[i]!) / standardError[i]!));
      expect(claim.verdict.score).toBeCloseTo((largest * claim.threshold) / studentScore(claim.threshold, 39), 8);
    }
    const mean = claims.find(({ id }) => id === "predictive-mean")!;
    expect(mean.verdict.agrees).toBe(true);
    expect(mean.power.filter(({ fault }) => fault === "N → 2N" || fault === "N → ∞")).toMatchObject([missed("N → 2N"), missed("N → ∞")]);
    expect(mean.passed).toBe(false);
    expect(claims.find(({ id }) => id === "predictive-variance")!.passed).toBe(true);
  });
});
