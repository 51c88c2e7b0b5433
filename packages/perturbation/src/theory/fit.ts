import {
  zeros,
  toStandardScaling,
  type Json,
  type Matrix,
  type Posterior,
  type Prediction,
  type Problem,
  type Run,
} from "@finitewidth/core";
import { convolutionChain, infiniteWidthKernels } from "@finitewidth/kernels";
import { innerProduct, requireMemory } from "@finitewidth/linalg";
import { atWidths } from "../kernel-flow/mean-shift.js";
import { correctPrediction, expansionDiagnostics, expansionWarnings, isIndefinite } from "../posterior/corrections.js";
import { gaussianPieces, type GaussianPieces } from "../posterior/gaussian-pieces.js";
import { positiveVariance } from "../posterior/positive-variance.js";
import { addBatch, trainingRows, type Batch } from "./batch.js";
import { batchErrors } from "./batch-errors.js";
import { deterministicBatch } from "./deterministic.js";
import { expandedBatch } from "./expanded.js";
import { matrixJson } from "./json.js";
import { chainKernels, leadingTraining, type Kernels } from "./kernels.js";
import type { PerturbativeOptions } from "./options.js";
import { sampledBatch, type SampledChunk } from "./sampled.js";
import { chainOf, createSetting, widthsAreIn, type Setting } from "./setting.js";

/** Number of independent batches of the sampled engines. */
export const batchCount = 16;

/** log2 of the draws of one batch. */
export const log2Draws = (samples: number): number => Math.max(4, Math.ceil(Math.log2(samples / batchCount)));

/** First-order quantities from one batch, or from their mean. */
export interface Quantities {
  readonly meanShift: Matrix;
  readonly evidence: readonly number[];
  readonly train: { readonly mean: Matrix; readonly variance: Matrix };
}

/** What predictions need besides problem and options. */
export interface PerturbativeState {
  /** δ^{L+1} on the training points. */
  readonly meanShift: Matrix;
}

/** Fewer digits than these are worth a warning. */
const warnedDigits = 5;

/**
 * P × P arrays at the peak of fit and predictions, measured (docs/benchmarks.md): 33 for a linear network of one layer, of which each
 * further layer takes 19; sampled 70 and 30, and the draws of a batch, six numbers a draw, layer and point; drawn networks hold all their
 * kernels.
 */
function arraysOf(
  { engine, widths, sites }: Setting,
  points: number,
  log2Count: number,
): { readonly arrays: number; readonly together: number } {
  const L = widths.length;
  const draws = 2 ** log2Count;
  const fixed = engine === "closed-form" ? 14 + 19 * L : 40 + 30 * L;
  const drawn = engine === "sampled" ? (6 * 4 * L * draws * sites) / points : engine === "networks" ? (L + 2) * draws : 0;
  return { arrays: fixed * sites ** 2 + drawn, together: 3 * sites ** 2 };
}

/** Infinite-width posterior plus all first-order corrections on the training points. */
export async function fitPerturbative(
  problem: Problem,
  options: PerturbativeOptions,
  run: Run,
): Promise<Posterior<PerturbativeOptions, PerturbativeState>> {
  run.signal?.throwIfAborted();
  const standard = toStandardScaling(problem, run.registry);
  const { network, inputs, targets, temperature } = standard;
  const setting = createSetting(network, options.engine, inputs.shape[0], run.registry);
  requireMemory({ method: "perturbative", points: inputs.shape[0], ...arraysOf(setting, inputs.shape[0], log2Draws(options.samples)) });
  const tick = (): void => run.signal?.throwIfAborted();
  let total: Batch;
  let errors: ReturnType<typeof batchErrors> | undefined;
  let kernels: Kernels;
  let pieces: GaussianPieces;
  if (widthsAreIn(setting)) {
    const { preactivation, hidden } = infiniteWidthKernels(setting.architecture, inputs);
    const infinite = { preactivation, hidden: poolsLast(setting) ? hidden.slice(0, -1) : hidden };
    pieces = gaussianPieces(infinite.preactivation.at(-1)!, targets, temperature);
    const wanted = { covariance: false, withKernels: true, tick };
    if (setting.composition === undefined) {
      errors = batchErrors((batch) => derive(setting, pieces, undefined, batch), true);
      total = await runBatches({ problem: standard, engine: "networks", covariance: false }, options, run, errors.add);
    } else total = expandedBatch(setting.composition, inputs, pieces, () => trainingRows(pieces), wanted);
    const { priorShift } = total;
    const none = infinite.preactivation.map((k) => zeros(...k.shape));
    kernels = {
      hidden: infinite.hidden,
      preactivation: infinite.preactivation,
      outputShifts: [priorShift!.output],
      hiddenShifts: priorShift!.hidden,
      preactivationShifts: priorShift!.preactivation ?? [...none.slice(1), priorShift!.output],
    };
  } else {
    const chain = chainOf(setting, inputs, "inputs");
    pieces = gaussianPieces(chain.output, targets, temperature);
    kernels = chainKernels(setting, chain.layers, chain.output, inputs, tick);
    if (setting.engine === "sampled") {
      const { outputShifts } = kernels;
      errors = batchErrors((batch) => derive(setting, pieces, outputShifts, batch), false);
      total = await runBatches({ problem: standard, engine: options.engine, covariance: false }, options, run, errors.add);
    } else total = deterministicBatch(setting, chain, pieces, trainingRows(pieces), { covariance: false, withKernels: true, tick });
  }
  const quantities = derive(setting, pieces, kernels.outputShifts, total);
  const expansion = expansionDiagnostics(kernels.preactivation.at(-1)!, quantities.meanShift, total.projected.x, total.z, pieces);
  const leading = leadingTraining(pieces, kernels.preactivation.at(-1)!, targets);
  const add = (a: Matrix, b: Matrix): Matrix => ({ data: a.data.map((value, i) => value + b.data[i]!), shape: a.shape });
  const hiddenKernels = kernels.hidden.map((g, l) => add(add(g, kernels.hiddenShifts[l]!), total.hidden[l]!));
  const { variance: trainVariance, replaced: negative } = positiveVariance(
    leading.variance,
    add(leading.variance, quantities.train.variance),
  );
  const train: Prediction = { mean: add(leading.mean, quantities.train.mean), variance: trainVariance };
  const correction = quantities.evidence.reduce((sum, value) => sum + value, 0);
  const stated = errors?.finish();
  const indefinite = hiddenKernels.flatMap((kernel, l) => (isIndefinite(kernel) ? [l + 1] : []));
  const warnings = [
    ...expansionWarnings(expansion),
    ...(pieces.digits < warnedDigits
      ? [
          `the kernel of the training inputs is nearly singular beside T = ${temperature}: rounding leaves about ${Math.floor(pieces.digits)} digits of the corrections`,
        ]
      : []),
    ...(negative > 0
      ? [
          `first order has broken down for ${negative} of ${train.variance.data.length} training variances, which it makes negative; given there is v e^(δ/v), which agrees to first order`,
        ]
      : []),
    ...(poolsLast(setting)
      ? [
          "the kernel of the last hidden layer is left out: its first order is that of pooled units, and hidden kernels are those before pooling",
        ]
      : []),
    ...(indefinite.length > 0
      ? [`the corrected hidden kernel of layer ${indefinite.join(", ")} is not positive semidefinite: first order has broken down there`]
      : []),
  ];
  return {
    theory: "perturbative",
    problem,
    options,
    state: { meanShift: quantities.meanShift },
    solver: { converged: true, iterations: 0, residual: 0, jitter: 0 },
    logEvidence: pieces.logEvidence + correction,
    train: stated === undefined ? train : { ...train, standardError: stated.train },
    ...(hiddenKernels.length > 0 ? { hiddenKernels } : {}),
    ...(stated === undefined ? {} : { standardError: { logEvidence: stated.logEvidence, hiddenKernels: stated.hiddenKernels } }),
    diagnostics: {
      engine: setting.engine,
      requestedEngine: options.engine,
      ...(errors === undefined ? {} : { samples: batchCount * 2 ** log2Draws(options.samples) }),
      ...expansion,
      negativeVariances: negative,
      indefiniteKernels: indefinite,
      logEvidence: evidenceJson(setting, pieces.logEvidence, quantities.evidence),
      train: {
        leadingMean: matrixJson(leading.mean),
        meanCorrection: matrixJson(quantities.train.mean),
        leadingVariance: matrixJson(leading.variance),
        varianceCorrection: matrixJson(quantities.train.variance),
      },
      hiddenKernels: kernels.hidden.map((g, l) => ({
        layer: l + 1,
        leading: matrixJson(g),
        priorShift: matrixJson(kernels.hiddenShifts[l]!),
        dataShift: matrixJson(total.hidden[l]!),
      })),
      preactivationKernels: total.preactivation.map((x, l) => ({
        layer: l + 1,
        leading: matrixJson(kernels.preactivation[l]!),
        priorShift: matrixJson(kernels.preactivationShifts[l]!),
        dataShift: matrixJson(x),
      })),
      ...(widthsAreIn(setting) ? {} : { layerShares: layerShares(quantities.evidence) }),
    },
    warnings,
    figures:
      kernels.hidden.length === 0
        ? []
        : [
            {
              kind: "heatmaps",
              title: "Hidden kernels: first-order shift by data and finite width",
              panels: kernels.hidden.flatMap((g, l) => [
                { label: `layer ${l + 1}, infinite width`, values: g },
                { label: `layer ${l + 1}, shift`, values: add(kernels.hiddenShifts[l]!, total.hidden[l]!), diverging: true },
              ]),
            },
          ],
  };
}

/**
 * Whether the readout of a convolutional network pools units that are expanded as a list of layers, where only what a layer reads has a
 * first order.
 */
const poolsLast = ({ architecture, composition }: Setting): boolean => {
  const chain = composition && convolutionChain(architecture);
  return chain?.readout === "global-average" && chain.geometry.layers.at(-1)!.outputSites > 1;
};

/** Share of every layer in Σ_l |e_l/N_l|: bottlenecks dominate through their 1/N_l. */
function layerShares(evidence: readonly number[]): number[] {
  const total = evidence.reduce((sum, value) => sum + Math.abs(value), 0);
  return evidence.map((value) => (total === 0 ? 0 : Math.abs(value) / total));
}

function evidenceJson(setting: Setting, leading: number, evidence: readonly number[]): Json {
  const correction = evidence.reduce((sum, value) => sum + value, 0);
  return {
    leading,
    correction,
    ...(widthsAreIn(setting) ? {} : { coefficientsOfInverseWidths: evidence.map((value, k) => value * setting.widths[k]!) }),
  };
}

/** Mean of the batches of a sampled engine, run inline or on workers; `each` sees them one by one, none is kept. */
export async function runBatches(
  chunk: Pick<SampledChunk, "problem" | "engine" | "covariance" | "test">,
  options: Pick<PerturbativeOptions, "samples">,
  run: Run,
  each: (batch: Batch) => void,
): Promise<Batch> {
  const chunks = Array.from({ length: batchCount }, (_, batch): SampledChunk => ({
    ...chunk,
    log2Draws: log2Draws(options.samples),
    seed: run.seed,
    batch,
  }));
  let total: Batch | undefined;
  for await (const batch of run.map(sampledBatch, chunks)) {
    each(batch);
    total = addBatch(total, batch, 1 / batchCount);
  }
  return total!;
}

/** `outputShifts`: of the chain, per layer; those of the batch where widths are in its numbers. */
function derive(setting: Setting, pieces: GaussianPieces, outputShifts: readonly Matrix[] | undefined, batch: Batch): Quantities {
  const D = pieces.weights.shape[1];
  const factors = widthsAreIn(setting) ? [1] : setting.widths.map((width) => 1 / width);
  const shifts = widthsAreIn(setting) ? [batch.priorShift!.output] : outputShifts!;
  const meanShift = atWidths(
    shifts,
    factors.map((factor) => 1 / factor),
  );
  const evidence = batch.traces.map(
    ({ gradientX, weightsZ, inverseZ }, k) =>
      factors[k]! *
      (0.5 * innerProduct(pieces.gradient, shifts[k]!) - 0.5 * (weightsZ - D * inverseZ) - 0.25 * D * inverseZ + 0.25 * gradientX),
  );
  const { mean, variance } = correctPrediction(trainingRows(pieces), meanShift, batch.projected, pieces);
  return { meanShift, evidence, train: { mean, variance } };
}
