import type { Series } from "@finitewidth/core";

/** A curve of a theory. */
export const curve = (label: string, x: readonly number[], y: readonly number[], more: Partial<Series> = {}): Series => ({
  label,
  x: Float64Array.from(x),
  y: Float64Array.from(y),
  ...more,
});

/** Sampled points with their standard errors, in the colour of `group`. */
export const sampledPoints = (
  group: string,
  x: readonly number[],
  y: readonly number[],
  error: readonly number[],
  more: Partial<Series> = {},
): Series => ({ ...curve(`${group}, sampled`, x, y), group, points: true, error: Float64Array.from(error), ...more });
