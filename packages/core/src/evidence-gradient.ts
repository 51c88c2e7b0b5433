import { FinitewidthError } from "./errors.js";
import { hiddenWidths, randomLayers } from "./layers.js";
import type { Posterior } from "./posterior.js";
import type { NetworkVariation } from "./prior-model.js";
import type { Problem } from "./problem.js";
import { resolveArchitecture } from "./registry.js";
import type { Run } from "./run.js";
import type { Theory } from "./theory.js";

/** Derivatives of the log evidence; null where there is nothing to vary (no biases, no such layer) or where it is not known. */
export interface EvidenceGradient {
  /** In log σ_w²(1 … L+1). */
  readonly logWeightVariance: readonly (number | null)[];
  /** In log σ_b²(1 … L+1). */
  readonly logBiasVariance: readonly (number | null)[];
  readonly logTemperature: number | null;
  /** log Z_{N+1}/Z_N for each hidden layer. */
  readonly widths: readonly (number | null)[];
  /** For sampled gradients. */
  readonly standardError?: Omit<EvidenceGradient, "standardError">;
}

type Fits = Pick<Theory, "fit">;

/** The log evidence of a problem like the fitted one; @throws like `fit`. */
async function evidenceOf(theory: Fits, { options }: Posterior, problem: Problem, run: Run): Promise<number> {
  run.signal?.throwIfAborted();
  const { logEvidence } = await theory.fit(problem, options, run);
  if (logEvidence === undefined) throw new FinitewidthError("the theory has no log evidence here", { code: "refused" });
  return logEvidence;
}

/** log Z_{N_l + 1}/Z_{N_l} of every hidden layer of a deterministic theory, by one more fit for each. */
export async function widthRatios(theory: Fits, posterior: Posterior, run: Run): Promise<number[]> {
  const { problem, logEvidence = Number.NaN } = posterior;
  const ratios: number[] = [];
  for (const layer of hiddenWidths(resolveArchitecture(run.registry, problem.network)).keys()) {
    const network = varied(problem, run, { width: (width, l) => (l === layer ? width + 1 : width) });
    ratios.push((await evidenceOf(theory, posterior, { ...problem, network }, run)) - logEvidence);
  }
  return ratios;
}

const varied = ({ network }: Problem, { registry }: Run, variation: NetworkVariation): Problem["network"] =>
  registry.priorModel(network.type).vary(network, variation, registry);

/** Steps in logarithms of Richardson's extrapolation. */
const logStep = 0.02;

/**
 * Gradient of the log evidence of a deterministic theory by differences of fits in the logarithms, extrapolated once (error of order
 * step⁴, and rounding): for what has no derivative in closed form, and to check those that have. 4 fits a number. @throws like `fit`.
 */
export async function differenceEvidenceGradient(theory: Fits, posterior: Posterior, run: Run): Promise<EvidenceGradient> {
  const { problem } = posterior;
  const derivative = async (at: (factor: number) => Problem): Promise<number> => {
    const slope = async (step: number): Promise<number> => {
      const [up, down] = [Math.exp(step), Math.exp(-step)];
      return ((await evidenceOf(theory, posterior, at(up), run)) - (await evidenceOf(theory, posterior, at(down), run))) / (2 * step);
    };
    return (4 * (await slope(0.5 * logStep)) - (await slope(logStep))) / 3;
  };
  const random = randomLayers(resolveArchitecture(run.registry, problem.network).layers);
  const logWeightVariance: number[] = [];
  const logBiasVariance: (number | null)[] = [];
  for (const [layer, { biasVariance }] of random.entries()) {
    const times = (factor: number) => (value: number, l: number) => (l === layer ? factor * value : value);
    const by = (key: "weightVariance" | "biasVariance") => (factor: number) => ({
      ...problem,
      network: varied(problem, run, { [key]: times(factor) }),
    });
    logWeightVariance.push(await derivative(by("weightVariance")));
    logBiasVariance.push(biasVariance > 0 ? await derivative(by("biasVariance")) : null);
  }
  return {
    logWeightVariance,
    logBiasVariance,
    logTemperature:
      problem.temperature > 0 ? await derivative((factor) => ({ ...problem, temperature: factor * problem.temperature })) : null,
    widths: await widthRatios(theory, posterior, run),
  };
}
