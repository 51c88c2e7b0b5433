import {
  FinitewidthError,
  hiddenLayers,
  inputError,
  isConvolutional,
  isFullyConnected,
  resolveNetwork,
  widthsOf,
  type Activation,
  type Matrix,
  type Network,
  type PriorModel,
  type Registry,
} from "@finitewidth/core";
import { convolutionChain, notPeriodic, periodicNetwork, siteGram } from "../kernel-flow/convolution-chain.js";
import { fullyConnectedChain, type KernelChain } from "../kernel-flow/kernel-chain.js";
import type { FlowParameters } from "../kernel-flow/point-flow.js";
import type { Engine } from "./options.js";

/** A network in standard scaling, and how its kernel fluctuation will be computed. */
export interface Setting {
  readonly network: Network;
  readonly activation: Activation;
  readonly priorModel: PriorModel;
  readonly engine: "closed-form" | "exact" | "sampled" | "networks";
  /** N_1 … N_L; empty where the architecture does not say. */
  readonly widths: readonly number[];
  /** Sites per point; 1 without convolutions. */
  readonly sites: number;
  /** Layers above the first, for fully connected networks: what the mean shift needs. */
  readonly flow?: FlowParameters;
}

/** Composite points up to which "auto" evaluates all four-point functions: closed forms cost microseconds, quadrature milliseconds. */
const exactLimit = (activation: Activation): number => ("batch" in activation.moments ? (activation.smooth ? 5 : 0) : 30);

/** Bytes that the sampled engine may need for its n × n matrices. */
const sampledMemoryLimit = 2 ** 32;

/** Why an engine does not apply to a network; undefined when it does. */
export function engineRefusal(network: Network, engine: Engine, points: number, activation: Activation): string | undefined {
  if (engine === "networks") return undefined;
  const analytic = analyticRefusal(network, activation);
  if (analytic !== undefined) return engine === "auto" ? undefined : `${analytic}; use "engine": "networks"`;
  if (engine === "exact" && "batch" in activation.moments && !activation.smooth)
    return `"${activation.name}" has kinks and no four-point functions; use "engine": "sampled" (one hidden layer) or "networks"`;
  if (engine !== "auto" && "batch" in activation.moments && !activation.smooth && hiddenLayers(network) > 1)
    return `the mean shift of several layers needs four-point functions, which "${activation.name}" does not have; use "engine": "networks"`;
  const n = points * sitesOf(network);
  const bytes = 8 * n * n * (5 * hiddenLayers(network) + 6);
  if (activation.name !== "identity" && bytes > sampledMemoryLimit)
    return `the kernels of ${points} points × ${sitesOf(network)} sites need about ${bytes} bytes, more than ${sampledMemoryLimit}; use fewer training points or "engine": "networks"`;
  return undefined;
}

/** Why the random-kernel chain of the theory page does not cover a network. */
function analyticRefusal(network: Network, activation: Activation): string | undefined {
  if (isFullyConnected(network)) return undefined;
  if (!isConvolutional(network)) return `there is no kernel chain for networks of type "${network.type}"`;
  const reason = notPeriodic(network);
  if (reason !== undefined) return `${reason}, which the chain of convolutional kernels assumes`;
  if (activation.name !== "identity" && network.layers.length > 1)
    return "the prior mean shift of several nonlinear convolutional layers needs covariances over four sites";
  return undefined;
}

const sitesOf = (network: Network): number =>
  isConvolutional(network) ? network.inputShape.slice(1).reduce((all, size) => all * size, 1) : 1;

/** Resolves engine, activation and sizes. @throws FinitewidthError (code "refused") when the engine does not apply. */
export function createSetting(network: Network, engine: Engine, points: number, registry: Registry): Setting {
  const { activation, priorModel } = resolveNetwork(registry, network);
  const reason = engineRefusal(network, engine, points, activation);
  if (reason !== undefined) throw new FinitewidthError(`[perturbative] ${reason}`, { code: "refused" });
  const widths = widthsOf(network) ?? [];
  const common = { network, activation, priorModel, widths };
  const kinked = "batch" in activation.moments && !activation.smooth;
  if (engine === "networks" || analyticRefusal(network, activation) !== undefined || (kinked && hiddenLayers(network) > 1))
    return { ...common, engine: "networks", sites: 1 };
  const sites = sitesOf(network);
  const automatic = activation.name === "identity" ? "closed-form" : points * sites <= exactLimit(activation) ? "exact" : "sampled";
  return {
    ...common,
    engine: engine === "auto" ? automatic : engine,
    sites,
    ...(isFullyConnected(network)
      ? { flow: { activation, weightVariance: network.weightVariance.slice(1), biasVariance: network.biasVariance.slice(1) } }
      : {}),
  };
}

/** K¹ of a fully connected network at some inputs. */
export function firstKernelOf(setting: Setting, inputs: Matrix): Matrix {
  return setting.priorModel.infiniteWidth(setting.network, setting.activation, inputs).preactivation[0]!;
}

/** The random-kernel chain at some inputs. @throws FinitewidthError (code "input") for sign units at an input of zero variance. */
export function chainOf(setting: Setting, inputs: Matrix, path: string): KernelChain {
  const { network, activation, flow, widths } = setting;
  let chain: KernelChain;
  if (flow !== undefined) chain = fullyConnectedChain({ ...flow, widths }, firstKernelOf(setting, inputs));
  else if (isConvolutional(network))
    chain = convolutionChain(periodicNetwork(network, activation), siteGram(inputs, network.inputShape[0]!));
  else throw new FinitewidthError(`[perturbative] there is no kernel chain for networks of type "${network.type}"`, { code: "refused" });
  if (activation.name === "sign" || activation.name === "step") {
    const { kernel } = chain.layers[0]!;
    const n = kernel.shape[0];
    for (let i = 0; i < n; i++) {
      if (kernel.data[i * n + i] === 0)
        throw inputError(
          `${path}[${Math.floor(i / setting.sites)}]`,
          `an input with a positive variance ("${activation.name}" has no derivative at zero: add a bias, or drop the input)`,
          "a zero input",
        );
    }
  }
  return chain;
}

/** Average over sites a of entries (μa, νa): points × points. */
export function averageSites(m: Matrix, sites: number): Matrix {
  if (sites === 1) return m;
  const n = m.shape[0];
  const points = n / sites;
  const data = new Float64Array(points * points);
  for (let i = 0; i < points; i++)
    for (let j = 0; j < points; j++)
      for (let a = 0; a < sites; a++) data[i * points + j]! += m.data[(i * sites + a) * n + j * sites + a]! / sites;
  return { data, shape: [points, points] };
}
