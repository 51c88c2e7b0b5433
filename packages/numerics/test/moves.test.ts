import type { RandomStream } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, test } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  coordinateOf,
  createRotationSampler,
  ellipticalSliceChain,
  factorMetric,
  hamiltonianChain,
  langevinChain,
  logMeanExp,
  sampleChains,
  type ChainReport,
  type LogDensity,
} from "../src/index.js";
import { all, scripted, startAt } from "./chains.ts";

/** A quartic in two unlike coordinates. */
const target: LogDensity = {
  dimension: 2,
  evaluate: (x, gradient) => {
    const [a, b] = [x[0]!, x[1]!];
    gradient[0] = -a - 0.4 * b - 0.3 * a ** 3;
    gradient[1] = -2 * b - 0.4 * a;
    return -0.5 * a * a - 0.4 * a * b - b * b - 0.075 * a ** 4;
  },
};
const value = (x: ArrayLike<number>): number => target.evaluate(Float64Array.from(x), new Float64Array(2));
const slope = (x: ArrayLike<number>): number[] => {
  const out = new Float64Array(2);
  target.evaluate(Float64Array.from(x), out);
  return [...out];
};
describe("a leapfrog trajectory", () => {
  const x = [0.4, -0.7];
  const p = [0.9, 0.3];
  const S = [1.5, 0, 0.6, 0.8];
  /** From x with momentum p in the coordinates w, x = S w. */
  const leapfrog = (step: number, count: number): { readonly x: number[]; readonly p: number[] } => {
    let [at, w] = [x, p];
    const kick = (share: number): number[] => {
      const g = slope(at);
      return [w[0]! + share * step * (S[0]! * g[0]! + S[2]! * g[1]!), w[1]! + share * step * (S[1]! * g[0]! + S[3]! * g[1]!)];
    };
    for (let k = 0; k < count; k++) {
      w = kick(0.5);
      at = [at[0]! + step * (S[0]! * w[0]! + S[1]! * w[1]!), at[1]! + step * (S[2]! * w[0]! + S[3]! * w[1]!)];
      w = kick(0.5);
    }
    return { x: at, p: w };
  };
  const half = (w: readonly number[]): number => 0.5 * (w[0]! ** 2 + w[1]! ** 2);
  const options = { draws: 1, warmup: 0, stepSize: 0.3, adapt: "none", metric: factorMetric(Float64Array.from(S)) } as const;

  test.each([
    // step size 0.3·(0.8 + 0.2·½) = 0.27; path π/2·(0.4 + 1.2·¾)/0.27 rounded
    ["of random length", {}, Math.round(((0.4 + 1.2 * 0.75) * Math.PI) / 2 / 0.27)],
    ["of a path of its own", { pathLength: 1 }, Math.round(1.3 / 0.27)],
    ["of at most so many steps", { maxSteps: 3 }, 3],
    ["of a fixed number", { steps: 2 }, 2],
  ] as const)("%s is accepted by its energy", (_, more, count) => {
    const end = leapfrog(0.27, count);
    const acceptance = Math.min(1, Math.exp(value(end.x) - half(end.p) - value(x) + half(p)));
    for (const accepted of acceptance < 1 ? [true, false] : [true]) {
      const uniform = acceptance + (accepted ? -1e-9 : 1e-9);
      const chain = hamiltonianChain(target, { ...options, ...more }, startAt(x), scripted([0.5, 0.75, uniform], p));
      const { states, report } = all<ChainReport>(chain);
      expectClose(states[0]!.position, accepted ? end.x : x, { relative: 1e-12 });
      expectClose(states[0]!.logDensity, value(accepted ? end.x : x), { relative: 1e-12 });
      expectClose(states[0]!.acceptance, acceptance, { relative: 1e-10 });
      expectClose([report.gradients, report.stepSize, report.divergences, report.energyFraction], [1 + count, 0.3, 0, 1], {
        relative: 1e-12,
      });
    }
  });

  test("its report: mean acceptance, divergences, and how far energies move against how they scatter", () => {
    const steep: LogDensity = {
      dimension: 1,
      evaluate: (at, gradient) => ((gradient[0] = at[0]! > 2 ? -1e9 : -at[0]!), at[0]! > 2 ? -1e9 : -0.5 * at[0]! ** 2),
    };
    const energies: number[] = [];
    const random = stream(8);
    const watched: RandomStream = {
      ...random,
      uniform: () => random.uniform(),
      normals: (out) => (random.normals(out), momenta.push(out[0]!), out),
    };
    const momenta: number[] = [];
    let before = 0.5;
    const { states, report } = all<ChainReport>(
      hamiltonianChain(steep, { draws: 60, warmup: 0, stepSize: 1.4, steps: 1 }, startAt([before]), watched),
    );
    states.forEach(({ position }, k) => {
      energies.push(0.5 * before ** 2 + 0.5 * momenta[k]! ** 2);
      before = position[0]!;
    });
    const mean = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0) / values.length;
    expect(report.divergences).toBe(states.filter(({ divergent }) => divergent).length);
    expect(report.divergences).toBeGreaterThan(0);
    expectClose(report.acceptance, mean(states.map(({ acceptance }) => acceptance)), { relative: 1e-12 });
    const steps = energies.slice(1).reduce((total, energy, k) => total + (energy - energies[k]!) ** 2, 0);
    const scatter = energies.reduce((total, energy) => total + (energy - mean(energies)) ** 2, 0);
    expectClose(report.energyFraction, steps / scatter, { relative: 1e-10 });
    expect(states.every(({ divergent, acceptance }) => !divergent || acceptance === 0)).toBe(true);
  });

  test("chains keep what they draw, one array each, and tell how far they are", () => {
    const fractions: number[] = [];
    const options = { draws: 5, warmup: 30 };
    const streams = [stream(4, 0), stream(4, 1)];
    const found = sampleChains(
      target,
      options,
      (random, out) => void random.normals(out),
      streams,
      (fraction) => fractions.push(fraction),
    );
    const { states, report } = all<ChainReport>(hamiltonianChain(target, options, (random, out) => void random.normals(out), stream(4, 1)));
    expect([...found.positions[1]!]).toEqual(states.slice(30).flatMap(({ position }) => [...position]));
    expect([...found.logDensity[1]!]).toEqual(states.slice(30).map(({ logDensity }) => logDensity));
    expect(found.reports[1]).toEqual(report);
    expectClose(
      found.logDensity[0]!,
      coordinateOf(found, 2, 0)[0]!.map((a, n) => value([a, coordinateOf(found, 2, 1)[0]![n]!])),
      { relative: 1e-12 },
    );
    expect(fractions[0]).toBe(0);
    expect(fractions.every((fraction, k) => k === 0 || fraction >= fractions[k - 1]!)).toBe(true);
    expect(fractions).toContain(0.5);
    expect(fractions.at(-1)).toBeCloseTo((1 + 34 / 35) / 2, 12);
    expect(states.map(({ warmup }) => warmup).lastIndexOf(true)).toBe(29);
  });
});

describe("the rotation's move", () => {
  test("goes round by its angle with kicks of the likelihood, and is accepted by its energy", () => {
    const sampler = createRotationSampler(target);
    const [x, p, exponent] = [[0.4, -0.7], [0.9, 0.3], 0.6];
    // angle 0.5·(0.8 + 0.2·¼) = 0.425, a quarter of it below 0.1; length π/2·(0.7 + 0.6·½)
    for (const [third, angle] of [
      [0.1, 0.425],
      [0.09, 0.10625],
    ] as const) {
      for (const length of [undefined, 0.9]) {
        const count = Math.ceil((length ?? Math.PI / 2) / 0.5);
        let [at, w] = [x, p];
        const kick = (share: number): number[] => slope(at).map((g, i) => w[i]! + share * angle * exponent * g);
        for (let k = 0; k < count; k++) {
          w = kick(0.5);
          const [c, s] = [Math.cos(angle), Math.sin(angle)];
          [at, w] = [at.map((from, i) => c * from + s * w[i]!), w.map((from, i) => c * from - s * at[i]!)];
          w = kick(0.5);
        }
        const energy = (q: readonly number[], m: readonly number[]): number =>
          0.5 * (q[0]! ** 2 + q[1]! ** 2 + m[0]! ** 2 + m[1]! ** 2) - exponent * value(q);
        const acceptance = Math.min(1, Math.exp(energy(x, p) - energy(at, w)));
        for (const accepted of [true, false]) {
          const state = sampler.open(Float64Array.from(x));
          const before = sampler.gradients;
          const threshold = accepted ? 0 : 1 + 1e-9;
          const move = { exponent, stepSize: 0.5, ...(length === undefined ? {} : { length }) };
          expectClose(sampler.move(state, move, scripted([0.5, 0.25, third, threshold], p)), acceptance, { relative: 1e-10 });
          expectClose(state.position, accepted ? at : x, { relative: 1e-12 });
          expectClose(state.gradient, slope(accepted ? at : x), { relative: 1e-12 });
          expectClose(state.logLikelihood, value(accepted ? at : x), { relative: 1e-12 });
          expect(sampler.gradients - before).toBe(count);
        }
      }
    }
    const state = sampler.open(Float64Array.from(x));
    expectClose(sampler.stein(state, exponent), 2 - 0.65 + exponent * (x[0]! * slope(x)[0]! + x[1]! * slope(x)[1]!), { relative: 1e-12 });
  });
});

describe("other chains, step by step", () => {
  test("unadjusted Langevin: x + η∇ + √(2η)ξ, so many steps an iteration", () => {
    const normals = [0.3, -0.8, 1.1, 0.2, -0.5, 0.7, 0.1, -0.9];
    const [eta, ticks]: [number, number[]] = [0.05, []];
    const chain = langevinChain(
      target,
      { draws: 1, warmup: 1, stepSize: eta, steps: 2 },
      startAt([0.4, -0.7]),
      scripted([], normals),
      (fraction) => ticks.push(fraction),
    );
    const { states } = all(chain);
    let x = [0.4, -0.7];
    for (let k = 0; k < 4; k++) {
      const g = slope(x);
      x = x.map((from, i) => from + eta * g[i]! + Math.sqrt(2 * eta) * normals[2 * k + i]!);
      if (k % 2 === 1)
        expectClose([...states[(k - 1) / 2]!.position, states[(k - 1) / 2]!.logDensity], [...x, value(x)], { relative: 1e-12 });
    }
    expect(states.map(({ iteration, warmup, acceptance, divergent }) => [iteration, warmup, acceptance, divergent])).toEqual([
      [0, true, 1, false],
      [1, false, 1, false],
    ]);
    expect(ticks).toEqual([0, 0, 0.5, 0.5]);
  });

  test("elliptical slices: the bracket shrinks towards where it is, block by block", () => {
    // the likelihood prefers small x₀; the first angle is refused, the second accepted
    const likelihood = { dimension: 2, evaluate: (at: Float64Array) => -4 * at[0]! ** 2 + at[1]! };
    const x = [0.3, 0.5];
    // block 0: level −0.36 + 0.5 + log ½; angle 2π·0.3 to 3.0 refused, bracket (1.885 − 2π, 1.885), then low + 0.7·2π
    const script = scripted([0.5, 0.3, 0.7, 0.9, 0.01], [2, -1]);
    const ticks: number[] = [];
    const { states, report } = all(
      ellipticalSliceChain(likelihood, { draws: 1, warmup: 0, blocks: 2 }, startAt(x), script, (fraction) => ticks.push(fraction)),
    );
    const level = likelihood.evaluate(Float64Array.from(x)) + Math.log(0.5);
    const first = 2 * Math.PI * 0.3;
    const second = first - 2 * Math.PI + 0.7 * 2 * Math.PI;
    const turned = (angle: number): number => Math.cos(angle) * x[0]! + Math.sin(angle) * 2;
    expect(-4 * turned(first) ** 2 + 0.5).toBeLessThan(level);
    expect(-4 * turned(second) ** 2 + 0.5).toBeGreaterThan(level);
    const other = Math.cos(0.02 * Math.PI) * 0.5 - Math.sin(0.02 * Math.PI);
    expectClose(states[0]!.position, [turned(second), other], { relative: 1e-12 });
    const end = [turned(second), other];
    expectClose(states[0]!.logDensity, -4 * end[0]! ** 2 + end[1]! - 0.5 * (end[0]! ** 2 + end[1]! ** 2), { relative: 1e-12 });
    expect(report.evaluations).toBe(4);
    expect(ticks).toEqual([0, 0, 0]);
  });

  test("one weight alone has no error that could be known", () => {
    expect(logMeanExp(Float64Array.of(3))).toEqual({ value: 3, standardError: Infinity });
    expect(logMeanExp(Float64Array.of(-Infinity, -Infinity)).value).toBe(-Infinity);
  });
});
