import { inputError } from "@finitewidth/core";

/** A table of own data: rows of inputs and of targets. */
export interface Table {
  readonly inputs: readonly (readonly number[])[];
  readonly targets: readonly (readonly number[])[];
}

/** Where the data come from. */
export type DataChoice =
  | { readonly kind: "digits"; readonly classes: readonly number[]; readonly train: number }
  | { readonly kind: "curve"; readonly points: readonly (readonly [number, number])[] }
  | { readonly kind: "teacher"; readonly dimension: number; readonly train: number; readonly noise: number }
  | { readonly kind: "own"; readonly name: string; readonly train: Table; readonly test?: Table };

/** Everything that the page shows follows from this, and it is what a link holds. */
export interface ExploreState {
  readonly data: DataChoice;
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  readonly activation: string;
  /** σ_w² and σ_b² of layers 1 … L + 1. */
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  /** T. */
  readonly temperature: number;
  /** Layer that was touched last, 1 … L: its kernel is shown. */
  readonly layer: number;
  readonly seed: number;
  /** Lesson that is being read. */
  readonly lesson?: string;
}

/** Activations that the page offers, in the order of its menu. */
export const activations = ["identity", "erf", "relu", "tanh", "gelu", "quadratic"] as const;

/** Bounds of the controls. */
export const limits = {
  width: [1, 1000],
  depth: [1, 6],
  weightVariance: [0.1, 4],
  biasVariance: [0, 2],
  temperature: [0.001, 1],
  train: [2, 200],
  dimension: [2, 50],
} as const;

/** What the page opens with: a deep linear network on zeros and ones. */
export const initialState: ExploreState = {
  data: { kind: "digits", classes: [0, 1], train: 60 },
  widths: [20, 20],
  activation: "identity",
  weightVariance: [1, 1, 1],
  biasVariance: [0, 0, 0],
  temperature: 0.05,
  layer: 2,
  seed: 1,
};

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

function number(value: unknown, path: string, [low, high]: readonly [number, number], whole = false): number {
  if (isNumber(value) && value >= low && value <= high && (!whole || Number.isInteger(value))) return value;
  throw inputError(path, `${whole ? "a whole number" : "a number"} from ${low} to ${high}`, value);
}

function list<T>(value: unknown, path: string, item: (entry: unknown, path: string) => T, length?: number): T[] {
  if (!Array.isArray(value) || value.length === 0 || (length !== undefined && value.length !== length))
    throw inputError(path, length === undefined ? "a list" : `a list of ${length}`, value);
  return value.map((entry, i) => item(entry, `${path}[${i}]`));
}

const anyNumber = (value: unknown, path: string): number => number(value, path, [-1e12, 1e12]);

function table(value: unknown, path: string): Table {
  const { inputs, targets } = record(value, path);
  const rows = (side: unknown, at: string): number[][] => list(side, at, (row, i) => list(row, i, anyNumber));
  const read = { inputs: rows(inputs, `${path}.inputs`), targets: rows(targets, `${path}.targets`) };
  if (read.inputs.length !== read.targets.length)
    throw inputError(`${path}.targets`, `${read.inputs.length} rows, like the inputs`, read.targets.length);
  return read;
}

function record(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw inputError(path, "an object", value);
}

function dataOf(value: unknown): DataChoice {
  const data = record(value, "data");
  switch (data.kind) {
    case "digits": {
      const classes = list(data.classes, "data.classes", (entry, path) => number(entry, path, [0, 9], true));
      if (classes.length < 2 || new Set(classes).size !== classes.length)
        throw inputError("data.classes", "two or more different digits", classes);
      return { kind: "digits", classes, train: number(data.train, "data.train", limits.train, true) };
    }
    case "curve":
      return {
        kind: "curve",
        points: list(data.points, "data.points", (entry, path) => {
          const [x, y] = list(entry, path, anyNumber, 2);
          return [x!, y!] as const;
        }),
      };
    case "teacher":
      return {
        kind: "teacher",
        dimension: number(data.dimension, "data.dimension", limits.dimension, true),
        train: number(data.train, "data.train", limits.train, true),
        noise: number(data.noise, "data.noise", [0, 2]),
      };
    case "own":
      return {
        kind: "own",
        name: String(data.name ?? "data").slice(0, 80),
        train: table(data.train, "data.train"),
        ...(data.test === undefined ? {} : { test: table(data.test, "data.test") }),
      };
    default:
      throw inputError("data.kind", 'one of "digits", "curve", "teacher", "own"', data.kind);
  }
}

/** Checks a state, as a link or a file has it. @throws FinitewidthError (code "input") naming the field. */
export function parseState(value: unknown): ExploreState {
  const state = record(value, "state");
  const widths = list(state.widths, "widths", (entry, path) => number(entry, path, limits.width, true));
  if (widths.length > limits.depth[1]) throw inputError("widths", `at most ${limits.depth[1]} layers`, widths.length);
  const layers = widths.length + 1;
  const variances = (key: "weightVariance" | "biasVariance", low: number): number[] =>
    list(state[key], key, (entry, path) => number(entry, path, [low, 100]), layers);
  if (!activations.some((name) => name === state.activation))
    throw inputError("activation", `one of ${activations.map((name) => `"${name}"`).join(", ")}`, state.activation);
  return {
    data: dataOf(state.data),
    widths,
    activation: state.activation as string,
    weightVariance: variances("weightVariance", 1e-6),
    biasVariance: variances("biasVariance", 0),
    temperature: number(state.temperature, "temperature", [1e-9, 100]),
    layer: number(state.layer ?? widths.length, "layer", [1, widths.length], true),
    seed: number(state.seed ?? 1, "seed", [0, 2 ** 31], true),
    ...(typeof state.lesson === "string" ? { lesson: state.lesson } : {}),
  };
}

/** One layer more after `layer`, like it. */
export function addLayer(state: ExploreState, layer: number): ExploreState {
  if (state.widths.length >= limits.depth[1]) return state;
  const twice = <T>(values: readonly T[]): T[] => [...values.slice(0, layer), values[layer - 1]!, ...values.slice(layer)];
  return {
    ...state,
    widths: twice(state.widths),
    weightVariance: twice(state.weightVariance),
    biasVariance: twice(state.biasVariance),
    layer: layer + 1,
  };
}

/** Without a layer; the last one stays. */
export function removeLayer(state: ExploreState, layer: number): ExploreState {
  if (state.widths.length <= limits.depth[0]) return state;
  const without = <T>(values: readonly T[]): T[] => values.filter((_, i) => i !== layer - 1);
  const widths = without(state.widths);
  return {
    ...state,
    widths,
    weightVariance: without(state.weightVariance),
    biasVariance: without(state.biasVariance),
    layer: Math.min(layer, widths.length),
  };
}

/** With another width of a layer, which is the touched one from then on. */
export const withWidth = (state: ExploreState, layer: number, width: number): ExploreState => ({
  ...state,
  layer,
  widths: state.widths.map((old, i) => (i === layer - 1 ? Math.round(Math.min(limits.width[1], Math.max(limits.width[0], width))) : old)),
});
