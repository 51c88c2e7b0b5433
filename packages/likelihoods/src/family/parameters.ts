import { inputError, positiveNumber, strictObject } from "@finitewidth/core";
import * as v from "valibot";

/** `{ "scale": τ }`, default 1. */
export const linkParameters = strictObject({ scale: v.optional(positiveNumber, 1) });
export type LinkParameters = v.InferOutput<typeof linkParameters>;

/** @throws FinitewidthError (code "input") unless τ > 0 is finite. */
export function requireScale(scale: number): number {
  if (!(scale > 0 && Number.isFinite(scale))) throw inputError("likelihood.scale", "a positive number", scale);
  return scale;
}
