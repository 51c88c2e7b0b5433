import { createRegistry, inlineRun, type FigureLab, type Matrix } from "@finitewidth/core";
import { sweepSteps } from "@finitewidth/experiment";
import { standardPlugins } from "@finitewidth/verification";
import { expect, it } from "vitest";
import { plugin } from "../src/index.js";
import type { DrawChunk } from "../src/shared/draws.js";
import { sampledShifts, shiftsOf } from "../src/shared/shift.js";

const registry = createRegistry([...standardPlugins, plugin]);
/** A laboratory in which networks give told numbers in place of draws: what was asked. */
function drawing(outputs: (chunk: DrawChunk) => number[], kernels: (chunk: DrawChunk) => number[] = () => []) {
  const asked: DrawChunk[] = [];
  const map = async function* (_task: unknown, chunks: readonly DrawChunk[]) {
    asked.push(...chunks);
    for (const chunk of chunks) yield { outputs: Float64Array.from(outputs(chunk)), kernels: Float64Array.from(kernels(chunk)) };
  };
  return { lab: { run: { ...inlineRun({ registry, seed: 1 }), map } } as unknown as FigureLab, asked };
}
const compute = <Numbers>(name: string, lab: FigureLab) => registry.figure(name).compute("quick", lab) as Promise<Numbers>;
const close = (got: readonly number[], expected: readonly number[], digits = 10): void => {
  expect(got).toHaveLength(expected.length);
  expected.forEach((value, i) => expect(got[i], `entry ${i}`).toBeCloseTo(value, digits));
};
const gaussian = (f: number, variance: number): number => Math.exp((-f * f) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance);

it("pacelli-student: the laws of N = 6 in closed form, and what was drawn", async () => {
  const parts = (index: number): number[] => [index % 32, (index % 32) / 7, -0.5];
  const { lab, asked } = drawing(({ index }) => parts(index));
  interface Numbers {
    readonly [key: string]: unknown;
    readonly centres: number[];
    readonly fields: number[];
    readonly characteristic: { readonly mean: number }[];
    readonly erf: { readonly mean: number }[];
  }
  const { centres, fields, characteristic, erf, ...laws } = await compute<Numbers>("pacelli-student", lab);
  expect(fields).toEqual(Array.from({ length: 26 }, (_, i) => expect.closeTo(i / 5, 12) as number));
  close(laws["student"] as number[], fields.map((s) => (1 + (s * s) / 6) ** -3)); // prettier-ignore
  close(laws["gaussianField"] as number[], fields.map((s) => Math.exp(-s * s / 2))); // prettier-ignore
  close(laws["gaussian"] as number[], centres.map((f) => gaussian(f, 1))); // prettier-ignore
  // the Fourier transform of (1 + s²/a²)⁻³, a = √6: a/16 (3 + 3 a|f| + a²f²) exp(−a|f|)
  const a = Math.sqrt(6);
  close(laws["varianceGamma"] as number[], centres.map((f) => (a / 16) * (3 + 3 * a * Math.abs(f) + 6 * f * f) * Math.exp(-a * Math.abs(f))), 7); // prettier-ignore
  // E erf(z)² for a variance of 1
  const K = (2 / Math.PI) * Math.asin(2 / 3);
  const mean = (of: (f: number) => number): number => {
    const all = Array.from({ length: 32 }, (_, k) => parts(k)).flat();
    return all.reduce((sum, f) => sum + of(f), 0) / all.length;
  };
  close(characteristic.map((one) => one.mean), fields.map((s) => mean((f) => Math.cos(s * f)))); // prettier-ignore
  close(erf.map((one) => one.mean), fields.map((s) => mean((f) => Math.cos((s * f) / Math.sqrt(K))))); // prettier-ignore
  expect(asked.map(({ network }) => network["activation"])).toEqual([...Array(32).fill("identity"), ...Array(32).fill("erf")]);
  expect(asked.every(({ network, inputs }) => String(network["widths"]) === "6" && inputs.data[0] === 1)).toBe(true);
  expect(new Set(asked.map(({ index }) => index)).size).toBe(64);
});

it("yaida-density: kernels of one, kurtosis of products of layers, densities of the draws", async () => {
  const { lab, asked } = drawing(({ index }) => [((index % 32) - 15) / 6, 0.3]);
  interface Panel {
    readonly activation: string;
    readonly centres: number[];
    readonly gaussian: number[];
    readonly firstOrder: number[];
    readonly kurtosis: { readonly exact: number; readonly firstOrder: number; readonly sampled: number };
  }
  const { panels } = await compute<{ panels: Panel[] }>("yaida-density", lab);
  expect(panels.map(({ activation }) => activation)).toEqual(["identity", "relu"]);
  const all = Array.from({ length: 32 }, (_, k) => [(k - 15) / 6, 0.3]).flat();
  const fourth = all.reduce((sum, f) => sum + f ** 4, 0) / all.length;
  // each layer adds spread/N to the relative variance of the kernel: 2 for linear units, 5 for ReLU; widths 8 and 16
  panels.forEach(({ activation, centres, gaussian: law, firstOrder, kurtosis }, p) => {
    const spread = [2, 5][p]!;
    const K = [1, 2][p]!;
    close(law, centres.map((f) => gaussian(f, K))); // prettier-ignore
    expect(kurtosis.exact, activation).toBeCloseTo(3 * (1 + spread / 8) * (1 + spread / 16), 12);
    expect(kurtosis.firstOrder).toBeCloseTo(3 * (1 + spread / 8 + spread / 16), 10);
    expect(kurtosis.sampled).toBeCloseTo(fourth / K ** 2, 10);
    // Edgeworth: the fourth Hermite polynomial times an eighth of the relative variance of the kernel, whose mean does not shift
    const variance = spread / 8 + spread / 16;
    close(firstOrder, centres.map((f) => { const z = f / Math.sqrt(K); return gaussian(f, K) * (1 + (variance / 8) * (z ** 4 - 6 * z ** 2 + 3)); }), 8); // prettier-ignore
    expect(asked.slice(32 * p, 32 * p + 32).every(({ network }) => network["activation"] === activation && network["weightVariance"] === K)).toBe(true); // prettier-ignore
  });
  expect(new Set(asked.map(({ index }) => index)).size).toBe(64);
});

it("fischer-superposition: Gaussians of the drawn kernels, their mean, and variances by width", async () => {
  const { lab, asked } = drawing(
    ({ index }) => [index % 5],
    ({ inputs, network, index }) => (inputs.shape[0] === 1 ? [2 + (index % 2 ? 8 : -8) / Number(network["widths"])] : Array.from({ length: inputs.shape[0] ** 2 }, (_, k) => 1 + index + k / 1000)), // prettier-ignore
  );
  interface Numbers {
    readonly centres: number[];
    readonly infinite: number[][];
    readonly drawn: number[][][];
    readonly mean: { readonly mean: number };
    readonly widths: number[];
    readonly variance: number[];
    readonly mixture: number[];
    readonly gaussian: number[];
    readonly components: number[][];
  }
  const found = await compute<Numbers>("fischer-superposition", lab);
  const { centres, widths } = found;
  expect(widths).toEqual([8, 16, 32]);
  // ReLU of variance 2: K(θ) = 2 (sin θ + (π − θ) cos θ)/π on a circle of |x|² = N0
  found.infinite.forEach((row, i) =>
    row.forEach((value, j) => {
      const steps = Math.min(Math.abs(i - j), 24 - Math.abs(i - j));
      const angle = (2 * Math.PI * steps) / 24;
      expect(value).toBeCloseTo((2 * (Math.sin(angle) + (Math.PI - angle) * Math.cos(angle))) / Math.PI, 10);
    }),
  );
  expect(found.drawn.map((kernel) => [kernel.length, kernel[0]![0], kernel[1]![0]])).toEqual([
    [24, 1, 1.024],
    [24, 2, 2.024],
    [24, 3, 3.024],
  ]);
  // the kernel at the first input is 1 or 3 for eight units
  expect(found.mean.mean).toBeCloseTo(2, 12);
  close(found.variance, [0.25, 0.0625, 0.015625]);
  close(found.mixture, centres.map((f) => (gaussian(f, 1) + gaussian(f, 3)) / 2)); // prettier-ignore
  close(found.gaussian, centres.map((f) => gaussian(f, 2))); // prettier-ignore
  found.components.forEach((density, k) => close(density, centres.map((f) => gaussian(f, k + 1)))); // prettier-ignore
  expect(new Set(asked.map(({ index }) => index)).size).toBe(asked.length);
});

it("fischer-criticality: shifts of the last layer by variance, the edge of chaos where slopes are one", async () => {
  let last = 1;
  const matrix = (): Matrix => ({ data: Float64Array.from({ length: 4 }, () => (last += 1 / 8)), shape: [2, 2] });
  const layers = (): Matrix[] => [matrix(), matrix()];
  const steps = new Map<string, { values: Record<string, unknown>; methods: Record<string, never> }[]>();
  const files = new Map<string, Record<string, unknown>>();
  const experiment = async (name: string, file: { methods: (string | { method: string })[]; sweep: Record<string, unknown[]> }) => {
    files.set(name, file);
    const labels = file.methods.map((one) => (typeof one === "string" ? one : one.method));
    const method = () => ({ posterior: { hiddenKernels: layers(), standardError: { hiddenKernels: layers() } } });
    const made = sweepSteps(file.sweep).map((values) => ({
      values,
      methods: Object.fromEntries(labels.map((label) => [label, method()])),
    }));
    steps.set(name, made as never);
    return made;
  };
  const lab = { run: inlineRun({ registry, seed: 1 }), experiment } as unknown as FigureLab;
  interface Numbers {
    readonly weightVariance: number[];
    readonly biasVariance: number[];
    readonly response: number[][];
    readonly critical: (number | null)[];
    readonly sampledAt: number[];
    readonly sampled: unknown[];
  }
  const { weightVariance, biasVariance, response, critical, sampledAt, sampled } = await compute<Numbers>("fischer-criticality", lab);
  expect([weightVariance[0], weightVariance.at(-1), biasVariance]).toEqual([0.4, expect.closeTo(3, 12), [0, 0.05]]);
  const of = (name: string, i: number, label: string): never => steps.get(name)![i]!.methods[label]!;
  expect(response).toEqual(biasVariance.map((bias) => weightVariance.map((_, i) => shiftsOf(of(`bias-${bias}`, i, "forward-backward"), of(`bias-${bias}`, i, "nngp")).at(-1)))); // prettier-ignore
  expect(sampled).toEqual(sampledAt.map((_, i) => sampledShifts(of("sampled", i, "monte-carlo"), of("sampled", i, "nngp")).at(-1)));
  expect(biasVariance.map((bias) => (files.get(`bias-${bias}`)!["network"] as { biasVariance: number }).biasVariance)).toEqual(
    biasVariance,
  );
  expect(files.get("sampled")).toMatchObject({ network: { biasVariance: 0.05 }, sweep: { weightVariance: sampledAt } });
  // without biases erf is critical where σ_w² φ′(0)² = 1
  expect(critical[0]).toBeCloseTo(Math.PI / 4, 2);
  expect(critical[1]!).toBeGreaterThan(critical[0]!);
});
