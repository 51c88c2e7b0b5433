import {
  FinitewidthError,
  resolveArchitecture,
  shapeError,
  type Matrix,
  type PriorProblem,
  type PriorResult,
  type Registry,
  type Run,
} from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import { meanIntegral } from "./mean-integral.js";
import { reduceMeanProblems } from "./multi-output-problem.js";
import type { EffectiveActionOptions } from "./options.js";
import { reduceScalarProblems } from "./scalar-problem.js";
import { scalarIntegral } from "./scalar-posterior.js";
import { isLinear, settingOf, trainKernel, usesMean } from "./setting.js";

/** Why a prior question cannot be answered. */
export function refusesPriorQuestion(problem: PriorProblem, registry: Registry): string | undefined {
  if (denseChain(resolveArchitecture(registry, problem.network))?.widths.length !== 1)
    return 'the law of the outputs within the Gaussian equivalence is known for one fully connected hidden layer; use "nngp", "perturbative" or "monte-carlo".';
  if (problem.outputs > 1 && problem.evaluateAt.length > 0)
    return 'log densities are given for one output only; use "exact" for the identity, or leave "evaluateAt" out.';
  return undefined;
}

/**
 * Law of the outputs of one hidden layer within the Gaussian equivalence: a Gamma scale mixture (variance-gamma), with the mean of the
 * activation integrated over its own coefficient. Fourth cumulant (2/N)[K_ab K_cd + K_ac K_bd + K_ad K_bc − 3 m_a m_b m_c m_d]. Exact for φ
 * = identity.
 */
export function priorEffectiveAction(problem: PriorProblem, options: EffectiveActionOptions, run: Run): PriorResult {
  const { network, inputs, evaluateAt } = problem;
  const points = inputs.shape[0];
  const setting = settingOf(
    { network, inputs, targets: { data: new Float64Array(points), shape: [points, 1] }, temperature: 0, scaling: "standard" },
    run.registry,
  );
  const { width, biasVariance } = setting;
  const withMean = usesMean(setting, options);
  const { kernel, mean } = trainKernel(setting, withMean);
  const m = mean ?? new Float64Array(points);
  const full: Matrix = { data: kernel.data.map((value, at) => value + m[Math.floor(at / points)]! * m[at % points]!), shape: kernel.shape };
  const secondMoment: Matrix = { data: full.data.map((value) => value + biasVariance), shape: full.shape };
  const k = (a: number, b: number): number => full.data[a * points + b]!;
  const cumulant = (a: number, b: number, c: number, d: number): number =>
    (2 / width) * (k(a, b) * k(c, d) + k(a, c) * k(b, d) + k(a, d) * k(b, c) - 3 * m[a]! * m[b]! * m[c]! * m[d]!);
  const excessKurtosis = Float64Array.from({ length: points }, (_, a) => {
    const variance = secondMoment.data[a * (points + 1)]!;
    return variance > 0 ? cumulant(a, a, a, a) / variance ** 2 : 0;
  });
  const warnings: string[] = [];
  if (!isLinear(setting))
    warnings.push(
      "hidden units are treated as Gaussian (Gaussian equivalence): their own fourth cumulant, of the same order 1/N, is left out",
    );
  const logDensity = logDensities();
  const fourthCumulant = Float64Array.from({ length: points <= 8 ? points ** 4 : 0 }, (_, at) =>
    cumulant(Math.floor(at / points ** 3), Math.floor(at / points ** 2) % points, Math.floor(at / points) % points, at % points),
  );
  return {
    secondMoment,
    ...(points <= 8 ? { fourthCumulant: { data: fourthCumulant, shape: [points, points, points, points] } } : {}),
    excessKurtosis,
    ...(logDensity.length > 0 ? { logDensity: Float64Array.from(logDensity) } : {}),
    warnings,
  };

  /** The evidence of every f at T = 0, the kernel reduced once. */
  function logDensities(): number[] {
    if (evaluateAt.length === 0) return [];
    for (const [i, value] of evaluateAt.entries()) {
      if (value.shape[0] !== points || value.shape[1] !== 1)
        throw shapeError(`evaluateAt[${i}]`, `${points} × 1 numbers`, value.shape.join(" × "));
      if (value.data.every((entry) => entry === 0) && points - (biasVariance > 0 ? 1 : 0) >= width) {
        throw new FinitewidthError(`evaluateAt[${i}]: the density at 0 is infinite when there are as many points as hidden units or more`, {
          code: "input",
          path: `evaluateAt[${i}]`,
        });
      }
    }
    const targets: Matrix = {
      data: Float64Array.from(
        { length: points * evaluateAt.length },
        (_, at) => evaluateAt[at % evaluateAt.length]!.data[Math.floor(at / evaluateAt.length)]!,
      ),
      shape: [points, evaluateAt.length],
    };
    const input = { kernel, temperature: 0, width, biasVariance };
    const evidences = mean
      ? reduceMeanProblems({ ...input, mean }, targets).map((problem) => () => meanIntegral(problem, [1]))
      : reduceScalarProblems(input, targets).map((problem) => () => scalarIntegral(problem));
    return evidences.map((integral) => {
      run.signal?.throwIfAborted();
      return integral().logEvidence;
    });
  }
}
