import { describe, expect, it } from "vitest";
import { loadDataset } from "../src/index.js";

describe("names of classes", () => {
  it("come with the built-in data sets, in the order of the targets", async () => {
    const ask = async (dataset: string, classes?: number[]) =>
      (await loadDataset({ dataset, train: 6, test: 0, seed: 1, ...(classes ? { classes } : {}) } as Parameters<typeof loadDataset>[0]))
        .classes;
    expect(await ask("iris")).toEqual(["setosa", "versicolor", "virginica"]);
    expect(await ask("iris", [2, 0])).toEqual(["virginica", "setosa"]);
    expect(await ask("mnist", [3, 8])).toEqual(["3", "8"]);
  });
});
