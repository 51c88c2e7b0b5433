import { inputError, shapeError, type Matrix, type PriorProblem, type PriorResult } from "@finitewidth/core";
import { logMomentOf } from "@finitewidth/numerics";
import { scalarLaw, type ScalarLaw } from "../scalar/law.js";
import { sideBySide } from "../scalar/hidden-kernels.js";
import { integrateScalarPosterior } from "../scalar/posterior.js";
import { scalarProblems, type ScalarProblem } from "../scalar/problem.js";
import { reduceKernel } from "../spectrum/reduced-kernel.js";
import type { PlainChain } from "./chain.js";

/**
 * log densities of one output f(X) (P × 1 each) under the prior, biases of the first layer and the readout included; on the range of K
 * where K is singular. The kernel is reduced once for all of them, without eigenvectors where it is not singular: 4P³/3 flops and O(P²) for
 * every value.
 */
export function scalarLogDensities(
  chain: PlainChain,
  kernel: Matrix,
  values: readonly Matrix[],
  path: (index: number) => string,
): LogDensityAt[] {
  if (values.length === 0) return [];
  const law = scalarLaw(chain.widths, chain.variances, chain.skips);
  return scalarProblems(reduceKernel(kernel), sideBySide(values), 0, chain.readoutBias, path).map((problem, i) => ({
    logDensity: scalarLogDensity(law, problem, path(i)),
    warnings: problem.warnings,
  }));
}

function scalarLogDensity(law: ScalarLaw, { data, pinned }: ScalarProblem, path: string): number {
  const offset = pinned?.logDensity ?? 0;
  if (data.readoutBias === 0 && data.targets.every((target) => target === 0)) {
    const power = -data.values.length / 2;
    const moment = logMomentOf(law.product, power);
    if (moment === Infinity)
      throw inputError(
        path,
        `a value other than 0 (the density diverges there: a width is not above ${data.values.length}, the rank of the kernel)`,
        0,
      );
    return offset + moment + power * Math.log(2 * Math.PI) - 0.5 * data.values.reduce((sum, kappa) => sum + Math.log(kappa), 0);
  }
  return offset + integrateScalarPosterior(law, data).logEvidence;
}

/** @throws FinitewidthError (code "shape") unless every value has P rows and D columns. */
export function checkValues(problem: PriorProblem): void {
  for (const [i, value] of problem.evaluateAt.entries()) {
    if (value.shape[0] !== problem.inputs.shape[0] || value.shape[1] !== problem.outputs) {
      throw shapeError(`evaluateAt[${i}]`, `${problem.inputs.shape[0]} × ${problem.outputs} numbers`, value.shape.join(" × "));
    }
  }
}

/** log density of one value; `standardError` when it was sampled. */
export interface LogDensityAt {
  readonly logDensity: number;
  readonly standardError?: number;
  readonly warnings: readonly string[];
}

/** What `evaluateAt` adds to a prior result. */
export type LogDensities = Pick<PriorResult, "logDensity" | "warnings" | "standardError">;

/**
 * Log densities of all values, one after the other. @throws FinitewidthError (code "input") naming `evaluateAt[i]` for a value that the
 * prior cannot take.
 */
export async function collectLogDensities(
  problem: PriorProblem,
  at: (value: Matrix, path: string) => LogDensityAt | Promise<LogDensityAt>,
): Promise<LogDensities> {
  checkValues(problem);
  const results: LogDensityAt[] = [];
  for (const [i, value] of problem.evaluateAt.entries()) results.push(await at(value, `evaluateAt[${i}]`));
  return reportLogDensities(results);
}

/** Log densities as they are reported, each warning once. */
export function reportLogDensities(results: readonly LogDensityAt[]): LogDensities {
  if (results.length === 0) return { warnings: [] };
  const logDensity = Float64Array.from(results, (result) => result.logDensity);
  const standardError = Float64Array.from(results, (result) => result.standardError ?? 0);
  const warnings = [...new Set(results.flatMap((result) => result.warnings))];
  return { logDensity, warnings, ...(standardError.some((error) => error > 0) ? { standardError: { logDensity: standardError } } : {}) };
}
