import { resolve } from "node:path";
import { inputError, shapeError, toMatrix, type DataSource, type Matrix } from "@finitewidth/core";
import { loadDataFile, loadDataset, type DataSplit } from "@finitewidth/datasets";

/** Loads and checks the data of an experiment. `folder`: that of the experiment file. @throws FinitewidthError naming the field. */
export async function loadData(source: DataSource, folder: string, path = "data"): Promise<DataSplit> {
  const split = await readSource(source, folder, path);
  const { train, test } = split;
  check(train.inputs, train.targets, "file" in source ? "x_train" : "train.inputs", "file" in source ? "y_train" : "train.targets", path);
  if (test) {
    if (test.inputs.shape[0] > 0 && test.inputs.shape[1] !== train.inputs.shape[1]) {
      throw shapeError(
        `${path}.test.inputs`,
        `${train.inputs.shape[1]} features per row, like the training inputs`,
        `${test.inputs.shape[1]}`,
      );
    }
    if (test.targets) {
      if (test.targets.shape[0] !== test.inputs.shape[0])
        throw shapeError(`${path}.test.targets`, `${test.inputs.shape[0]} rows, like test.inputs`, `${test.targets.shape[0]}`);
      if (test.targets.shape[1] !== train.targets.shape[1] && test.targets.shape[0] > 0) {
        throw shapeError(`${path}.test.targets`, `${train.targets.shape[1]} outputs, like train.targets`, `${test.targets.shape[1]}`);
      }
    }
  }
  return test && test.inputs.shape[0] > 0 ? split : { train };
}

function check(inputs: Matrix, targets: Matrix, inputsName: string, targetsName: string, path: string): void {
  if (inputs.shape[0] === 0) throw inputError(`${path}.${inputsName}`, "at least one row", []);
  if (inputs.shape[1] === 0) throw inputError(`${path}.${inputsName}[0]`, "at least one feature", []);
  if (targets.shape[0] !== inputs.shape[0])
    throw shapeError(`${path}.${targetsName}`, `${inputs.shape[0]} rows, like the inputs`, `${targets.shape[0]}`);
  if (targets.shape[1] === 0) throw inputError(`${path}.${targetsName}[0]`, "at least one output", []);
}

async function readSource(source: DataSource, folder: string, path: string): Promise<DataSplit> {
  if ("file" in source) return loadDataFile(resolve(folder, source.file), `${path}.file`);
  if ("dataset" in source) return loadDataset(source, path);
  const table = (rows: readonly (readonly number[])[], at: string): Matrix => toMatrix(rows as number[][], `${path}.${at}`);
  return {
    train: { inputs: table(source.train.inputs, "train.inputs"), targets: table(source.train.targets, "train.targets") },
    ...(source.test
      ? {
          test: {
            inputs: table(source.test.inputs, "test.inputs"),
            ...(source.test.targets ? { targets: table(source.test.targets, "test.targets") } : {}),
          },
        }
      : {}),
  };
}
