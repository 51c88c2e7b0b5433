import type { Matrix } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, test } from "vitest";
import { againstEffect, visibleErrors } from "../src/referee/judgement.js";
import { judgeKernels } from "../src/referee/kernel-verdict.js";

const rule = { tolerance: 0.05, alpha: 0.002, trust: 0.05 };
const size = 12;
const kernel = (entry: (i: number, j: number) => number): Matrix => ({
  data: Float64Array.from({ length: size * size }, (_, k) => entry(Math.floor(k / size), k % size)),
  shape: [size, size],
});
/** Learning adds a spike of 3 % of the norm. */
const unlearned = kernel((i, j) => (i === j ? 1 : 0.3));
const shift = 0.03 * Math.hypot(...unlearned.data);
const learned = (part: number): Matrix => kernel((i, j) => unlearned.data[i * size + j]! + (part * shift * (-1) ** (i + j)) / size);
const chains = (noise: number, seed: number): Float64Array[][] =>
  Array.from({ length: 32 }, (_, c) => {
    const random = stream(seed, c);
    return [learned(1).data.map((value) => value + noise * random.normal())];
  });
const verdict = (theory: Matrix, noise = 0.002, seed = 1, own?: Matrix) =>
  judgeKernels({ hiddenKernels: [theory], ...(own ? { hiddenKernelStandardErrors: [own] } : {}) }, chains(noise, seed), [unlearned], rule);

describe("hidden kernels are judged by what was learned", () => {
  test.each([
    ["the truth", 1, "confirmed"],
    ["nine tenths of the shift", 0.9, "confirmed"],
    ["seven tenths of the shift", 0.7, "contradicted"],
    ["the wrong way", -1, "contradicted"],
    ["nothing learned, 3 % of the norm off", 0, "contradicted"],
  ])("%s", (_, part, status) => {
    const found = verdict(learned(part));
    expect(found.status, found.how).toBe(status);
    expect(Math.abs(found.error! - Math.abs(1 - part) * shift)).toBeLessThan(4 * found.standardError!);
  });

  test("a shift that is lost in the noise is not judged; an error beyond the noise is", () => {
    expect(verdict(learned(1), 0.3).status).toBe("unchecked");
    expect(verdict(learned(1), 0.3).how).toContain("too little is learned");
    expect(verdict(learned(40), 0.3).status).toBe("contradicted");
  });

  test("a shift that is seen, but not its fifth, confirms nothing and doubts only what is seen to be off", () => {
    const statuses = (part: number) => Array.from({ length: 40 }, (_, seed) => verdict(learned(part), 0.05, seed + 300).status);
    expect(statuses(1).filter((status) => status === "unchecked").length).toBeGreaterThan(34);
    expect(statuses(1)).not.toContain("confirmed");
    expect(statuses(0.4).filter((status) => status === "doubtful" || status === "contradicted").length).toBeGreaterThan(34);
  });

  test("the truth is contradicted in none of 200 noisy runs", () => {
    const statuses = Array.from({ length: 200 }, (_, seed) => verdict(learned(1), 0.02, seed + 2).status);
    expect(statuses.filter((status) => status === "contradicted").length).toBeLessThanOrEqual(2);
  });

  test("a sampled kernel is not blamed for its own noise", () => {
    const random = stream(3);
    const noise = 0.35 * (shift / size);
    const sampled = kernel((i, j) => learned(1).data[i * size + j]! + noise * random.normal());
    expect(verdict(sampled).status).toBe("contradicted");
    expect(
      verdict(
        sampled,
        0.002,
        1,
        kernel(() => noise),
      ).status,
    ).not.toBe("contradicted");
  });

  test("without infinite width the norm is the yardstick", () => {
    const against = (theory: Matrix) => judgeKernels({ hiddenKernels: [theory] }, chains(0.002, 1), undefined, rule).status;
    expect(against(unlearned)).toBe("confirmed");
    expect(against(learned(4))).toBe("contradicted");
  });
});

test("a layer that cannot be judged leaves the verdict to one that is off, and otherwise leaves none", () => {
  const both = Array.from({ length: 32 }, (_, c) => [chains(0.3, 1)[c]![0]!, chains(0.002, 2)[c]![0]!]);
  const of = (first: Matrix, second: Matrix) => judgeKernels({ hiddenKernels: [first, second] }, both, [unlearned, unlearned], rule);
  expect(of(learned(1), learned(0)).status).toBe("contradicted");
  expect(of(learned(1), learned(1))).toMatchObject({ status: "unchecked", how: expect.stringMatching(/^32 chains .*: too little is learned for so short a run to see$/) as string }); // prettier-ignore
  const plain = judgeKernels({ hiddenKernels: [learned(0)] }, chains(0.002, 1), undefined, rule);
  const norm = Math.hypot(...learned(1).data);
  expect(Math.abs(plain.error! - shift)).toBeLessThan(4 * plain.standardError!);
  const [error, own] = [plain.error!, plain.standardError!].map((value) => value.toPrecision(3));
  const how = `kernel of layer 1 differs by ${error} ± ${own} in Frobenius norm, norm ${norm.toPrecision(3)}`;
  expect(plain.how).toBe(`32 chains of the real network: ${how}`);
  // controls that know the noise of the first layer take it away
  const noisy = chains(0.3, 5);
  const known = noisy.map(([kernelOf]) => kernelOf!.map((value, i) => value - learned(1).data[i]! + 1e-4 * Math.sin(value)));
  expect(judgeKernels({ hiddenKernels: [learned(1)] }, noisy, [unlearned], rule).status).toBe("unchecked");
  expect(judgeKernels({ hiddenKernels: [learned(1)] }, noisy, [unlearned], rule, known).status).toBe("confirmed");
});

test("the mean square of a sampled kernel's own errors is no fault of it, and is all the noise where the chains have none", () => {
  const off = kernel((i, j) => learned(1).data[i * size + j]! + 0.03);
  const found = verdict(
    off,
    1e-9,
    1,
    kernel((i, j) => (i === j ? 0 : 0.01)),
  );
  const own = (1e-4 * (size - 1)) / size;
  expect(found.error).toBeCloseTo(size * Math.sqrt(9e-4 - own), 6);
  expect(found.standardError).toBeCloseTo((size * own) / (2 * Math.sqrt(9e-4 - own)), 6);
});

test("a confirmation is withdrawn for a visible error above a fifth of the effect, and only then", () => {
  const [difference, distance] = [visibleErrors(32, "difference"), visibleErrors(32, "distance")];
  // Student's t, from tables: 31 and 7 degrees of freedom, 0.975 and 0.95
  [difference, distance, visibleErrors(8, "difference")].forEach((value, k) => expect(value).toBeCloseTo([2.0395, 1.6955, 2.3646][k]!, 4));
  expect(againstEffect("confirmed", 0.3, 0.1, 1, difference)).toBe("doubtful");
  expect(againstEffect("confirmed", -0.3, 0.1, 1, difference)).toBe("doubtful");
  expect(againstEffect("confirmed", 0.3, 0.2, 1, difference)).toBe("confirmed");
  expect(againstEffect("confirmed", 0.3, 0.17, 1, difference)).toBe("confirmed");
  expect(againstEffect("confirmed", 0.3, 0.17, 1, distance)).toBe("doubtful");
  expect(againstEffect("confirmed", 0.19, 0.01, 1, difference)).toBe("confirmed");
  expect(againstEffect("confirmed", 0.3, 0.1, undefined, difference)).toBe("confirmed");
  expect(againstEffect("contradicted", 0.3, 0.1, 1, difference)).toBe("contradicted");
  // without scatter only rounding is left: 2e-15 of a number of order one is none, 2e-6 is
  expect(againstEffect("confirmed", 2e-15, 0, 0, difference, 10)).toBe("confirmed");
  expect(againstEffect("confirmed", 2e-6, 0, 0, difference, 10)).toBe("doubtful");
});
