import type { Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { hiddenKernelArrays, kernelTextLimit, savedDraws, type StepOutcome } from "../src/index.js";

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
    const failed = of({ outcomes: [{ label: "nngp", status: "failed", error: new Error("no") }] });
    expect([hiddenKernelArrays(failed), savedDraws(failed)]).toEqual([{}, {}]);
  });
});
