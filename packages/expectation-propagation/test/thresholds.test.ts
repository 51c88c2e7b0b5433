import { describe, expect, it, test } from "vitest";
import { evidenceOf, pressedAt, warningsOf } from "../src/fit.js";

type Solved = Parameters<typeof warningsOf>[0];
const base: Solved = { method: "sampling", probabilities: [0.99, 0.01, 0], oneMeasure: false };
const warned = (change: Partial<Solved>, residual = 0.01, rareUnits = false): string[] =>
  warningsOf({ ...base, ...change }, residual, rareUnits);
/** Odds by all three estimates. */
const odds = (fromNone: number, fromOne = fromNone, fromEvidence = fromNone) => ({
  odds: { fromNone, fromOne, fromEvidence } as Solved["odds"] & {},
});

describe("warnings by their thresholds", () => {
  it.each([
    ["nothing to say", {}, 0.01, false, []],
    ["residual below 8 %", {}, 0.079, false, []],
    ["residual of 8 %", {}, 0.08, false, [/^the equations are solved to 8\.0 % only/]],
    ["rare units", {}, 0.01, true, [/^an activation with a kink and fewer than P\/2 units/]],
    [
      "nodes say nothing but their residual",
      { method: "nodes", probabilities: [0.2, 0.3, 0.5] },
      0.2,
      true,
      [/^the equations are solved to 20 %/],
    ],
    ["one measure, hardly any beyond", { oneMeasure: true, probabilities: [0.91, 0.09, 0] }, 0.01, false, []],
    [
      "one measure, some beyond",
      { oneMeasure: true, probabilities: [0.89, 0.1, 0.01] },
      0.01,
      false,
      [/^units cross the border of alignment freely \(none is beyond with probability 89 %\)/],
    ],
    ["one measure is not asked for two", { oneMeasure: true, probabilities: [0.95, 0, 0.6] }, 0.01, false, []],
    ["two aligned, seldom", { probabilities: [0, 0.9, 0.1], ...odds(1e9) }, 0.01, false, []],
    [
      "two aligned, at times",
      { probabilities: [0, 0.89, 0.11], ...odds(1e9) },
      0.01,
      false,
      [/^two aligned units at once have a probability of 11 %/],
    ],
    ["two aligned, half the time", { probabilities: [0, 0.5, 0.5], ...odds(1e9) }, 0.01, false, [/^two aligned units at once/]],
    [
      "two aligned, mostly",
      { probabilities: [0, 0.49, 0.51], ...odds(1e9) },
      0.01,
      false,
      [/^several units are aligned with the labels \(probability 51 %\)/],
    ],
    ["two aligned, always", { probabilities: [0, 0, 1], ...odds(1e9) }, 20.3, false, [/solved to 2030 % only/, /\(probability 100 %\)/]],
    ["every unit would align", { probabilities: [0, 0, 1], ...odds(Infinity) }, 0.01, false, [/^every unit would align with the labels/]],
    [
      "every unit would, as one branch sees it",
      { probabilities: [0, 0.4, 0.6], ...odds(Infinity, 50) },
      0.01,
      false,
      [/^several units are aligned/],
    ],
    ["pressed against the wall", { pressed: true }, 0.01, false, [/^the aligned unit presses against the border/]],
    ["one in fifty fluctuates unnoticed", { probabilities: [0.98, 0.02, 0], ...odds(0.5) }, 0.01, false, []],
    ["a minority of 10 %", { probabilities: [0.9, 0.1, 0], ...odds(1 / 9.5) }, 0.01, false, []],
    [
      "more than that",
      { probabilities: [0.89, 0.11, 0], ...odds(0.11 / 0.89) },
      0.01,
      false,
      [/^the number of aligned units fluctuates \(none 89 %, one 11 %\)/],
    ],
    [
      "on either side",
      { probabilities: [0.11, 0.89, 0], ...odds(0.89 / 0.11) },
      0.01,
      false,
      [/^the number of aligned units fluctuates \(none 11 %, one 89 %\)/],
    ],
    [
      "by one estimate of the odds",
      { probabilities: [0.95, 0.05, 0], ...odds(0.05, 0.05, 0.2) },
      0.01,
      false,
      [/^the number of aligned units fluctuates/],
    ],
    ["estimates 48 times apart", { probabilities: [0.95, 0.05, 0], ...odds(0.05, 2.4, 0.05) }, 0.01, false, [/fluctuates/]],
    [
      "estimates 52 times apart",
      { probabilities: [0.95, 0.05, 0], ...odds(0.05, 2.6, 0.05) },
      0.01,
      false,
      [/fluctuates/, /^estimates of the odds of an aligned unit disagree \(0\.050, 2\.6, 0\.050\)/],
    ],
  ] as const)("%s", (_, change, residual, rareUnits, expected) => {
    const found = warned(change as never, residual, rareUnits);
    expect(found.map((text) => text.slice(0, 120))).toHaveLength(expected.length);
    expected.forEach((pattern, i) => expect(found[i]).toMatch(pattern));
  });
});

type Branches = Parameters<typeof pressedAt>[0];

test("an aligned unit presses where its 5 % quantile stands less than a quarter as far beyond the wall as its median", () => {
  const at = (probability: number, near: number, block = true): boolean => {
    // 101 alignments, in no order: six up to `near`, the median at 4.5
    const alignments = Float64Array.from({ length: 101 }, (_, i) =>
      i < 6 ? near - 0.01 * i : i < 50 ? 4.4 : i === 50 ? 4.5 : 9,
    ).reverse();
    return pressedAt([{ probability: 1 - probability, summary: {} }, { probability, summary: { blockAlignments: alignments }, ...(block ? { block: {} } : {}) }] as unknown as Branches, 2.5); // prettier-ignore
  };
  expect([at(0.5, 2.99), at(0.5, 3.01), at(0.02, 2.99), at(0.019, 2.99), at(0.5, 2.99, false)]).toEqual([true, false, true, false, false]);
});

test("the evidence is that without aligned units over the probability of none, where that is no small minority", () => {
  const of = (probability: number, probabilities: readonly [number, number, number], more: object = {}) =>
    evidenceOf({
      method: "sampling",
      oneMeasure: false,
      probabilities,
      branches: [
        { probability: 1 - probability, block: {}, summary: { logEvidence: { value: 100, standardError: 9 } } },
        { probability, summary: { logEvidence: { value: -3, standardError: 0.2 } } },
      ],
      ...more,
    } as unknown as Parameters<typeof evidenceOf>[0]);
  expect(of(0.8, [0.7, 0.2, 0.1])).toEqual({ value: -3 - Math.log(0.7), standardError: 0.2 });
  expect(of(0.1, [0.1, 0.9, 0])!.value).toBe(-3 - Math.log(0.1));
  expect(of(0.099, [0.099, 0.9, 0])).toBeUndefined();
  expect(of(1, [0.7, 0.2, 0.1], { oneMeasure: true })).toEqual({ value: -3, standardError: 0.2 });
  expect(of(1, [1, 0, 0], { branches: [{ probability: 1, block: {}, summary: {} }] })).toBeUndefined();
  expect(of(1, [1, 0, 0], { branches: [{ probability: 1, summary: {} }] })).toBeUndefined();
});
