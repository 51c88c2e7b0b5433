import { describe, expect, test } from "vitest";
import { stream } from "@finitewidth/random";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  anneal,
  createRotationSampler,
  evidenceEstimates,
  evidenceOfIslands,
  jackknifeError,
  nextExponent,
  studentQuantile,
  type AnnealedLevel,
  type AnnealingOptions,
  type IslandEvidence,
  type LogDensity,
} from "../src/index.js";

/** ℓ = −½|x_k − m|²/s² in the first `used` coordinates of `dimension`. */
function gaussianLikelihood(dimension: number, used: number, centre: number, variance: number): LogDensity {
  return {
    dimension,
    evaluate: (x, gradient) => {
      gradient.fill(0);
      let sum = 0;
      for (let i = 0; i < used; i++) {
        gradient[i] = (centre - x[i]!) / variance;
        sum -= (0.5 * (centre - x[i]!) ** 2) / variance;
      }
      return sum;
    },
  };
}
/** log ∫ N(θ|0,1) e^{ℓ}: ½ log(s²/(1 + s²)) − ½m²/(1 + s²) for every coordinate used. */
const exactEvidence = (used: number, centre: number, variance: number): number =>
  used * 0.5 * (Math.log(variance / (1 + variance)) - centre ** 2 / (1 + variance));

/** Two wells at ±m in one coordinate, equally deep. */
const wells: LogDensity = {
  dimension: 3,
  evaluate: (x, gradient) => {
    const [m, v] = [2, 0.25];
    const [a, b] = [-(0.5 * (x[0]! - m) ** 2) / v, -(0.5 * (x[0]! + m) ** 2) / v];
    const top = Math.max(a, b);
    const [wa, wb] = [Math.exp(a - top), Math.exp(b - top)];
    gradient.fill(0);
    gradient[0] = -(wa * (x[0]! - m) + wb * (x[0]! + m)) / v / (wa + wb);
    return top + Math.log(wa + wb);
  },
};

describe("the move", () => {
  test("at exponent 0 nothing is rejected and a quarter turn is an independent draw, in any dimension", () => {
    const sampler = createRotationSampler(gaussianLikelihood(500, 500, 3, 0.01));
    const random = stream(1);
    const state = sampler.draw(random);
    let [sum, squares, products, n] = [0, 0, 0, 0];
    for (let k = 0; k < 200; k++) {
      const before = state.position.slice();
      // one step of size π/2 lies in U(0.8, 1) π/2 or a quarter of it: turn exactly by asking for the mean angle over many steps
      expect(sampler.move(state, { exponent: 0, stepSize: 0.1 }, random)).toBeCloseTo(1, 10);
      state.position.forEach((value, i) => {
        sum += value;
        squares += value * value;
        products += value * before[i]!;
        n++;
      });
    }
    expect(Math.abs(sum) / Math.sqrt(n)).toBeLessThan(4 * 1.5);
    expect(Math.abs(squares / n - 1)).toBeLessThan(4 * Math.sqrt(2 / n) * 1.5);
    // cos of an angle π/2·U(0.7, 1.3), shorter in one of ten: far from 1
    expect(Math.abs(products / n)).toBeLessThan(0.25);
  });

  test.each([1, 0.3])("samples N(0, 1) e^{bℓ} of a Gaussian likelihood, b = %d", (exponent) => {
    const [centre, variance] = [2, 0.05];
    const sampler = createRotationSampler(gaussianLikelihood(40, 2, centre, variance));
    const precision = 1 + exponent / variance;
    const expected = { mean: (exponent * centre) / variance / precision, variance: 1 / precision };
    const [chains, draws] = [40, 200];
    const means: number[] = [];
    const squares: number[] = [];
    const steins: number[] = [];
    for (let c = 0; c < chains; c++) {
      const random = stream(3, c);
      const state = sampler.draw(random);
      let [mean, square, stein] = [0, 0, 0];
      for (let k = -20; k < draws; k++) {
        sampler.move(state, { exponent, stepSize: 0.25 }, random);
        if (k < 0) continue;
        mean += state.position[0]! / draws;
        square += (state.position[0]! - expected.mean) ** 2 / draws;
        stein += sampler.stein(state, exponent) / draws;
      }
      means.push(mean - expected.mean);
      squares.push(square - expected.variance);
      steins.push(stein);
    }
    const score = (values: number[]): number => {
      const mean = values.reduce((a, b) => a + b) / values.length;
      return mean / Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (chains - 1) / chains);
    };
    for (const values of [means, squares, steins]) expect(Math.abs(score(values))).toBeLessThan(4);
    // a posterior variance wrong by a quarter would be seen
    expect(Math.abs(score(squares.map((value) => value + 0.25 * expected.variance)))).toBeGreaterThan(4);
  });

  test("the step is limited by the likelihood, not by the dimension", () => {
    const acceptance = (dimension: number): number => {
      const sampler = createRotationSampler(gaussianLikelihood(dimension, 2, 1, 0.1));
      const random = stream(4);
      const state = sampler.draw(random);
      let sum = 0;
      for (let k = 0; k < 400; k++) sum += sampler.move(state, { exponent: 1, stepSize: 0.4 }, random) / 400;
      return sum;
    };
    expect(Math.abs(acceptance(5000) - acceptance(2))).toBeLessThan(0.05);
  });

  test("a likelihood that is not a number is rejected, and without one there is no start", () => {
    const hole: LogDensity = { dimension: 1, evaluate: (x, g) => ((g[0] = 0), x[0]! > 0 ? 0 : Number.NaN) };
    const random = stream(5);
    const sampler = createRotationSampler(hole);
    const state = sampler.draw(random);
    for (let k = 0; k < 50; k++) sampler.move(state, { exponent: 1, stepSize: 0.5 }, random);
    expect(state.position[0]).toBeGreaterThan(0);
    expect(() => createRotationSampler({ dimension: 1, evaluate: () => Number.NaN }).draw(random)).toThrow("no finite likelihood");
    expect(() => sampler.move(state, { exponent: 1, stepSize: 0 }, random)).toThrow("stepSize");
  });
});

interface BridgeFixture {
  readonly cases: readonly {
    readonly inputs: { readonly temperatures: number[]; readonly logLikelihood: number[][][] };
    readonly expected: {
      readonly islands: { readonly forward: number; readonly backward: number; readonly bennett: number; readonly ti: number }[];
      readonly smc: number;
      readonly weightedBennett: number;
      readonly nextTemperatureFrom0: number;
    };
  }[];
}

describe("estimates from given levels", () => {
  const { cases } = readFixture<BridgeFixture>("evidence-trust/bridge-formulas");
  const tolerance = { relative: 1e-9, absolute: 1e-9 };
  test.each(cases.map((each, i) => [i, each] as const))("fixture, case %d", (_, { inputs, expected }) => {
    const islands = inputs.logLikelihood.map((island) =>
      island.map((values, k): AnnealedLevel => ({
        exponent: inputs.temperatures[k]!,
        logLikelihoods: Float64Array.from(values),
        stein: 0,
        acceptance: 1,
      })),
    );
    expected.islands.forEach((values, g) => {
      const { forward, backward, bennett, thermodynamic } = evidenceEstimates([islands[g]!]);
      expectClose([forward, backward, bennett, thermodynamic], [values.forward, values.backward, values.bennett, values.ti], tolerance);
    });
    const together = evidenceEstimates(islands);
    expectClose([together.forward, together.bennett], [expected.smc, expected.weightedBennett], tolerance);
    expectClose(nextExponent(islands[0]![0]!.logLikelihoods, 0, 0.5), expected.nextTemperatureFrom0, tolerance);
  });

  test("nothing to learn: all likelihoods equal", () => {
    const level = (exponent: number): AnnealedLevel => ({
      exponent,
      logLikelihoods: new Float64Array(4).fill(-7),
      stein: 0,
      acceptance: 1,
    });
    expectClose(
      Object.values(
        evidenceEstimates([
          [level(0), level(1)],
          [level(0), level(1)],
        ]),
      ),
      [-7, -7, -7, -7],
      { relative: 1e-14 },
    );
  });

  test("jackknife of a mean is its standard error; Student quantiles", () => {
    const values = [1, 4, 2, 8];
    const total = 15;
    expectClose(jackknifeError(values.map((value) => (total - value) / 3)), Math.sqrt(28.75 / 3 / 4), { relative: 1e-12 });
    expectClose([studentQuantile(0.975, 7), studentQuantile(0.999, 31)], [2.364624251592784, 3.374899], { relative: 1e-6 });
  });
});

describe("evidence of annealed islands", () => {
  async function run(
    target: LogDensity,
    seed: number,
    moves = 2,
    particles = 32,
    control?: AnnealingOptions["control"],
  ): Promise<IslandEvidence> {
    const sampler = createRotationSampler(target);
    const { ladder } = await anneal(sampler, { particles: 2 * particles, moves }, stream(seed, 0));
    const islands: (readonly AnnealedLevel[])[] = [];
    const settings = { particles, moves, ladder, ...(control ? { control } : {}) };
    for (let g = 1; g <= 8; g++) islands.push((await anneal(sampler, settings, stream(seed, g))).levels);
    return evidenceOfIslands(islands);
  }

  test("30 seeds against the exact value: unit variance of the scores, few objections", async () => {
    const [used, centre, variance] = [4, 1.5, 0.1];
    const exact = exactEvidence(used, centre, variance);
    const runs = await Promise.all(Array.from({ length: 30 }, (_, seed) => run(gaussianLikelihood(30, used, centre, variance), seed)));
    const scores = runs.map(({ logEvidence, standardError }) => (logEvidence - exact) / standardError);
    const square = scores.reduce((sum, z) => sum + z * z, 0) / 30;
    // t₇ scores have variance 1.4 at most (the error is the larger of two); below 0.3 or above 2.4 with probability 1e-3
    expect(square).toBeLessThan(2.4);
    expect(square).toBeGreaterThan(0.3);
    expect(Math.abs(scores.reduce((sum, z) => sum + z, 0) / Math.sqrt(30))).toBeLessThan(3.5);
    expect(runs.filter(({ objections }) => objections.length > 0).length).toBeLessThanOrEqual(3);
    expect(Math.max(...runs.map(({ standardError }) => standardError))).toBeLessThan(0.5);
  });

  test("a control variate of mean zero at every level lessens the noise and moves nothing", async () => {
    const [used, centre, variance] = [4, 1.5, 1];
    const target = gaussianLikelihood(10, used, centre, variance);
    // under N(0, 1)e^{bℓ} every used weight has precision 1 + b/v and mean bc/(v + b); ℓ itself less its mean is the best control there is
    const control: AnnealingOptions["control"] = ({ logLikelihood }, b) =>
      logLikelihood + (0.5 * used * (1 / (1 + b / variance) + (centre - (b * centre) / (variance + b)) ** 2)) / variance;
    const [runs, plain] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, (_, seed) => run(target, seed, 2, 32, control))),
      Promise.all(Array.from({ length: 5 }, (_, seed) => run(target, seed))),
    ]);
    const scores = runs.map(({ logEvidence, standardError }) => (logEvidence - exactEvidence(used, centre, variance)) / standardError);
    // Student's t with six degrees of freedom has variance 1.5: mean squares of 20 above 3.6 with probability below 1e-3
    const square = scores.reduce((sum, z) => sum + (z * z) / 20, 0);
    expect(square).toBeLessThan(3.6);
    expect(square).toBeGreaterThan(0.2);
    expect(Math.abs(scores.reduce((sum, z) => sum + z, 0) / Math.sqrt(20))).toBeLessThan(4);
    const typical = (all: readonly IslandEvidence[]) =>
      all.map((one) => one.standardErrors.bennett).toSorted((a, b) => a - b)[all.length >> 1]!;
    expect(typical(runs)).toBeLessThan(0.5 * typical(plain));
    expect(runs[0]!.estimates.bennett).toBe(plain[0]!.estimates.bennett);
  });

  test("the pilot's step sizes suit the level they are for, not the one before", async () => {
    const sampler = createRotationSampler(gaussianLikelihood(20, 20, 1.5, 0.003));
    const { ladder } = await anneal(sampler, { particles: 64, moves: 2 }, stream(9, 0));
    const { levels } = await anneal(sampler, { particles: 64, moves: 2, ladder }, stream(9, 1));
    expect(ladder.exponents.length).toBeGreaterThan(8);
    for (const { acceptance } of levels) expect(acceptance).toBeGreaterThan(0.7);
  });

  test("two wells: both are weighed", async () => {
    const { logEvidence, standardError, objections } = await run(wells, 7);
    // each well: √(v/(1 + v)) e^{−½m²/(1 + v)}
    const exact = Math.log(2) + 0.5 * Math.log(0.25 / 1.25) - (0.5 * 4) / 1.25;
    expect(Math.abs(logEvidence - exact)).toBeLessThan(4 * standardError);
    expect(objections).toEqual([]);
  });

  test("a run that does not move is convicted", async () => {
    const lame = gaussianLikelihood(40, 40, 1.5, 0.02);
    const sampler = createRotationSampler(lame);
    const { ladder } = await anneal(sampler, { particles: 48, moves: 2 }, stream(8, 0));
    const stuck = { exponents: ladder.exponents, stepSizes: ladder.stepSizes.map(() => 1e-3) };
    const islands = [];
    for (let g = 1; g <= 8; g++) islands.push((await anneal(sampler, { particles: 24, moves: 1, ladder: stuck }, stream(8, g))).levels);
    expect(evidenceOfIslands(islands).objections.join()).toContain("disagree");
  });
});
