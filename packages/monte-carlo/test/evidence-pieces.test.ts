import { resolveArchitecture, resolveNetworkInput, type Problem } from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import { evidenceOfIslands, createRotationSampler } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { sampledGradient } from "../src/evidence/evidence-gradient.js";
import type { IslandChunk, IslandResult } from "../src/evidence/island.js";
import { fadeLastUnit, lastLayerDeletions } from "../src/evidence/width-ratios.js";
import { samplingProblem } from "../src/posterior/chain.js";
import { collapsedLogLikelihood, logEvidence } from "../src/index.js";
import { answeredRun, ladder, levels, normals, randomMatrix, registry } from "./helpers.js";

const problemOf = (widths: readonly number[], fields: object = {}, points = 3): Problem => ({
  network: resolveNetworkInput({ type: "fully-connected", widths, activation: "tanh", ...fields } as { type: string }, registry),
  inputs: randomMatrix(points, 2, 1),
  targets: randomMatrix(points, 2, 2),
  temperature: 0.4,
  scaling: "standard",
});
/** Evidence of an island less that of the others: unequal weights. */
const rises = [0, 0.4, -0.3, 0.2, -0.6];
const island = (g: number, rise: number, found: Partial<IslandResult> = {}): IslandResult => ({
  ladder,
  levels: levels(-7 + rise, g),
  gradients: 10 + g,
  scores: [],
  controls: [],
  ...found,
});
const share = (skip?: number): number[] => {
  const weights = rises.map((rise, g) => (g === skip ? 0 : Math.exp(rise)));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
};
/** Mean of one number an island by their evidence, and its jackknife error. */
function weighed(values: readonly number[]) {
  const mean = (skip?: number) => share(skip).reduce((sum, weight, g) => sum + weight * values[g]!, 0);
  const left = values.map((_, g) => mean(g));
  const centre = left.reduce((a, b) => a + b, 0) / left.length;
  const square = left.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return { value: mean(), error: Math.sqrt(((left.length - 1) / left.length) * square) };
}

describe("gradients from scores that are given", () => {
  const particles = 6;
  const settings = { ladder, particles: 16, moves: 3, attempt: 2 };
  /** Seven scores a particle (three layers of variances, three of biases, T), and two controls. */
  const scores = (g: number) => Array.from({ length: particles }, (_, m) => normals(7, g, m, 1));
  const controls = (g: number, equal: boolean) =>
    Array.from({ length: particles }, (_, m) => {
      const c = normals(2, g, m, 2);
      const [score] = normals(7, g, m, 1);
      return equal ? Float64Array.of(c[0]! + score!, c[0]! + score!) : Float64Array.of(c[0]! + score!, 2 * c[1]! + 0.3);
    });
  const evidence = (equal: boolean) => {
    const islands = rises.map((rise, g) => island(g, rise, { scores: scores(g), controls: controls(g, equal) }));
    return { ...settings, islands, found: evidenceOfIslands(islands.map((one) => one.levels)) };
  };
  const network = { weightVariance: [1.2, 0.7, 1.5], biasVariance: [0.2, 0, 0.3] };

  it.each([false, true])("regressed on their controls over all particles, weighed by evidence (controls equal: %s)", async (equal) => {
    const problem = problemOf([6, 4], network);
    const found = await sampledGradient(
      problem,
      evidence(equal),
      "mean-field",
      answeredRun(() => undefined),
    );
    const pairs = rises.flatMap((_, g) => scores(g).map((v, m) => ({ g, v, c: controls(g, equal)[m]! })));
    const average = (of: (pair: (typeof pairs)[number]) => number) => pairs.reduce((sum, pair) => sum + of(pair) / pairs.length, 0);
    const centre = [0, 1].map((i) => average(({ c }) => c[i]!));
    const expected = Array.from({ length: 7 }, (_, k) => {
      const own = average(({ v }) => v[k]!);
      const cross = (i: number) => average(({ v, c }) => (v[k]! - own) * (c[i]! - centre[i]!));
      const square = (i: number, j: number) => average(({ c }) => (c[i]! - centre[i]!) * (c[j]! - centre[j]!));
      const determinant = square(0, 0) * square(1, 1) - square(0, 1) ** 2;
      const beta = equal
        ? [cross(0) / square(0, 0), 0]
        : [
            (cross(0) * square(1, 1) - cross(1) * square(0, 1)) / determinant,
            (cross(1) * square(0, 0) - cross(0) * square(0, 1)) / determinant,
          ];
      return weighed(rises.map((__, g) => pairs.filter((pair) => pair.g === g).reduce((sum, { v, c }) => sum + (v[k]! - beta[0]! * c[0]! - beta[1]! * c[1]!) / particles, 0))); // prettier-ignore
    });
    const values = (key: "value" | "error") => expected.map((one) => one[key]);
    for (const [key, gradient] of [
      ["value", found],
      ["error", found.standardError!],
    ] as const) {
      // prettier-ignore
      const all = values(key);
      expectClose(gradient.logWeightVariance as number[], all.slice(0, 3), { relative: 1e-9 });
      expect(gradient.logBiasVariance[1]).toBeNull();
      expectClose([gradient.logBiasVariance[0]!, gradient.logBiasVariance[2]!], [all[3]!, all[5]!], { relative: 1e-9 });
      expectClose(gradient.logTemperature!, all[6]!, { relative: 1e-9 });
      expect(gradient.widths).toEqual([null, null]);
    }
  });

  it.each([
    [
      [6, 4],
      ["fading", "fading"],
    ],
    [
      [4, 5],
      ["fading", "deletion"],
    ],
    [[9], ["deletion"]],
  ] as const)("widths %j: networks with one unit more, whose last is taken away by %j", async (widths, how) => {
    const ratios = [0.1, -0.2, 0.3, 0.25, -0.05];
    const run = answeredRun((_, { narrower }: IslandChunk, g) => island(g, rises[g]!, { narrower: ratios[g]! * (1 + narrower!.layer) }), {
      seed: 8,
    });
    const found = await sampledGradient(problemOf(widths), evidence(false), "standard", run);
    widths.forEach((_, l) => {
      const { value, error } = weighed(ratios.map((ratio) => Math.exp(ratio * (1 + l))));
      expectClose(found.widths[l]!, -Math.log(value), { relative: 1e-10 });
      expectClose(found.standardError!.widths[l]!, error / value, { relative: 1e-9 });
      const chunks = run.asked.slice(5 * l, 5 * l + 5).map(({ chunk }) => chunk as unknown as IslandChunk);
      chunks.forEach(({ problem, indices, particles: count, moves, draws, narrower, ladder: steps, seed }, g) => {
        expect((problem.network as unknown as { widths: number[] }).widths).toEqual(
          widths.map((width, k) => (k === l ? width + 1 : width)),
        );
        expect({ indices, count, moves, draws, narrower, steps, seed }).toEqual({ indices: [2, l + 1, g + 1], count: 16, moves: 3, draws: 4, narrower: { layer: l, by: how[l] }, steps: ladder, seed: 8 }); // prettier-ignore
      });
    });
    expect(run.asked).toHaveLength(5 * widths.length);
  });
});

describe("taking units away", () => {
  const widths = [4, 3];
  const problem = problemOf(widths, { weightVariance: [1.2, 0.7, 1.5], biasVariance: [0.2, 0.1, 0.3] });
  const whole = samplingProblem(problem, registry);
  const hidden = whole.network.parameters - whole.network.readoutParameters;
  const theta = normals(hidden, 40);
  /** Weights (and biases) of the network without unit `unit` of hidden layer `layer`. */
  const without = (layer: number, unit: number): Float64Array => {
    const out: number[] = [];
    let at = 0;
    widths.forEach((width, l) => {
      const size = l === 0 ? 2 : widths[l - 1]!;
      for (let i = 0; i < width; i++)
        for (let j = 0; j < size; j++, at++) if (!(l === layer && i === unit) && !(l === layer + 1 && j === unit)) out.push(theta[at]!);
      for (let i = 0; i < width; i++, at++) if (!(l === layer && i === unit)) out.push(theta[at]!);
    });
    expect(at).toBe(hidden);
    return Float64Array.from(out);
  };
  const likelihoodAt = (fewer: readonly number[], position: Float64Array): number => {
    const target = collapsedLogLikelihood(
      samplingProblem({ ...problem, network: { ...problem.network, widths: fewer } as never }, registry),
    );
    expect(target.dimension).toBe(position.length);
    return target.evaluate(position, new Float64Array(position.length));
  };

  it("each unit of the last layer at once: the mean over units of the likelihoods of the networks without", () => {
    const full = likelihoodAt(widths, theta);
    const each = [0, 1, 2].map((unit) => Math.exp(likelihoodAt([4, 2], without(1, unit)) - full));
    expectClose(lastLayerDeletions(whole)(theta), Math.log(each.reduce((a, b) => a + b, 0) / 3), { relative: 1e-10 });
  });

  it.each([0, 1])("fading the last unit of layer %i ends at the network without it", (layer) => {
    const chain = denseChain(resolveArchitecture(registry, problem.network))!;
    const state = createRotationSampler(collapsedLogLikelihood(whole)).open(theta);
    const fade = fadeLastUnit(chain, whole, layer);
    const fewer = widths.map((width, l) => (l === layer ? width - 1 : width));
    // one particle that stays where it is: the product of means telescopes
    const expected = likelihoodAt(fewer, without(layer, widths[layer]! - 1)) - likelihoodAt(widths, theta);
    expectClose(fade([state], 0.1, 0, stream(1)), expected, { relative: 1e-10 });
  });
});

describe("attempts at an evidence", () => {
  const disagreeing = (g: number): number => (g % 2 === 0 ? 2 : -2);
  const run = (good: number) =>
    answeredRun(
      (_, { ladder: steps, indices }: IslandChunk, g) => (steps ? island(g, indices[0]! >= good ? 0 : disagreeing(g)) : island(90, 0)),
      { seed: 3 },
    );
  const problem = problemOf([5], {}, 3);

  it("twice the particles, then twice the trajectories, as long as there are objections", async () => {
    const own = run(2);
    const found = await logEvidence(problem, { attempts: 5 }, own);
    expect(own.asked.map(({ chunk }) => [chunk["indices"], chunk["particles"], chunk["moves"], chunk["draws"], "ladder" in chunk])).toEqual(
      [
        [32, 2],
        [64, 2],
        [64, 4],
      ].flatMap(([particles, moves], attempt) => [
        [[attempt, 0, 0], 2 * particles!, moves, 0, false],
        ...Array.from({ length: 8 }, (_, g) => [[attempt, 0, g + 1], particles, moves, 0, true]),
      ]),
    );
    expect(found).toMatchObject({ converged: true, warnings: [], logEvidence: expect.closeTo(-7, 10) });
    expect(found).not.toHaveProperty("gradient");
    const { attempts, gradients, levels: exponents, stepSizes, islands, acceptance } = found.diagnostics;
    expect(attempts).toEqual([
      { particles: 32, moves: 2, objections: [expect.stringContaining("independent runs disagree") as string] },
      { particles: 64, moves: 2, objections: [expect.stringContaining("independent runs disagree") as string] },
      { particles: 64, moves: 4, objections: [] },
    ]);
    // three pilots of 100 gradients and eight islands of 10, 11 … 17
    expect(gradients).toBe(3 * (100 + 108));
    expect({ exponents, stepSizes, islands }).toEqual({ exponents: ladder.exponents, stepSizes: ladder.stepSizes, islands: 8 });
    expectClose(acceptance as number[], [0.9, 0.9], { relative: 1e-12 });
  });

  it("the last attempt stands, with its objections as a warning; three are made unasked", async () => {
    const own = run(9);
    const found = await logEvidence(problem, {}, own);
    expect(own.asked).toHaveLength(27);
    expect(found.converged).toBe(false);
    expect(found.warnings).toEqual([expect.stringMatching(/^the sampled log evidence is not to be trusted: independent runs disagree/)]);
    expect((await logEvidence(problem, { attempts: 1, islands: 4, particles: 8, moves: 1 }, run(9))).diagnostics).toMatchObject({
      converged: false,
      islands: 4,
      attempts: [{ particles: 8, moves: 1 }],
      islandSpread: expect.closeTo(Math.sqrt(16 / 3), 10) as number,
    });
  });
});
