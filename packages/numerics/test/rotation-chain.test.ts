import { describe, expect, test } from "vitest";
import type { RandomStream } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { expectClose } from "../../../tools/testing.ts";
import {
  anneal,
  coordinateOf,
  diagnoseChains,
  hamiltonianChain,
  sampleChains,
  type HamiltonianOptions,
  type LogDensity,
  type RotationSampler,
  type RotationState,
} from "../src/index.js";

/** ℓ(x) = −½ Σ (x_i² − a_i)²/τ: two modes in every coordinate, no part of it Gaussian. */
const wells = (offsets: readonly number[], tau: number): LogDensity => ({
  dimension: offsets.length,
  evaluate: (x, gradient) => {
    let sum = 0;
    offsets.forEach((offset, i) => {
      const rest = x[i]! ** 2 - offset;
      gradient[i] = (-2 * rest * x[i]!) / tau;
      sum -= (0.5 * rest * rest) / tau;
    });
    return sum;
  },
});

const rotation: HamiltonianOptions = { draws: 1, warmup: 0, integrator: "rotation", stepSize: 0.3, pathLength: 1.5 };

/** A stream that gives these momenta, and uniforms of a half: steps of 0.9 of their size, paths of mean length; 0 accepts. */
function scripted(momentum: readonly number[], last = 0): RandomStream {
  const uniforms = [0.5, 0.5, last];
  return { uniform: () => uniforms.shift() ?? 0, normal: () => 0, normals: (out) => (out.set(momentum), out), gamma: () => 1 };
}

/** Positions that one trajectory visits from `x` with momentum `p`, both ends included. */
function trajectory(target: LogDensity, x: readonly number[], p: readonly number[], options = rotation): Float64Array[] {
  const visited: Float64Array[] = [];
  const watched: LogDensity = {
    dimension: target.dimension,
    evaluate: (at, gradient) => (visited.push(at.slice()), target.evaluate(at, gradient)),
  };
  const chain = hamiltonianChain(watched, options, (_random, out) => void out.set(x), scripted(p));
  for (const _ of chain) void _;
  return visited;
}

describe("rotation Hamiltonian chains", () => {
  const target = wells([1, 2], 0.7);

  test("a trajectory from its end with the momentum turned round visits the same points", () => {
    const there = trajectory(target, [0.3, -1.2], [0.8, 0.4]);
    const angle = 0.9 * rotation.stepSize!;
    const [before, end] = [there.at(-2)!, there.at(-1)!];
    const gradient = new Float64Array(2);
    target.evaluate(end, gradient);
    const momentum = Array.from(end, (to, i) => {
      const middle = (to - Math.cos(angle) * before[i]!) / Math.sin(angle);
      return Math.cos(angle) * middle - Math.sin(angle) * before[i]! + 0.5 * angle * gradient[i]!;
    });
    const back = trajectory(
      target,
      Array.from(end),
      momentum.map((value) => -value),
    ).toReversed();
    expect(there.length).toBe(7);
    there.forEach((point, k) => point.forEach((value, i) => expect(back[k]![i]).toBeCloseTo(value, 12)));
  });

  test("without a likelihood nothing is rejected and a quarter turn leaves nothing of the start", () => {
    const flat: LogDensity = { dimension: 3, evaluate: (_x, gradient) => (gradient.fill(0), 0) };
    for (const state of hamiltonianChain(flat, { ...rotation, draws: 50 }, (random, out) => void random.normals(out), stream(1)))
      expect(state.acceptance).toBeCloseTo(1, 12);
    const quarter = trajectory(flat, [1, 2, 3], [4, 5, 6], { ...rotation, stepSize: Math.PI / 2 / 0.9, pathLength: 0.1 });
    expect(Array.from(quarter.at(-1)!)).toEqual([4, 5, 6].map((value) => expect.closeTo(value, 12)));
  });

  test("the energy error of a trajectory is of second order in the step", () => {
    const error = (stepSize: number): number => {
      const length = 0.6;
      const chain = hamiltonianChain(
        target,
        { ...rotation, stepSize: stepSize / 0.9, pathLength: length, maxSteps: 10_000 },
        (_random, out) => void out.set([0.9, 1.2]),
        scripted([0.5, -0.7]),
      );
      const { value } = chain.next();
      return Math.log((value as { acceptance: number }).acceptance);
    };
    const errors = [0.06, 0.03, 0.015].map(error);
    expect(errors.every((one) => one < 0)).toBe(true);
    for (const k of [0, 1]) expect(errors[k]! / errors[k + 1]!).toBeCloseTo(4, 0.5);
  });

  test("leaves the posterior as it is, at coarse steps too: moments against quadrature", () => {
    const [offset, tau] = [1, 0.7];
    const density = (x: number): number => Math.exp(-0.5 * x * x - (0.5 * (x * x - offset) ** 2) / tau);
    const grid = Array.from({ length: 4001 }, (_, i) => -5 + i / 400);
    const mean = (f: (x: number) => number): number =>
      grid.reduce((sum, x) => sum + f(x) * density(x), 0) / grid.reduce((sum, x) => sum + density(x), 0);
    const one = wells([offset], tau);
    for (const options of [
      { draws: 4000, warmup: 300, integrator: "rotation" },
      { draws: 8000, warmup: 0, integrator: "rotation", stepSize: 0.8, pathLength: 1.5 },
    ] as const) {
      const draws = sampleChains(
        one,
        options,
        (random, out) => void random.normals(out),
        Array.from({ length: 4 }, (_, c) => stream(5, c)),
      );
      const x = coordinateOf(draws, 1, 0);
      for (const power of [1, 2, 4]) {
        const found = diagnoseChains(x.map((chain) => chain.map((value) => value ** power)));
        expect(Math.abs(found.mean - mean((value) => value ** power)) / found.standardError.mean).toBeLessThan(4);
      }
    }
  });

  test("a metric of its own is refused", () => {
    expect(() => hamiltonianChain(target, { ...rotation, adapt: "diagonal" }, () => undefined, stream(1)).next()).toThrow(/adapt/);
  });
});

describe("an annealed run", () => {
  /** Particles whose likelihood is their position; a move adds 0.1 and is accepted as the step size says. */
  const stub = () => {
    const moves: { exponent: number; stepSize: number }[] = [];
    let drawn = 0;
    const sampler = {
      draw: (): RotationState => ({ position: Float64Array.of(drawn), gradient: Float64Array.of(0), logLikelihood: drawn++ }),
      move: (state: RotationState, move: { exponent: number; stepSize: number }): number => {
        moves.push(move);
        state.position[0]! += 0.1;
        state.logLikelihood += 0.1;
        return 1 - move.stepSize;
      },
      stein: ({ position }: RotationState, exponent: number): number => position[0]! * exponent,
    } as unknown as RotationSampler;
    return { sampler, moves };
  };

  test("visits the levels of its ladder with their steps, moves every particle, and tells what it saw", async () => {
    const { sampler, moves } = stub();
    const ladder = { exponents: [0, 0.25, 1], stepSizes: [0.3, 0.1] };
    const [seen, pauses]: [number[], number[]] = [[], []];
    const found = await anneal(
      sampler,
      {
        particles: 3,
        moves: 2,
        ladder,
        control: ({ logLikelihood }, exponent) => 10 * exponent + logLikelihood,
        onLevel: (exponent) => seen.push(exponent),
        pause: () => (pauses.push(moves.length), undefined),
      },
      stream(6),
    );
    expect(seen).toEqual([0.25, 1]);
    expect(pauses).toEqual(Array.from({ length: 12 }, (_, k) => k + 1));
    expect(moves.map(({ exponent, stepSize }) => [exponent, stepSize])).toEqual([
      ...Array.from({ length: 6 }, () => [0.25, 0.3]),
      ...Array.from({ length: 6 }, () => [1, 0.1]),
    ]);
    expect(found.ladder).toEqual(ladder);
    const [first, second, last] = found.levels;
    expect(first).toEqual({ exponent: 0, logLikelihoods: Float64Array.of(0, 1, 2), stein: 0, acceptance: 1, control: 1 });
    const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b / values.length, 0);
    expectClose([second!.acceptance, last!.acceptance], [0.7, 0.9], { relative: 1e-12 });
    expectClose([second!.stein, last!.stein], [0.25 * mean(second!.logLikelihoods), mean(last!.logLikelihoods)], { relative: 1e-12 });
    expectClose([second!.control!, last!.control!], [2.5 + mean(second!.logLikelihoods), 10 + mean(last!.logLikelihoods)], {
      relative: 1e-12,
    });
    // resampled ones are old ones moved twice
    for (const value of second!.logLikelihoods) expect([0.2, 1.2, 2.2].some((old) => Math.abs(old - value) < 1e-12)).toBe(true);
    expect(Float64Array.from(found.states, ({ logLikelihood }) => logLikelihood)).toEqual(last!.logLikelihoods);
    const plain = await anneal(stub().sampler, { particles: 3, moves: 1, ladder }, stream(6));
    expect(plain.levels[1]).not.toHaveProperty("control");
  });

  test("without a ladder, steps follow their acceptance move by move and exponents the weights", async () => {
    const { sampler, moves } = stub();
    const found = await anneal(sampler, { particles: 4, moves: 2, acceptance: 0.7, effectiveFraction: 0.8 }, stream(6));
    let stepSize = 0.5;
    for (let k = 0; k < moves.length; k += 4) {
      expectClose(moves[k]!.stepSize, stepSize, { relative: 1e-12 });
      stepSize *= Math.exp(1 - stepSize - 0.7);
    }
    expect(found.ladder.stepSizes).toHaveLength(found.levels.length - 1);
    expectClose(found.ladder.stepSizes.at(-1)!, stepSize, { relative: 1e-12 });
    expect(found.ladder.exponents.at(-1)).toBe(1);
    const fraction = (k: number): number => {
      const rise = found.ladder.exponents[k + 1]! - found.ladder.exponents[k]!;
      const weights = Array.from(found.levels[k]!.logLikelihoods, (l) => Math.exp(rise * l));
      return weights.reduce((a, b) => a + b, 0) ** 2 / (4 * weights.reduce((a, b) => a + b * b, 0));
    };
    found.ladder.exponents.slice(1, -1).forEach((_, k) => expect(fraction(k)).toBeCloseTo(0.8, 9));
    expect(found.ladder.exponents.length).toBeGreaterThan(2);
  });
});
