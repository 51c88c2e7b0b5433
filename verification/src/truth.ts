import { FinitewidthError, validate, type Claim, type Matrix, type Run, type Scenario, type Tensor } from "@finitewidth/core";
import { sampleNetworks, type SampleChunk } from "./sample-networks.js";
import type { ScenarioFamily } from "./scenario-family.js";
import { estimate, type Estimate, type SufficientSums } from "./sufficient-sums.js";

/** What was sampled for one scenario at one width. */
export type Sampled =
  | { readonly kind: "sums"; readonly chunks: readonly SufficientSums[] }
  | { readonly kind: "chains"; readonly estimates: Readonly<Record<string, Estimate>> };

const chunkCount = 40;

/**
 * Estimates of what claims are about, from networks that are sampled once for all theories: `quantities` are what any of them makes claims
 * about.
 */
export async function sampleFor(
  family: ScenarioFamily,
  scenario: Scenario,
  claims: readonly Claim[],
  truth: Map<string, Promise<Sampled>>,
  index: number,
  run: Run,
  quantities: readonly string[] = claims.map(({ estimand }) => estimand.quantity),
): Promise<Estimate[]> {
  const points = scenario.problem.inputs.shape[0];
  return Promise.all(
    claims.map(async (claim) => {
      const { of } = claim.estimand;
      const key = `${of} ${index}`;
      let sampled = truth.get(key);
      if (sampled === undefined) {
        sampled =
          family.sampling.kind === "chains" && of === "posterior"
            ? runChains(family.sampling, scenario, run)
            : runImportance(family, scenario, of, index, run, quantities);
        truth.set(key, sampled);
      }
      const result = await sampled;
      const { quantity, layer } = claim.estimand;
      if (result.kind === "sums") return estimate(result.chunks, run.registry.observable(quantity), points, layer);
      const found = result.estimates[layer === undefined ? quantity : `${quantity} ${layer}`];
      if (found === undefined) throw new FinitewidthError(`chains do not give ${quantity}`, { code: "refused" });
      return found;
    }),
  );
}

async function runImportance(
  family: ScenarioFamily,
  scenario: Scenario,
  of: "prior" | "posterior",
  index: number,
  run: Run,
  quantities: readonly string[],
): Promise<Sampled> {
  const samples = family.sampling.kind === "importance" ? family.sampling.samples : 40_000;
  const chunks = Array.from({ length: chunkCount }, (_, chunk): SampleChunk => ({
    problem: scenario.problem,
    testInputs: scenario.testInputs,
    ...(scenario.testTargets ? { testTargets: scenario.testTargets } : {}),
    of,
    quantities,
    samples: Math.ceil(samples / chunkCount),
    seed: run.seed,
    index: (of === "prior" ? 0 : 1) * 1_000_000 + index * 10_000 + chunk,
  }));
  const results: SufficientSums[] = [];
  for await (const result of run.map(sampleNetworks, chunks)) results.push(result);
  return { kind: "sums", chunks: results };
}

async function runChains(
  sampling: Extract<ScenarioFamily["sampling"], { kind: "chains" }>,
  scenario: Scenario,
  run: Run,
): Promise<Sampled> {
  const { kind: _kind, ...lengths } = sampling;
  const sampler = run.registry.theory("monte-carlo", "theories");
  const options = validate(sampler.options, lengths, "options of monte-carlo");
  const { problem } = scenario;
  const posterior = await sampler.fit(problem, options, run);
  if (!posterior.solver.converged)
    throw new FinitewidthError(`chains of ${scenario.name} did not mix: ${posterior.warnings.join("; ")}`, { code: "not-converged" });
  const prediction = await sampler.predict(posterior, scenario.testInputs, { covariance: false }, run);
  const effectiveSamples =
    typeof posterior.diagnostics.effectiveSamples === "number" ? posterior.diagnostics.effectiveSamples : sampling.chains * sampling.draws;
  const entry = (value: Matrix | Tensor | undefined, error: Matrix | Tensor | undefined): Estimate | undefined =>
    value && error ? { value: value.data, standardError: error.data, effectiveSamples } : undefined;
  const estimates: Record<string, Estimate> = {};
  const put = (key: string, found: Estimate | undefined): void => {
    if (found) estimates[key] = found;
  };
  put("predictive.mean", entry(prediction.mean, prediction.standardError?.mean));
  put("predictive.variance", entry(prediction.variance, prediction.standardError?.variance));
  put("train.mean", entry(posterior.train?.mean, posterior.train?.standardError?.mean));
  put("train.variance", entry(posterior.train?.variance, posterior.train?.standardError?.variance));
  posterior.hiddenKernels?.forEach((kernel, l) => put(`hiddenKernel ${l + 1}`, entry(kernel, posterior.standardError?.hiddenKernels?.[l])));
  return { kind: "chains", estimates };
}
