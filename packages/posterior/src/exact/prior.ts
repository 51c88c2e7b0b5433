import { inputError, shapeError, type Matrix, type PriorProblem, type PriorResult } from "@finitewidth/core";
import { logGamma } from "@finitewidth/numerics";
import { scalarLaw } from "../scalar/law.js";
import { scalarData } from "../scalar/likelihood.js";
import { integrateScalarPosterior } from "../scalar/posterior.js";
import { spectralProblem } from "../spectrum/problem.js";
import type { PlainChain } from "./chain.js";

/** log E q^power for q = Π s_l χ²_{N_l}/N_l; +∞ where it diverges. */
function logMoment(chain: PlainChain, power: number): number {
  let value = 0;
  for (const [l, n] of chain.widths.entries()) {
    if (n / 2 + power <= 0) return Infinity;
    value += power * Math.log((2 * chain.variances[l]!) / n) + logGamma(n / 2 + power) - logGamma(n / 2);
  }
  return value;
}

/** log density of one output f(X) (P × 1) under the prior, biases of the first layer and the readout included; on the range of K where K is singular. */
export function scalarLogDensity(chain: PlainChain, kernel: Matrix, value: Matrix, path: string): LogDensityAt {
  const spectral = spectralProblem(kernel, value, 0, { readout: chain.readoutBias, hidden: false }, path);
  const pinned = spectral.pinned?.logDensity ?? 0;
  const data = scalarData(spectral);
  if (data.readoutBias === 0 && data.targets.every((target) => target === 0)) {
    const power = -data.values.length / 2;
    const moment = logMoment(chain, power);
    if (moment === Infinity) throw inputError(path, `a value other than 0 (the density diverges there: a width is not above ${data.values.length}, the rank of the kernel)`, 0);
    return { logDensity: pinned + moment + power * Math.log(2 * Math.PI) - 0.5 * data.values.reduce((sum, kappa) => sum + Math.log(kappa), 0), warnings: spectral.warnings };
  }
  return { logDensity: pinned + integrateScalarPosterior(scalarLaw(chain.widths, chain.variances), data).logEvidence, warnings: spectral.warnings };
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

/** Log densities of all values, each warning once. @throws FinitewidthError (code "input") naming `evaluateAt[i]` for a value that the prior cannot take. */
export async function collectLogDensities(problem: PriorProblem, at: (value: Matrix, path: string) => LogDensityAt | Promise<LogDensityAt>): Promise<Pick<PriorResult, "logDensity" | "warnings" | "standardError">> {
  checkValues(problem);
  const warnings = new Set<string>();
  const logDensity = new Float64Array(problem.evaluateAt.length);
  const standardError = new Float64Array(problem.evaluateAt.length);
  for (const [i, value] of problem.evaluateAt.entries()) {
    const result = await at(value, `evaluateAt[${i}]`);
    for (const warning of result.warnings) warnings.add(warning);
    logDensity[i] = result.logDensity;
    standardError[i] = result.standardError ?? 0;
  }
  if (logDensity.length === 0) return { warnings: [] };
  return { logDensity, warnings: [...warnings], ...(standardError.some((error) => error > 0) ? { standardError: { logDensity: standardError } } : {}) };
}
