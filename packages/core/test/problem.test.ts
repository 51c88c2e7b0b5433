import * as v from "valibot";
import { describe, expect, it } from "vitest";
import {
  biasVarianceSchema,
  createProblem,
  createRegistry,
  differenceEvidenceGradient,
  finiteNumber,
  generalizationStandardError,
  hiddenWidths,
  inlineRun,
  isLinear,
  joinPath,
  matrixFromRows,
  name,
  nonNegativeInteger,
  nonNegativeNumber,
  oneOf,
  perLayer,
  perLayerExpectation,
  positiveInteger,
  positiveNumber,
  priorQuestion,
  randomLayers,
  reasonToRefuse,
  toStandardScaling,
  validate,
  validateAll,
  weightVarianceSchema,
  widthRatios,
  type Network,
  type NetworkVariation,
  type Plugin,
  type Posterior,
  type Primitive,
  type PriorModel,
  type Problem,
  type Theory,
} from "../src/index.js";

interface Chain extends Network {
  readonly widths: readonly number[];
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
}
const random = (width: number | undefined, weightVariance: number, biasVariance: number): Primitive =>
  ({ kind: "random", ...(width === undefined ? {} : { width }), weightVariance, biasVariance }) as Primitive;
const chain: PriorModel<Chain> = {
  name: "chain",
  summary: "chain",
  schema: v.looseObject({ type: v.literal("chain") }) as never,
  architecture: ({ widths, weightVariance, biasVariance }) =>
    ({
      input: { channels: 3, sites: 1 },
      layers: [...widths, undefined].map((width, l) => random(width, weightVariance[l]!, biasVariance[l]!)),
    }) as never,
  vary: (network, { width, weightVariance, biasVariance }: NetworkVariation) => ({
    ...network,
    widths: network.widths.map((value, l) => width?.(value, l) ?? value),
    weightVariance: network.weightVariance.map((value, l) => weightVariance?.(value, l) ?? value),
    biasVariance: network.biasVariance.map((value, l) => biasVariance?.(value, l) ?? value),
  }),
};
/** log Z as a sum of squares of logarithms, each with its own factor. */
const evidence = ({ network, temperature }: Problem): number => {
  const { widths, weightVariance, biasVariance } = network as Chain;
  const all = [...weightVariance, ...biasVariance.map((value) => value || 1), temperature];
  return all.reduce((sum, value, i) => sum + (i + 1) * Math.log(value) ** 2, 0) + widths[0]! ** 2 + 10 * widths[1]!;
};
const theory = (name: string, refuses: Theory["refuses"] = () => undefined, more: object = {}): Theory =>
  ({
    name,
    options: v.strictObject({}),
    refuses,
    fit: async (problem: Problem, options: unknown) => ({ problem, options, logEvidence: evidence(problem) }) as Posterior,
    ...more,
  }) as unknown as Theory;
const plugin: Plugin = {
  name: "test",
  priorModels: [chain as never],
  theories: [theory("a"), theory("b", ({ temperature }) => (temperature === 0 ? "not at zero" : undefined), { anyLikelihood: true })],
};
const registry = createRegistry([plugin]);
const network = { type: "chain", widths: [4, 5], weightVariance: [1.5, 2, 0.6], biasVariance: [0.3, 0, 0.8] };
const input = { network, inputs: [[1, 2, 3], [4, 5, 6]], targets: [[1, 2], [3, 4]], temperature: 0.7 }; // prettier-ignore
const problem = createProblem(input, registry);

describe("problems", () => {
  it("in mean-field scaling are standard ones with the readout and the noise divided by the last width", () => {
    const same = toStandardScaling({ ...problem, scaling: "mean-field" }, registry);
    expect(same).toEqual({
      ...problem,
      network: { ...network, weightVariance: [1.5, 2, 0.6 / 5], biasVariance: [0.3, 0, 0.8 / 5] },
      temperature: 0.7 / 5,
      scaling: "standard",
    });
    expect(toStandardScaling(problem, registry)).toBe(problem);
    expect(priorQuestion({ ...problem, scaling: "mean-field" }, registry)).toEqual({
      network: same.network,
      inputs: problem.inputs,
      outputs: 2,
      evaluateAt: [],
      samples: 2,
    });
  });

  it.each<[object, string]>([
    [
      {
        inputs: [
          [1, 2],
          [3, 4],
        ],
      },
      "inputs: expected 3 features per row for this network, got 2",
    ],
    [{ targets: [[1, 2]] }, "targets: expected 2 rows, like inputs, got 1"],
    [{ targets: [[], []] }, "targets: expected at least one column"],
    [{ temperature: -1 }, "likelihood.temperature: expected a number ≥ 0, got -1"],
    [{ temperature: undefined }, "likelihood.temperature: expected a number ≥ 0, got nothing"],
    [
      {
        targets: [
          [1, 2],
          [3, 1e151],
        ],
      },
      "targets[1][1]: expected a number of at most 1e+150 in size (rescale the data), got 1e+151",
    ],
    [
      {
        inputs: [
          [1, 2, -1e200],
          [3, 4, 5],
        ],
      },
      "inputs[0][2]: expected a number of at most 1e+150",
    ],
    [
      {
        inputs: [
          [0, 2e-154, 0],
          [0, 0, -1e-160],
        ],
      },
      "inputs: expected numbers the largest of which is at least 1e-153 in size (rescale the data), got 2e-154",
    ],
    [
      {
        inputs: [
          [0, 2e-71, 0],
          [0, 0, 0],
        ],
        temperature: 0,
      },
      "inputs: expected numbers the largest of which is at least 1e-70 in size where the temperature is 0 (rescale the data), got 2e-71",
    ],
    [{ likelihood: { type: "x" } }, "temperature: expected nothing beside a likelihood of its own, got 0.7"],
  ])("%j are refused by name", (change, message) => {
    expect(() => createProblem({ ...input, ...change } as never, registry)).toThrow(message);
  });

  it("are refused by theories with advice that holds: who takes them with their default options", () => {
    const cold = { ...problem, temperature: 0 };
    const others = createRegistry([{ ...plugin, theories: [...plugin.theories!, theory("c", () => "too hard; use b or a"), theory("d", () => "too deep; use a ruler")] }]); // prettier-ignore
    const reason = (name: string, of: Problem) => reasonToRefuse(others.theory(name), of, {}, others);
    expect(reason("c", problem)).toBe('too hard; use "a" or "b".');
    expect(reason("c", cold)).toBe('too hard; use "a".');
    const alone = createRegistry([{ name: "x", theories: [theory("c", () => "too hard; use c2"), theory("c2", () => "never")] }]);
    expect(reasonToRefuse(alone.theory("c"), problem, {}, alone)).toBe("too hard.");
    const labelled = { ...problem, likelihood: { type: "logistic" } };
    expect(reason("a", labelled)).toBe('needs Gaussian noise, not the logistic likelihood; use "b", or squared loss.');
    expect(reason("b", labelled)).toBeUndefined();
    expect(reason("a", problem)).toBeUndefined();
  });
});

describe("derivatives of the evidence by differences", () => {
  it("are those of every layer by itself, none without biases, and the ratio of one unit more", async () => {
    const run = inlineRun({ registry });
    const own = theory("a");
    const posterior = await own.fit(problem, {}, run);
    const found = await differenceEvidenceGradient(own, posterior, run);
    const slope = (i: number, value: number): number => 2 * (i + 1) * Math.log(value);
    [1.5, 2, 0.6].forEach((value, l) => expect(found.logWeightVariance[l]).toBeCloseTo(slope(l, value), 9));
    expect(found.logBiasVariance[0]).toBeCloseTo(slope(3, 0.3), 9);
    expect(found.logBiasVariance[1]).toBeNull();
    expect(found.logBiasVariance[2]).toBeCloseTo(slope(5, 0.8), 9);
    expect(found.logTemperature).toBeCloseTo(slope(6, 0.7), 9);
    expect(found.widths.map((value) => Number(value!.toFixed(9)))).toEqual([9, 10]);
    expect(await widthRatios(own, posterior, run)).toEqual(found.widths);
    const cold = { ...posterior, problem: { ...problem, temperature: 0 } };
    expect((await differenceEvidenceGradient({ fit: async () => ({ logEvidence: 1 }) as Posterior }, cold, run)).logTemperature).toBeNull();
  });
});

it("errors of the generalisation error know how bias and variance move together", () => {
  const targets = matrixFromRows([[1], [0]]);
  const mean = matrixFromRows([[2], [0]]);
  const shifts = [0.3, -0.1, -0.2];
  const replicates = shifts.map((s) => ({ mean: matrixFromRows([[2 + s], [s]]), variance: matrixFromRows([[1 - 2 * s], [1]]) }));
  const standardError = { mean, variance: mean };
  const { bias, variance, total } = generalizationStandardError({ mean, standardError, replicates }, targets)!;
  // the bias moves by (2 · 1/2) s, the variance by −s: together not at all
  const one = Math.sqrt((0.09 + 0.01 + 0.04) / 6);
  expect([bias, variance]).toEqual([expect.closeTo(one, 12), expect.closeTo(one, 12)]);
  expect(total).toBeCloseTo(0, 12);
});

describe("layers", () => {
  const linear: Primitive = { kind: "pointwise", activation: { linear: true } } as never;
  const curved: Primitive = { kind: "pointwise", activation: {} } as never;
  const merge = (...branches: Primitive[][]): Primitive => ({ kind: "merge", branches }) as never;
  it("of weights are counted in branches too, in the order of the file", () => {
    const layers = [random(2, 1, 0), merge([random(3, 1, 0), linear], [merge([random(4, 1, 0)])]), random(undefined, 1, 0)];
    expect(randomLayers(layers).map(({ width }) => width)).toEqual([2, 3, 4, undefined]);
    expect(hiddenWidths({ layers } as never)).toEqual([2, 3, 4]);
  });
  it("are linear without activations, scores and normalisation, in every branch", () => {
    expect(isLinear([random(2, 1, 0), linear, merge([linear], [])])).toBe(true);
    for (const one of [curved, merge([linear], [curved]), { kind: "normalise" }, { ...random(2, 1, 0), scores: {} }])
      expect(isLinear([random(2, 1, 0), one as Primitive])).toBe(false);
  });
});

describe("values from files", () => {
  const schema = v.strictObject(
    { a: v.array(v.number("a number")), b: v.optional(v.string("a text")) },
    () => "unknown key; expected a, b",
  );
  it("are told by the path of the entry, unknown keys before all others, every place once", () => {
    expect(joinPath("network", ["layers", 1, "widths", 0])).toBe("network.layers[1].widths[0]");
    expect([joinPath("", ["a", 0]), joinPath("", []), joinPath("x", [])]).toEqual(["a[0]", "value", "x"]);
    expect(() => validate(schema, { a: [1, "2"], c: 1 }, "x")).toThrow("x.c: unknown key; expected a, b");
    expect(() => validate(schema, { a: [1, "2"] }, "x")).toThrow('x.a[1]: expected a number, got "2"');
    const found = validateAll(schema, { a: [null, "2"], b: 3 }, "x");
    expect("errors" in found && found.errors.map(({ path }) => path)).toEqual(["x.a[0]", "x.a[1]", "x.b"]);
    expect(validateAll(schema, { a: [1] })).toEqual({ value: { a: [1] } });
  });
});

describe("numbers of files", () => {
  const takes = (schema: Parameters<typeof validate>[0], value: unknown): boolean => {
    const result = schema["~standard"].validate(value);
    return !(result instanceof Promise) && result.issues === undefined;
  };
  it.each<[string, Parameters<typeof validate>[0], unknown[], unknown[]]>([
    ["positive", positiveNumber, [1e-9, 3], [0, -1, Infinity, "1"]],
    ["not negative", nonNegativeNumber, [0, 0.5], [-1e-9, Number.NaN]],
    ["positive integers", positiveInteger, [1, 7], [0, 1.5, 2 ** 53]],
    ["integers from 0", nonNegativeInteger, [0, 7], [-1, 0.5, 2 ** 53]],
    ["finite", finiteNumber, [-3, 0], [Infinity, Number.NaN, null]],
    ["some words", oneOf(["a", "b"]), ["a", "b"], ["c", ""]],
    ["names", name, ["x"], ["", 1]],
    ["weight variances", weightVarianceSchema, [1, [0.5, 2]], [0, [1, 0], "1"]],
    ["bias variances", biasVarianceSchema, [0, 1, [0, 2]], [-1, [0, -1]]],
  ])("%s", (_what, schema, good, bad) => {
    expect(good.filter((value) => !takes(schema, value))).toEqual([]);
    expect(bad.filter((value) => takes(schema, value))).toEqual([]);
  });

  it("one for all layers or one for each", () => {
    expect([perLayer(2, 3), perLayer([1, 2, 3], 3), perLayer([1, 2], 3)]).toEqual([[2, 2, 2], [1, 2, 3], undefined]); // prettier-ignore
    expect(perLayerExpectation(3)).toBe("one number or 3 of them (one per weight layer)");
  });
});

describe("registries and runs", () => {
  it("know what plug-ins bring by name, and refuse a name that is taken", () => {
    expect(registry.theories.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(() => registry.theory("z")).toThrow('methods: expected one of "a", "b", got "z"');
    expect(() => registry.priorModel("z", "here")).toThrow('here: expected one of "chain", got "z"');
    expect(() => createRegistry([plugin, { name: "other", theories: [theory("b")] }])).toThrow(
      'plugins: theory "b" of other is already registered; rename it',
    );
  });

  it("of this thread compute chunk by chunk, tell how far they are, and stop when told to", async () => {
    const told: unknown[] = [];
    const controller = new AbortController();
    const run = inlineRun({ registry, seed: 4, signal: controller.signal, onProgress: (...all) => void told.push(all) });
    expect([run.seed, inlineRun({ registry }).seed]).toEqual([4, 1]);
    const task = {
      module: "",
      name: "t",
      run: (chunk: number) => (chunk === 3 ? controller.abort(new Error("enough")) : undefined, 2 * chunk),
    };
    const out: number[] = [];
    await expect((async () => { for await (const value of run.map(task, [1, 2, 3, 4])) out.push(value); })()).rejects.toThrow("enough"); // prettier-ignore
    expect(out).toEqual([2, 4, 6]);
    expect(told).toEqual([[1, 4, "t"], [2, 4, "t"], [3, 4, "t"]]); // prettier-ignore
  });
});
