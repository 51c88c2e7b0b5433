import {
  FinitewidthError,
  matrix,
  type Json,
  type Matrix,
  type Posterior,
  type Prediction,
  type Run,
  type SolverReport,
  type Tensor,
  isConvolutional,
  isFullyConnected,
} from "@finitewidth/core";
import { affordable, correctionAt, correctionReport } from "./correction.js";
import {
  blockAction,
  blockLearnedKernel,
  blockMeanSaddle,
  blockState,
  createBlockProblem,
  learnedKernelCost,
  predictBlocksTrain,
} from "./block-problem.js";
import { deepLogEvidence, deepMinima } from "./deep-minima.js";
import { fitDeep, predictDeepTrain } from "./deep-predict.js";
import { createDeepProblem } from "./deep-problem.js";
import { actionFigure, densityFigure, layersFigure, matrixFigure } from "./figures.js";
import { matrixChainSaddle } from "./matrix-chain.js";
import { matrixLogEvidence, matrixMinima, type MatrixActionMinimum } from "./matrix-minima.js";
import { meanIntegral, meanLearnedKernel, predictMeanIntegralTrain } from "./mean-integral.js";
import { meanSaddle } from "./mean-saddle.js";
import {
  createMultiOutputProblem,
  multiOutputAction,
  multiOutputLearnedKernel,
  multiOutputState,
  predictMultiOutputTrain,
  type MultiOutputProblem,
} from "./multi-output.js";
import type { EffectiveActionOptions } from "./options.js";
import {
  learnedKernel,
  pointMass,
  predictScalarTrain,
  scalarIntegral,
  scalarSaddle,
  trainError,
  type ScalarPrediction,
} from "./scalar-posterior.js";
import { scalarMinima } from "./scalar-minima.js";
import { createScalarProblem, type ScalarProblem } from "./scalar-problem.js";
import { trainKernel, trainMeans, usesMean, type Setting } from "./setting.js";

/** What a fit contributes to the posterior; `arrays` and `diagnostics` are what `predict` reads. */
export type FitResult = Pick<
  Posterior,
  | "arrays"
  | "solver"
  | "logEvidence"
  | "train"
  | "orderParameter"
  | "hiddenKernels"
  | "standardError"
  | "diagnostics"
  | "warnings"
  | "figures"
>;

export const vector = (data: Float64Array): Tensor => ({ data, shape: [data.length] });
export const asColumn = (data: Float64Array): Matrix => matrix(data.length, 1, data);
export const columnPrediction = ({ mean, variance, covariance }: ScalarPrediction): Prediction => ({
  mean: asColumn(mean),
  variance: asColumn(variance),
  ...(covariance ? { covariance } : {}),
});

const solver = (converged: boolean, iterations: number, residual: number): SolverReport => ({ converged, iterations, residual, jitter: 0 });
const notConverged = (converged: boolean, residual: number): readonly string[] =>
  converged ? [] : [`the order parameters have not converged (residual ${residual.toExponential(1)}); treat the result with care`];
const severalMinima = (count: number): readonly string[] =>
  count > 1
    ? [`the action has ${count} minima (P > N: a first-order transition); the lowest is reported, all are in diagnostics.minima`]
    : [];

/** Mean squared training error of the latent outputs. */
function errorOn(train: Prediction, targets: Matrix): number {
  let sum = 0;
  targets.data.forEach((y, i) => (sum += ((train.mean.data[i]! - y) ** 2 + train.variance.data[i]!) / targets.data.length));
  return sum;
}

const scaledKernel = (kernel: Matrix, weightVariance: number): Matrix => ({
  data: kernel.data.map((value) => value / weightVariance),
  shape: kernel.shape,
});

/** How far labels reach into the mean of the activation: ξ̂² against N, the plain theory's assumption. */
function plainMeanWarning(xi: number, width: number): readonly string[] {
  return xi * xi > 0.25 * width
    ? [
        `the targets have a sizeable component along the mean of the activation (ξ̂² = ${(xi * xi).toFixed(1)} against N = ${width}), which one order parameter cannot describe; centre the targets, or use one hidden layer with "mean": "two-parameter"`,
      ]
    : [];
}

/** A posterior too narrow for the quadrature, as for one hidden unit at a tiny temperature. */
const unresolved = (error: number): readonly string[] =>
  error > 1e-4
    ? [
        `the integral over the order parameters is accurate to ${error.toExponential(1)} in the log evidence only (the posterior is very narrow); raise the temperature or use "mode": "saddle"`,
      ]
    : [];

const isLinear = (setting: Setting): boolean => setting.activation.name === "identity";

function saddleWarning(meanRatio: number): readonly string[] {
  return Math.abs(meanRatio - 1) > 0.25
    ? ['the order parameter fluctuates strongly (the 1/N correction to its mean exceeds 25 %): prefer "mode": "integral"']
    : [];
}

/** The dressed correction at the saddle of a fit with one output: diagnostics always where it is cheap, applied when asked for. */
function withCorrection(
  setting: Setting,
  options: EffectiveActionOptions,
  run: Run,
  result: FitResult,
  saddle: { readonly orderParameter: number; readonly zeta: number },
): FitResult {
  const wanted = options.correction === "cumulant";
  if (isLinear(setting) || !isFullyConnected(setting.problem.network) || (!wanted && !affordable(setting, options.draws))) return result;
  const correction = attempt(() => correctionAt(setting, setting.problem.inputs, saddle, options.draws, run), wanted);
  if (!correction) return result;
  const report = correctionReport(correction, result.train!.mean.data);
  const diagnostics = { ...result.diagnostics, ...report.diagnostics };
  const warnings = [...result.warnings, ...report.warnings];
  if (!wanted) return { ...result, diagnostics, warnings };
  const train = result.train!;
  const shifted = {
    ...train,
    mean: asColumn(train.mean.data.map((value, i) => value + correction.meanShift[i]!)),
    standardError: { mean: asColumn(correction.meanShiftError), variance: asColumn(new Float64Array(train.mean.data.length)) },
  };
  return {
    ...result,
    ...(result.logEvidence === undefined ? {} : { logEvidence: result.logEvidence + correction.logEvidenceShift }),
    train: shifted,
    standardError: { ...result.standardError, logEvidence: correction.logEvidenceShiftError },
    diagnostics: { ...diagnostics, zeta: saddle.zeta },
    warnings,
  };
}

/** Runs a diagnostic that rounding may defeat (A not positive definite at tiny T); errors count only when the result was asked for. */
function attempt<Result>(compute: () => Result, wanted: boolean): Result | undefined {
  try {
    return compute();
  } catch (error) {
    if (!wanted && error instanceof FinitewidthError && error.code === "not-positive-definite") return undefined;
    throw error;
  }
}

/** Arrays of a scalar problem. */
export const scalarArrays = (problem: ScalarProblem): { readonly [key: string]: Tensor } => ({
  eigenvalues: vector(problem.eigenvalues),
  vectors: problem.vectors,
  targets: vector(problem.targets),
  ones: vector(problem.ones),
});
/** Arrays of a problem with several outputs or a mean. */
export const multiOutputArrays = (problem: MultiOutputProblem): { readonly [key: string]: Tensor } => ({
  eigenvalues: vector(problem.eigenvalues),
  vectors: problem.vectors,
  targets: problem.targets,
  ones: vector(problem.ones),
  ...(problem.mean ? { mean: vector(problem.mean) } : {}),
});

/** One hidden layer, one output, one order parameter. */
export function fitScalar(setting: Setting, options: EffectiveActionOptions, run: Run): FitResult {
  const { problem, width, biasVariance, weightVariance, activation } = setting;
  const { kernel } = trainKernel(setting, false);
  run.signal?.throwIfAborted();
  const scalar = createScalarProblem({ kernel, targets: problem.targets.data, temperature: problem.temperature, width, biasVariance });
  run.signal?.throwIfAborted();
  const minima = scalarMinima(scalar);
  const saddle = scalarSaddle(scalar, minima);
  const integral = scalarIntegral(scalar, minima);
  const posterior = options.mode === "integral" ? integral : pointMass(saddle.orderParameter);
  run.signal?.throwIfAborted();
  const train = columnPrediction(predictScalarTrain(scalar, posterior));
  const error = trainError(scalar, posterior);
  let xi = 0;
  if (!activation.odd && isFullyConnected(problem.network)) {
    const mean = trainMeans(setting, problem.network);
    const { data } = train.mean;
    // ξ̂ = Q mᵀr with r = (y − f)/T
    if (problem.temperature > 0)
      mean.forEach((m, i) => (xi += (saddle.orderParameter * m * (problem.targets.data[i]! - data[i]!)) / problem.temperature));
  }
  const result: FitResult = {
    arrays: { ...scalarArrays(scalar), nodes: vector(posterior.nodes), weights: vector(posterior.weights) },
    solver: solver(minima.converged, minima.iterations, minima.residual),
    logEvidence: options.mode === "integral" ? integral.logEvidence : saddle.logEvidence,
    train,
    orderParameter: saddle.orderParameter,
    hiddenKernels: [scaledKernel(learnedKernel(scalar, posterior), weightVariance)],
    diagnostics: {
      minima: minima.minima.map(({ orderParameter, action }) => ({ orderParameter, action })),
      action: saddle.action,
      actionSecondDerivative: saddle.second,
      orderParameterPosterior: {
        mean: integral.mean,
        variance: integral.variance,
        laplaceMean: saddle.meanOrderParameter,
        laplaceVarianceOfLog: saddle.varianceLogOrderParameter,
      },
      logEvidenceLaplace: saddle.logEvidence,
      logEvidenceIntegral: integral.logEvidence,
      quadratureError: integral.error,
      trainError: error.total,
      trainErrorBias: error.bias,
    },
    warnings: [
      ...notConverged(minima.converged, minima.residual),
      ...severalMinima(minima.minima.length),
      ...plainMeanWarning(xi, width),
      ...(options.mode === "saddle" ? saddleWarning(saddle.meanOrderParameter / saddle.orderParameter) : []),
    ],
    figures: [actionFigure(scalar, minima.minima), densityFigure(integral, saddle.orderParameter)],
  };
  return withCorrection(setting, options, run, result, { orderParameter: saddle.orderParameter, zeta: saddle.orderParameter });
}

/** One hidden layer, one output, an activation with a mean: two order parameters. */
export function fitMean(setting: Setting, options: EffectiveActionOptions, run: Run): FitResult {
  const { problem, width, biasVariance, weightVariance } = setting;
  const { kernel, mean } = trainKernel(setting, true);
  run.signal?.throwIfAborted();
  const two = createMultiOutputProblem({
    kernel,
    targets: problem.targets,
    temperature: problem.temperature,
    width,
    biasVariance,
    mean: mean!,
  });
  // The fixed point is found from the infinite-width point; where there can be several, from far below and above as well.
  const starts = two.rank > width ? [1, 0.01, 20] : [1];
  const saddles = distinct(starts.map((start) => meanSaddle(two, start)));
  run.signal?.throwIfAborted();
  const integral = meanIntegral(
    two,
    saddles.map(({ orderParameter }) => orderParameter.data[0]!),
  );
  const density = (Q: number): number => {
    let nearest = 0;
    integral.nodes.forEach((node, i) => {
      if (Math.abs(Math.log(node / Q)) < Math.abs(Math.log(integral.nodes[nearest]! / Q))) nearest = i;
    });
    return integral.weights[nearest]!;
  };
  saddles.sort((a, b) => density(b.orderParameter.data[0]!) - density(a.orderParameter.data[0]!));
  const saddle = saddles[0]!;
  const [Q, zeta] = [saddle.orderParameter.data[0]!, saddle.zeta.data[0]!];
  run.signal?.throwIfAborted();
  const average = options.mode === "integral";
  const saddleNodes = {
    nodes: Float64Array.of(Q),
    weights: Float64Array.of(1),
    xi: saddle.xi,
    xiSquare: Float64Array.of(saddle.xi[0]! ** 2 + saddle.xiCovariance.data[0]!),
  };
  const train = average
    ? columnPrediction(predictMeanIntegralTrain(two, integral))
    : predictMultiOutputTrain(two, multiOutputState(two, saddle.orderParameter, saddle.zeta));
  const nodes = average ? integral : saddleNodes;
  const result: FitResult = {
    arrays: {
      ...multiOutputArrays(two),
      nodes: vector(nodes.nodes),
      weights: vector(nodes.weights),
      xi: vector(nodes.xi),
      xiSquare: vector(nodes.xiSquare),
      orderParameter: saddle.orderParameter,
      zeta: saddle.zeta,
    },
    solver: solver(saddle.converged, saddle.iterations, saddle.residual),
    logEvidence: integral.logEvidence,
    train,
    orderParameter: Q,
    hiddenKernels: [scaledKernel(meanLearnedKernel(two, nodes), weightVariance)],
    diagnostics: {
      minima: saddles.map((s) => ({ orderParameter: s.orderParameter.data[0]!, zeta: s.zeta.data[0]! })),
      zeta,
      xi: saddle.xi[0]!,
      xiVariance: saddle.xiCovariance.data[0]!,
      orderParameterPosterior: { mean: integral.mean, xiMean: integral.xiMean, xiSquareMean: integral.xiSquareMean },
      quadratureError: integral.error,
      trainError: errorOn(train, problem.targets),
    },
    warnings: [...notConverged(saddle.converged, saddle.residual), ...severalMinima(saddles.length), ...unresolved(integral.error)],
    figures: [densityFigure(integral, Q)],
  };
  return withCorrection(setting, options, run, result, { orderParameter: Q, zeta });
}

function distinct<S extends { readonly orderParameter: Matrix; readonly converged: boolean }>(found: readonly S[]): S[] {
  const out: S[] = [];
  for (const candidate of found) {
    const same = out.some((other) => Math.abs(candidate.orderParameter.data[0]! / other.orderParameter.data[0]! - 1) < 1e-5);
    if (!same && (candidate.converged || out.length === 0)) out.push(candidate);
  }
  return out;
}

const minimaOf = (minima: readonly MatrixActionMinimum[]): Json =>
  minima.map(({ orderParameter, action }) => ({ orderParameter: rows(orderParameter), action }));
const rows = (m: Matrix): number[][] =>
  Array.from({ length: m.shape[0] }, (_, i) => Array.from(m.data.subarray(i * m.shape[1], (i + 1) * m.shape[1])));

/** The prior Wishart is singular when it has fewer degrees of freedom than rows. */
const singularPrior = (dimension: number, width: number, of: string): readonly string[] =>
  width < dimension
    ? [
        `the width ${width} is smaller than the number of ${of} (${dimension}): the prior of the matrix order parameter is singular; the saddle exists, a Laplace evidence does not and is left out`,
      ]
    : [];

/** Largest dimension whose Hessian (n²(n+1)²/4 numbers, n(n+1) energies) is computed for the evidence. */
const hessianLimit = 20;

/** One hidden layer, several outputs: a D × D order parameter, and a second one for the mean. */
export function fitMultiOutput(setting: Setting, options: EffectiveActionOptions, run: Run): FitResult {
  const { problem, width, biasVariance, outputs } = setting;
  const withMean = usesMean(setting, options);
  const { kernel, mean } = trainKernel(setting, withMean);
  run.signal?.throwIfAborted();
  const several = createMultiOutputProblem({
    kernel,
    targets: problem.targets,
    temperature: problem.temperature,
    width,
    biasVariance,
    ...(mean ? { mean } : {}),
  });
  run.signal?.throwIfAborted();
  const singular = singularPrior(outputs, width, "outputs");
  if (withMean) {
    const saddle = meanSaddle(several);
    const state = multiOutputState(several, saddle.orderParameter, saddle.zeta);
    const train = predictMultiOutputTrain(several, state);
    return {
      arrays: { ...multiOutputArrays(several), orderParameter: saddle.orderParameter, zeta: saddle.zeta },
      solver: solver(saddle.converged, saddle.iterations, saddle.residual),
      train,
      orderParameter: saddle.orderParameter,
      hiddenKernels: [scaledKernel(multiOutputLearnedKernel(several, state), setting.weightVariance)],
      diagnostics: {
        minima: [{ orderParameter: rows(saddle.orderParameter), zeta: rows(saddle.zeta) }],
        zeta: rows(saddle.zeta),
        xi: Array.from(saddle.xi),
        trainError: errorOn(train, problem.targets),
      },
      warnings: [...notConverged(saddle.converged, saddle.residual), ...singular],
      figures: [matrixFigure(saddle.orderParameter, "outputs")],
    };
  }
  const action = multiOutputAction(several);
  const minima = matrixMinima(action, several.rank <= width, largeStart(several.targets, several.temperature, width), () =>
    run.signal?.throwIfAborted(),
  );
  const best = minima[0];
  const state = multiOutputState(several, best.orderParameter);
  const train = predictMultiOutputTrain(several, state);
  const evidence =
    singular.length === 0 && outputs <= hessianLimit ? matrixLogEvidence(action, best, problem.targets.data.length) : undefined;
  return {
    arrays: { ...multiOutputArrays(several), orderParameter: best.orderParameter },
    solver: solver(best.converged, best.iterations, best.residual),
    ...(evidence === undefined ? {} : { logEvidence: evidence }),
    train,
    orderParameter: best.orderParameter,
    hiddenKernels: [scaledKernel(multiOutputLearnedKernel(several, state), setting.weightVariance)],
    diagnostics: { minima: minimaOf(minima), action: best.action, trainError: errorOn(train, problem.targets) },
    warnings: [...notConverged(best.converged, best.residual), ...severalMinima(minima.length), ...singular],
    figures: [matrixFigure(best.orderParameter, "outputs")],
  };
}

/** A start above every stationary point: 1 + |Y|²/(4NT), kept within reason. */
function largeStart(targets: Matrix, temperature: number, width: number): number {
  const norm = targets.data.reduce((sum, y) => sum + y * y, 0);
  return Math.min(1 + norm / (4 * width * temperature), 100);
}

/** Several hidden layers, one output. */
export function fitDeepNetwork(setting: Setting, options: EffectiveActionOptions, run: Run): FitResult {
  const { problem, activation, widths, outputs } = setting;
  const { network } = problem;
  if (!isFullyConnected(network) || outputs !== 1) throw new TypeError("deep networks are fully connected with one output");
  const deep = createDeepProblem({
    network,
    activation,
    inputs: problem.inputs,
    targets: problem.targets.data,
    temperature: problem.temperature,
    closure: options.closure,
  });
  run.signal?.throwIfAborted();
  const found = deepMinima(deep, () => run.signal?.throwIfAborted());
  const { orderParameters, action } = found.minima[0];
  const fit = fitDeep(deep, orderParameters);
  run.signal?.throwIfAborted();
  const train = predictDeepTrain(deep, fit);
  let xi = 0;
  if (!activation.odd) {
    const depth = widths.length;
    const variances = fit.renormalisedVariances.data.subarray((depth - 1) * fit.residual.length);
    fit.residual.forEach(
      (r, i) => (xi += orderParameters[depth - 1]! * Math.sqrt(setting.weightVariance) * activation.moments.mean(variances[i]!) * r),
    );
  }
  const evidence = deepLogEvidence(deep, found);
  const unstable = Number.isFinite(evidence) ? [] : ["the Hessian at the minimum is singular: no Laplace evidence"];
  return {
    arrays: {
      orderParameters: vector(orderParameters),
      factor: fit.factor,
      residual: vector(fit.residual),
      renormalisedVariances: fit.renormalisedVariances,
      infiniteVariances: fit.infiniteVariances,
    },
    solver: solver(found.converged, found.iterations, found.residual),
    ...(Number.isFinite(evidence) ? { logEvidence: evidence } : {}),
    train: columnPrediction(train),
    orderParameter: vector(orderParameters),
    diagnostics: {
      minima: found.minima.map((m) => ({ orderParameter: Array.from(m.orderParameters), action: m.action })),
      action,
      closure: options.closure,
      algorithm: found.method,
      trainError: train.trainError,
    },
    warnings: [
      ...notConverged(found.converged, found.residual),
      ...severalMinima(found.minima.length),
      ...plainMeanWarning(xi, widths.at(-1)!),
      ...unstable,
    ],
    figures: [layersFigure(orderParameters)],
  };
}

/** Several hidden layers, several outputs: a chain of D × D matrices, of which the first multiplies the kernel. */
export function fitMatrixChain(setting: Setting, _options: EffectiveActionOptions, run: Run): FitResult {
  const { problem, width, widths, biasVariance, outputs } = setting;
  const { kernel } = trainKernel(setting, false);
  run.signal?.throwIfAborted();
  const several = createMultiOutputProblem({ kernel, targets: problem.targets, temperature: problem.temperature, width, biasVariance });
  const saddle = matrixChainSaddle(several, widths, () => run.signal?.throwIfAborted());
  const first = saddle.matrices[0]!;
  const train = predictMultiOutputTrain(several, multiOutputState(several, first));
  return {
    arrays: { ...multiOutputArrays(several), orderParameter: first },
    solver: solver(saddle.converged, saddle.iterations, saddle.residual),
    train,
    orderParameter: first,
    diagnostics: {
      minima: [{ orderParameter: rows(first), action: saddle.action }],
      matricesByLayer: saddle.matrices.map(rows),
      action: saddle.action,
      trainError: errorOn(train, problem.targets),
    },
    warnings: [...notConverged(saddle.converged, saddle.residual), ...singularPrior(outputs, Math.min(...widths), "outputs")],
    figures: [matrixFigure(first, "outputs")],
  };
}

/** One convolutional hidden layer: an order parameter between sites (and outputs). */
export function fitBlocks(setting: Setting, options: EffectiveActionOptions, run: Run): FitResult {
  const { problem, priorModel, activation, width, biasVariance, outputs } = setting;
  const blocks = priorModel.siteBlocks!(problem.network, activation, problem.inputs);
  run.signal?.throwIfAborted();
  const local = createBlockProblem({
    blocks,
    targets: problem.targets,
    temperature: problem.temperature,
    width,
    biasVariance,
    centred: usesMean(setting, options),
  });
  const dimension = local.sites * outputs;
  const singular = singularPrior(dimension, width, outputs > 1 ? "sites × outputs" : "sites");
  const tick = (): void => run.signal?.throwIfAborted();
  const common = { shape: { sites: local.sites, outputs } };
  if (local.means) {
    const saddle = blockMeanSaddle(local, tick);
    const state = blockState(local, saddle.orderParameter, saddle.zeta);
    const train = predictBlocksTrain(local, state);
    return {
      arrays: {
        orderParameter: saddle.orderParameter,
        zeta: saddle.zeta,
        factor: state.factor.factor,
        residual: vector(state.residual),
        means: local.means,
      },
      solver: solver(saddle.converged, saddle.iterations, saddle.residual),
      train,
      orderParameter: saddle.orderParameter,
      diagnostics: {
        ...common,
        minima: [{ orderParameter: rows(saddle.orderParameter), zeta: rows(saddle.zeta) }],
        zeta: rows(saddle.zeta),
        trainError: errorOn(train, problem.targets),
      },
      warnings: [...notConverged(saddle.converged, saddle.residual), ...singular],
      figures: [matrixFigure(saddle.orderParameter, "sites")],
    };
  }
  const action = blockAction(local);
  const minima = matrixMinima(action, problem.targets.data.length <= width, largeStart(problem.targets, problem.temperature, width), tick);
  const best = minima[0];
  const state = blockState(local, best.orderParameter);
  const train = predictBlocksTrain(local, state);
  // Pooling before the readout hides the sites from the order parameter
  const perSite = isConvolutional(problem.network) && problem.network.readout === "flatten" && learnedKernelCost(local) < 2e10;
  const evidence =
    singular.length === 0 && dimension <= hessianLimit ? matrixLogEvidence(action, best, problem.targets.data.length) : undefined;
  return {
    arrays: { orderParameter: best.orderParameter, factor: state.factor.factor, residual: vector(state.residual) },
    solver: solver(best.converged, best.iterations, best.residual),
    ...(evidence === undefined ? {} : { logEvidence: evidence }),
    train,
    orderParameter: best.orderParameter,
    ...(perSite ? { hiddenKernels: [scaledKernel(blockLearnedKernel(local, state, best.orderParameter), setting.weightVariance)] } : {}),
    diagnostics: { ...common, minima: minimaOf(minima), action: best.action, trainError: errorOn(train, problem.targets) },
    warnings: [...notConverged(best.converged, best.residual), ...severalMinima(minima.length), ...singular],
    figures: [matrixFigure(best.orderParameter, outputs > 1 ? "sites × outputs" : "sites")],
  };
}
