import {
  hiddenWidths,
  readoutOf,
  resolveArchitecture,
  toStandardScaling,
  type Activation,
  type Matrix,
  type Problem,
  type Registry,
  type SiteBlocks,
} from "@finitewidth/core";
import {
  convolutionChain,
  denseChain,
  firstLayerDiagonal,
  fullyConnectedOutputKernel,
  siteBlocks,
  type DenseChain,
} from "@finitewidth/kernels";
import { transpose } from "@finitewidth/linalg";
import type { NewPoints } from "./multi-output-predict.js";
import type { EffectiveActionOptions } from "./options.js";

/** A problem in standard scaling with what its network is known to be. */
export interface Setting {
  readonly problem: Problem;
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  /** N, width of the last hidden layer. */
  readonly width: number;
  readonly outputs: number;
  /** σ_w²(L+1) and σ_b²(L+1). */
  readonly weightVariance: number;
  readonly biasVariance: number;
  /** The network as a fully connected chain, when it is one. */
  readonly dense?: DenseChain;
  /** Covariances between the sites that the readout sees, when the network has one hidden layer over sites. */
  readonly blocks?: (inputs: Matrix, others?: Matrix) => SiteBlocks;
  /** Whether the readout reads every site of a convolution by weights of its own: the blocks then hold the hidden layer's own sites. */
  readonly readsSites: boolean;
  /** φ, where it is one throughout. */
  readonly activation?: Activation;
}

export function settingOf(given: Problem, registry: Registry): Setting {
  const problem = toStandardScaling(given, registry);
  const architecture = resolveArchitecture(registry, problem.network);
  const widths = hiddenWidths(architecture);
  const dense = denseChain(architecture);
  const filters = convolutionChain(architecture);
  const blocks = siteBlocks(architecture);
  const { weightVariance, biasVariance } = readoutOf(architecture);
  const activation = dense?.activation ?? filters?.activation;
  return {
    problem,
    widths,
    width: widths.at(-1) ?? Number.NaN,
    outputs: problem.targets.shape[1],
    weightVariance,
    biasVariance,
    ...(dense === undefined ? {} : { dense }),
    ...(blocks === undefined ? {} : { blocks }),
    readsSites: filters?.readout === "flatten",
    ...(activation === undefined ? {} : { activation }),
  };
}

/** The chain of a setting that a regime of fully connected networks applies to. */
export function denseOf({ dense }: Setting): DenseChain {
  if (dense === undefined) throw new TypeError("the network is not a fully connected chain");
  return dense;
}

export const isLinear = ({ activation }: Setting): boolean => activation?.linear === true;
export const isOdd = ({ activation }: Setting): boolean => activation?.odd === true;

/** Whether the mean of the activation is an order parameter of its own. */
export const usesMean = (setting: Setting, options: Pick<EffectiveActionOptions, "mean">): boolean =>
  !isOdd(setting) && options.mean === "two-parameter";

/** The chain without its readout bias, which the order parameters do not multiply. */
const withoutReadoutBias = (chain: DenseChain): DenseChain => ({ ...chain, biasVariance: [...chain.biasVariance.slice(0, -1), 0] });

/** K = σ_w² G^L on the training inputs of a fully connected chain, less m mᵀ where the mean is used; and m. */
export function trainKernel(setting: Setting, withMean: boolean): { readonly kernel: Matrix; readonly mean?: Float64Array } {
  const { inputs } = setting.problem;
  const { kernel } = fullyConnectedOutputKernel(withoutReadoutBias(denseOf(setting)), inputs);
  if (!withMean) return { kernel };
  const mean = means(setting, inputs);
  return { kernel: centred(kernel, mean, mean), mean };
}

/** The same between new and training inputs, and among the new ones. */
export function newPoints(setting: Setting, inputs: Matrix, withMean: boolean, wantOwn: boolean): NewPoints {
  const chain = withoutReadoutBias(denseOf(setting));
  const train = setting.problem.inputs;
  const { kernel, othersDiagonal: variances } = fullyConnectedOutputKernel(chain, train, inputs);
  const cross = transpose(kernel);
  const own = wantOwn ? fullyConnectedOutputKernel(chain, inputs).kernel : undefined;
  if (!withMean) return { cross, variances: variances!, ...(own ? { own } : {}) };
  const mean = means(setting, inputs);
  return {
    cross: centred(cross, mean, means(setting, train)),
    variances: variances!.map((value, t) => Math.max(value - mean[t]! ** 2, 0)),
    ...(own ? { own: centred(own, mean, mean) } : {}),
    mean,
  };
}

/** m = σ_w E φ at some inputs of a chain with one hidden layer. */
export function means(setting: Setting, inputs: Matrix): Float64Array {
  const chain = denseOf(setting);
  return firstLayerDiagonal(chain, inputs).map((value) => Math.sqrt(setting.weightVariance) * chain.activation.moments.mean(value));
}

/** K − m m′ᵀ. */
function centred(kernel: Matrix, rows: Float64Array, columns: Float64Array): Matrix {
  const n = kernel.shape[1];
  return { data: kernel.data.map((value, at) => value - rows[Math.floor(at / n)]! * columns[at % n]!), shape: kernel.shape };
}
