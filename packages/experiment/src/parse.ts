import { FinitewidthError, inputError, validateAll, wanted, type StandardSchemaV1 } from "@finitewidth/core";
import { dataLimits, inheritedNames, networkLimits, optionLimits, sampleLimit } from "./limits.js";
import { MistakeList } from "./mistakes.js";
import { experimentSchema, phaseSchema, priorSchema, type Experiment, type PhaseFile, type PriorFile } from "./schema.js";
import { isObject } from "./is-object.js";

type Entries = Readonly<Record<string, StandardSchemaV1<unknown, unknown> & { readonly type: string }>>;

/**
 * The entries of a file that are right, each checked by itself; what is wrong goes to `mistakes`. Entries that are the same object as in
 * `known.raw` are taken from `known.parts` as they are: a step of a sweep checks what it changes only.
 */
function parseEntries(
  entries: Entries,
  value: unknown,
  mistakes: MistakeList,
  known?: Parsed,
  elsewhere: Readonly<Record<string, string>> = {},
): Record<string, unknown> {
  if (!isObject(value)) {
    mistakes.add(inputError("the file", "an object", value));
    return {};
  }
  const raw = value;
  if (!known) for (const error of inheritedNames(raw)) mistakes.add(error);
  for (const key of Object.keys(raw))
    if (!Object.hasOwn(entries, key) && !(key in Object.prototype)) {
      const message = Object.hasOwn(elsewhere, key)
        ? `${key}: belongs to ${elsewhere[key]}`
        : `${key}: unknown key; expected one of ${Object.keys(entries)
            .filter((name) => name !== "$schema")
            .join(", ")}`;
      mistakes.add(new FinitewidthError(message, { code: "input", path: key }));
    }
  const parts: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(entries)) {
    const own = Object.hasOwn(raw, key) ? raw[key] : undefined;
    if (known && Object.hasOwn(known.parts, key) && Object.is(known.raw[key], own)) {
      parts[key] = known.parts[key];
      continue;
    }
    if (own === undefined && schema.type !== "optional") {
      mistakes.add(new FinitewidthError(`${key}: missing; expected ${wanted(schema)}`, { code: "input", path: key }));
      continue;
    }
    const result = validateAll(schema, own, key);
    if ("errors" in result) for (const error of result.errors) mistakes.add(error);
    else if (result.value !== undefined && key !== "$schema") parts[key] = result.value;
  }
  return parts;
}

/** A file as it was read and those of its entries that are right. */
export interface Parsed<Parts = Readonly<Record<string, unknown>>> {
  readonly raw: Readonly<Record<string, unknown>>;
  readonly parts: Parts;
}

/** Keys that stand in files of another kind, and what to do about them. */
const otherFiles = {
  experiment: {
    optimise: "`finitewidth optimise`; run that, or leave it out",
    ...among("the network, or to a file of `finitewidth phase-diagram`", "activation", "weightVariance", "biasVariance"),
    ...among("a file of `finitewidth phase-diagram`", "adaptation"),
    ...among("data.train, or to a file of `finitewidth prior`", "inputs"),
    ...among("a file of `finitewidth prior`", "outputs", "evaluateAt", "samples"),
    ...among('data, as { "train": { "inputs": [[…], …], "targets": [[…], …] }, "test": … }', "train", "test", "targets"),
    ...among('data, as { "dataset": "mnist", … }', "dataset", "classes"),
    ...among('likelihood, as { "temperature": 0.1 }', "temperature"),
    ...among("the network, as [20, 20] for two hidden layers of 20 units", "widths", "depth"),
  },
  prior: {
    ...among("an experiment, a file of `finitewidth run`", "data", "networks", "scaling", "likelihood", "sweep", "referee"),
    ...among("the network, or to a file of `finitewidth phase-diagram`", "activation", "weightVariance", "biasVariance"),
  },
  phase: among(
    "an experiment, a file of `finitewidth run`",
    "data",
    "network",
    "networks",
    "scaling",
    "likelihood",
    "methods",
    "sweep",
    "referee",
  ),
};
function among(where: string, ...keys: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(keys.map((key) => [key, where]));
}

/** Parses what can be parsed of an experiment. */
export function parseExperimentParts(value: unknown, mistakes: MistakeList, known?: Parsed): Partial<Experiment> {
  const entries = experimentSchema.entries as unknown as Entries;
  const parts = parseEntries(entries, value, mistakes, known, otherFiles.experiment) as Partial<Experiment>;
  const has = (key: string): boolean => isObject(value) && value[key] !== undefined;
  if (has("network") === has("networks") && isObject(value)) {
    const [path, what] = has("network")
      ? ["networks", "expected either network or networks, got both"]
      : ["network", "missing; expected an object with its type, or networks: a list of several"];
    mistakes.add(new FinitewidthError(`${path}: ${what}`, { code: "input", path }));
  }
  const limits = [
    ...networkLimits(parts.network, "network"),
    ...networkLimits(parts.networks, "networks"),
    ...("dataset" in (parts.data ?? {}) ? dataLimits(parts.data, "data") : []),
    ...(Array.isArray(parts.methods) ? parts.methods.flatMap(({ options }, i) => optionLimits(options, `methods[${i}]`)) : []),
  ];
  refuseLimits(limits, parts, mistakes);
  return parts;
}

/** Keeps errors of limits; nothing is made of what does not fit. */
function refuseLimits(limits: readonly FinitewidthError[], parts: Record<string, unknown>, mistakes: MistakeList): void {
  for (const error of limits) {
    mistakes.add(error);
    delete parts[error.path!.split(/[.[]/)[0]!];
  }
}

/** Checks an experiment file's content. @throws FinitewidthError (code "input") naming every wrong field by its path. */
export function parseExperiment(value: unknown): Experiment {
  const mistakes = new MistakeList();
  const parts = parseExperimentParts(value, mistakes);
  mistakes.throwIfAny();
  return parts as Experiment;
}

/** Parses what can be parsed of a prior file. */
export function parsePriorParts(value: unknown, mistakes: MistakeList): Partial<PriorFile> {
  const parts = parseEntries(priorSchema.entries as unknown as Entries, value, mistakes, undefined, otherFiles.prior) as Partial<PriorFile>;
  const limits = [
    ...networkLimits(parts.network, "network"),
    ...(Array.isArray(parts.methods) ? parts.methods.flatMap(({ options }, i) => optionLimits(options, `methods[${i}]`)) : []),
  ];
  refuseLimits(limits, parts, mistakes);
  if (parts.samples !== undefined) mistakes.attempt(() => sampleLimit(parts.samples!, "samples"));
  return parts;
}

/** Checks a prior file's content. @throws FinitewidthError (code "input"). */
export function parsePriorFile(value: unknown): PriorFile {
  const mistakes = new MistakeList();
  const parts = parsePriorParts(value, mistakes);
  mistakes.throwIfAny();
  return parts as PriorFile;
}

/** Points of a phase diagram. */
const mostGridPoints = 1_000_000;

/** Checks a phase file's content. @throws FinitewidthError (code "input"). */
export function parsePhaseFile(value: unknown): PhaseFile {
  const mistakes = new MistakeList();
  const parts = parseEntries(phaseSchema.entries as unknown as Entries, value, mistakes, undefined, otherFiles.phase) as PhaseFile;
  const count = (axis: PhaseFile["weightVariance"] | undefined): number => (Array.isArray(axis) ? axis.length : (axis?.points ?? 1));
  for (const key of ["weightVariance", "biasVariance"] as const)
    if (count(parts[key]) > mostGridPoints) mistakes.add(inputError(key, `at most ${mostGridPoints} points`, count(parts[key])));
  if (count(parts.weightVariance) * count(parts.biasVariance) > mostGridPoints)
    mistakes.add(
      inputError("biasVariance", `a grid of at most ${mostGridPoints} points`, count(parts.weightVariance) * count(parts.biasVariance)),
    );
  for (const error of networkLimits(parts.adaptation?.widths, "adaptation.widths")) mistakes.add(error);
  mistakes.throwIfAny();
  return parts;
}
