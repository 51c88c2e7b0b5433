import type { Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { hiddenKernelArrays, kernelTextLimit, outcomeToJson, savedDraws, type MethodOutcome, type StepOutcome } from "../src/index.js";

const size = kernelTextLimit + 1;
/** A kernel of too many points for text, of one value. */
const kernel = (value: number, n = size): Matrix => ({ data: new Float64Array(n * n).fill(value), shape: [n, n] });
const outcome = (label: string, from: number) => ({
  label,
  status: "ok",
  posterior: {
    hiddenKernels: [kernel(from), kernel(from + 1)],
    state: { weights: { data: Float64Array.of(from), shape: [1, 1] }, count: 3 },
  },
});
/** Steps of a sweep, networks and methods, each with numbers of its own. */
const steps = (count: number, labels: readonly (string | undefined)[], methods: readonly string[]): readonly StepOutcome[] =>
  Array.from({ length: count }, (_, s) => ({
    step: count > 1 ? { values: { temperature: s } } : {},
    problems: labels.map((label, n) => ({
      problem: { ...(label === undefined ? {} : { label }), methods: methods.map((method) => ({ label: method, save: true })) },
      outcomes: methods.map((method, m) => outcome(method, 1000 * s + 100 * n + 10 * m)),
    })),
  })) as unknown as readonly StepOutcome[];
const firsts = (arrays: Record<string, { readonly data: ArrayLike<number> }>) =>
  Object.fromEntries(Object.entries(arrays).map(([name, { data }]) => [name, data[0]]));

describe("arrays beside result.json", () => {
  it("have a name of their own each: by step, network, method and layer, which counts from 1", () => {
    expect(firsts(hiddenKernelArrays(steps(1, [undefined], ["nngp"])))).toEqual({ nngp_layer_1: 0, nngp_layer_2: 1 });
    expect(firsts(savedDraws(steps(1, [undefined], ["mc"])))).toEqual({ weights: 0 });
    const many = steps(2, ["a", "b"], ["x", "y"]);
    const place = [0, 1].flatMap((s) =>
      ["a", "b"].flatMap((network, n) =>
        ["x", "y"].map((method, m) => [`step_${s}_${network}_${method}`, 1000 * s + 100 * n + 10 * m] as const),
      ),
    );
    expect(firsts(hiddenKernelArrays(many))).toEqual(
      Object.fromEntries(place.flatMap(([name, value]) => [1, 2].map((layer) => [`${name}_layer_${layer}`, value + layer - 1]))),
    );
    expect(firsts(savedDraws(many))).toEqual(Object.fromEntries(place.map(([name, value]) => [`${name}_weights`, value])));
  });

  it("leave out what is written as text, what was not to be saved, and what failed", () => {
    const [one] = steps(1, [undefined], ["nngp"]);
    const { problem, outcomes } = one!.problems[0]!;
    const of = (more: object) => [{ ...one!, problems: [{ problem, outcomes, ...more }] }] as unknown as StepOutcome[];
    const small = { ...outcomes[0]!, posterior: { hiddenKernels: [kernel(1, kernelTextLimit)] } };
    expect(hiddenKernelArrays(of({ outcomes: [small] }))).toEqual({});
    expect(savedDraws(of({ problem: { methods: [{ label: "nngp" }] } }))).toEqual({});
    const [two] = steps(1, [undefined], ["x", "y"]);
    const second = { ...two!, problems: [{ ...two!.problems[0]!, problem: { methods: [{ label: "x" }, { label: "y", save: true }] } }] };
    expect(firsts(savedDraws([second] as unknown as StepOutcome[]))).toEqual({ weights: 10 });
    const failed = of({ outcomes: [{ label: "nngp", status: "failed", error: new Error("no") }] });
    expect([hiddenKernelArrays(failed), savedDraws(failed)]).toEqual([{}, {}]);
  });
});

describe("the entry of a method in result.json", () => {
  const matrix = (value: number): Matrix => ({ data: Float64Array.of(value, value + 0.5), shape: [2, 1] });
  const prediction = (from: number) => ({ mean: matrix(from), variance: matrix(from + 1), probabilities: matrix(from + 2) });
  const written = (from: number) => ({
    mean: [[from], [from + 0.5]],
    variance: [[from + 1], [from + 1.5]],
    probabilities: [[from + 2], [from + 2.5]],
  });
  const kernels = (from: number): readonly Matrix[] => [kernel(from, 1), kernel(from + 1, 1)];
  const layers = (from: number) => [
    { layer: 1, mean: [[from]] },
    { layer: 2, mean: [[from + 1]] },
  ];
  const errors = (from: number) => ({ total: from, bias: from + 1, variance: from + 2 });

  it("has every number, and every standard error below the name of what it is of", () => {
    const outcome = {
      label: "one",
      method: "one",
      status: "ok",
      seconds: 3,
      warnings: ["so"],
      posterior: {
        logEvidence: -1,
        orderParameter: 2,
        train: { ...prediction(10), standardError: prediction(20) },
        hiddenKernels: kernels(30),
        hiddenKernelShifts: kernels(40),
        standardError: { logEvidence: 0.1, orderParameter: 0.2, hiddenKernels: kernels(50), hiddenKernelShifts: kernels(60) },
        diagnostics: { mixed: true },
        solver: { name: "s" },
      },
      predictive: { ...prediction(70), standardError: prediction(80), diagnostics: { d: 1 } },
      generalizationError: errors(90),
      generalizationStandardError: errors(100),
      classification: { accuracy: 110, standardError: { accuracy: 111 } },
    } as unknown as MethodOutcome;
    const verdict = { predictive: { status: "confirmed", error: null, standardError: null, how: "so" } } as const;
    expect(outcomeToJson(outcome, verdict)).toEqual({
      status: "ok",
      verdict,
      logEvidence: -1,
      predictive: written(70),
      train: written(10),
      generalizationError: errors(90),
      classification: { accuracy: 110 },
      orderParameter: 2,
      hiddenKernels: layers(30),
      hiddenKernelShifts: layers(40),
      standardError: {
        logEvidence: 0.1,
        predictive: written(80),
        train: written(20),
        generalizationError: errors(100),
        classification: { accuracy: 111 },
        orderParameter: 0.2,
        hiddenKernels: layers(50),
        hiddenKernelShifts: layers(60),
      },
      diagnostics: { mixed: true, predictive: { d: 1 }, solver: { name: "s" } },
      warnings: ["so"],
      seconds: 3,
    });
  });

  it("has order parameters as nested lists, kernels that are too large for text elsewhere, which a warning says, and of failures the reason", () => {
    const tensor = (from: number) => ({ data: Float64Array.of(from, from + 1, from + 2, from + 3, from + 4, from + 5), shape: [3, 2] });
    const large = [kernel(1, 1), kernel(2)];
    const posterior = {
      orderParameter: tensor(1),
      hiddenKernels: large,
      hiddenKernelShifts: large,
      standardError: { orderParameter: tensor(7), hiddenKernels: large, hiddenKernelShifts: large },
      diagnostics: {},
      solver: {},
    };
    const outcome = { label: "one", method: "one", status: "ok", seconds: 3, warnings: ["so"], posterior } as unknown as MethodOutcome;
    expect(outcomeToJson(outcome)).toEqual({
      status: "ok",
      orderParameter: [[1, 2], [3, 4], [5, 6]], // prettier-ignore
      standardError: { orderParameter: [[7, 8], [9, 10], [11, 12]] }, // prettier-ignore
      diagnostics: { solver: {} },
      warnings: ["so", `hidden kernels of more than 200 points are in hidden-kernels.npz`],
      seconds: 3,
    });
    const failed = { label: "one", method: "one", status: "failed", seconds: 2, error: new Error("no") } as unknown as MethodOutcome;
    expect(outcomeToJson(failed)).toEqual({ status: "failed", error: "no", seconds: 2 });
  });
});
