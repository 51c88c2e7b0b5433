import { zeros, type Matrix } from "@finitewidth/core";
import { independentOutputs, trainGaussianProcess } from "@finitewidth/numerics";
import { atWidths, meanShiftFlow } from "../kernel-flow/mean-shift.js";
import type { GaussianPieces } from "../posterior/gaussian-pieces.js";
import { averageSites, firstKernelOf, type Setting } from "./setting.js";

/** Kernels at infinite width on the training points and their prior shifts at the widths of the network, sites averaged. */
export interface Kernels {
  readonly hidden: readonly Matrix[];
  readonly preactivation: readonly Matrix[];
  /** δ per layer of the output kernel: coefficients of 1/N_k (one entry with widths in for drawn networks). */
  readonly outputShifts: readonly Matrix[];
  readonly hiddenShifts: readonly Matrix[];
  readonly preactivationShifts: readonly Matrix[];
}

/** Kernels of a chain and the shifts of its prior. */
export function chainKernels(
  setting: Setting,
  layers: readonly { readonly kernel: Matrix; readonly secondMoment: Matrix }[],
  output: Matrix,
  inputs: Matrix,
  tick: () => void,
): Kernels {
  const { sites, widths, flow } = setting;
  const preactivation = [...layers.map(({ kernel }) => averageSites(kernel, sites)), output];
  const hidden = layers.map(({ secondMoment }) => averageSites(secondMoment, sites));
  const shifts = flow === undefined ? undefined : meanShiftFlow(flow, firstKernelOf(setting, inputs), tick);
  const none = (k: Matrix): Matrix => zeros(...k.shape);
  const preactivationShifts = shifts?.map((list) => atWidths(list, widths)) ?? preactivation.map(none);
  return {
    hidden,
    preactivation,
    outputShifts: shifts?.at(-1) ?? layers.map(() => none(output)),
    hiddenShifts:
      shifts === undefined
        ? hidden.map(none)
        : hidden.map((_, l) => ({
            data: preactivationShifts[l + 1]!.data.map((value) => value / flow!.weightVariance[l]!),
            shape: output.shape,
          })),
    preactivationShifts,
  };
}

/** Infinite-width mean and variance at the training points. */
export function leadingTraining(
  pieces: GaussianPieces,
  kernel: Matrix,
  targets: Matrix,
): { readonly mean: Matrix; readonly variance: Matrix } {
  return independentOutputs(trainGaussianProcess(pieces, kernel, targets, pieces.temperature), targets.shape[1]);
}
