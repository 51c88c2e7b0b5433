import { expect, it } from "vitest";
import { experimentReport } from "../src/report/experiment-report.js";
import { printResults } from "../src/terminal.js";
import { outcomeOf, planned, resultsOf } from "./outcomes.js";

const network = { type: "fully-connected", widths: [4], activation: "identity" };
const kinds = "Order parameters of several kinds: one number, one a layer or a matrix over outputs are not to be compared.";
const units = "Order parameters with or without the weight variances of later layers, by the theory: their values are not to be compared.";
const matrix = { data: Float64Array.of(1, 0, 0, 2), shape: [2, 2] };

/** The remark in the report and in the terminal of one run, of two methods with these order parameters. */
async function remarks(weightVariance: number[], values: readonly unknown[], methods: string[] = ["nngp", "exact"]) {
  const plan = await planned({ network: { ...network, weightVariance }, methods });
  const results = resultsOf(plan, (_s, _n, m, label) =>
    outcomeOf(label, 2, {
      posterior: { logEvidence: -2, diagnostics: {}, solver: {}, ...(values[m] === undefined ? {} : { orderParameter: values[m] }) },
    }),
  );
  const report = experimentReport(plan, results, "one run");
  let printed = "";
  printResults(plan, results, undefined, { write: (text) => (printed += text) });
  const found = [kinds, units].filter((text) => report.includes(text));
  expect([kinds, units].filter((text) => printed.includes(text))).toEqual(found);
  return found;
}

it("order parameters side by side are said to be of several kinds, or in several units, where they are", async () => {
  expect(await remarks([1, 1], [0.7, matrix])).toEqual([kinds]);
  expect(await remarks([1, 16], [0.7, matrix])).toEqual([kinds]);
  expect(await remarks([1, 16], [0.7, 0.8])).toEqual([units]);
  expect(await remarks([16, 1], [0.7, 0.8])).toEqual([]);
  expect(await remarks([1, 1], [matrix, matrix])).toEqual([]);
  expect(await remarks([1, 16], [undefined, 0.8])).toEqual([]);
  expect(await remarks([1, 16], [0.8], ["exact"])).toEqual([]);
});
