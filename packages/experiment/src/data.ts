import { inputError, shapeError, toMatrix, validate, type DataSplit, type Matrix, type Registry } from "@finitewidth/core";
import { datasetSchema, type DataSource, type InlineData } from "./schema.js";

/** Reads a data file for an experiment; errors name `path`. */
export type FileReader = (file: string, path: string) => Promise<DataSplit>;

/** The `data` entry with the defaults of its data set. @throws FinitewidthError (code "input"). */
export function resolveSource(source: DataSource, registry: Registry, path = "data"): DataSource {
  if (!("dataset" in source)) return source;
  const dataset = registry.dataset(source.dataset, `${path}.dataset`);
  return validate(dataset.schema ?? datasetSchema, source, path) as DataSource;
}

/**
 * Loads and checks the data of an experiment: inline, of a registered data set, or by `readFile`. @throws FinitewidthError naming the
 * field.
 */
export async function loadData(source: DataSource, registry: Registry, readFile?: FileReader, path = "data"): Promise<DataSplit> {
  const split = await readSource(source, registry, readFile, path);
  const { train, test } = split;
  const names = "file" in source ? ["x_train", "y_train"] : ["train.inputs", "train.targets"];
  checkTrain(train.inputs, train.targets, `${path}.${names[0]}`, `${path}.${names[1]}`);
  if (test) checkTest(test, train, `${path}.test`);
  if (test && test.inputs.shape[0] > 0) return split;
  const { test: _, ...rest } = split;
  return rest;
}

function checkTrain(inputs: Matrix, targets: Matrix, inputsPath: string, targetsPath: string): void {
  if (inputs.shape[0] === 0) throw inputError(inputsPath, "at least one row", []);
  if (inputs.shape[1] === 0) throw inputError(`${inputsPath}[0]`, "at least one feature", []);
  if (targets.shape[0] !== inputs.shape[0])
    throw shapeError(targetsPath, `${inputs.shape[0]} rows, like the inputs`, `${targets.shape[0]}`);
  if (targets.shape[1] === 0) throw inputError(`${targetsPath}[0]`, "at least one output", []);
}

function checkTest({ inputs, targets }: NonNullable<DataSplit["test"]>, train: DataSplit["train"], path: string): void {
  if (inputs.shape[0] > 0 && inputs.shape[1] !== train.inputs.shape[1])
    throw shapeError(`${path}.inputs`, `${train.inputs.shape[1]} features per row, like the training inputs`, `${inputs.shape[1]}`);
  if (!targets) return;
  if (targets.shape[0] !== inputs.shape[0])
    throw shapeError(`${path}.targets`, `${inputs.shape[0]} rows, like test.inputs`, `${targets.shape[0]}`);
  if (targets.shape[1] !== train.targets.shape[1] && targets.shape[0] > 0)
    throw shapeError(`${path}.targets`, `${train.targets.shape[1]} outputs, like train.targets`, `${targets.shape[1]}`);
}

async function readSource(source: DataSource, registry: Registry, readFile: FileReader | undefined, path: string): Promise<DataSplit> {
  if ("dataset" in source) return registry.dataset(source.dataset, `${path}.dataset`).load(resolveSource(source, registry, path), path);
  if ("file" in source) {
    if (!readFile) throw inputError(`${path}.file`, "inline data or a data set (files are not read here)", source.file);
    return readFile(source.file, `${path}.file`);
  }
  return inlineSplit(source, path);
}

function inlineSplit({ train, test }: InlineData, path: string): DataSplit {
  const table = (rows: readonly (readonly number[])[], at: string): Matrix => toMatrix(rows as number[][], `${path}.${at}`);
  return {
    train: { inputs: table(train.inputs, "train.inputs"), targets: table(train.targets, "train.targets") },
    ...(test
      ? { test: { inputs: table(test.inputs, "test.inputs"), ...(test.targets ? { targets: table(test.targets, "test.targets") } : {}) } }
      : {}),
  };
}

/** Where data come from. */
export interface DataSettings {
  readonly registry: Registry;
  /** Takes the place of what the experiment names. */
  readonly data?: DataSplit;
  readonly readFile?: FileReader;
}

/** Loads every source once. */
export class DataCache {
  readonly #settings: DataSettings;
  readonly #loaded = new Map<unknown, Promise<DataSplit>>();

  constructor(settings: DataSettings) {
    this.#settings = settings;
  }

  load(source: DataSource): Promise<DataSplit> {
    const { data, registry, readFile } = this.#settings;
    if (data) return Promise.resolve(data);
    // Inline data are known by identity: their text may be long.
    const key = "train" in source && typeof source.train === "object" ? source : JSON.stringify(source);
    let promise = this.#loaded.get(key);
    if (!promise) this.#loaded.set(key, (promise = loadData(source, registry, readFile)));
    return promise;
  }
}
