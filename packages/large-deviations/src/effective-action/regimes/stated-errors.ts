import type { Claim } from "@finitewidth/core";
import { isLinear, isOdd, type Setting } from "../setting.js";
import type { StatedErrors } from "./regime.js";

export const sameError = (error: Claim["error"]): StatedErrors => ({ mean: error, variance: error, train: error, kernel: error });

/** P over the smallest width, and `relative` at α ≤ 1, growing as α^power above. */
function loadOf(setting: Setting): { readonly load: number; growing(relative: number, power: number): Claim["error"] } {
  const load = setting.problem.inputs.shape[0] / Math.min(...setting.widths);
  return { load, growing: (relative, power) => ({ relative: relative * Math.max(1, load) ** power }) };
}

/**
 * Relative errors of one nonlinear hidden layer, as fractions of the largest entry, measured against sampled networks at α = P/N between
 * 0.5 and 4 (docs/theories/effective-action.md, "When to trust it"); they grow with α above 1. The predictive mean is claimed for one
 * output, odd activations and α ≤ 1, the hidden kernel at α ≤ 2: elsewhere the error is as large as what a wrong width or variance changes,
 * so that a comparison could not fail. `corrected`: the cumulant correction divides the error of the mean by three or more.
 */
export function shallowErrors(setting: Setting, corrected = false): StatedErrors {
  const { load, growing } = loadOf(setting);
  if (!isOdd(setting)) return { variance: growing(0.15, 0.6), train: growing(0.05, 0.4), kernel: growing(0.2, 0.25) };
  const variance = growing(0.15, 0.3);
  const train = growing(0.05, 0.5);
  if (load > 2) return { variance, train };
  const kernel = growing(0.12, 1);
  return load > 1 || setting.outputs > 1
    ? { variance, train, kernel }
    : { mean: { relative: (corrected ? 0.05 : 0.15) * Math.max(load, 0.3) }, variance, train, kernel };
}

/** The same of several nonlinear hidden layers. */
export const deepErrors = (setting: Setting): StatedErrors => ({ variance: { relative: 0.27 }, train: loadOf(setting).growing(0.06, 0.6) });

/**
 * The same of one hidden layer of a linear or odd activation over sites that one output reads one by one, at α ≤ 1, where it was measured:
 * the order parameter is a matrix between sites. What Gaussian equivalence misses of erf stands in variances and hidden kernels, which are
 * not claimed.
 */
export function siteErrors(setting: Setting): StatedErrors {
  if (!setting.readsSites || setting.outputs > 1 || !isOdd(setting) || loadOf(setting).load > 1) return {};
  return isLinear(setting) ? { train: { relative: 0.05 }, kernel: { relative: 0.02 } } : { train: { relative: 0.12 } };
}
