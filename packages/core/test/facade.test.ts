import { expect, test } from "vitest";
import * as v from "valibot";
import {
  createProblem,
  createRegistry,
  fit,
  inlineRun,
  oneOf,
  reasonToRefuse,
  resolveArchitecture,
  strictObject,
  zeros,
  type Activation,
  type Matrix,
  type Network,
  type Plugin,
  type Problem,
  type Run,
  type Theory,
} from "../src/index.js";

test("predict hands on what is wanted, to the theory's own posterior", async () => {
  const wanted: boolean[] = [];
  const theory = {
    name: "probe",
    summary: "Tells what it is asked.",
    options: strictObject({}),
    refuses: () => undefined,
    fit: async (problem: unknown) => ({ theory: "probe", problem, options: {}, state: {}, warnings: [], diagnostics: {} }),
    predict: async (_posterior: unknown, inputs: { shape: readonly number[] }, want: { covariance: boolean }) => {
      wanted.push(want.covariance);
      return { mean: zeros(inputs.shape[0]!, 1), variance: zeros(inputs.shape[0]!, 1) };
    },
    *claims() {},
  } as unknown as Theory;
  const network = {
    name: "none",
    summary: "No layers.",
    schema: strictObject({ type: oneOf(["none"]) }),
    architecture: () => ({ layers: [] }),
  };
  const plugin = { name: "probe", theories: [theory], priorModels: [network] } as unknown as Plugin;
  const fitted = await fit(
    theory,
    { network: { type: "none" }, inputs: [[1]], targets: [[1]], temperature: 1 },
    { registry: createRegistry([plugin]) },
  );
  await fitted.predict([[1]]);
  await fitted.predict([[1]], { covariance: true });
  expect(wanted).toEqual([false, true]);
});

const network = (features?: number) =>
  ({ name: "none", summary: "No layers.", schema: strictObject({ type: oneOf(["none"]) }), architecture: () => ({ layers: [], ...(features ? { input: { channels: features, sites: 1 } } : {}) }) }) as never; // prettier-ignore
/** A theory that says what it was given. */
const listener = (name: string, refuses: (problem: Problem) => string | undefined = () => undefined) => {
  const heard: { problem: Problem; options: unknown; run: Run; predicted?: Run }[] = [];
  const theory = {
    name,
    summary: name,
    options: strictObject({ level: v.optional(v.number("a number"), 3) }),
    refuses,
    fit: async (problem: Problem, options: unknown, run: Run) => (heard.push({ problem, options, run }), { problem }),
    predict: async (_posterior: unknown, { shape }: Matrix, _want: unknown, run: Run) => {
      heard.at(-1)!.predicted = run;
      return { mean: zeros(shape[0], 1), variance: zeros(shape[0], 1) };
    },
  } as unknown as Theory;
  return { heard, theory };
};

test("a fit has standard scaling, default options, seed 1 and this thread where nothing is said, and what is said else", async () => {
  const { heard, theory } = listener("told", ({ temperature }) => (temperature === 13 ? "not at 13" : undefined));
  const registry = createRegistry([{ name: "x", theories: [theory], priorModels: [network(2)] }]);
  const input = { network: { type: "none" }, inputs: [[1, 2], [3, 4], [5, 6]], targets: [1, 2, 3], temperature: 0.5 }; // prettier-ignore
  await fit(theory, input, { registry });
  const [plain] = heard;
  expect(plain!.problem).toMatchObject({ scaling: "standard", temperature: 0.5, targets: { shape: [3, 1] } });
  expect([plain!.options, plain!.run.seed, plain!.run.registry]).toEqual([{ level: 3 }, 1, registry]);
  const { signal } = new AbortController();
  const { predict } = await fit(theory, { ...input, scaling: "mean-field" }, { registry, seed: 7, signal, options: { level: 5 } });
  expect(heard[1]).toMatchObject({ problem: { scaling: "mean-field" }, options: { level: 5 }, run: { seed: 7 } });
  expect(heard[1]!.run.signal).toBe(signal);
  expect((await predict([[1, 2]])).mean.shape).toEqual([1, 1]);
  expect(heard[1]!.predicted).toBe(heard[1]!.run);
  await expect((async () => predict([[1, 2, 3]]))()).rejects.toThrow("inputs: expected 2 features per row for this network, got 3");
  const any = createRegistry([{ name: "x", theories: [theory], priorModels: [network()] }]);
  const free = await fit(theory, input, { registry: any });
  heard.pop();
  await expect(free.predict([[1, 2, 3]])).rejects.toMatchObject({
    code: "shape",
    message: "inputs: expected 2 features per row, like the training inputs, got 3",
  });
  const run = inlineRun({ registry, seed: 9 });
  await fit(theory, input, { registry, seed: 7, run });
  expect(heard[2]!.run).toBe(run);
  await expect(fit(theory, { ...input, temperature: 13 }, { registry })).rejects.toMatchObject({ code: "refused", message: "[told] not at 13" }); // prettier-ignore
  await expect(fit(theory, input, { registry, options: { level: "x" } })).rejects.toThrow("options.level: expected a number");
});

test("a registry has everything of every plug-in in their order, each kind by its names and under its own path", () => {
  const kinds = {
    activations: ["activation", "activation", "network.activation"],
    layers: ["layer", "layer", "network.layers"],
    priorModels: ["priorModel", "prior model", "network.type"],
    theories: ["theory", "theory", "methods"],
    observables: ["observable", "observable", "claim.estimand.quantity"],
    likelihoods: ["likelihood", "likelihood", "likelihood.type"],
    datasets: ["dataset", "data set", "data.dataset"],
    figures: ["figure", "figure", "figure"],
    sweepKeys: [undefined, "sweep key"],
    reportSections: [undefined, "report section"],
    referees: [undefined, "referee"],
    scenarios: [undefined, "scenario"],
  } as const;
  // of every kind two in the first plug-in, none in the second, one in the third; no name is in two kinds
  const made = (kind: string, ...names: string[]) =>
    names.map((name) => ({ name: `${kind} ${name}`, ...(kind === "activations" ? { moments: {} } : {}) }));
  const of = (...names: string[]): object => Object.fromEntries(Object.keys(kinds).map((kind) => [kind, made(kind, ...names)]));
  const plugins = [{ name: "one", ...of("b", "a") }, { name: "two" }, { name: "three", ...of("c") }] as Plugin[];
  const registry = createRegistry(plugins);
  expect(registry.plugins).toBe(plugins);
  for (const [kind, [find, what, path]] of Object.entries(kinds)) {
    expect(registry[kind as keyof typeof kinds], kind).toEqual(made(kind, "b", "a", "c"));
    const twice = { name: "four", [kind]: made(kind, "a") } as Plugin;
    expect(() => createRegistry([...plugins, twice])).toThrow(`plugins: ${what} "${kind} a" of four is already registered; rename it`);
    if (find === undefined) continue;
    expect([registry[find](`${kind} a`)]).toEqual(made(kind, "a"));
    const known = ["b", "a", "c"].map((name) => `"${kind} ${name}"`).join(", ");
    expect(() => registry[find]("z")).toThrow(`${path}: expected one of ${known}, got "z"`);
    expect(() => registry[find]("z", "here[1]")).toThrow(`here[1]: expected one of ${known}, got "z"`);
  }
});

test("layers of a network are built once, by the registry that is asked", () => {
  const [two, three] = [2, 3].map((features) => createRegistry([{ name: "x", priorModels: [network(features)] }]));
  const same = { type: "none" } as Network;
  const channels = [two!, three!, two!].map((registry) => resolveArchitecture(registry, same).input!.channels);
  expect(channels).toEqual([2, 3, 2]);
  expect(resolveArchitecture(two!, same)).toBe(resolveArchitecture(two!, same));
  expect(resolveArchitecture(two!, { ...same })).not.toBe(resolveArchitecture(two!, same));
});

test("every class has a training point: the first that has none is told by its target, or by its number where there are more than two", () => {
  const likelihood = (classes: number) => ({
    classes: () => classes,
    check: () => undefined,
    labels: ({ data }: Matrix) => Int32Array.from(data, (value) => (classes === 2 ? (value + 1) / 2 : value)),
    encode: ([label]: number[], of: number) => (of === 2 ? { data: Float64Array.of(2 * label! - 1), shape: [1, 1] } : zeros(1, of)),
  });
  const families = [2, 4].map((classes) => ({
    name: `of ${classes}`,
    summary: "x",
    schema: strictObject({}),
    create: () => likelihood(classes),
  }));
  const registry = createRegistry([{ name: "x", priorModels: [network(1)], likelihoods: families as never }]);
  const problem = (type: string, ...targets: number[]) =>
    createProblem({ network: { type: "none" }, inputs: targets, targets, likelihood: { type } }, registry);
  expect(problem("of 4", 3, 1, 0, 2, 1)).toMatchObject({ temperature: 0, likelihood: { type: "of 4" } });
  expect(() => problem("of 4", 3, 0, 0, 3)).toThrow("targets: class 1 has no training point; leave the class out or add some");
  expect(() => problem("of 2", 1, 1)).toThrow("targets: class of the target -1 has no training point; add some");
});

test("advice names all who take the problem", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => listener(name).theory);
  const hard = listener("hard", () => "too hard; use a").theory;
  const registry = createRegistry([{ name: "x", theories: [a!, hard, b!, c!] }]);
  expect(reasonToRefuse(hard, { temperature: 1 } as Problem, {}, registry)).toBe('too hard; use "a", "b" or "c".');
});

test("numbers that are not finite are withheld, and what is computed when it is first read is not asked for", async () => {
  const registry = createRegistry([{ name: "x", priorModels: [network(1)] } as unknown as Plugin]);
  const withEvidence = (logEvidence: number | undefined, variance: number) => ({
    ...listener("probe").theory,
    fit: async () => ({
      ...(logEvidence === undefined ? {} : { logEvidence }),
      get hiddenKernels(): never {
        throw new Error("asked for");
      },
    }),
    predict: async () => ({ mean: zeros(1, 1), variance: { data: Float64Array.of(variance), shape: [1, 1] } }),
  });
  const fitted = (theory: object) =>
    fit(theory as Theory, { network: { type: "none" }, inputs: [[1]], targets: [[1]], temperature: 1 }, { registry });
  await expect(fitted(withEvidence(-Infinity, 1))).rejects.toThrow("[probe] logEvidence came out as a number that is not finite");
  const { predict } = await fitted(withEvidence(undefined, Number.NaN));
  await expect(predict([[1]])).rejects.toThrow("[probe] predictive.variance came out as a number that is not finite");
  await expect((await fitted(withEvidence(-2, 1))).predict([[1]])).resolves.toBeDefined();
});

test("registries refuse an activation without moments where it is used, not where it is only there", () => {
  const bare = { name: "bare", value: Math.sin } as unknown as Activation;
  const own = createRegistry([{ name: "own", activations: [bare] }]);
  expect(own.activations).toEqual([bare]);
  expect(() => own.activation("bare", "network.activation")).toThrow(
    'network.activation: expected an activation with moments, as defineActivation of @finitewidth/activations makes them, got "bare"',
  );
});
