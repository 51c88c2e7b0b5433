import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Matrix } from "./tensor.js";

/** Training and test data of a problem; the shapes are P × N0 and P × D. */
export interface DataSplit {
  readonly train: { readonly inputs: Matrix; readonly targets: Matrix };
  readonly test?: { readonly inputs: Matrix; readonly targets?: Matrix };
  /** Names of the classes, where they are known: of −1 and +1 for one column of targets, of the columns for more. */
  readonly classes?: readonly string[];
}

/** A named data set of the `data` entry: `"data": { "dataset": name, … }`. */
export interface Dataset<Request = unknown> {
  readonly name: string;
  readonly summary: string;
  /**
   * Validates the `data` entry (`dataset` included) and fills in defaults; left out: `classes`, `train`, `test`, `size`, `labels`, `seed`
   * of the experiment file.
   */
  readonly schema?: StandardSchemaV1<unknown, Request>;
  /** Loads the data. @throws FinitewidthError (code "input") naming fields below `path`. */
  load(request: Request, path: string): Promise<DataSplit>;
}
