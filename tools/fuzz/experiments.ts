import * as fc from "fast-check";
import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, type Theory } from "@finitewidth/core";
import { plugin as largeDeviations } from "@finitewidth/large-deviations";
import { plugin as perturbation } from "@finitewidth/perturbation";
import { plugin as posterior } from "@finitewidth/posterior";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { both, requireSame, type Answer } from "./compare.ts";

const registry = createRegistry([activations, priorFc, priorConv, posterior, largeDeviations, perturbation]);
const theories = new Map(
  [posterior, largeDeviations, perturbation].flatMap((plugin) => plugin.theories ?? []).map((theory) => [theory.name, theory as Theory]),
);

/** A small regression problem; everything random comes from `seed`. */
interface Small {
  readonly seed: number;
  readonly points: number;
  readonly features: number;
  readonly outputs: number;
  readonly widths: readonly number[];
  readonly activation: string;
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  readonly temperature: number;
}
interface Method {
  readonly method: string;
  readonly options?: Record<string, unknown>;
  readonly scaling?: "standard" | "mean-field";
}

const linear = "identity";
/** Methods with the activations and sizes they are asked for; a refusal is an answer too. */
const methods: readonly (Method & { readonly activations: readonly string[]; readonly outputs?: number })[] = [
  { method: "nngp", activations: ["identity", "erf", "relu", "sign", "step", "quadratic"], outputs: 3 },
  { method: "exact", activations: [linear] },
  { method: "effective-action", options: { mode: "saddle" }, activations: ["identity", "erf", "relu"] },
  { method: "large-deviation", scaling: "mean-field", activations: [linear] },
  { method: "perturbative", options: { engine: "exact" }, activations: ["identity", "erf", "relu"] },
  { method: "forward-backward", activations: [linear], outputs: 3 },
];

const variance = fc.double({ min: 0.3, max: 2.5, noNaN: true });
const small = (choices: readonly string[], { depth = 2, outputs = 1, bias = true } = {}): fc.Arbitrary<Small> =>
  fc
    .integer({ min: 1, max: depth })
    .chain((layers) =>
      fc.record({
        seed: fc.nat(1e6),
        points: fc.integer({ min: 1, max: 5 }),
        features: fc.integer({ min: 1, max: 4 }),
        outputs: fc.integer({ min: 1, max: outputs }),
        widths: fc.array(fc.integer({ min: 4, max: 60 }), { minLength: layers, maxLength: layers }),
        activation: fc.constantFrom(...choices),
        weightVariance: fc.array(variance, { minLength: layers + 1, maxLength: layers + 1 }),
        biasVariance: bias
          ? fc.oneof(
              fc.constant(Array.from({ length: layers + 1 }, () => 0)),
              fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), { minLength: layers + 1, maxLength: layers + 1 }),
            )
          : fc.constant(Array.from({ length: layers + 1 }, () => 0)),
        temperature: fc.constantFrom(0.01, 0.1, 0.5, 2),
      }),
    );

type Rows = number[][];
const tests = 2;
const draw = (one: Small): { inputs: Rows; targets: Rows; test: Rows } => {
  const random = stream(one.seed, 0);
  const rows = (n: number, m: number): Rows => Array.from({ length: n }, () => [...random.normals(new Float64Array(m))]);
  return { inputs: rows(one.points, one.features), targets: rows(one.points, one.outputs), test: rows(tests, one.features) };
};

async function solve(
  one: Small,
  { method, options = {}, scaling = "standard" }: Method,
  data: { inputs: Rows; targets: Rows; test: Rows },
  network?: { type: string; [key: string]: unknown },
): Promise<Answer> {
  const { posterior: solved, predict } = await fit(
    theories.get(method)!,
    {
      network: network ?? {
        type: "fully-connected",
        widths: one.widths,
        activation: one.activation,
        weightVariance: one.weightVariance,
        biasVariance: one.biasVariance,
      },
      inputs: data.inputs,
      targets: data.targets,
      temperature: one.temperature,
      scaling,
    },
    { registry, options, seed: 1 },
  );
  const { mean, variance } = await predict(data.test);
  const numbers = [...mean.data, ...variance.data];
  if (!numbers.every(Number.isFinite)) throw new Error(`${method} gave ${numbers.join(", ")}`);
  return { mean: [...mean.data], variance: [...variance.data], logEvidence: solved.logEvidence };
}

/** Iterations stop at residuals of 1e-10 and condition numbers are up to 1e5. */
const tolerance = 1e-6;
const chosen = fc
  .constantFrom(...methods)
  .chain((method) => small(method.activations, { outputs: method.outputs ?? 1 }).map((one) => ({ one, method })));

/** A rotation of feature space: a product of random plane rotations. */
function rotation(seed: number, n: number): (row: readonly number[]) => number[] {
  const random = stream(seed, 1);
  const turns = Array.from({ length: n }, (_, i) =>
    Array.from({ length: i }, (_, j) => [i, j, 2 * Math.PI * random.uniform()] as const),
  ).flat();
  return (row) => {
    const out = [...row];
    for (const [i, j, angle] of turns) {
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      [out[i], out[j]] = [c * out[i]! - s * out[j]!, s * out[i]! + c * out[j]!];
    }
    return out;
  };
}

/** Checks of what must not change, or must change in a known way. */
export const experimentChecks: readonly { readonly name: string; readonly share: number; readonly property: fc.IRawProperty<unknown> }[] = [
  {
    name: "invariance under rotations of the inputs",
    share: 0.2,
    property: fc.asyncProperty(chosen, async ({ one, method }) => {
      const data = draw(one);
      const turn = rotation(one.seed, one.features);
      const turned = { ...data, inputs: data.inputs.map(turn), test: data.test.map(turn) };
      const pair = await both(
        () => solve(one, method, data),
        () => solve(one, method, turned),
      );
      if (pair) requireSame(...pair, one, tolerance);
    }),
  },
  {
    name: "invariance under permutations of the points",
    share: 0.2,
    property: fc.asyncProperty(chosen, async ({ one, method }) => {
      const data = draw(one);
      const pair = await both(
        () => solve(one, method, data),
        () => solve(one, method, { ...data, inputs: data.inputs.toReversed(), targets: data.targets.toReversed() }),
      );
      if (pair) requireSame(...pair, one, tolerance);
    }),
  },
  {
    name: "scaled inputs with scaled weights of the first layer",
    share: 0.1,
    property: fc.asyncProperty(chosen, fc.double({ min: -3, max: 3, noNaN: true }), async ({ one, method }, power) => {
      const data = draw(one);
      const c = 10 ** power;
      const grow = (rows: Rows): Rows => rows.map((row) => row.map((x) => c * x));
      const scaled = { ...one, weightVariance: one.weightVariance.with(0, one.weightVariance[0]! / (c * c)) };
      const pair = await both(
        () => solve(one, method, data),
        () => solve(scaled, method, { ...data, inputs: grow(data.inputs), test: grow(data.test) }),
      );
      if (pair) requireSame(...pair, one, tolerance);
    }),
  },
  {
    name: "scaled targets with scaled readout and noise",
    share: 0.15,
    property: fc.asyncProperty(chosen, fc.double({ min: -2, max: 2, noNaN: true }), async ({ one, method }, power) => {
      const data = draw(one);
      const c = 10 ** power;
      const last = one.widths.length;
      const scaled = {
        ...one,
        temperature: c * c * one.temperature,
        weightVariance: one.weightVariance.with(last, c * c * one.weightVariance[last]!),
        biasVariance: one.biasVariance.with(last, c * c * one.biasVariance[last]!),
      };
      const pair = await both(
        () => solve(one, method, data),
        () => solve(scaled, method, { ...data, targets: data.targets.map((row) => row.map((y) => c * y)) }),
      );
      if (!pair) return;
      const [a, b] = pair;
      requireSame(
        a,
        {
          mean: b.mean.map((value) => value / c),
          variance: b.variance.map((value) => value / (c * c)),
          logEvidence: b.logEvidence === undefined ? undefined : b.logEvidence + one.points * one.outputs * Math.log(c),
        },
        one,
        tolerance,
      );
    }),
  },
  {
    name: "wide networks go to infinite width like 1/N",
    share: 0.15,
    property: fc.asyncProperty(
      fc
        .constantFrom<Method & { readonly activations: readonly string[] }>(
          ...methods.filter(({ method }) => ["exact", "effective-action", "perturbative"].includes(method)),
        )
        .chain((method) => small(method.activations).map((one) => ({ one, method }))),
      async ({ one, method }) => {
        const data = draw(one);
        const at = (width: number) => solve({ ...one, widths: one.widths.map(() => width) }, method, data);
        const pair = await both(
          () => at(1e5),
          () => at(1e6),
        );
        if (!pair) return;
        const limit = await solve(one, { method: "nngp" }, data);
        const numbers = ({ mean, variance: v, logEvidence }: Answer): number[] => [
          ...mean,
          ...v,
          ...(logEvidence === undefined ? [] : [logEvidence]),
        ];
        const [near, nearer, goal] = [...pair, limit].map(numbers) as [number[], number[], number[]];
        const scale = Math.max(1, ...goal.map(Math.abs));
        goal.forEach((value, i) => {
          const [before, after] = [Math.abs(near[i]! - value), Math.abs(nearer[i]! - value)];
          if (!(after <= 0.12 * before + 1e-8 * scale)) throw new Error(`number ${i}: distance ${before} at N = 1e5 and ${after} at 1e6`);
          if (!(before <= 1e-2 * scale)) throw new Error(`number ${i}: distance ${before} from infinite width at N = 1e5`);
        });
      },
    ),
  },
  {
    name: "convolution on one site is fully connected",
    share: 0.1,
    property: fc.asyncProperty(
      fc
        .constantFrom(...methods.filter(({ method }) => ["nngp", "exact"].includes(method)))
        .chain((method) => small(method.activations).map((one) => ({ one, method }))),
      async ({ one, method }) => {
        const data = draw(one);
        const pair = await both(
          () => solve(one, method, data),
          () =>
            solve(one, method, data, {
              type: "convolutional",
              inputShape: [one.features, 1],
              layers: one.widths.map((channels) => ({ channels, kernelSize: [1] })),
              readout: "flatten",
              activation: one.activation,
              weightVariance: one.weightVariance,
              biasVariance: one.biasVariance,
            }),
        );
        if (pair) requireSame(...pair, one, tolerance);
      },
    ),
  },
  {
    name: "exact is the integrated effective action for one hidden layer and one output",
    share: 0.1,
    property: fc.asyncProperty(small([linear], { depth: 1, bias: false }), async (one) => {
      const data = draw(one);
      const pair = await both(
        () => solve(one, { method: "exact" }, data),
        () => solve(one, { method: "effective-action", options: { mode: "integral" } }, data),
      );
      if (pair) requireSame(...pair, one, tolerance);
    }),
  },
];
