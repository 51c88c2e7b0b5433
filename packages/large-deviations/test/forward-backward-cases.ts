import { erf, identity, relu, tanh } from "@finitewidth/activations";
import { type Activation, type Matrix } from "@finitewidth/core";
import { expect } from "vitest";
import { flatten, readFixture } from "../../../tools/testing.ts";
import { gaussianNodes, type ClosureOptions } from "../src/index.js";

export type Rows = number[][];

export const byName: Record<string, Activation> = { erf, tanh, relu, linear: identity };

export const cases = <T>(name: string): (readonly [string, T])[] =>
  readFixture<{ cases: (T & { readonly case: string })[] }>(`forward-backward/${name}`).cases.map((c) => [c.case, c]);

/** Entry by entry, relative to the largest entry. */
export function expectNear(
  actual: Parameters<typeof flatten>[0],
  expected: Parameters<typeof flatten>[0],
  relative: number,
  what: string,
): void {
  const [a, e] = [flatten(actual), flatten(expected)];
  expect(a.length, what).toBe(e.length);
  const scale = Math.max(...e.map(Math.abs));
  expect(Math.max(...a.map((value, i) => Math.abs(value - e[i]!))), `${what}: worst difference over ${scale}`).toBeLessThanOrEqual(
    relative * scale + 1e-13,
  );
}

export const optionsFor = (kernel: Matrix, more: Partial<ClosureOptions> = {}): ClosureOptions => ({
  order: "full",
  closure: "quadrature",
  dimensions: kernel.shape[0],
  largestVariance: Math.max(...kernel.data),
  log2Count: 13,
  seed: 1,
  ...more,
});

export const nodesFor = (activation: Activation, kernel: Matrix) =>
  gaussianNodes({ ...optionsFor(kernel), smooth: activation.smooth, odd: activation.odd });
