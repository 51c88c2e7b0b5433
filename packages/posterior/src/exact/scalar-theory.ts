import {
  columnVector,
  rowRange,
  withLazy,
  zeros,
  type Figure,
  type Matrix,
  type MixingLaw,
  type Posterior,
  type Prediction,
  type Problem,
  type Run,
} from "@finitewidth/core";
import { countSeparateModes, logDensityOfLogProduct, siteKernelDiagonal } from "@finitewidth/numerics";
import { predictScaleMixture } from "@finitewidth/linalg";
import { eigenbasis, overTrainingPoints } from "../input-space/eigenbasis.js";
import { hiddenKernelLimit, hiddenKernelWarnings } from "../input-space/eigen-problem.js";
import { hiddenKernelTerms, trainHiddenKernels } from "../scalar/hidden-kernels.js";
import { logMoments, logNormalTrunk, logPriorDensity, scalarLaw, type ScalarLaw } from "../scalar/law.js";
import type { ScalarData } from "../scalar/likelihood.js";
import { integrateScalarPosterior, posteriorMean, posteriorModes, posteriorQuantiles, type ScalarPosterior } from "../scalar/posterior.js";
import { nodeTables, predictScalar, predictScalarTrain, type NodeTables, type ScalarPrediction } from "../scalar/predict.js";
import type { ExactOptions } from "./options.js";
import { completeData, openProblem, type CompleteData } from "./reduced-state.js";
import type { ScalarState } from "./state.js";
import type { PlainChain } from "./chain.js";

const levels = [0.025, 0.25, 0.5, 0.75, 0.975];

/**
 * Fits one output whose biases are in the first layer and the readout only: quadrature over log q. `learnedKernels`: whether the hidden
 * kernels are those of the layers; like the predictions at the training points they are made when they are read.
 */
export function fitScalar(
  problem: Problem,
  law: MixingLaw,
  chain: PlainChain,
  learnedKernels: boolean,
  options: ExactOptions,
  run: Run,
): Posterior<ExactOptions, ScalarState> {
  const mixing = scalarLaw(chain.widths, chain.variances, chain.skips);
  const { data, pinned, warnings, kept, complete, readable } = openProblem(problem, law, chain.readoutBias, run);
  const points = problem.inputs.shape[0];
  run.signal?.throwIfAborted();
  run.onProgress?.(1, 3, "kernel reduced");
  const posterior = integrateScalarPosterior(mixing, data);
  run.signal?.throwIfAborted();
  run.onProgress?.(3, 3, "mixing variable integrated");
  const offset = pinned?.bias[0] ?? 0;
  const train = (): Prediction => {
    const { data: own, basis } = complete();
    const tables = nodeTables(posterior, own);
    return shifted(
      overTrainingPoints(points, basis, (rows) => predictScalarTrain(posterior, own, tables, rows)),
      offset,
    );
  };
  const hiddenKernels = (): Matrix[] => {
    const { data: own, basis } = complete();
    const tables = nodeTables(posterior, own);
    return trainHiddenKernels(hiddenKernelTerms(mixing, posterior, own, tables), own, tables, basis.rows(0, points));
  };
  const withKernels = learnedKernels && readable;
  const withTrain = kept.form === undefined || readable;
  const meanQ = posteriorMean(posterior, Math.exp);
  const modes = posteriorModes(posterior);
  const separate = countSeparateModes(posterior.weights);
  const meanU = posteriorMean(posterior, (u) => u);
  const fitted = {
    theory: "exact",
    problem,
    options,
    state: {
      kind: "scalar" as const,
      ...kept,
      targets: data.targets,
      ones: data.ones,
      logQ: posterior.logQ,
      weights: posterior.weights,
      offset,
      readoutBias: data.readoutBias,
    },
    solver: { converged: posterior.converged, iterations: posterior.logQ.length, residual: posterior.residual, jitter: 0 },
    logEvidence: posterior.logEvidence + (pinned?.logDensity ?? 0),
    orderParameter: meanQ,
    ...(separate > 1 ? { modes: separate } : {}),
    diagnostics: {
      method: "quadrature",
      nodes: posterior.logQ.length,
      rank: kept.values.length,
      meanLogQ: meanU,
      deviationLogQ: Math.sqrt(posteriorMean(posterior, (u) => (u - meanU) ** 2)),
      modes,
      quantiles: { levels, values: posteriorQuantiles(posterior, levels) },
    },
    warnings: [
      ...warnings,
      ...(withTrain
        ? []
        : [`predictions at the ${points} training points are left out: there is no room for the eigenvectors that they take`]),
      ...(learnedKernels && (readable || points > hiddenKernelLimit) ? hiddenKernelWarnings(points) : []),
      ...(learnedKernels && !readable && points <= hiddenKernelLimit ? ["hidden kernels are left out: they do not fit into memory"] : []),
      ...(modes.length > 1
        ? [
            `the posterior of the mixing variable has ${modes.length} modes, at q = ${modes.map((q) => q.toPrecision(3)).join(", ")}: its mean is typical of none, and predictions are mixtures of theirs`,
          ]
        : []),
      ...(posterior.converged
        ? []
        : [`the quadrature over the mixing variable stopped at a change of ${posterior.residual.toExponential(1)} in the log evidence`]),
    ],
    figures: [orderParameterFigure(mixing, posterior, meanQ, modes)],
  };
  return withLazy(fitted, { ...(withTrain ? { train } : {}), ...(withKernels ? { hiddenKernels } : {}) });
}

function shifted(prediction: Pick<ScalarPrediction, "mean" | "variance" | "covariance">, offset: number): Prediction {
  return {
    mean: columnVector(prediction.mean.map((value) => value + offset)),
    variance: columnVector(prediction.variance),
    ...(prediction.covariance === undefined ? {} : { covariance: prediction.covariance }),
  };
}

/** Posterior and prior density of log q over q. */
function orderParameterFigure(law: ScalarLaw, posterior: ScalarPosterior, mean: number, modes: readonly number[]): Figure {
  const { logQ, logIntegrand, logEvidence } = posterior;
  const prior = logMoments(law);
  const from = Math.min(logQ[0]!, prior.mean - 4 * prior.deviation);
  const to = Math.max(logQ.at(-1)!, prior.mean + 4 * prior.deviation);
  const limit = logNormalTrunk(law);
  const grid = Float64Array.from({ length: 201 }, (_, i) => from + ((to - from) * i) / 200);
  return {
    kind: "density",
    title: "Mixing variable q: density of log q",
    label: "q",
    logX: true,
    series: [
      { label: "prior", x: grid.map(Math.exp), y: grid.map((u) => Math.exp(logPriorDensity(law, u))) },
      { label: "posterior", x: logQ.map(Math.exp), y: logIntegrand.map((value) => Math.exp(value - logEvidence)) },
      ...(limit === undefined
        ? []
        : [{ label: "prior, log-normal trunk", x: grid.map(Math.exp), y: grid.map((u) => Math.exp(logDensityOfLogProduct(limit, u))) }]),
    ],
    marks: [
      { label: "infinite width", x: law.variances.reduce((product, s, l) => product * (s + (law.skips[l] ?? 0) ** 2), 1) },
      { label: "posterior mean", x: mean },
      ...(modes.length > 1 ? modes.map((x, i) => ({ label: `mode ${i + 1}`, x })) : []),
    ],
  };
}

/** Data in the eigenbasis and nodes of the quadrature as `nodeTables` and predictions read them. */
export function quadratureOf(state: ScalarState, { temperature }: Problem): { readonly data: ScalarData; readonly nodes: ScalarPosterior } {
  const { values, targets, readoutBias, ones, logQ, weights } = state;
  const nothing = new Float64Array(0);
  return {
    data: { values, targets, nullity: 0, residualSquare: 0, temperature, readoutBias, ones },
    nodes: { logQ, weights, logPrior: nothing, logIntegrand: nothing, logEvidence: 0, residual: 0, converged: true },
  };
}

/** The eigenvectors of a state, made where it has none, with the data in them. */
export function completeState(state: ScalarState, problem: Problem, law: MixingLaw): CompleteData {
  if (state.form !== undefined) return completeData(state.form, problem, law, state.readoutBias);
  return { data: quadratureOf(state, problem).data, basis: eigenbasis(state, law, problem.inputs) };
}

/**
 * Predicts from what `fitScalar` left in `state`, in blocks of inputs unless the joint covariance is wanted. O(n r P*) besides the
 * kernels.
 */
export function predictFromScalar(
  state: ScalarState,
  problem: Problem,
  law: MixingLaw,
  inputs: Matrix,
  joint: boolean,
  run: Run,
): Prediction {
  const { nodes } = quadratureOf(state, problem);
  const { offset, form } = state;
  let opened: (CompleteData & { readonly tables: NodeTables }) | undefined;
  const open = () => {
    const complete = completeState(state, problem, law);
    return (opened ??= { ...complete, tables: nodeTables(nodes, complete.data) });
  };
  if (joint) {
    const { data, basis, tables } = open();
    return shifted(predictScalar(nodes, data, tables, basis.cross(inputs), law.siteKernels(inputs)[0]!), offset);
  }
  const mixture = form && {
    form,
    targets: problem.targets.data,
    noise: problem.temperature,
    biasVariance: state.readoutBias,
    nodes: { q: nodes.logQ.map(Math.exp), weights: nodes.weights },
  };
  const atBlock = (block: Matrix): Pick<ScalarPrediction, "mean" | "variance"> => {
    const prior = siteKernelDiagonal(law, block);
    const direct =
      mixture && opened === undefined ? predictScaleMixture(mixture, law.siteKernels(problem.inputs, block)[0]!, prior) : undefined;
    if (direct !== undefined) return direct;
    const { data, basis, tables } = open();
    return predictScalar(nodes, data, tables, basis.cross(block), prior);
  };
  const points = inputs.shape[0];
  const mean = zeros(points, 1);
  const variance = zeros(points, 1);
  const size = 512;
  for (let from = 0; from < points; from += size) {
    run.signal?.throwIfAborted();
    const count = Math.min(size, points - from);
    const part = atBlock(rowRange(inputs, from, from + count));
    mean.data.set(part.mean, from);
    variance.data.set(part.variance, from);
  }
  for (let i = 0; i < points; i++) mean.data[i]! += offset;
  return { mean, variance };
}
