import { createRegistry, matrix, validate, type DataSplit } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { imagePatches, loadDataset, plugin } from "../src/index.js";

const registry = createRegistry([plugin]);
const load = async (request: { readonly dataset: string; readonly [key: string]: unknown }): Promise<DataSplit> => {
  const { schema, load: read } = registry.dataset(request.dataset);
  return read(validate(schema!, request, "data"), "data");
};

describe("sequences", () => {
  it("of a hidden Markov chain switch as often as their class says, and start the same whatever their number", async () => {
    const { train, test } = await load({
      dataset: "hidden-markov",
      train: 400,
      test: 3,
      tokens: 10,
      features: 3,
      switching: [0.1, 0.7],
      noise: 0,
    });
    expect(train.inputs.shape).toEqual([400, 10 * 13]);
    const changes = [0, 0];
    const steps = [0, 0];
    for (let mu = 0; mu < 400; mu++) {
      const label = train.targets.data[mu]! > 0 ? 1 : 0;
      const state = (i: number): number => (train.inputs.data[mu * 130 + i * 13]! > 0.5 ? 0 : 1);
      for (let i = 1; i < 10; i++) {
        steps[label]!++;
        if (state(i) !== state(i - 1)) changes[label]!++;
        expect(train.inputs.data[mu * 130 + i * 13 + 3 + i]).toBe(1);
      }
    }
    const rates = [0, 1].map((c) => changes[c]! / steps[c]!).sort((a, b) => a - b);
    for (const [c, p] of [0.1, 0.7].entries())
      expect(Math.abs(rates[c]! - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / Math.min(...steps)));
    const fewer = await load({ dataset: "hidden-markov", train: 5, tokens: 10, features: 3, switching: [0.1, 0.7], noise: 0 });
    expect(fewer.train.inputs.data).toEqual(train.inputs.data.slice(0, 5 * 130));
    expect(fewer.test).toBeUndefined();
    expect(test!.inputs.shape[0]).toBe(3);
  });

  it("of patches are the images, regrouped", async () => {
    const image = matrix(1, 6, Float64Array.of(1, 2, 3, 4, 5, 6));
    expect(Array.from(imagePatches(image, [2, 3], [2, 1]).data)).toEqual([1, 4, 2, 5, 3, 6]);
    const request = { classes: [0, 1], train: 4, test: 2, size: [4, 4], seed: 3 };
    const patches = await load({ dataset: "digit-patches", ...request, patch: [4, 2] });
    const images = await loadDataset({ dataset: "mnist", ...request });
    expect(patches.train.inputs).toEqual(imagePatches(images.train.inputs, [4, 4], [4, 2]));
    expect(patches.test!.inputs).toEqual(imagePatches(images.test!.inputs, [4, 4], [4, 2]));
    expect(patches.test!.targets).toEqual(images.test!.targets);
    await expect(load({ dataset: "digit-patches", train: 2, size: [8, 8], patch: [3, 4] })).rejects.toThrow(
      /data\.patch\[0\]: expected a divisor of 8/,
    );
  });

  it("refuse unknown fields and impossible probabilities by path", async () => {
    await expect(load({ dataset: "hidden-markov", train: 2, switching: [0.1, 1.2] })).rejects.toThrow(/data\.switching\[1\]/);
    await expect(load({ dataset: "hidden-markov", train: 2, classes: [0, 1] })).rejects.toThrow(/unknown key/);
  });
});
