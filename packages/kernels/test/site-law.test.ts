import type { WishartChain, WishartLayer } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { expect, test } from "vitest";
import { requireMemory } from "../src/convolution/memory.js";
import { memoryLimit } from "../src/index.js";
import { siteLaw } from "../src/site-law.js";

test("draws are of the first mixing matrix, through all layers", () => {
  const layer = (variance: number): WishartLayer => ({
    width: 400,
    sites: 1,
    variance,
    taps: [],
    biasVariance: 0,
    biasWeights: Float64Array.of(1),
  });
  const one = { data: Float64Array.of(1), shape: [1, 1] } as const;
  const chain: WishartChain = { layers: [{ ...layer(2), taps: [one] }, layer(3)], readoutBiasVariance: 0 };
  const law = siteLaw(chain, (inputs) => [inputs]);
  let mean = 0;
  for (let i = 0; i < 400; i++) mean += law.sample(1, stream(3, i)).data[0]! / 400;
  // E M_1 = 2·3; its relative spread is √(2/400 + 2/400), a twentieth of that for the mean of 400 draws
  expect(Math.abs(mean - 6)).toBeLessThan(5 * 6 * Math.sqrt(4 / 400 / 400));
});

test("what does not fit is refused before it is allocated, with the bytes and a remedy", () => {
  expect(() => requireMemory(memoryLimit, "a thing", "use less")).not.toThrow();
  expect(() => requireMemory(memoryLimit + 1, "a thing", "use less")).toThrow(
    "a thing would take 2.1 GB (2147483649 bytes), more than the limit of 2147483648 bytes; use less",
  );
  expect(() => requireMemory(3.2e15, "a thing", "use less")).toThrow("a thing would take 3.20e+15 bytes (3200000000000000 bytes)");
  const sites = 5000;
  const wide: WishartLayer = { width: 4, sites, variance: 1, taps: [], biasVariance: 0, biasWeights: new Float64Array(sites) };
  const law = siteLaw({ layers: [wide], readoutBiasVariance: 0 }, () => []);
  expect(() => law.sample(4, stream(1))).toThrow(/^the mixing matrix would take 3\.2 GB \(3200000000 bytes\).*pooled readout/);
  const inputs = { data: new Float64Array(4), shape: [4, 1] } as const;
  expect(() => law.siteKernels(inputs)).toThrow(/^the kernels between sites would take 3\.2 GB \(3200000000 bytes\)/);
  expect(() => law.siteKernels(inputs, { data: new Float64Array(8), shape: [8, 1] })).toThrow(
    /^the kernels between sites would take 6\.4 GB/,
  );
});

test("kernels between sites are products of their features, their transposes beside them", () => {
  const features = (x: { readonly data: Float64Array }) =>
    [1, 2, -1].map((factor) => ({ data: x.data.map((value) => factor + factor * value * value), shape: [x.data.length, 1] as const }));
  const layer: WishartLayer = { width: 4, sites: 3, variance: 1, taps: [], biasVariance: 0, biasWeights: new Float64Array(3) };
  const law = siteLaw({ layers: [layer], readoutBiasVariance: 0 }, features);
  const [x, y] = [
    [1, -2],
    [0.5, 3, 2],
  ].map((data) => ({ data: Float64Array.from(data), shape: [data.length, 1] as const }));
  for (const others of [undefined, y!]) {
    const found = law.siteKernels(x!, others);
    expect(found).toHaveLength(9);
    const [left, right] = [features(x!), features(others ?? x!)];
    found.forEach(({ data, shape }, rs) => {
      const [a, b] = [left[Math.floor(rs / 3)]!.data, right[rs % 3]!.data];
      expect(shape).toEqual([a.length, b.length]);
      expect([...data]).toEqual([...a].flatMap((one) => [...b].map((other) => one * other)));
    });
  }
});
