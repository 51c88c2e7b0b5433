import { createRegistry, matrixFromRows, zeros, type DataSplit } from "@finitewidth/core";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { loadData, planExperiment } from "../src/index.js";
import { base, counted, registry, rows, targets } from "./cases.js";

const split = (change: object = {}): DataSplit => ({
  train: { inputs: matrixFromRows(rows), targets: matrixFromRows(targets) },
  test: { inputs: matrixFromRows(rows.slice(1, 4)), targets: matrixFromRows(targets.slice(1, 4)) },
  ...change,
});
const read = (data: DataSplit) => loadData({ file: "x.npz" }, registry, async () => data);
const inline = (change: object) => loadData({ ...base.data, ...change } as never, registry);

describe("data of an experiment", () => {
  it("are read in the order of the file: inline, of a data set with its defaults, by a reader that is told the path", async () => {
    expect(await inline({})).toEqual({
      train: { inputs: matrixFromRows(rows), targets: matrixFromRows(targets) },
      test: { inputs: matrixFromRows(base.data.test.inputs), targets: matrixFromRows(base.data.test.targets) },
    });
    expect(await inline({ test: { inputs: rows } })).toEqual({ ...split(), test: { inputs: matrixFromRows(rows) } });
    const asked: unknown[] = [];
    expect(await loadData({ file: "x.npz" }, registry, async (...call) => (asked.push(call), split()))).toEqual(split());
    expect(asked).toEqual([["x.npz", "data.file"]]);
    // seed 1 and no test points where nothing is said
    const { train, test } = await loadData({ dataset: "numbers", train: 2 }, registry);
    expect([...train.inputs.data]).toEqual([0, 1].flatMap((i) => [Math.cos(i + 1), Math.sin(2 * i)]));
    expect(test).toBeUndefined();
    await expect(loadData({ dataset: "numbers", train: 2, size: [2] }, registry)).rejects.toThrow("data.size: expected [height, width]");
  });

  it("have a data set's own fields where it declares them", async () => {
    const seen: unknown[] = [];
    const own = createRegistry([
      {
        name: "own",
        datasets: [
          {
            name: "own",
            summary: "own",
            schema: v.strictObject({ dataset: v.string(), shade: v.optional(v.number("a number"), 7) }),
            load: async (request, path) => (seen.push([request, path]), split()),
          },
        ],
      },
    ]);
    await loadData({ dataset: "own" }, own, undefined, "adaptation.data");
    expect(seen).toEqual([[{ dataset: "own", shade: 7 }, "adaptation.data"]]);
    await expect(loadData({ dataset: "own", train: 3 }, own)).rejects.toThrow(/^data\.train/);
  });

  it("without rows to test on have no test part; names of classes stay", async () => {
    expect(await read(split({ test: { inputs: zeros(0, 4) }, classes: ["a", "b"] }))).toEqual({
      train: split().train,
      classes: ["a", "b"],
    });
  });

  it.each<[object, RegExp]>([
    [{ train: { inputs: zeros(0, 4), targets: zeros(0, 2) } }, /^data\.x_train: expected at least one row/],
    [{ train: { inputs: zeros(3, 0), targets: zeros(3, 2) } }, /^data\.x_train\[0\]: expected at least one feature/],
    [{ train: { inputs: zeros(3, 4), targets: zeros(2, 2) } }, /^data\.y_train: expected 3 rows, like the inputs, got 2/],
    [{ train: { inputs: zeros(3, 4), targets: zeros(3, 0) } }, /^data\.y_train\[0\]: expected at least one output/],
    [{ test: { inputs: zeros(3, 5) } }, /^data\.test\.inputs: expected 4 features per row, like the training inputs, got 5/],
    [{ test: { inputs: zeros(3, 4), targets: zeros(2, 2) } }, /^data\.test\.targets: expected 3 rows, like test\.inputs, got 2/],
    [{ test: { inputs: zeros(3, 4), targets: zeros(3, 1) } }, /^data\.test\.targets: expected 2 outputs, like train\.targets, got 1/],
  ])("that do not fit together are refused by the name of the part: %j", async (change, message) => {
    await expect(read(split(change))).rejects.toThrow(message);
    const named = new RegExp(message.source.replace("x_train", "train\\.inputs").replace("y_train", "train\\.targets"));
    const { train, test } = split(change);
    const own = createRegistry([
      { name: "own", datasets: [{ name: "own", summary: "own", schema: v.looseObject({}), load: async () => ({ train, ...(test ? { test } : {}) }) }] }, // prettier-ignore
    ]);
    await expect(loadData({ dataset: "own" }, own)).rejects.toThrow(named);
  });

  it("are loaded once for each request, the same in another order of a sweep, inline data never again", async () => {
    counted.loads = 0;
    const data = { dataset: "numbers", train: 4, seed: 3 };
    const sweep = { "data.train": [2, 3], "data.seed": [1, 3], temperature: [1, 2] };
    const { data: whole, steps } = await planExperiment({ ...base, data, sweep }, { registry });
    // the file's own request, what each key alone changes, and their combinations, of which (2, 3) and (3, 3) are known
    expect(counted.loads).toBe(6);
    expect(whole.train.inputs.shape[0]).toBe(4);
    expect(steps.map((step) => step.data.train.inputs.shape[0])).toEqual([2, 2, 2, 2, 3, 3, 3, 3]);
    expect(steps.map((step) => Math.round(step.data.train.targets.data[0]! / step.data.train.inputs.data[0]!))).toEqual([
      1, 1, 3, 3, 1, 1, 3, 3,
    ]);
  });
});
