import type { FigureCheck } from "@finitewidth/core";
import { normalQuantile, studentQuantile } from "@finitewidth/numerics";

/** Four significant digits with a true minus sign. */
export const text = (value: number): string => String(Number(value.toPrecision(4))).replace("-", "−");

const listed = (values: readonly number[]): string => values.map(text).join(", ");

/** |value − expected| ≤ tolerance. */
export const near = (name: string, value: number, expected: number, tolerance: number): FigureCheck => ({
  name,
  expected: `${text(expected)} ± ${text(tolerance)}`,
  found: text(value),
  holds: Math.abs(value - expected) <= tolerance,
});

/** value ≤ limit. */
export const atMost = (name: string, value: number, limit: number): FigureCheck => ({
  name,
  expected: `at most ${text(limit)}`,
  found: text(value),
  holds: value <= limit,
});

/** value ≥ limit. */
export const atLeast = (name: string, value: number, limit: number): FigureCheck => ({
  name,
  expected: `at least ${text(limit)}`,
  found: text(value),
  holds: value >= limit,
});

/** Every value smaller than the one before. */
export const falling = (name: string, values: readonly number[]): FigureCheck => ({
  name,
  expected: "each smaller than the one before",
  found: listed(values),
  holds: values.every((value, i) => i === 0 || value < values[i - 1]!),
});

/** Every value larger than the one before. */
export const rising = (name: string, values: readonly number[]): FigureCheck => ({
  name,
  expected: "each larger than the one before",
  found: listed(values),
  holds: values.every((value, i) => i === 0 || value > values[i - 1]!),
});

/** Probability that a check of agreeing numbers fails. */
const falseAlarm = 1e-3;

/**
 * Numbers of a theory and sampled ones agree: within `relative` of the theory's number, and beyond that within the standard errors at a
 * false alarm of one in a thousand for all together (Bonferroni); `degreesOfFreedom` of errors that are themselves from few samples.
 */
export function agree(
  name: string,
  theory: readonly number[],
  sampled: readonly number[],
  standardError: readonly number[],
  relative = 0,
  degreesOfFreedom = Infinity,
): FigureCheck {
  const tail = 1 - falseAlarm / (2 * theory.length);
  const bound = degreesOfFreedom === Infinity ? normalQuantile(tail) : studentQuantile(tail, degreesOfFreedom);
  const distances = theory.map((value, i) => Math.abs(value - sampled[i]!));
  const worst = Math.max(...distances.map((far, i) => Math.max(0, far - relative * Math.abs(theory[i]!)) / standardError[i]!));
  // a distance of zero is none of zero
  const percent = 100 * Math.max(...distances.map((far, i) => (far === 0 ? 0 : far / Math.abs(theory[i]!))));
  return {
    name,
    expected: `the sampled numbers${relative > 0 ? `, to ${text(100 * relative)} % and` : ""} within ${text(bound)} standard errors`,
    found: relative > 0 && worst === 0 ? `${text(percent)} % apart at most` : `${text(worst)} standard errors at most`,
    holds: worst <= bound,
  };
}

/** Sampled numbers reject those of a theory: by more standard errors than chance would give. */
export function reject(name: string, theory: readonly number[], sampled: readonly number[], standardError: readonly number[]): FigureCheck {
  const check = agree(name, theory, sampled, standardError);
  return { ...check, expected: `not ${check.expected}`, holds: !check.holds };
}
