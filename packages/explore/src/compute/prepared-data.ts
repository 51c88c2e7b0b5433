import { matrixFromRows } from "@finitewidth/core";
import { rowsOfChoice, type Rows } from "../model/data.js";
import type { Digits } from "../model/digits.js";
import type { DataChoice, ExploreState, Table } from "../model/state.js";
import type { WorkerData } from "./messages.js";

const matrices = (table: { readonly inputs: Table["inputs"]; readonly targets: Table["targets"] }) => ({
  inputs: matrixFromRows(table.inputs),
  targets: matrixFromRows(table.targets),
});

/** Data of a state. */
interface Prepared {
  readonly rows: Rows;
  readonly data: WorkerData;
}

/** Makes the data of states, once where they stay the same. */
export class PreparedData {
  #last: (Prepared & { readonly choice: DataChoice; readonly seed: number }) | undefined;

  /** @throws FinitewidthError where the data do not fit. */
  of({ data: choice, seed }: ExploreState, digits: Digits | undefined): Prepared {
    const last = this.#last;
    const same = (other: DataChoice): boolean =>
      other === choice || (choice.kind !== "own" && JSON.stringify(other) === JSON.stringify(choice));
    if (last && last.seed === seed && same(last.choice)) return last;
    const rows = rowsOfChoice(choice, digits, seed);
    const test = rows.test && {
      inputs: matrixFromRows(rows.test.inputs),
      ...(rows.test.targets ? { targets: matrixFromRows(rows.test.targets) } : {}),
    };
    const id = (last?.data.id ?? 0) + 1;
    this.#last = { choice, seed, rows, data: { id, train: matrices(rows.train), ...(test ? { test } : {}) } };
    return this.#last;
  }
}
