import {
  rowRange,
  rowsOf,
  shapeError,
  stackRows,
  toStandardScaling,
  zeros,
  type Matrix,
  type Posterior,
  type Prediction,
  type Problem,
  type Run,
} from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { block } from "@finitewidth/linalg";
import { predictGaussianProcess } from "@finitewidth/numerics";
import { extendMeanShift } from "../kernel-flow/mean-shift.js";
import type { KnownVertex } from "../kernel-flow/vertex.js";
import { correctPrediction, type PredictionCorrection } from "../posterior/corrections.js";
import { gaussianPieces, type GaussianPieces } from "../posterior/gaussian-pieces.js";
import { positiveVariance } from "../posterior/positive-variance.js";
import { standardError } from "../sampled/standard-error.js";
import { testRows, trainingBlock, type Batch } from "./batch.js";
import { deterministicBatch, trainingVertices } from "./deterministic.js";
import { expandedBatch } from "./expanded.js";
import { runBatches, type PerturbativeState } from "./fit.js";
import type { Engine, PerturbativeOptions } from "./options.js";
import { chainOf, createSetting, firstKernelOf, type Setting } from "./setting.js";

/** Infinite-width prediction plus first-order correction at a block of test points. */
interface BlockPrediction extends PredictionCorrection {
  readonly infiniteWidth: { readonly mean: Matrix; readonly variance: Matrix };
  readonly standardError?: { readonly mean: Matrix; readonly variance: Matrix };
  readonly replicates?: readonly { readonly mean: Matrix; readonly variance: Matrix }[];
}

/** Test points per block of the closed forms; exact problems are solved point by point. */
const closedFormBlock = 64;
/**
 * Sampled problems regenerate the noise of the training points for every block, so blocks outweigh the training set where memory allows.
 */
const sampledBlock = (P: number): number => Math.max(64, Math.min(4 * P, 512));

/**
 * Predictions of a fitted `perturbative` posterior. Marginal means and variances come from problems of P + 1 points, joint covariances from
 * P + P*.
 */
export async function predictPerturbative(
  posterior: Posterior<PerturbativeOptions, PerturbativeState>,
  inputs: Matrix,
  want: { readonly covariance: boolean },
  run: Run,
): Promise<Prediction> {
  const problem = toStandardScaling(posterior.problem, run.registry);
  const P = problem.inputs.shape[0];
  const m = inputs.shape[0];
  if (inputs.shape[1] !== problem.inputs.shape[1])
    throw shapeError("inputs", `${problem.inputs.shape[1]} features per row, like the training inputs`, `${inputs.shape[1]}`);
  const { engine, samples } = posterior.options;
  const setting = createSetting(problem.network, engine, P, run.registry);
  const size = want.covariance
    ? Math.max(m, 1)
    : { "closed-form": closedFormBlock, exact: 1, sampled: sampledBlock(P), networks: sampledBlock(P) }[setting.engine];
  const context = { setting, problem, engine, samples, meanShift: posterior.state.meanShift, covariance: want.covariance, run };
  const training = setting.engine === "exact" || setting.engine === "closed-form" ? trainingContext(context) : undefined;
  const blocks: BlockPrediction[] = [];
  for (let start = 0; start < m; start += size) {
    run.signal?.throwIfAborted();
    blocks.push(await predictBlock(context, training, rowRange(inputs, start, Math.min(m, start + size))));
  }
  const stacked = (of: (b: BlockPrediction) => { readonly mean: Matrix; readonly variance: Matrix }) => ({
    mean: stack(
      blocks.map((b) => of(b).mean),
      problem,
    ),
    variance: stack(
      blocks.map((b) => of(b).variance),
      problem,
    ),
  });
  const { mean, variance: firstOrder } = stacked((b) => b);
  const infinite = stacked((b) => b.infiniteWidth);
  const correction = (total: Matrix, leading: Matrix): number[][] =>
    rowsOf({ data: total.data.map((value, i) => value - leading.data[i]!), shape: total.shape });
  const { variance, replaced: negative } = positiveVariance(infinite.variance, firstOrder);
  const covariance = blocks[0]?.covariance;
  if (covariance && negative > 0) variance.data.forEach((value, i) => (covariance.data[i * (variance.data.length + 1)] = value));
  const sampled = blocks[0]?.standardError !== undefined;
  return {
    mean,
    variance,
    ...(want.covariance ? { covariance: covariance ?? zeros(0, 0) } : {}),
    ...(sampled
      ? {
          standardError: stacked((b) => b.standardError!),
          replicates: blocks[0]!.replicates!.map((_, k) => stacked((b) => b.replicates![k]!)),
        }
      : {}),
    diagnostics: {
      infiniteWidth: { mean: rowsOf(infinite.mean), variance: rowsOf(infinite.variance) },
      correction: { mean: correction(mean, infinite.mean), variance: correction(firstOrder, infinite.variance) },
    },
    ...(negative > 0
      ? {
          warnings: [
            `first order has broken down for ${negative} of ${variance.data.length} predictive variances, which it makes negative; given there is v e^(δ/v), which agrees to first order`,
          ],
        }
      : {}),
  };
}

interface Context {
  readonly setting: Setting;
  readonly problem: Problem;
  readonly engine: Engine;
  readonly samples: number;
  /** δ^{L+1} on the training points. */
  readonly meanShift: Matrix;
  readonly covariance: boolean;
  readonly run: Run;
}

/** What all blocks share: the infinite-width posterior, and the vertices of the training points. */
interface TrainingContext {
  readonly pieces: GaussianPieces;
  readonly known?: readonly KnownVertex[];
}

function trainingContext({ setting, problem, run }: Context): TrainingContext {
  if (setting.composition !== undefined) {
    const kernel = infiniteWidthKernels(setting.architecture, problem.inputs).preactivation.at(-1)!;
    return { pieces: gaussianPieces(kernel, problem.targets, problem.temperature) };
  }
  const chain = chainOf(setting, problem.inputs, "inputs");
  const pieces = gaussianPieces(chain.output, problem.targets, problem.temperature);
  return setting.engine === "exact" ? { pieces, known: trainingVertices(chain, () => run.signal?.throwIfAborted()) } : { pieces };
}

async function predictBlock(context: Context, training: TrainingContext | undefined, test: Matrix): Promise<BlockPrediction> {
  const { setting, problem, meanShift, covariance, run } = context;
  const joint = stackRows(problem.inputs, test);
  if (training !== undefined && setting.composition !== undefined) {
    const { pieces } = training;
    const tick = (): void => run.signal?.throwIfAborted();
    const settings = { covariance, withKernels: false, tick };
    const batch = expandedBatch(setting.composition, joint, pieces, (kernel) => testRows(kernel, pieces), settings);
    return addLeading(
      batch.kernel,
      pieces,
      correctPrediction(testRows(batch.kernel, pieces), batch.priorShift!.output, batch.projected, pieces),
    );
  }
  if (training !== undefined) {
    const chain = chainOf(setting, joint, "inputs (training inputs first)");
    const rows = testRows(chain.output, training.pieces);
    const batch = deterministicBatch(setting, chain, training.pieces, rows, {
      covariance,
      withKernels: false,
      ...(training.known ? { known: training.known } : {}),
      tick: () => run.signal?.throwIfAborted(),
    });
    return addLeading(chain.output, training.pieces, correctPrediction(rows, jointShift(context, joint), batch.projected, training.pieces));
  }
  const output =
    setting.engine === "networks"
      ? infiniteWidthKernels(setting.architecture, joint).preactivation.at(-1)!
      : chainOf(setting, joint, "inputs (training inputs first)").output;
  const pieces = gaussianPieces(trainingBlock(output, meanShift.shape[0]), problem.targets, problem.temperature);
  const rows = testRows(output, pieces);
  const shift = setting.engine === "networks" ? undefined : jointShift(context, joint);
  const correct = (batch: Batch): PredictionCorrection =>
    correctPrediction(rows, shift ?? batch.priorShift!.output, batch.projected, pieces);
  const parts: PredictionCorrection[] = [];
  const chunk = { problem, engine: context.engine, covariance, test };
  const total = await runBatches(chunk, { samples: context.samples }, run, (batch) => parts.push(correct(batch)));
  const error = (of: (part: PredictionCorrection) => Matrix): Matrix => ({
    data: standardError(parts.map((part) => of(part).data)),
    shape: of(parts[0]!).shape,
  });
  const prediction = addLeading(output, pieces, correct(total));
  const { mean, variance } = prediction.infiniteWidth;
  return {
    ...prediction,
    standardError: { mean: error((part) => part.mean), variance: error((part) => part.variance) },
    replicates: parts.map((part) => ({ mean: sum(mean, part.mean), variance: sum(variance, part.variance) })),
  };
}

function jointShift({ setting, meanShift, covariance }: Context, joint: Matrix): Matrix {
  const n = joint.shape[0];
  return setting.flow === undefined
    ? zeros(n, n)
    : extendMeanShift(setting.flow, setting.widths, firstKernelOf(setting, joint), meanShift, covariance);
}

const sum = (a: Matrix, b: Matrix): Matrix => ({ data: a.data.map((value, i) => value + b.data[i]!), shape: a.shape });

/** Adds the infinite-width prediction at the test points of a joint output kernel. */
function addLeading(kernel: Matrix, pieces: GaussianPieces, correction: PredictionCorrection): BlockPrediction {
  const [P, D] = pieces.weights.shape;
  const n = kernel.shape[0];
  const m = n - P;
  const { mean: leading, covariance: prior } = predictGaussianProcess(pieces, block(kernel, 0, P, P, n), block(kernel, P, n, P, n));
  const residual = (i: number, k: number): number => prior!.data[i * m + k]!;
  const leadingVariance: Matrix = {
    data: correction.variance.data.map((_, i) => residual(Math.floor(i / D), Math.floor(i / D))),
    shape: [m, D],
  };
  const [mean, variance] = [sum(leading, correction.mean), sum(leadingVariance, correction.variance)];
  const infiniteWidth = { mean: leading, variance: leadingVariance };
  if (correction.covariance === undefined) return { mean, variance, infiniteWidth };
  const covariance: Matrix = { data: correction.covariance.data.slice(), shape: correction.covariance.shape };
  for (let i = 0; i < m; i++)
    for (let k = 0; k < m; k++) for (let j = 0; j < D; j++) covariance.data[(i * D + j) * m * D + k * D + j]! += residual(i, k);
  return { mean, variance, covariance, infiniteWidth };
}

function stack(parts: readonly Matrix[], problem: Problem): Matrix {
  return parts.reduce(stackRows, zeros(0, problem.targets.shape[1]));
}
