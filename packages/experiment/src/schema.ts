import * as v from "valibot";
import {
  finiteNumber,
  name,
  nonNegativeInteger,
  nonNegativeNumber,
  oneOf,
  positiveInteger,
  positiveNumber,
  strictObject,
} from "@finitewidth/core";

const rows = v.array(v.array(finiteNumber, "a list of finite numbers"), "a list of rows");
/** The same, and one mistake instead of one for every point where a list of numbers was written. */
const rowsNotNumbers = v.lazy((input) =>
  Array.isArray(input) && input.length > 0 && input.every((entry) => typeof entry === "number")
    ? v.custom<number[][]>(() => false, "a list of rows, one for each point, such as [[1], [-1]]")
    : rows,
);
const list = <Schema extends v.GenericSchema>(item: Schema, what: string) => v.pipe(v.array(item, what), v.nonEmpty(what));

const inline = <Rows extends typeof rows | typeof rowsNotNumbers>(given: Rows) =>
  strictObject({
    train: strictObject({ inputs: given, targets: given }),
    test: v.optional(strictObject({ inputs: given, targets: v.optional(given) })),
  });
const inlineData = inline(rowsNotNumbers);
const fileData = strictObject({ file: name });
/** The request of a data set that has no schema of its own. */
export const datasetSchema = strictObject({
  dataset: name,
  classes: v.optional(v.array(nonNegativeInteger, "a list of class numbers")),
  train: positiveInteger,
  test: v.optional(nonNegativeInteger, 0),
  size: v.optional(v.pipe(v.array(positiveInteger, "[height, width]"), v.length(2, "[height, width]"))),
  labels: v.optional(oneOf(["sign", "one-hot"])),
  seed: v.optional(nonNegativeInteger, 1),
});
/** Data that are no data sets, as JSON Schema can say it. */
export const dataSchemas = [inline(rows), fileData] as const;
/** Where the data are: inline, in a file, or a named data set, whose request its own schema checks later. */
const data = v.lazy((input) => {
  if (typeof input === "object" && input !== null) {
    if ("file" in input) return fileData;
    if ("dataset" in input) return v.looseObject({ dataset: name });
  }
  return inlineData;
});

const network = v.looseObject({ type: name }, 'an object with a "type"');
const labelledNetwork = v.looseObject({ type: name, label: v.optional(name) }, 'an object with a "type"');

const methodObject = v.looseObject(
  { method: name, label: v.optional(name), save: v.optional(v.boolean("true or false")) },
  'a method\'s name or an object with "method"',
);
const method = v.pipe(
  v.lazy((input) => (typeof input === "string" ? name : methodObject)),
  v.transform((entry) => {
    if (typeof entry === "string") return { method: entry, label: entry, save: false, options: {} };
    const { method: key, label = key, save = false, ...options } = entry;
    return { method: key, label, save, options: options as Record<string, unknown> };
  }),
);
const methods = v.lazy((input) =>
  typeof input === "string"
    ? v.literal("applicable", 'a list of methods or "applicable"')
    : list(method, "a list with at least one method"),
);

const sweep = v.pipe(
  v.record(v.string(), list(v.unknown(), "a list of values"), "an object of lists"),
  v.check((value) => Object.keys(value).length > 0, "at least one key with its values"),
);

const common = {
  $schema: v.optional(v.string()),
  plugins: v.optional(v.array(name, "a list of package names"), []),
  seed: v.optional(nonNegativeInteger, 1),
};

/** Options of the referee. */
export const refereeSchema = strictObject({
  draws: v.optional(v.pipe(positiveInteger, v.minValue(2, "an integer ≥ 2")), 14),
  chains: v.optional(v.pipe(positiveInteger, v.minValue(8, "a multiple of 8"), v.multipleOf(8, "a multiple of 8")), 32),
  tolerance: v.optional(positiveNumber, 0.05),
  seconds: v.optional(positiveNumber, 10),
  // of a sweep
  steps: v.optional(oneOf(["extremes", "all"]), "extremes"),
});
const referee = v.lazy((input) => (typeof input !== "object" ? v.literal(false, "false, or an object of options") : refereeSchema));

const noise = strictObject({ temperature: nonNegativeNumber });
const namedLikelihood = v.looseObject({ type: name }, 'an object with "type"');
/** Gaussian noise of a temperature where no type is named, else a registered likelihood, which validates its own parameters. */
const likelihood = v.lazy((input): v.GenericSchema<unknown, v.InferOutput<typeof noise> | v.InferOutput<typeof namedLikelihood>> => {
  if (typeof input !== "object" || input === null) return v.custom<never>(() => false, 'an object such as { "temperature": 0.1 }');
  return "type" in input ? namedLikelihood : noise;
});

export const experimentSchema = strictObject({
  data,
  network: v.optional(network),
  networks: v.optional(list(labelledNetwork, "a list of networks")),
  scaling: v.optional(oneOf(["standard", "mean-field"]), "standard"),
  likelihood,
  methods,
  sweep: v.optional(sweep),
  referee: v.optional(referee, {}),
  ...common,
});

export const priorSchema = strictObject({
  inputs: v.pipe(rows, v.nonEmpty("at least one row")),
  network,
  outputs: v.optional(positiveInteger, 1),
  methods,
  evaluateAt: v.optional(v.array(rows, "a list of P × D matrices"), []),
  samples: v.optional(positiveInteger, 100_000),
  ...common,
});

const axis = v.union(
  [list(v.number(), "a list of numbers"), strictObject({ from: finiteNumber, to: finiteNumber, points: positiveInteger })],
  "a list of numbers or { from, to, points }",
);
export const phaseSchema = strictObject({
  activation: name,
  weightVariance: axis,
  biasVariance: axis,
  adaptation: v.optional(
    strictObject({
      data: v.lazy((input) => (typeof input === "object" && input !== null && "inputs" in input ? inlineData.entries.train : data)),
      widths: list(positiveInteger, "a list of widths"),
      likelihood: strictObject({ temperature: nonNegativeNumber }),
      order: v.optional(oneOf(["full", "first"]), "full"),
      closure: v.optional(oneOf(["quadrature", "gaussian-variational"])),
    }),
  ),
  ...common,
});

export type InlineData = v.InferOutput<typeof inlineData>;
export type DatasetRequest = v.InferOutput<typeof datasetSchema>;
export type DataSource = InlineData | v.InferOutput<typeof fileData> | { readonly dataset: string; readonly [key: string]: unknown };
export type MethodEntry = v.InferOutput<typeof method>;
/** An experiment file with defaults filled in; the network and the options of methods are validated by their plug-ins later. */
export type Experiment = v.InferOutput<typeof experimentSchema>;
/** A prior file. */
export type PriorFile = v.InferOutput<typeof priorSchema>;
/** A phase file; axes still as written. */
export type PhaseFile = v.InferOutput<typeof phaseSchema>;

/** Values of a grid axis: the list itself, or `points` equally spaced values from `from` to `to`. */
export function axisValues(entry: PhaseFile["weightVariance"]): number[] {
  if (Array.isArray(entry)) return entry;
  const { from, to, points } = entry;
  return Array.from({ length: points }, (_, i) => (points === 1 ? from : from + ((to - from) * i) / (points - 1)));
}
