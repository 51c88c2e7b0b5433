import { plugin as activations, defineActivation } from "@finitewidth/activations";
import { createRegistry, matrixFromRows, resolveArchitecture, resolveNetworkInput, type Matrix } from "@finitewidth/core";
import { composition, denseChain, type Composition } from "@finitewidth/kernels";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin as sequential } from "@finitewidth/prior-sequential";
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.ts";
import { expandComposition } from "../src/composition/expansion.js";
import { expandable, tooLarge } from "../src/composition/refusal.js";
import { atWidths, chainVertices, fullyConnectedChain, gaussianPieces, meanShiftFlow, pairWeights } from "../src/index.js";
import { outputCovariance } from "../src/kernel-flow/vertex.js";

const sin = defineActivation({
  name: "sin",
  summary: "sin h",
  odd: true,
  smooth: true,
  bounded: true,
  value: Math.sin,
  derivative: Math.cos,
  secondDerivative: (h) => -Math.sin(h),
});
const registry = createRegistry([activations, priorFc, sequential, { name: "test", activations: [sin] }]);
const layersOf = (network: Record<string, unknown>) =>
  resolveArchitecture(registry, resolveNetworkInput(network as { type: string }, registry));
const expand = (network: Record<string, unknown>, inputs: Matrix) =>
  expandComposition(composition(layersOf(network)), inputs, { shifts: true, tick: () => {} });

interface Fixture {
  readonly inputs: {
    readonly network: Record<string, unknown>;
    readonly inputs: number[][];
    readonly targets: number[][];
    readonly temperature: number;
  };
  readonly expected: {
    readonly kernels: number[][][];
    readonly meanShifts: number[][][];
    readonly posteriorShifts: number[][][];
    readonly outputGradient: number[][];
    readonly covariance: number[][];
  };
  readonly tolerance: { readonly relative: number; readonly absolute: number };
}
const names = readdirSync(new URL("../../../verification/fixtures/layers", import.meta.url)).filter((name) =>
  name.startsWith("first-order-"),
);

describe("first order of compositions", () => {
  it.each(names)("fixture %s", { timeout: 120_000 }, (name) => {
    const { inputs, expected, tolerance } = readFixture<Fixture>(`layers/${name.replace(".json", "")}`);
    const found = expand(inputs.network, matrixFromRows(inputs.inputs));
    const { composition: graph, full } = found.variables;
    const gradient = matrixFromRows(expected.outputGradient);
    // entries that vanish by symmetry are judged by the scale of the whole
    const close = (value: Matrix, rows: number[][], what: string): void => {
      const scale = Math.max(...rows.flat().map(Math.abs), 1e-300);
      expectClose(
        value.data,
        rows.flat(),
        { relative: tolerance.relative, absolute: Math.max(tolerance.absolute, tolerance.relative * scale) },
        what,
      );
    };
    graph.layers.forEach((_, l) => {
      close(full.layers[l]!, expected.kernels[l]!, `kernel ${l}`);
      close(found.kernelResponse(l, gradient), expected.posteriorShifts[l]!, `posterior shift ${l}`);
    });
    close(found.covariance, expected.covariance, "covariance");
    graph.layers.forEach((_, l) => close(found.kernelShift(l), expected.meanShifts[l]!, `mean shift ${l}`));
  });
});

interface Sampled {
  readonly inputs: {
    readonly network: Record<string, unknown>;
    readonly inputs: number[][];
    readonly targets: number[][];
    readonly temperature: number;
    readonly pairs: readonly (readonly [number, number])[];
  };
  readonly expected: {
    readonly coefficient: Record<"meanShift" | "posteriorShift", { readonly estimate: number[]; readonly standardError: number[] }> & {
      readonly covariance: { readonly estimate: number[][]; readonly standardError: number[][] };
    };
  };
  readonly tolerance: { readonly standardErrors: number };
}
const sampled = readdirSync(new URL("../../../verification/fixtures/layers", import.meta.url)).filter((name) =>
  name.startsWith("sampled-"),
);

describe("sampled networks, extrapolated in their widths", () => {
  it.each(sampled)("fixture %s", { timeout: 120_000 }, (name) => {
    const { inputs, expected, tolerance } = readFixture<Sampled>(`layers/${name.replace(".json", "")}`);
    const found = expand(inputs.network, matrixFromRows(inputs.inputs));
    const output = found.variables.composition.layers.length - 1;
    const { gradient } = gaussianPieces(found.kernel, matrixFromRows(inputs.targets), inputs.temperature);
    const shift = found.kernelShift(output);
    const response = found.kernelResponse(output, gradient);
    const n = inputs.inputs.length;
    const at = inputs.pairs.map(([a, b]) => a * n + b);
    const { meanShift, posteriorShift, covariance } = expected.coefficient;
    const within = (value: number[], { estimate, standardError }: { estimate: number[]; standardError: number[] }, what: string): void =>
      expectWithinStandardErrors(value, estimate, standardError, tolerance.standardErrors, what);
    within(
      at.map((i) => shift.data[i]!),
      meanShift,
      "mean shift",
    );
    within(
      at.map((i) => shift.data[i]! + response.data[i]!),
      posteriorShift,
      "posterior shift",
    );
    within(
      [...found.covariance.data],
      { estimate: covariance.estimate.flat(), standardError: covariance.standardError.flat() },
      "covariance",
    );
  });
});

describe("invariants", () => {
  const inputs = matrixFromRows([
    [0.35, 0.82, 0.33, -1.3],
    [0.91, 0.45, -0.54, 0.58],
    [0.36, 0.29, 0.03, 0.55],
  ]);
  const dense = (width?: number, weightVariance = 1.3) => ({
    layer: "dense",
    ...(width === undefined ? {} : { width }),
    weightVariance,
    biasVariance: 0.1,
  });
  const act = (name: string) => ({ layer: "activation", name });
  const sequence = (layers: unknown[]) => ({ type: "sequential", inputShape: [4], layers });
  const body = [act("erf"), dense(20)];

  it("a residual whose branch counts nothing, and a sum of one branch, are what they stand for", () => {
    const plain = expand(sequence([dense(20), act("erf"), dense()]), inputs);
    const skipped = expand(sequence([dense(20), { layer: "residual", body, branch: 0 }, act("erf"), dense()]), inputs);
    expectClose(skipped.covariance, plain.covariance, { relative: 1e-12, absolute: 1e-15 });
    expectClose(skipped.kernelShift(2), plain.kernelShift(1), { absolute: 1e-13 });
    const one = expand(sequence([dense(20), { layer: "sum", branches: [body] }, act("erf"), dense()]), inputs);
    const chain = expand(sequence([dense(20), ...body, act("erf"), dense()]), inputs);
    expectClose(one.covariance, chain.covariance, { relative: 1e-12, absolute: 1e-15 });
    expectClose(one.kernelShift(2), chain.kernelShift(2), { relative: 1e-7, absolute: 1e-12 });
  });

  it("twice the units is four times the kernel, sixteen times its covariance", () => {
    const plain = expand(sequence([dense(20), act("identity"), dense()]), inputs);
    const doubled = expand(sequence([dense(20), { layer: "sum", branches: [[], []] }, dense()]), inputs);
    const bias = 0.1;
    expectClose(
      doubled.kernel.data.map((value) => (value - bias) / 4 + bias),
      plain.kernel.data,
      { relative: 1e-12 },
    );
    expectClose(
      doubled.covariance.data.map((value) => value / 16),
      plain.covariance.data,
      { relative: 1e-12, absolute: 1e-15 },
    );
  });

  it("shifts by data at the readout are half the covariance times the gradient", () => {
    const found = expand(
      sequence([dense(20), { layer: "residual", body: [act("relu"), dense(20)] }, { layer: "layer-normalization" }, act("relu"), dense()]),
      inputs,
    );
    const gradient = matrixFromRows([
      [0.3, -0.2, 0.1],
      [-0.2, 0.5, 0.4],
      [0.1, 0.4, -0.7],
    ]);
    const weights = pairWeights(gradient);
    const response = found.kernelResponse(2, gradient);
    const pairs = [0, 1, 2, 4, 5, 8];
    pairs.forEach((at, p) => {
      let sum = 0;
      weights.forEach((w, q) => (sum += 0.5 * w * found.covariance.data[p * 6 + q]!));
      expect(response.data[at]).toBeCloseTo(sum, 12);
    });
  });

  it.each(["relu", "erf", "identity"])("chains of %s units are what the chain of kernels says", (name) => {
    const network = {
      type: "fully-connected",
      widths: [20, 30],
      activation: name,
      weightVariance: [1.3, 1.5, 1.1],
      biasVariance: [0.1, 0.05, 0.2],
    };
    const { activation, weightVariance, biasVariance, widths } = denseChain(layersOf(network))!;
    const flow = { activation, weightVariance: weightVariance.slice(1), biasVariance: biasVariance.slice(1) };
    const found = expand(network, inputs);
    const first = found.variables.full.layers[0]!;
    const chain = fullyConnectedChain({ ...flow, widths }, first);
    expectClose(found.covariance, atWidths(outputCovariance(chain, chainVertices(chain)), widths), { relative: 1e-11, absolute: 1e-15 });
    expectClose(found.kernelShift(2), atWidths(meanShiftFlow(flow, first).at(-1)!, widths), { relative: 1e-10, absolute: 1e-15 });
  });
});

it("compositions are expanded up to so many points, by their second moments and four-point functions, of units that are read twice too", () => {
  const dense = (width?: number) => ({ layer: "dense", ...(width ? { width } : {}) });
  const graph = (activation: string, norm: boolean) => {
    const act = { layer: "activation", name: activation };
    const body = [...(norm ? [{ layer: "layer-normalization" }] : []), act, dense(60)];
    const layers = [dense(60), { layer: "residual", body }, act, dense()];
    const network = resolveNetworkInput({ type: "sequential", inputShape: [4], layers } as { type: string }, registry);
    return expandable(resolveArchitecture(registry, network)) as Composition;
  };
  const pairs = (n: number): number => (n * (n + 1)) / 2;
  // of the units that both layers read: pairs of pairs of either, five times those between them
  const functions = (n: number): number => pairs(n) * (pairs(n) + 1) + 5 * pairs(n) ** 2;
  const told = (what: string, n: number, most: number) => `the expansion needs ${what} at ${n} points, more than ${most}`;
  const relu = graph("relu", false);
  expect(tooLarge(relu, 13, "auto")).toBeUndefined();
  expect(tooLarge(relu, 14, "auto")).toBe(told(`${functions(14)} four-point functions`, 14, 50_000));
  expect(tooLarge(relu, 14, "exact")).toBeUndefined();
  const normalised = graph("relu", true);
  // means and variances of a normalisation are variables too
  expect(tooLarge(normalised, 48, "exact")).toBeUndefined();
  expect(tooLarge(normalised, 49, "exact")).toBe(told(`${2 * pairs(49) + 2 * 49} second moments`, 49, 2500));
  const smooth = graph("tanh", false);
  expect([3, 4].map((n) => tooLarge(smooth, n, "auto"))).toEqual([undefined, told(`${functions(4)} four-point functions by quadrature`, 4, 300)]); // prettier-ignore
  expect([10, 11].map((n) => tooLarge(smooth, n, "exact"))).toEqual([undefined, told(`${functions(11)} four-point functions by quadrature`, 11, 20_000)]); // prettier-ignore
});
