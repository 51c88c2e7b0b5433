import type { Matrix } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { expect, test } from "vitest";
import { firstLayerKernel, type DenseChain } from "../src/index.js";

const random = stream(11, 0);
/** Rows of which the features that `zero` names are 0. */
const rows = (count: number, features: number, zero: (k: number) => boolean): Matrix => ({
  data: Float64Array.from({ length: count * features }, (_, at) => (zero(at % features) ? 0 : random.normal())),
  shape: [count, features],
});
const chain = { weightVariance: [1.7, 1], biasVariance: [0.3, 0] } as unknown as DenseChain;

const masks: Record<string, (k: number) => boolean> = {
  none: () => false,
  "one of thirty": (k) => k === 7,
  "every third": (k) => k % 3 === 0,
  "all but one": (k) => k !== 12,
  all: () => true,
};
for (const [name, zero] of Object.entries(masks)) {
  for (const count of [3, 40]) {
    test(`K¹ of ${count} points, features that are zero: ${name}; those of the others need not be`, () => {
      const [x, y] = [rows(count, 30, zero), rows(count + 1, 30, () => false)];
      const worst = (found: Matrix, others: Matrix): number =>
        Math.max(
          ...found.data.map((value, at) => {
            const [i, j] = [Math.floor(at / others.shape[0]), at % others.shape[0]];
            let sum = 0;
            for (let k = 0; k < 30; k++) sum += x.data[i * 30 + k]! * others.data[j * 30 + k]!;
            return Math.abs(value - ((1.7 * sum) / 30 + 0.3));
          }),
        );
      expect(worst(firstLayerKernel(chain, x), x)).toBeLessThan(1e-14);
      expect(worst(firstLayerKernel(chain, x, y), y)).toBeLessThan(1e-14);
    });
  }
}
