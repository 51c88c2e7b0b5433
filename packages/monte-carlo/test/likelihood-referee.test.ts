import { matrixFromRows, resolveNetworkInput, type FittedMethod, type Matrix, type Problem } from "@finitewidth/core";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { referee } from "../src/index.js";
import type { NetworkIslandChunk, NetworkIslandResult } from "../src/likelihood/island.js";
import { answeredRun, ladder, levels, normals, registryWith } from "./helpers.js";

describe("referee of class probabilities on chains that are given", () => {
  const own = registryWith(likelihoods);
  const [x, signs] = [[0.5, -1, 2], [1, -1, 1]]; // prettier-ignore
  const table = (data: ArrayLike<number>, columns = 2): Matrix => ({
    data: Float64Array.from(data),
    shape: [data.length / columns, columns],
  });
  const column = (values: readonly number[]): Matrix => matrixFromRows(values.map((value) => [value]));
  const binary: Problem = {
    network: resolveNetworkInput({ type: "fully-connected", widths: [1], activation: "identity" } as { type: string }, own),
    inputs: column(x),
    targets: column(signs),
    temperature: 1,
    likelihood: { type: "logistic" },
    scaling: "standard",
  };
  const draws = 4;
  /** Draw k of every chain is f = w_k x; kernels of the hidden layer are x xᵀ + `kernel`. */
  const slopes = [0.4, 1, 1.6, 2.2];
  const islands = (disagree = 0, kernel = 0.5, points = 3) =>
    answeredRun(
      (_, { particles, draws: count, indices }: NetworkIslandChunk): NetworkIslandResult => {
        const island = indices.at(-1)!;
        const all = Array.from({ length: particles * count }, (__, k) => k);
        return {
          ladder,
          levels: levels(-3, island),
          gradients: 10,
          acceptance: 0.6 + 0.05 * island,
          logLikelihoods: normals(all.length, island).map((value) => value + disagree * island),
          theta: { data: Float64Array.from(all.flatMap((k) => [1, slopes[k % draws]!])), shape: [all.length, 2] },
          latents: { data: normals(points * all.length, island, 1), shape: [all.length, points] },
          hiddenKernels: [
            {
              data: Float64Array.from(
                { length: 9 * particles },
                (__, i) => draws * (x[Math.floor((i % 9) / 3)]! * x[i % 3]! + kernel + 1e-3 * normals(9 * particles, island, 2)[i]!),
              ),
              shape: [particles, 9],
            },
          ],
        };
      },
      { registry: own, seed: 6 },
    );
  const truth = (z: number): number => slopes.reduce((sum, w) => sum + 1 / (1 + Math.exp(-w * z)) / draws, 0);
  const method = (off: number, extra: Partial<FittedMethod> = {}, error?: number): FittedMethod => {
    const p = x.flatMap((z) => [1 - truth(z) - off, truth(z) + off]);
    const blank = column(x);
    const standardError =
      error === undefined ? {} : { standardError: { mean: blank, variance: blank, probabilities: table(new Float64Array(6).fill(error)) } };
    return { predictive: { mean: blank, variance: blank, probabilities: table(p), ...standardError }, ...extra };
  };
  const kernelOf = (shift: number): Matrix[] => [
    table(
      x.flatMap((a) => x.map((b) => a * b + shift)),
      3,
    ),
  ];

  it("root mean square within half the tolerance, evidence within a nat, kernels by what was learned", async () => {
    const run = islands();
    const { verdicts, referee: report } = await referee(
      binary,
      {
        near: method(0.024, { logEvidence: -3.4, hiddenKernels: kernelOf(0.45) }),
        far: method(-0.026, { logEvidence: -5, hiddenKernels: kernelOf(0.35) }),
        noisy: method(0.026, { orderParameter: column([1]) }, 0.03),
        numbers: { predictive: { mean: column(x), variance: column(x) } },
      },
      undefined,
      {},
      run,
    );
    const status = (name: string) =>
      Object.fromEntries(Object.entries(verdicts[name]!).map(([quantity, verdict]) => [quantity, verdict.status]));
    expect(status("near")).toEqual({ predictive: "confirmed", logEvidence: "confirmed", hiddenKernels: "confirmed" });
    expect(status("far")).toEqual({ predictive: "contradicted", logEvidence: "contradicted", hiddenKernels: "contradicted" });
    expect(status("noisy")).toEqual({ predictive: "doubtful", orderParameter: "unchecked" });
    expect(status("numbers")).toEqual({ predictive: "unchecked" });
    expectClose(verdicts["far"]!.predictive!.error!, 0.026, { relative: 1e-9 });
    expect(verdicts["far"]!.predictive!.how).toMatch(/^256 chains .* differ by 0\.0260 \(root mean square\); 0\.0250 is allowed/);
    expect(verdicts["noisy"]!.predictive!.standardError).toBeCloseTo(0.03 ** 2 / (2 * 0.026), 6);
    expect(report).toMatchObject({
      checked: true,
      chains: 256,
      draws,
      gradients: 90,
      testPoints: 3,
      acceptance: expect.closeTo(0.825, 12),
      logEvidence: expect.closeTo(-3, 12),
    });
    expect(report["rHat"]).toBeLessThan(1.05);
    const [pilot, ...others] = run.asked.map(({ chunk }) => chunk as unknown as NetworkIslandChunk);
    expect(pilot).toMatchObject({ particles: 64, draws: 0, seed: 6, stored: draws });
    expect(others.map(({ particles, draws: count, indices }) => [particles, count, indices])).toEqual(
      Array.from({ length: 8 }, (_, g) => [32, draws, [9, g + 1]]),
    );
  });

  it("chains that disagree judge the evidence alone", async () => {
    const { verdicts, referee: report } = await referee(
      binary,
      { one: method(0, { logEvidence: -3, hiddenKernels: kernelOf(0.5) }) },
      undefined,
      {},
      islands(0.5),
    );
    expect(verdicts["one"]!.predictive!.how).toMatch(/^the referee's own chains did not mix \(R̂ = \d\.\d+\)/);
    expect(Object.values(verdicts["one"]!).map(({ status }) => status)).toEqual(["unchecked", "confirmed", "unchecked"]);
    expect(report["checked"]).toBe(false);
  });

  it("judges five hundred test points at most, kernels of a hundred training points, and nothing without slopes", async () => {
    const many = Array.from({ length: 501 }, (_, i) => Math.sin(i));
    const at = (points: number): Problem => ({ ...binary, inputs: column(many.slice(0, points)), targets: column(many.slice(0, points).map((z) => Math.sign(z + 0.01))) }); // prettier-ignore
    const p = many.flatMap((z, i) => [1 - truth(z), truth(z)].map((value) => value + (i === 500 ? 5 : 0)));
    const blank = column(many);
    const methods = { one: { predictive: { mean: blank, variance: blank, probabilities: table(p) }, hiddenKernels: [table(new Float64Array(101 ** 2), 101)] } }; // prettier-ignore
    const { verdicts, referee: report } = await referee(at(101), methods, { inputs: column(many) }, {}, islands(0, 0.5, 101));
    expect(report["testPoints"]).toBe(500);
    expect(verdicts["one"]!.predictive!.status).toBe("confirmed");
    expect(verdicts["one"]!.hiddenKernels).toMatchObject({ status: "unchecked", how: "hidden kernels of so many points are not judged" });
    const step = { ...binary, network: { ...binary.network, activation: "sign" } as never };
    const refused = await referee(step, methods, undefined, {}, islands());
    expect(refused.referee).toEqual({ checked: false, why: expect.stringContaining("piecewise constant") as string });
    expect(Object.keys(refused.verdicts["one"]!)).toEqual(["predictive", "hiddenKernels"]);
    // 256 particles, 200 gradients of six flops for three points and two weights: 1.8e6 of them, 1e10 a second
    for (const [seconds, judged] of [
      [1.9e-4, true],
      [1.8e-4, false],
    ] as const)
      // prettier-ignore
      expect((await referee(binary, methods, undefined, { seconds }, islands())).referee["checked"]).toBe(judged);
  });
});
