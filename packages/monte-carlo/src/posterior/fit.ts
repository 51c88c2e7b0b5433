import {
  resolveArchitecture,
  toStandardScaling,
  type Figure,
  type Json,
  type Matrix,
  type Posterior,
  type Problem,
  type Run,
  type Tensor,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { diagnoseChains, mergeMoments, momentStandardError, type ChainDiagnostics } from "@finitewidth/numerics";
import { logEvidence } from "../evidence/log-evidence.js";
import type { MonteCarloOptions } from "../options.js";
import { mergeBatches, predictionOf } from "./batch-means.js";
import { kernelShifts } from "./kernel-shift.js";
import { hiddenParameters, isStepwise, sampleChain, type ChainChunk, type ChainResult } from "./chain.js";

/** Bytes that the stored draws of all chains may take together. */
const storageLimit = 2 ** 28;

/** Draws per chain that predictions will use. */
function storedDraws(options: MonteCarloOptions, parameters: number): number {
  const fitting = Math.floor(storageLimit / (8 * options.chains * Math.max(1, parameters)));
  return Math.max(Math.min(options.draws, 4), Math.min(options.draws, options.storedDraws ?? options.draws, fitting));
}

/** Worst R̂ and smallest effective sample sizes over the traced quantities. */
interface Mixing {
  readonly rHat: number;
  readonly bulkEss: number;
  readonly tailEss: number;
  readonly worst: string;
  readonly mixed: boolean;
}

/**
 * R̂ above this, or fewer effective draws than this, and a run counts as not mixed. Source: docs/theories/monte-carlo.md, "Diagnostics".
 */
const rHatLimit = 1.05;
const essLimit = 100;

function assess(traces: Readonly<Record<string, ChainDiagnostics>>): Mixing {
  const all = Object.entries(traces);
  const [worst, { rHat }] = all.reduce((a, b) => (b[1].rHat > a[1].rHat ? b : a));
  const bulkEss = Math.min(...all.map(([, d]) => d.bulkEss));
  const tailEss = Math.min(...all.map(([, d]) => d.tailEss));
  return { rHat, bulkEss, tailEss, worst, mixed: rHat <= rHatLimit && bulkEss >= essLimit };
}

function warningsOf(options: MonteCarloOptions, mixing: Mixing, results: readonly ChainResult[]): string[] {
  const warnings: string[] = [];
  const total = options.chains * options.draws;
  const divergences = results.reduce((sum, { report }) => sum + report.divergences, 0);
  if (!mixing.mixed) {
    warnings.push(
      `the chains did not mix: largest R-hat ${mixing.rHat.toPrecision(4)} (${mixing.worst}; wanted ≤ ${rHatLimit}), smallest effective sample size ${Math.floor(mixing.bulkEss)} of ${total} draws (wanted ≥ ${essLimit}); the standard errors are not to be trusted, raise "draws" and "warmup"`,
    );
  }
  if (options.chains === 1) warnings.push('a single chain cannot show whether it missed a part of the posterior; use "chains": 4');
  if (divergences > 0.005 * total) warnings.push(`${divergences} of ${total} trajectories diverged; raise "targetAcceptance" or "warmup"`);
  if (options.sampler === "langevin")
    warnings.push(
      'unadjusted Langevin dynamics is biased by its step size, and standard errors do not show it; use "hmc" for unbiased answers',
    );
  return warnings;
}

function traceFigure(traces: readonly Float64Array[]): Figure {
  const points = Math.min(200, traces[0]!.length);
  const at = (k: number): number => Math.floor((k * traces[0]!.length) / points);
  return {
    kind: "lines",
    title: "Log likelihood along the chains",
    xLabel: "draw",
    yLabel: "log p(Y | hidden weights)",
    series: traces.map((trace, c) => ({
      label: `chain ${c + 1}`,
      x: Float64Array.from({ length: points }, (_, k) => at(k)),
      y: Float64Array.from({ length: points }, (_, k) => trace[at(k)]!),
    })),
  };
}

/** The stored draws: what predictions are averaged over. */
export interface MonteCarloState {
  /** Hidden parameters: chains × draws × parameters. */
  readonly theta: Tensor;
  /** Of every draw: chains × draws. */
  readonly logLikelihood: Tensor;
}

/** Samples the posterior of the weights with several chains, one chunk each, and gathers what they found. */
export async function fitByChains(
  problem: Problem,
  options: MonteCarloOptions,
  run: Run,
): Promise<Posterior<MonteCarloOptions, MonteCarloState>> {
  run.signal?.throwIfAborted();
  const standard = toStandardScaling(problem, run.registry);
  const architecture = resolveArchitecture(run.registry, standard.network);
  const stepwise = isStepwise(architecture);
  const outputs = standard.targets.shape[1];
  const parameters = hiddenParameters(realise(architecture, standard.inputs, outputs));
  const stored = storedDraws(options, parameters);
  const chunks = Array.from({ length: options.chains }, (_, chain): ChainChunk => ({
    problem: standard,
    options,
    seed: run.seed,
    chain,
    stored,
  }));
  const results: ChainResult[] = [];
  for await (const result of run.map(sampleChain, chunks)) results.push(result);

  const evidence = options.evidence || options.gradients ? await logEvidence(problem, { gradients: options.gradients }, run) : undefined;
  const names = Object.keys(results[0]!.traces);
  const traces = Object.fromEntries(names.map((name) => [name, diagnoseChains(results.map((result) => result.traces[name]!))]));
  const mixing = assess(traces);
  const warnings = warningsOf(options, mixing, results);
  if (stored < Math.min(options.draws, 100) && options.storedDraws === undefined) {
    warnings.push(
      `only ${stored} draws per chain fit into ${storageLimit / 2 ** 20} MiB for predictions; their errors are larger than those of the training outputs`,
    );
  }

  const points = standard.inputs.shape[0];
  const square = (data: Float64Array, n: number): Matrix => ({ data, shape: [n, n] });
  const kernels = results[0]!.kernels.map((_, l) => results.map((result) => result.kernels[l]!).reduce(mergeMoments));
  const norm = results.map((result) => result.readoutNorm).reduce(mergeMoments);
  const normError = momentStandardError(norm);
  // For one hidden layer the order parameter of the effective action; deeper nets have one per layer, of which this is the last
  const shallow = kernels.length === 1;
  const value = (data: Float64Array): number | Tensor => (outputs === 1 ? data[0]! : square(data, outputs));
  const theta = new Float64Array(options.chains * stored * parameters);
  results.forEach((result, c) => theta.set(result.theta, c * stored * parameters));
  const logLikelihood = new Float64Array(options.chains * options.draws);
  results.forEach((result, c) => logLikelihood.set(result.traces["log likelihood"]!, c * options.draws));
  const draws: Tensor = { data: theta, shape: [options.chains, stored, parameters] };
  const shifts = options.shifts ? await kernelShifts(standard, draws, run) : undefined;
  const reports = results.map(({ report }) => report);
  return {
    theory: "monte-carlo",
    problem,
    options,
    state: { theta: draws, logLikelihood: { data: logLikelihood, shape: [options.chains, options.draws] } },
    solver: {
      converged: mixing.mixed,
      iterations: options.chains * (options.warmup + options.draws),
      residual: mixing.rHat - 1,
      jitter: 0,
    },
    train: predictionOf(results.map((result) => result.train).reduce(mergeBatches), outputs),
    ...(shallow ? { orderParameter: value(norm.mean) } : {}),
    hiddenKernels: kernels.map((kernel) => square(kernel.mean, points)),
    ...(evidence ? { logEvidence: evidence.logEvidence } : {}),
    ...(shifts ? { hiddenKernelShifts: shifts.mean } : {}),
    standardError: {
      ...(evidence ? { logEvidence: evidence.standardError } : {}),
      ...(shallow ? { orderParameter: value(normError) } : {}),
      hiddenKernels: kernels.map((kernel) => square(momentStandardError(kernel), points)),
      ...(shifts ? { hiddenKernelShifts: shifts.standardError } : {}),
    },
    diagnostics: {
      sampler:
        (options.sampler === "hmc" || options.sampler === "mala") && stepwise
          ? "elliptical slice (no gradients to follow)"
          : options.sampler,
      readout:
        options.sampler === "gibbs" || (options.readout === "sampled" && !stepwise)
          ? "sampled, conditioned on the hidden layers in every average"
          : "integrated out",
      chains: options.chains,
      draws: options.draws,
      storedDraws: stored,
      mixed: mixing.mixed,
      rHat: finite(mixing.rHat),
      slowest: mixing.worst,
      effectiveSamples: mixing.bulkEss,
      bulkEss: mixing.bulkEss,
      tailEss: mixing.tailEss,
      divergences: reports.reduce((sum, report) => sum + report.divergences, 0),
      acceptance: reports.map((report) => report.acceptance),
      stepSize: reports.map((report) => report.stepSize),
      energyFraction: Math.min(...reports.map((report) => report.energyFraction)),
      gradients: reports.reduce((sum, report) => sum + report.gradients, 0),
      readoutNorm: Array.from(norm.mean),
      ...(evidence ? { evidence: evidence.diagnostics } : {}),
      ...(evidence?.gradient ? { evidenceGradient: evidence.gradient as unknown as Json } : {}),
      traces: Object.fromEntries(
        names.map((name) => [
          name,
          {
            mean: traces[name]!.mean,
            standardError: traces[name]!.standardError.mean,
            rHat: finite(traces[name]!.rHat),
            bulkEss: traces[name]!.bulkEss,
          },
        ]),
      ),
    },
    warnings: [...warnings, ...(evidence?.warnings ?? [])],
    figures: [traceFigure(results.map((result) => result.traces["log likelihood"]!))],
  };
}

/** JSON has no infinity. */
const finite = (value: number): number => Math.min(value, Number.MAX_VALUE);
