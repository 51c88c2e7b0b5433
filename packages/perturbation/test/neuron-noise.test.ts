import { zeros } from "@finitewidth/core";
import { multiply } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { applyNeuronNoise } from "../src/sampled/neuron-noise.js";

const random = stream(3);

it.each([true, false])("products with noise that is not formed equal those with its matrices, curvature %s", (curved) => {
  const [n, P, draws, each] = [5, 3, 4, 2];
  const [phi, mean, slope, own, other, vectors] = [
    normalMatrix(random, draws, n),
    normalMatrix(random, n, P),
    normalMatrix(random, n, P),
    normalMatrix(random, n, P),
    normalMatrix(random, n, P),
    normalMatrix(random, P, draws * each),
  ];
  const found = applyNeuronNoise({ phi, mean, slope, ...(curved ? { own, other } : {}) }, vectors, each);
  expect(found.shape).toEqual([n, draws * each]);
  for (let s = 0; s < draws; s++) {
    const m = zeros(n, P);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < P; j++) {
        const [a, b, at] = [phi.data[s * n + i]!, phi.data[s * n + j]!, i * P + j];
        m.data[at] = slope.data[at]! * a * b - mean.data[at]! + (curved ? 0.5 * (own.data[at]! * a * a + other.data[at]! * b * b) : 0);
      }
    const expected = multiply(m, vectors);
    for (let i = 0; i < n; i++)
      for (let c = s * each; c < (s + 1) * each; c++)
        expectClose(found.data[i * draws * each + c]!, expected.data[i * draws * each + c]!, { relative: 1e-12, absolute: 1e-12 });
  }
});
