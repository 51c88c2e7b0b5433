import {
  FinitewidthError,
  hiddenWidths,
  inputError,
  resolveArchitecture,
  type Activation,
  type Architecture,
  type Matrix,
  type Network,
  type Registry,
} from "@finitewidth/core";
import { convolutionChain, denseChain, infiniteWidthKernels, type Composition } from "@finitewidth/kernels";
import { gigabytes } from "@finitewidth/linalg";
import { expandable, hasKinks, hasQuadrature, tooLarge } from "../composition/refusal.js";
import { filterChain, siteGram } from "../kernel-flow/convolution-chain.js";
import { fullyConnectedChain, type KernelChain } from "../kernel-flow/kernel-chain.js";
import type { FlowParameters } from "../kernel-flow/point-flow.js";
import type { Engine } from "./options.js";

/** A network in standard scaling, and how its kernel fluctuation will be computed. */
export interface Setting {
  readonly architecture: Architecture;
  readonly engine: "closed-form" | "exact" | "sampled" | "networks";
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  /** The list of layers that "exact" expands where there is no chain of kernels. */
  readonly composition?: Composition;
  /** φ of all layers; left out for compositions that have no chain of kernels. */
  readonly activation?: Activation;
  /** Sites per point; 1 without convolutions. */
  readonly sites: number;
  /** Layers above the first, for fully connected networks: what the mean shift needs. */
  readonly flow?: FlowParameters;
}

/** Composite points up to which "auto" evaluates all four-point functions: closed forms cost microseconds, quadrature milliseconds. */
const exactLimit = (activation: Activation): number => (hasQuadrature(activation) ? (activation.smooth ? 5 : 0) : 30);

/** Bytes that the sampled engine may need for its n × n matrices. */
const sampledMemoryLimit = 2 ** 32;

/** Why an engine does not apply to a network; undefined when it does. */
export function engineRefusal(architecture: Architecture, engine: Engine, points: number): string | undefined {
  if (engine === "networks") return undefined;
  const analytic = analyticRefusal(architecture);
  if (analytic !== undefined) {
    if (engine === "auto") return undefined;
    const expanded = engine === "exact" ? expansionOf(architecture, points, "exact") : `${analytic}, whose neurons "sampled" draws`;
    return typeof expanded === "string" ? `${expanded}; use "engine": "networks"` : undefined;
  }
  const { activation, sites, depth } = chainShape(architecture);
  const kinked = hasKinks(activation);
  if (engine === "exact" && kinked)
    return `"${activation.name}" has kinks and no four-point functions; use "engine": "sampled" (one hidden layer) or "networks"`;
  if (engine !== "auto" && kinked && depth > 1)
    return `the mean shift of several layers needs four-point functions, which "${activation.name}" does not have; use "engine": "networks"`;
  const n = points * sites;
  const each = 8 * (5 * depth + 6);
  if (!activation.linear && n * n * each > sampledMemoryLimit) {
    const most = Math.floor(Math.sqrt(sampledMemoryLimit / each) / sites);
    return `the kernels of ${points} points × ${sites} sites need about ${gigabytes(n * n * each)}, more than ${gigabytes(sampledMemoryLimit)}; use at most ${most} training points`;
  }
  return undefined;
}

/** The list of layers to expand in 1/N at some points, or why not. */
function expansionOf(architecture: Architecture, points: number, engine: "auto" | "exact"): Composition | string {
  const graph = expandable(architecture);
  return typeof graph === "string" ? graph : (tooLarge(graph, points, engine) ?? graph);
}

/** Why the random-kernel chain of the theory page does not cover a network. */
function analyticRefusal(architecture: Architecture): string | undefined {
  if (denseChain(architecture) !== undefined) return undefined;
  const filters = convolutionChain(architecture);
  if (filters === undefined) return "this composition of layers has no chain of kernels";
  const changing = filters.geometry.layers.findIndex(({ inputSites, outputSites }) => inputSites !== outputSites);
  if (changing >= 0) return `layer ${changing + 1} changes the number of sites, which the chain of convolutional kernels keeps`;
  if (!filters.activation.linear && filters.channels.length > 1)
    return "the prior mean shift of several nonlinear convolutional layers needs covariances over four sites";
  return undefined;
}

/** Activation, sites of the inputs and hidden layers of a chain. */
function chainShape(architecture: Architecture): { readonly activation: Activation; readonly sites: number; readonly depth: number } {
  const dense = denseChain(architecture);
  if (dense !== undefined) return { activation: dense.activation, sites: 1, depth: dense.widths.length };
  const { activation, geometry, channels } = convolutionChain(architecture)!;
  return { activation, sites: geometry.inputSites, depth: channels.length };
}

/** Resolves engine and sizes. @throws FinitewidthError (code "refused") when the engine does not apply. */
export function createSetting(network: Network, engine: Engine, points: number, registry: Registry): Setting {
  const architecture = resolveArchitecture(registry, network);
  const reason = engineRefusal(architecture, engine, points);
  if (reason !== undefined) throw new FinitewidthError(`[perturbative] ${reason}`, { code: "refused" });
  const widths = hiddenWidths(architecture);
  const drawn = { architecture, widths, engine: "networks", sites: 1 } as const;
  if (engine === "networks") return drawn;
  if (analyticRefusal(architecture) !== undefined) {
    const graph = engine === "sampled" ? "" : expansionOf(architecture, points, engine);
    return typeof graph === "string" ? drawn : { ...drawn, engine: "exact", composition: graph };
  }
  const { activation, sites, depth } = chainShape(architecture);
  if (hasKinks(activation) && depth > 1) return { ...drawn, activation };
  const automatic = activation.linear ? "closed-form" : points * sites <= exactLimit(activation) ? "exact" : "sampled";
  const dense = denseChain(architecture);
  return {
    architecture,
    widths,
    activation,
    engine: engine === "auto" ? automatic : engine,
    sites,
    ...(dense ? { flow: { activation, weightVariance: dense.weightVariance.slice(1), biasVariance: dense.biasVariance.slice(1) } } : {}),
  };
}

/** Whether batches hold the shifts of the prior, and widths are in their numbers: drawn networks and expanded compositions. */
export const widthsAreIn = ({ engine, composition }: Setting): boolean => engine === "networks" || composition !== undefined;

/** K¹ of a fully connected network at some inputs. */
export function firstKernelOf({ architecture }: Setting, inputs: Matrix): Matrix {
  return infiniteWidthKernels(architecture, inputs).preactivation[0]!;
}

/** The random-kernel chain at some inputs. @throws FinitewidthError (code "input") for units with a jump at an input of zero variance. */
export function chainOf(setting: Setting, inputs: Matrix, path: string): KernelChain {
  const { architecture, flow, widths } = setting;
  const filters = convolutionChain(architecture);
  if (flow === undefined && filters === undefined)
    throw new FinitewidthError("[perturbative] this composition of layers has no chain of kernels", { code: "refused" });
  const chain =
    flow !== undefined
      ? fullyConnectedChain({ ...flow, widths }, firstKernelOf(setting, inputs))
      : filterChain(filters!, siteGram(inputs, filters!.geometry.channels));
  const { activation } = chain;
  if (activation.degree === 0) {
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
