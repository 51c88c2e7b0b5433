import { createRegistry, inlineRun, type Matrix, type Run } from "@finitewidth/core";
import { gram, multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import { normalDistribution } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.js";
import { chainTarget, chiQuantile, plugin, sampleLatentIsland, softmaxLikelihood } from "../src/index.js";
import { sampleLatents } from "../src/posterior/sampling.js";
import { labelsOf, likelihoodOf, rows, type FixtureFile, type Labels } from "./fixtures.js";

interface Inputs {
  readonly kind: "chain" | "network";
  readonly likelihood?: string;
  readonly tau?: number;
  readonly B: number[][];
  readonly Y: Labels;
  readonly widths: number[];
  readonly variances: number[];
  readonly theta: number[];
  readonly contrasts: number[][] | null;
}
interface Expected {
  readonly dimension: number;
  readonly Q: number[][];
  readonly latent: number[][];
  readonly logLikelihood: number;
  readonly gradient: number[];
  readonly hiddenKernel: number[][];
}

const { cases, tolerance } = readFixture<FixtureFile<Inputs, Expected>>("classification/targets");

describe("joint target over chain and g", () => {
  it.each(cases.filter(({ inputs }) => inputs.kind === "chain").map((entry, i) => [i, entry] as const))(
    "case %i",
    (_i, { inputs, expected }) => {
      const targets = labelsOf(inputs.Y);
      const likelihood = inputs.contrasts
        ? softmaxLikelihood(inputs.tau ?? 1)
        : likelihoodOf(inputs.likelihood ?? "logistic", inputs.tau ?? 1);
      const target = chainTarget(rows(inputs.B), likelihood.observe(targets), { widths: inputs.widths, variances: inputs.variances });
      expect(target.dimension).toBe(expected.dimension);
      const x = Float64Array.from(inputs.theta);
      const gradient = new Float64Array(x.length);
      expectClose(target.evaluate(x, gradient), expected.logLikelihood, tolerance, "log likelihood");
      expectClose(gradient, expected.gradient, tolerance, "gradient");
      expectClose(target.latent(x), expected.latent, tolerance, "latent");
      const { factor } = target.pointAt(x);
      expectClose(multiplyTransposedRight(factor, factor), expected.Q, tolerance, "Q");
      expectClose(target.hiddenKernels(x, gram(rows(inputs.B)))[0]!, expected.hiddenKernel, tolerance, "hidden kernel");
    },
  );

  it("gradient with biases and rank-deficient chains against differences", () => {
    const B = rows([[0.4, 0.1], [-0.3, 0.9], [0.2, -0.6], [1, 0.3]]); // prettier-ignore
    const targets = labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]); // prettier-ignore
    for (const widths of [
      [1, 3],
      [3, 1],
      [4, 2, 3],
    ]) {
      const target = chainTarget(B, softmaxLikelihood(0.8).observe(targets), {
        widths,
        variances: widths.map((_, l) => 1 + 0.3 * l),
        hiddenBias: widths.map((_, l) => 0.4 * l),
        readoutBias: 0.7,
      });
      const x = Float64Array.from({ length: target.dimension }, (_, i) => Math.sin(1 + 3 * i));
      const gradient = new Float64Array(x.length);
      target.evaluate(x, gradient);
      const scratch = new Float64Array(x.length);
      for (let i = 0; i < x.length; i++) {
        const shifted = (h: number) => target.evaluate(x.map((value, k) => value + (k === i ? h : 0)), scratch); // prettier-ignore
        expect((shifted(1e-5) - shifted(-1e-5)) / 2e-5).toBeCloseTo(gradient[i]!, 7);
      }
    }
  });
});

describe("hidden kernels", () => {
  it("average to the prior's over draws from the prior, in every layer, with biases", () => {
    const root = rows([[1, 0.2], [0.3, 0.8]]); // prettier-ignore
    const chain = { widths: [4, 3], variances: [1.3, 0.7], hiddenBias: [0, 0.5], readoutBias: 0.2 };
    const target = chainTarget(root, softmaxLikelihood().observe(labelsOf([[1, 0, 0], [0, 1, 0]])), chain); // prettier-ignore
    const kernel = gram(root);
    const draws = 20_000;
    const moments = [0, 1].map(() => ({ sum: new Float64Array(4), square: new Float64Array(4) }));
    const random = stream(11, 0);
    const x = new Float64Array(target.dimension);
    for (let n = 0; n < draws; n++) {
      for (const [l, g] of target.hiddenKernels(random.normals(x), kernel).entries()) {
        g.data.forEach((value, i) => {
          moments[l]!.sum[i]! += value / draws;
          moments[l]!.square[i]! += value ** 2 / draws;
        });
      }
    }
    const want = [kernel.data, kernel.data.map((value) => 1.3 * value + 0.5)];
    for (const [l, { sum, square }] of moments.entries()) {
      const error = sum.map((mean, i) => Math.sqrt((square[i]! - mean ** 2) / draws));
      expectWithinStandardErrors(sum, want[l]!, error, 4, `layer ${l + 1}`);
    }
  });
});

describe("Gaussian-process target", () => {
  it("gradient against differences, f = B gᵀ", () => {
    const B = rows([[0.4, 0.1], [-0.3, 0.9], [0.2, -0.6]]); // prettier-ignore
    const target = chainTarget(B, softmaxLikelihood().observe(labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1]])), { widths: [] }); // prettier-ignore
    expect(target.dimension).toBe(4);
    const x = Float64Array.from([0.3, -1, 0.7, 2]);
    expectClose(target.latent(x), [0.4 * 0.3 - 0.1, 0.4 * 0.7 + 0.2, -0.09 - 0.9, -0.21 + 1.8, 0.06 + 0.6, 0.14 - 1.2], {
      absolute: 1e-14,
    });
    const gradient = new Float64Array(4);
    target.evaluate(x, gradient);
    const scratch = new Float64Array(4);
    for (let i = 0; i < 4; i++) {
      const shifted = (h: number) => target.evaluate(x.map((value, k) => value + (k === i ? h : 0)), scratch); // prettier-ignore
      expect((shifted(1e-5) - shifted(-1e-5)) / 2e-5).toBeCloseTo(gradient[i]!, 8);
    }
  });
});

describe("χ by its quantile", () => {
  it("median of χ²_ν and the slope by differences", () => {
    expect(chiQuantile(0, 2)[0] ** 2).toBeCloseTo(Math.log(2), 14);
    for (const nu of [1, 2, 7, 80]) {
      for (const x of [-6, -3, -0.5, 0.4, 3, 6]) {
        const [z, slope] = chiQuantile(x, nu);
        const h = 1e-5;
        expect((chiQuantile(x + h, nu)[0] - chiQuantile(x - h, nu)[0]) / (2 * h) / slope).toBeCloseTo(1, 7);
        expect(z).toBeGreaterThan(0);
      }
    }
    // χ_1 is |normal|: Φ(x) = 2Φ(z) − 1
    for (const x of [-2, 1, 3]) expect(2 * normalDistribution(chiQuantile(x, 1)[0]) - 1).toBeCloseTo(normalDistribution(x), 14);
  });
});

describe("an island over chain and g", () => {
  it("positions, likelihoods and kernels of its draws belong together", async () => {
    const [root, targets] = [rows([[1, 0.2], [0.3, 0.8], [-0.5, 0.4]]), labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1]])]; // prettier-ignore
    const chain = { widths: [3, 4], variances: [1.3, 0.7], hiddenBias: [0, 0.5], readoutBias: 0.2 };
    const chunk = { root, chain, likelihood: { type: "softmax", scale: 0.8 }, targets, seed: 3, indices: [1, 4], particles: 3, draws: 4, burnIn: 3, kernel: gram(root) }; // prettier-ignore
    const found = await sampleLatentIsland.run(chunk, { registry: createRegistry([plugin]), tick: () => {} });
    const target = chainTarget(root, softmaxLikelihood(0.8).observe(targets), chain);
    const scratch = new Float64Array(target.dimension);
    const sums = [0, 1, 2].map(() => [new Float64Array(9), new Float64Array(9)]);
    for (let at = 0; at < 12; at++) {
      const x = found.positions.data.slice(at * target.dimension, (at + 1) * target.dimension);
      expectClose(found.logLikelihoods[at]!, target.evaluate(x, scratch), { relative: 1e-10 });
      target
        .hiddenKernels(x, chunk.kernel)
        .forEach(({ data }, l) => data.forEach((value, i) => (sums[Math.floor(at / 4)]![l]![i]! += value)));
    }
    expect(new Set(found.logLikelihoods).size).toBe(12);
    for (const l of [0, 1]) expectClose(found.hiddenKernels[l]!, sums.flatMap((each) => [...each[l]!]), { relative: 1e-11 }); // prettier-ignore
    expect(found.acceptance).toBeGreaterThan(0.3);
    const { kernel: _, ...without } = chunk;
    expect((await sampleLatentIsland.run(without, { registry: createRegistry([plugin]), tick: () => {} })).positions).toEqual(
      found.positions,
    );
  });

  it("outputs have the covariance of the network under the prior, biases of all layers included", () => {
    const root = rows([[1, 0.2], [0.3, 0.8]]); // prettier-ignore
    const chain = { widths: [3, 2], variances: [1.3, 0.7], hiddenBias: [0, 0.5], readoutBias: 0.2 };
    const target = chainTarget(root, softmaxLikelihood().observe(labelsOf([[1, 0, 0], [0, 1, 0]])), chain); // prettier-ignore
    const kernel = gram(root);
    const draws = 20_000;
    const [sum, square] = [new Float64Array(16), new Float64Array(16)];
    const random = stream(13, 0);
    const x = new Float64Array(target.dimension);
    for (let n = 0; n < draws; n++) {
      const f = target.latent(random.normals(x));
      for (let i = 0; i < 4; i++)
        for (let j = 0; j < 4; j++) {
          sum[4 * i + j]! += (f[i]! * f[j]!) / draws;
          square[4 * i + j]! += (f[i]! * f[j]!) ** 2 / draws;
        }
    }
    // point·2 + output: s₁s₂K + s₂b₂ + b for one output, nothing between two
    const want = Array.from({ length: 16 }, (_, k) => {
      const [i, j] = [Math.floor(k / 4), k % 4];
      return i % 2 === j % 2 ? 1.3 * 0.7 * kernel.data[2 * Math.floor(i / 2) + Math.floor(j / 2)]! + 0.7 * 0.5 + 0.2 : 0;
    });
    expectWithinStandardErrors(sum, want, sum.map((mean, k) => Math.sqrt((square[k]! - mean ** 2) / draws)), 4.2); // prettier-ignore
  });
});

it("islands that are given are weighed by their evidence: draws, mixing matrix, hidden kernels, with errors over chains", async () => {
  const kernel = rows([[1.04, 0.46, 0.1], [0.46, 0.73, -0.2], [0.1, -0.2, 0.9]]); // prettier-ignore
  const targets = labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1]]); // prettier-ignore
  const chain = { widths: [3, 4], variances: [1.3, 0.7], readoutBias: 0.2 };
  const rises = [0, 0.4, -0.3, 0.2, -0.6, 0.1, 0, 0.3];
  const normals = (count: number, ...at: number[]) => stream(23, ...at).normals(new Float64Array(count));
  const [particles, draws, asked] = [32, 4, [] as Record<string, unknown>[]]; // prettier-ignore
  const target = (root: Matrix) => chainTarget(root, softmaxLikelihood(0.8).observe(targets), chain);
  const run: Run = {
    ...inlineRun({ registry: createRegistry([plugin]), seed: 3 }),
    async *map(_, chunks) {
      for (const chunk of chunks as readonly Record<string, never>[]) {
        asked.push(chunk);
        const [count, kept] = [chunk["particles"] as number, chunk["draws"] as number];
        const island = (chunk["indices"] as number[]).at(-1)!;
        const size = target(chunk["root"]!).dimension;
        const level = (exponent: number) => ({ exponent, logLikelihoods: new Float64Array(3).fill(-5 + (rises[island - 1] ?? 0)), acceptance: 0.9, stein: 0.1 * exponent * (-1) ** island }); // prettier-ignore
        const hiddenKernels = [1, 2].map((l) => ({ data: normals(9 * count, island, l), shape: [count, 9] }));
        const positions = { data: normals(size * count * kept, island, 3), shape: [count * kept, size] };
        yield { ladder: { exponents: [0, 1], stepSizes: [1] }, levels: [level(0), level(1)], gradients: 10 + island, acceptance: 0.7 + 0.01 * island, logLikelihoods: normals(count * kept, island, 4), positions, hiddenKernels } as never; // prettier-ignore
      }
    },
  };
  const found = await sampleLatents({ kernel, chain, likelihood: { type: "softmax", scale: 0.8 }, targets, linear: true }, 1000, true, run);
  const { root, basis } = { root: asked[0]!["root"] as unknown as Matrix, basis: found.state.basis };
  expectClose(gram(root), kernel, { relative: 1e-10, absolute: 1e-12 });
  // B (basis)ᵀ is the identity
  expectClose(multiplyTransposedRight(root, basis), [1, 0, 0, 0, 1, 0, 0, 0, 1], { absolute: 1e-10 });
  expect(asked.map(({ particles: count, draws: kept, indices, seed, kernel: k }) => [count, kept, indices, seed, k === kernel])).toEqual([
    [64, 0, [5, 0], 3, true],
    ...rises.map((_, g) => [particles, draws, [5, g + 1], 3, true]),
  ]);
  const total = rises.reduce((sum, rise) => sum + Math.exp(rise), 0);
  const share = (c: number): number => Math.exp(rises[Math.floor(c / particles)]!) / total / particles;
  const check = (values: readonly number[], mean: number, error: number) => {
    const average = values.reduce((sum, value, c) => sum + share(c) * value, 0);
    const square = values.reduce((sum, value, c) => sum + (share(c) * (value - average)) ** 2, 0);
    expectClose([mean, error], [average, Math.sqrt((square * 256) / 255)], { relative: 1e-8 });
  };
  const at = target(root);
  const size = at.dimension;
  const points = rises.flatMap((_, g) => Array.from({ length: particles * draws }, (__, k) => at.pointAt(normals(size * particles * draws, g + 1, 3).subarray(k * size, (k + 1) * size)))); // prettier-ignore
  const { state } = found;
  expectClose(state.weights, points.map((_, k) => share(Math.floor(k / draws)) / draws), { relative: 1e-9 }); // prettier-ignore
  expect([...state.chains]).toEqual(points.map((_, k) => Math.floor(k / draws)));
  expectClose(state.factors, points.flatMap(({ factor }) => [...factor.data]), { relative: 1e-12 }); // prettier-ignore
  expectClose(state.projected, points.flatMap(({ factor, g }) => [...multiply(factor, g).data]), { relative: 1e-11, absolute: 1e-13 }); // prettier-ignore
  expectClose(state.bias, points.flatMap(({ bias }) => [...bias]), { relative: 1e-12 }); // prettier-ignore
  for (const i of [0, 1, 2, 3]) {
    const each = points.map(({ factor }) => multiplyTransposedRight(factor, factor).data[i]!);
    const chains = Array.from({ length: 256 }, (_, c) => each.slice(draws * c, draws * c + draws).reduce((a, b) => a + b, 0) / draws);
    check(chains, found.mixing.data[i]!, found.mixingError.data[i]!);
  }
  for (const l of [0, 1])
    for (const i of [0, 5, 8])
      check(rises.flatMap((_, g) => Array.from({ length: particles }, (__, k) => normals(9 * particles, g + 1, l + 1)[9 * k + i]! / draws)), found.hiddenKernels![l]!.data[i]!, found.hiddenKernelErrors![l]!.data[i]!); // prettier-ignore
  expect(found).toMatchObject({ gradients: 10 + 8 * 10 + 36, acceptance: expect.closeTo(0.745, 10) });
  expectClose(found.evidence!.logEvidence, -5 + Math.log(total / 8), { absolute: 0.02 });
  expect(found.warnings).toEqual([]);
});
