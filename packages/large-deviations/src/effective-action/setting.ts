import { crossKernelMap, kernelMap } from "@finitewidth/activations";
import {
  hiddenLayers,
  isFullyConnected,
  resolveNetwork,
  toStandardScaling,
  widthsOf,
  type Activation,
  type FullyConnectedNetwork,
  type Matrix,
  type PriorModel,
  type Problem,
  type Registry,
} from "@finitewidth/core";
import { affine, transpose } from "@finitewidth/linalg";
import { firstLayerKernel, firstLayerVariances } from "./first-layer.js";
import { homogeneityExponents } from "./homogeneous.js";
import type { NewPoints } from "./multi-output.js";
import type { EffectiveActionOptions } from "./options.js";

/** Which effective action a problem has. */
export type ActionKind =
  | "scalar" //       one hidden layer, one output, no mean (or ignored)
  | "mean" //         one hidden layer, one output, an activation with a mean
  | "multi-output" // one hidden layer, several outputs
  | "deep" //         several hidden layers, one output
  | "chain" //        several hidden layers, several outputs
  | "blocks"; //      one convolutional hidden layer

/** A problem in standard scaling with its plug-ins resolved. */
export interface Setting {
  readonly problem: Problem;
  readonly priorModel: PriorModel;
  readonly activation: Activation;
  readonly widths: readonly number[];
  /** N, width of the last hidden layer. */
  readonly width: number;
  readonly outputs: number;
  /** σ_w²(L+1) and σ_b²(L+1). */
  readonly weightVariance: number;
  readonly biasVariance: number;
}

export function settingOf(given: Problem, registry: Registry): Setting {
  const problem = toStandardScaling(given);
  const { network } = problem;
  const widths = widthsOf(network) ?? [];
  return {
    problem,
    ...resolveNetwork(registry, network),
    widths,
    width: widths.at(-1) ?? Number.NaN,
    outputs: problem.targets.shape[1],
    weightVariance: network.weightVariance.at(-1)!,
    biasVariance: network.biasVariance.at(-1)!,
  };
}

/** Whether the mean of the activation is an order parameter of its own. */
export const usesMean = ({ activation }: Setting, options: Pick<EffectiveActionOptions, "mean">): boolean =>
  !activation.odd && options.mean === "two-parameter";

/** The kind of action; meaningful when `refusal` is undefined. */
export function kindOf(setting: Setting, options: Pick<EffectiveActionOptions, "mean">): ActionKind {
  if (hiddenLayers(setting.problem.network) > 1) return setting.outputs > 1 ? "chain" : "deep";
  if (setting.priorModel.siteBlocks) return "blocks";
  if (setting.outputs > 1) return "multi-output";
  return usesMean(setting, options) ? "mean" : "scalar";
}

/**
 * Whether all order parameters of a deep network multiply the readout kernel: closure "product", or "nested" with degree 1 and no hidden
 * biases.
 */
function hasMatrixChain({ activation, problem }: Setting, { closure }: EffectiveActionOptions): boolean {
  return homogeneityExponents(closure, activation.degree, problem.network.biasVariance)?.every((exponent) => exponent === 1) ?? false;
}

/** Why the theory does not apply, and what to use instead. */
export function refusalOf(setting: Setting, options: EffectiveActionOptions): string | undefined {
  const { problem, outputs, widths, activation, biasVariance } = setting;
  const { network, temperature } = problem;
  const depth = hiddenLayers(network);
  if (widths.length !== depth || widths.length === 0)
    return `networks of type "${network.type}" have no widths that an order parameter could be assigned to; use "nngp" or "monte-carlo".`;
  const kind = kindOf(setting, options);
  const deep = kind === "deep" || kind === "chain";
  if (deep && !isFullyConnected(network))
    return `deep networks must be fully connected, this one is of type "${network.type}" with ${depth} hidden layers; use one hidden layer, "nngp" or "monte-carlo".`;
  if (kind === "chain" && !hasMatrixChain(setting, options))
    return `deep networks with ${outputs} outputs need order parameters outside the recursion: set "closure": "product" (without biases in layers 2 … L + 1), or fit one output at a time.`;
  if (deep && options.closure === "product" && network.biasVariance.slice(1).some((value) => value > 0))
    return `closure "product" is not defined with biases in layers 2 … L + 1; use "nested" or "affine".`;
  if (temperature === 0 && (kind === "multi-output" || kind === "chain" || kind === "blocks"))
    return "a matrix order parameter (several outputs, or sites of a convolution) needs a temperature > 0; raise it, or fit one output at a time.";
  if (usesMean(setting, options) && !isFullyConnected(network) && kind !== "blocks" && !deep)
    return `the mean of "${activation.name}" is known for fully connected and convolutional networks only; set "mean": "plain" for type "${network.type}".`;
  if (kind === "mean" && temperature === 0 && biasVariance > 0 && options.mode === "integral" && widths[0]! < 2)
    return `width 1 with T = 0 and a readout bias leaves nothing to integrate over; raise the temperature or use "mode": "saddle".`;
  return undefined;
}

/** K = σ_w² G¹ on the training inputs, without the readout bias, less m mᵀ where the mean is used; and m. */
export function trainKernel(setting: Setting, withMean: boolean): { readonly kernel: Matrix; readonly mean?: Float64Array } {
  const { problem, activation, priorModel, weightVariance } = setting;
  const { network, inputs } = problem;
  if (!isFullyConnected(network)) {
    const hidden = priorModel.infiniteWidth(network, activation, inputs).hidden.at(-1)!;
    return { kernel: { data: hidden.data.map((value) => weightVariance * value), shape: hidden.shape } };
  }
  let g = kernelMap(activation, firstLayerKernel(network, inputs));
  for (let l = 1; l < network.widths.length; l++)
    g = kernelMap(activation, affine(network.weightVariance[l]!, g, network.biasVariance[l]!));
  const mean = withMean ? means(setting, network, inputs) : undefined;
  return { kernel: centred(g, weightVariance, mean, mean), ...(mean ? { mean } : {}) };
}

/** The same between new and training inputs, and among the new ones. */
export function newPoints(setting: Setting, inputs: Matrix, withMean: boolean, wantOwn: boolean): NewPoints {
  const { problem, activation, priorModel, weightVariance, biasVariance } = setting;
  const { network, inputs: train } = problem;
  if (!isFullyConnected(network)) {
    const { hidden, othersDiagonal } = priorModel.infiniteWidth(network, activation, train, inputs);
    const cross = transpose(hidden.at(-1)!);
    const own = wantOwn ? priorModel.infiniteWidth(network, activation, inputs).hidden.at(-1)! : undefined;
    return {
      cross: { data: cross.data.map((value) => weightVariance * value), shape: cross.shape },
      variances: othersDiagonal!.map((value) => value - biasVariance),
      ...(own ? { own: { data: own.data.map((value) => weightVariance * value), shape: own.shape } } : {}),
    };
  }
  if (network.widths.length > 1) return deepPoints(setting, network, inputs, wantOwn);
  const variances = firstLayerVariances(network, inputs);
  const here = withMean ? means(setting, network, inputs) : undefined;
  const there = withMean ? means(setting, network, train) : undefined;
  const cross = crossKernelMap(activation, variances, firstLayerKernel(network, inputs, train), firstLayerVariances(network, train));
  return {
    cross: centred(cross, weightVariance, here, there),
    variances: variances.map((value, t) => Math.max(weightVariance * activation.moments.diagonal(value) - (here ? here[t]! ** 2 : 0), 0)),
    ...(wantOwn ? { own: centred(kernelMap(activation, firstLayerKernel(network, inputs)), weightVariance, here, here) } : {}),
    ...(here ? { mean: here } : {}),
  };
}

/** Infinite-width kernels K^{L+1} of a deep network, without the readout bias. */
function deepPoints(
  { problem, activation, weightVariance }: Setting,
  network: FullyConnectedNetwork,
  inputs: Matrix,
  wantOwn: boolean,
): NewPoints {
  const { diagonal } = activation.moments;
  let cross = firstLayerKernel(network, inputs, problem.inputs);
  let rows = firstLayerVariances(network, inputs);
  let columns = firstLayerVariances(network, problem.inputs);
  let own = wantOwn ? firstLayerKernel(network, inputs) : undefined;
  for (let l = 1; l <= network.widths.length; l++) {
    const last = l === network.widths.length;
    const [weight, bias] = last ? [weightVariance, 0] : [network.weightVariance[l]!, network.biasVariance[l]!];
    const next = (values: Float64Array): Float64Array => values.map((value) => weight * diagonal(value) + bias);
    cross = affine(weight, crossKernelMap(activation, rows, cross, columns), bias);
    own = own && affine(weight, kernelMap(activation, own), bias);
    [rows, columns] = [next(rows), next(columns)];
  }
  return { cross, variances: rows, ...(own ? { own } : {}) };
}

/** m at the training inputs of a fully connected network, without the kernel. */
export const trainMeans = (setting: Setting, network: FullyConnectedNetwork): Float64Array =>
  means(setting, network, setting.problem.inputs);

/** m = σ_w E φ. */
const means = ({ activation, weightVariance }: Setting, network: FullyConnectedNetwork, inputs: Matrix): Float64Array =>
  firstLayerVariances(network, inputs).map((value) => Math.sqrt(weightVariance) * activation.moments.mean(value));

function centred(g: Matrix, scale: number, rows?: Float64Array, columns?: Float64Array): Matrix {
  const n = g.shape[1];
  return {
    data: g.data.map((value, at) => scale * value - (rows && columns ? rows[Math.floor(at / n)]! * columns[at % n]! : 0)),
    shape: g.shape,
  };
}
