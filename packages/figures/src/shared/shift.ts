import type { FigureMethod, Matrix } from "@finitewidth/core";
import { difference, dot, norm } from "./numbers.js";

/** |ΔK|/|K| with its standard error. */
export interface Shift {
  readonly value: number;
  readonly standardError: number;
}

/** Relative sizes of the shifts of all hidden kernels against those of infinite width. */
export const shiftsOf = (method: FigureMethod, infinite: FigureMethod): number[] =>
  method.posterior.hiddenKernels!.map((kernel, l) => {
    const reference = infinite.posterior.hiddenKernels![l]!;
    return norm(difference(kernel, reference).data) / norm(reference.data);
  });

/**
 * The size of a sampled shift: what noise adds to the square is taken away; the standard error treats entries as fully correlated, an upper
 * bound.
 */
export function sampledShift(shift: Matrix, error: Matrix, reference: Matrix): Shift {
  const scale = norm(reference.data);
  const square = dot(shift.data, shift.data) - dot(error.data, error.data);
  const size = Math.sqrt(Math.max(0, square));
  const spread = shift.data.reduce((sum, value, k) => sum + Math.abs(value) * error.data[k]!, 0) / norm(shift.data);
  return { value: size / scale, standardError: spread / scale };
}

/** Sampled shifts of all layers: as the method resolves them, or by subtraction of the kernels of infinite width. */
export const sampledShifts = ({ posterior }: FigureMethod, infinite: FigureMethod): Shift[] =>
  infinite.posterior.hiddenKernels!.map((reference, l) => {
    const resolved = posterior.hiddenKernelShifts?.[l];
    return resolved
      ? sampledShift(resolved, posterior.standardError!.hiddenKernelShifts![l]!, reference)
      : sampledShift(difference(posterior.hiddenKernels![l]!, reference), posterior.standardError!.hiddenKernels![l]!, reference);
  });
