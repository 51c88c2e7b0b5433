import * as v from "valibot";
import {
  nonNegativeInteger,
  nonNegativeNumber,
  name,
  oneOf,
  positiveInteger,
  strictObject,
  validate,
  weightVarianceSchema,
  biasVarianceSchema,
  finiteNumber,
} from "./validation.js";

const rows = v.array(v.array(finiteNumber, "a list of finite numbers"), "a list of rows");
const table = strictObject({ inputs: rows, targets: rows });

const inlineData = strictObject({ train: table, test: v.optional(strictObject({ inputs: rows, targets: v.optional(rows) })) });
const fileData = strictObject({ file: name });
const datasetData = strictObject({
  dataset: name,
  classes: v.optional(v.array(nonNegativeInteger, "a list of class numbers")),
  train: positiveInteger,
  test: v.optional(nonNegativeInteger, 0),
  size: v.optional(v.pipe(v.array(positiveInteger, "[height, width]"), v.length(2, "[height, width]"))),
  labels: v.optional(oneOf(["sign", "one-hot"])),
  seed: v.optional(nonNegativeInteger, 1),
});
/** Where the data are: inline, in a file, or a named data set. */
const data = v.lazy((input) => {
  if (typeof input === "object" && input !== null) {
    if ("file" in input) return fileData;
    if ("dataset" in input) return datasetData;
  }
  return inlineData;
});

const looseNetwork = v.looseObject({ type: name }, 'an object with a "type"');

const method = v.pipe(
  v.union([name, v.looseObject({ method: name })], 'a method\'s name or an object with "method"'),
  v.transform((entry) => {
    if (typeof entry === "string") return { method: entry, options: {} };
    const { method: key, ...options } = entry;
    return { method: key, options: options as Record<string, unknown> };
  }),
);

const list = <Schema extends v.GenericSchema>(item: Schema, what: string) => v.pipe(v.array(item, what), v.nonEmpty(what));
const sweep = v.pipe(
  strictObject({
    widths: v.optional(
      list(v.union([positiveInteger, list(positiveInteger, "a list of widths")], "a width or a list of widths"), "a list of widths"),
    ),
    temperature: v.optional(list(nonNegativeNumber, "a list of temperatures")),
    weightVariance: v.optional(list(weightVarianceSchema, "a list of weight variances")),
    biasVariance: v.optional(list(biasVarianceSchema, "a list of bias variances")),
    train: v.optional(list(positiveInteger, "a list of numbers of training points")),
  }),
  v.check(
    (value) => Object.values(value).some((entry) => entry !== undefined),
    "at least one of widths, temperature, weightVariance, biasVariance, train",
  ),
);

const common = { plugins: v.optional(v.array(name, "a list of package names"), []), seed: v.optional(nonNegativeInteger, 1) };

const experimentSchema = strictObject({
  data,
  network: looseNetwork,
  scaling: v.optional(oneOf(["standard", "mean-field"]), "standard"),
  likelihood: strictObject({ temperature: nonNegativeNumber }),
  methods: list(method, "a list with at least one method"),
  sweep: v.optional(sweep),
  ...common,
});

const priorSchema = strictObject({
  inputs: v.pipe(rows, v.nonEmpty("at least one row")),
  network: looseNetwork,
  outputs: v.optional(positiveInteger, 1),
  methods: list(method, "a list with at least one method"),
  evaluateAt: v.optional(v.array(rows, "a list of P × D matrices"), []),
  samples: v.optional(positiveInteger, 100_000),
  ...common,
});

const axis = v.union(
  [list(v.number(), "a list of numbers"), strictObject({ from: finiteNumber, to: finiteNumber, points: positiveInteger })],
  "a list of numbers or { from, to, points }",
);
const phaseSchema = strictObject({
  activation: name,
  weightVariance: axis,
  biasVariance: axis,
  adaptation: v.optional(
    strictObject({
      data: v.lazy((input) => (typeof input === "object" && input !== null && "inputs" in input ? table : data)),
      widths: list(positiveInteger, "a list of widths"),
      likelihood: strictObject({ temperature: nonNegativeNumber }),
      order: v.optional(oneOf(["full", "first"]), "full"),
      closure: v.optional(oneOf(["quadrature", "gaussian-variational"])),
    }),
  ),
  ...common,
});

export type DataSource = v.InferOutput<typeof inlineData> | v.InferOutput<typeof fileData> | v.InferOutput<typeof datasetData>;
export type MethodEntry = v.InferOutput<typeof method>;
export type Sweep = v.InferOutput<typeof sweep>;
/** An experiment file with defaults filled in; the network and the options of methods are validated by their plug-ins later. */
export type Experiment = v.InferOutput<typeof experimentSchema>;
/** A prior file. */
export type PriorFile = v.InferOutput<typeof priorSchema>;
/** A phase file; axes still as written. */
export type PhaseFile = v.InferOutput<typeof phaseSchema>;

/** Checks an experiment file's content. @throws FinitewidthError (code "input") naming the field by its path. */
export const parseExperiment = (value: unknown): Experiment => validate(experimentSchema, value);
/** Checks a prior file's content. @throws FinitewidthError (code "input"). */
export const parsePriorFile = (value: unknown): PriorFile => validate(priorSchema, value);
/** Checks a phase file's content. @throws FinitewidthError (code "input"). */
export const parsePhaseFile = (value: unknown): PhaseFile => validate(phaseSchema, value);

/** Values of a grid axis: the list itself, or `points` equally spaced values from `from` to `to`. */
export function axisValues(entry: PhaseFile["weightVariance"]): number[] {
  if (Array.isArray(entry)) return entry;
  const { from, to, points } = entry;
  return Array.from({ length: points }, (_, i) => (points === 1 ? from : from + ((to - from) * i) / (points - 1)));
}
