import { diagonalOf } from "@finitewidth/linalg";
import {
  FinitewidthError,
  rowRange,
  shapeError,
  zeros,
  type Figure,
  type Json,
  type Matrix,
  type PriorProblem,
  type PriorResult,
  type Run,
  type Tensor,
} from "@finitewidth/core";
import { leadingDistance } from "@finitewidth/numerics";
import type { Composition } from "@finitewidth/kernels";
import { expandComposition } from "../composition/expansion.js";
import { hasKinks, hasQuadrature } from "../composition/refusal.js";
import { pairIndex } from "../kernel-flow/index-pairs.js";
import type { KernelChain } from "../kernel-flow/kernel-chain.js";
import { atWidths, meanShiftFlow } from "../kernel-flow/mean-shift.js";
import { pointFlow } from "../kernel-flow/point-flow.js";
import { chainVertices, outputCovariance } from "../kernel-flow/vertex.js";
import { evidenceCorrection } from "../posterior/corrections.js";
import { pairFluctuation } from "../posterior/fluctuation.js";
import { gaussianPieces } from "../posterior/gaussian-pieces.js";
import { fourthCumulantTensor, kernelCovarianceTensor } from "../prior/cumulants.js";
import { correctedLogDensity, excessKurtosis, outputDensityFactor } from "../prior/output-density.js";
import { positiveVariance } from "../posterior/positive-variance.js";
import { linearPairings, pairingCovariance } from "../linear/pairings.js";
import type { PerturbativeOptions } from "./options.js";
import { chainOf, createSetting, firstKernelOf, type Setting } from "./setting.js";

/** Points up to which the P × P × P × P quantities are written out. */
const tensorLimit = 8;
/** Points up to which log densities are computed: they need the covariance over all index pairs. */
const densityLimit = 24;

/** Law of the outputs at some inputs to first order in the inverse widths. */
export async function priorPerturbative(problem: PriorProblem, options: PerturbativeOptions, run: Run): Promise<PriorResult> {
  run.signal?.throwIfAborted();
  const { inputs } = problem;
  const P = inputs.shape[0];
  const setting = createSetting(problem.network, options.engine, P, run.registry);
  const tick = (): void => run.signal?.throwIfAborted();
  const warnings: string[] = [];
  const { kernel, meanShift, variances, sigma } = setting.composition
    ? compositionLaw(setting.composition, inputs, tick)
    : chainLaw(setting, problem, tick, warnings);
  const kurtosis = variances.map((variance, a) => excessKurtosis({ kernel: kernel.data[a * P + a]!, variance }));
  const covariance = sigma && P <= tensorLimit ? kernelCovarianceTensor(sigma, P) : undefined;
  const logDensity = densities(problem, kernel, meanShift, sigma, warnings);
  const largest = Math.max(...kurtosis) / 3;
  if (largest > 0.3)
    warnings.push(
      `relative variance of the kernel is ${largest.toPrecision(3)}: first order in depth/width is ${largest > 1 ? "not to be trusted" : "doubtful"} for this prior`,
    );
  const secondMoment = boundedMoment(kernel, meanShift, warnings);
  return {
    secondMoment,
    kernelMeanShift: meanShift,
    ...(covariance === undefined ? {} : { kernelCovariance: covariance, fourthCumulant: fourthCumulantTensor(covariance) }),
    excessKurtosis: kurtosis,
    ...(logDensity === undefined ? {} : { logDensity }),
    diagnostics: {
      engine: setting.engine,
      largestRelativeVariance: largest,
      ...(covariance ? distanceDiagnostics(covariance, meanShift, kernel, problem.outputs) : {}),
    },
    warnings,
    figures: priorFigures(setting, inputs, { kernel: kernel.data[0]!, variance: variances[0]!, meanShift: meanShift.data[0]! }),
  };
}

/** The random kernel of the outputs to first order, widths in. */
interface KernelLaw {
  readonly kernel: Matrix;
  readonly meanShift: Matrix;
  /** Var K̂_aa of every input. */
  readonly variances: Float64Array;
  /** Covariance over index pairs, where it is known and wanted. */
  readonly sigma: Matrix | undefined;
}

function compositionLaw(graph: Composition, inputs: Matrix, tick: () => void): KernelLaw {
  const expansion = expandComposition(graph, inputs, { shifts: true, tick });
  const { kernel, covariance: sigma } = expansion;
  const P = inputs.shape[0];
  const variances = Float64Array.from({ length: P }, (_, a) => sigma.data[pairIndex(P, a, a) * (sigma.shape[0] + 1)]!);
  return { kernel, meanShift: expansion.kernelShift(graph.layers.length - 1), variances, sigma };
}

function chainLaw(setting: Setting, { inputs, evaluateAt }: PriorProblem, tick: () => void, warnings: string[]): KernelLaw {
  const P = inputs.shape[0];
  const chain = chainOf(setting, inputs, "inputs");
  const { widths, flow } = setting;
  const shift = flow === undefined ? undefined : atWidths(meanShiftFlow(flow, firstKernelOf(setting, inputs), tick).at(-1)!, widths);
  const { activation } = chain;
  const densityPoints = hasQuadrature(activation) ? tensorLimit : densityLimit;
  const kinked = hasKinks(activation);
  if (kinked) warnings.push(`covariances of the kernel are left out: "${activation.name}" has kinks and no four-point functions`);
  const wantsPairs = !kinked && (P <= tensorLimit || (evaluateAt.length > 0 && P <= densityPoints));
  return {
    kernel: chain.output,
    meanShift: shift ?? zeros(P, P),
    variances: outputVariances(setting, inputs, tick),
    sigma: wantsPairs ? covarianceWhereKnown(setting, chain, tick, warnings) : undefined,
  };
}

/** `covarianceAtWidths`, or undefined and a warning where quadrature would take too many nodes, as at large variances. */
function covarianceWhereKnown(setting: Setting, chain: KernelChain, tick: () => void, warnings: string[]): Matrix | undefined {
  try {
    return covarianceAtWidths(setting, chain, tick);
  } catch (error) {
    if (!(error instanceof FinitewidthError && error.code === "refused")) throw error;
    warnings.push(
      `covariances of the kernel are left out: at variances like these quadrature of the four-point functions of "${chain.activation.name}" would take too many nodes`,
    );
    return undefined;
  }
}

/** Leading distance of the outputs' law to the Gaussian process; none for a singular kernel, where the outputs have no density. */
function distanceDiagnostics(covariance: Tensor, meanShift: Matrix, kernel: Matrix, outputs: number): { readonly [key: string]: Json } {
  try {
    const distance = leadingDistance(covariance, meanShift, kernel, outputs);
    const sentence = `the outputs at these inputs differ from the Gaussian process by χ² ≈ ${distance.chiSquare.toPrecision(3)} to leading order in 1/width`;
    return { priorDistance: { ...distance, sentence } };
  } catch (error) {
    if (error instanceof FinitewidthError && error.code === "not-positive-definite") return {};
    throw error;
  }
}

/**
 * K + δ with entries that no second moment can have (|E ff′| > √(E f² E f′²), nearly parallel inputs of a φ that jumps, say) taken from K,
 * and a warning that names the first.
 */
function boundedMoment(kernel: Matrix, meanShift: Matrix, warnings: string[]): Matrix {
  const n = kernel.shape[0];
  const data = kernel.data.map((value, i) => value + meanShift.data[i]!);
  const { variance: diagonal } = positiveVariance(
    { data: diagonalOf(kernel), shape: [n, 1] },
    { data: diagonalOf({ data, shape: kernel.shape }), shape: [n, 1] },
  );
  let first: readonly [number, number] | undefined;
  for (let i = 0; i < n; i++) {
    data[i * n + i] = diagonal.data[i]!;
    for (let j = 0; j < i; j++) {
      const bound = Math.sqrt(diagonal.data[i]! * diagonal.data[j]!);
      if (Math.abs(data[i * n + j]!) <= bound * (1 + 1e-12)) continue;
      first ??= [j, i];
      const value = kernel.data[i * n + j]!;
      data[i * n + j] = data[j * n + i] = Math.sign(value) * Math.min(Math.abs(value), bound);
    }
  }
  if (first)
    warnings.push(
      `first order in 1/width has broken down for inputs ${first[0] + 1} and ${first[1] + 1}, among others perhaps: nearly parallel, their corrected second moment would exceed √(E f² E f′²); the infinite-width one is given there`,
    );
  return { data, shape: kernel.shape };
}

/** Why the prior question is not answered; undefined when it is. */
export function refusesPriorPerturbative(
  problem: PriorProblem,
  options: PerturbativeOptions,
  run: Pick<Run, "registry">,
): string | undefined {
  const setting = createSetting(problem.network, options.engine, problem.inputs.shape[0], run.registry);
  return setting.engine === "networks"
    ? "the prior kernels of this network are known from drawn networks only; use monte-carlo"
    : undefined;
}

/** Σ^{L+1} over index pairs at the widths of the network. */
function covarianceAtWidths(setting: Setting, chain: KernelChain, tick: () => void): Matrix {
  const { widths } = setting;
  if (chain.activation.linear) return pairingCovariance(linearPairings(chain), widths, chain.output.shape[0]);
  return atWidths(outputCovariance(chain, chainVertices(chain, undefined, tick)), widths);
}

/** Var K̂^{L+1}_aa of every input at the widths of the network. */
function outputVariances(setting: Setting, inputs: Matrix, tick: () => void): Float64Array {
  const P = inputs.shape[0];
  const { flow, widths } = setting;
  if (flow !== undefined) {
    const first = firstKernelOf(setting, inputs);
    return Float64Array.from({ length: P }, (_, a) =>
      pointFlow(flow, first.data[a * P + a]!)
        .variance.at(-1)!
        .reduce((sum, value, k) => sum + value / widths[k]!, 0),
    );
  }
  return Float64Array.from(
    { length: P },
    (_, a) => covarianceAtWidths(setting, chainOf(setting, rowRange(inputs, a, a + 1), `inputs[${a}]`), tick).data[0]!,
  );
}

/** First-order log densities at the wanted values, one output matrix each; undefined when none is wanted or possible. */
function densities(
  problem: PriorProblem,
  kernel: Matrix,
  meanShift: Matrix,
  sigma: Matrix | undefined,
  warnings: string[],
): Float64Array | undefined {
  const P = kernel.shape[0];
  if (problem.evaluateAt.length === 0) return undefined;
  if (sigma === undefined) {
    warnings.push("log densities are left out: they need the covariance of the kernel over all pairs of inputs");
    return undefined;
  }
  let negative = 0;
  const out = problem.evaluateAt.map((f, i) => {
    if (f.shape[0] !== P || f.shape[1] !== problem.outputs)
      throw shapeError(`evaluateAt[${i}]`, `${P} × ${problem.outputs} numbers`, f.shape.join(" × "));
    let pieces;
    try {
      pieces = gaussianPieces(kernel, f, 0);
    } catch {
      return undefined;
    }
    const { x, z } = pairFluctuation(sigma, P, pieces);
    const { logDensity, positive } = correctedLogDensity(pieces.logEvidence, evidenceCorrection(meanShift, x, z, pieces));
    if (!positive) negative++;
    return logDensity;
  });
  if (out.includes(undefined)) {
    warnings.push("log densities are left out: the kernel of the inputs is singular, so the outputs have no density");
    return undefined;
  }
  if (negative > 0)
    warnings.push(
      `the first-order density is negative at ${negative} of ${out.length} values (too far in the tail); the exponentiated correction is given there`,
    );
  return Float64Array.from(out as number[]);
}

/** Corrected density of one output at the first input, and its excess kurtosis layer by layer. */
function priorFigures(
  setting: Setting,
  inputs: Matrix,
  input: { readonly kernel: number; readonly variance: number; readonly meanShift: number },
): Figure[] {
  if (!(input.kernel > 0)) return [];
  const scale = Math.sqrt(input.kernel);
  const x = Float64Array.from({ length: 241 }, (_, i) => (-6 + 0.05 * i) * scale);
  const gaussian = x.map((f) => Math.exp(-0.5 * (f / scale) ** 2) / (scale * Math.sqrt(2 * Math.PI)));
  const factors = x.map((f) => outputDensityFactor([f], input));
  const shown = Array.from(x.keys()).filter((i) => factors[i]! > 0);
  const figures: Figure[] = [
    {
      kind: "density",
      title: "Output at the first input",
      label: "f",
      series: [
        { label: "infinite width", x, y: gaussian },
        {
          label: "first order in 1/N",
          x: Float64Array.from(shown, (i) => x[i]!),
          y: Float64Array.from(shown, (i) => gaussian[i]! * factors[i]!),
        },
      ],
    },
  ];
  const { flow, widths } = setting;
  if (flow === undefined) return figures;
  const first = firstKernelOf(setting, rowRange(inputs, 0, 1)).data[0]!;
  const point = pointFlow(flow, first);
  const layers = Float64Array.from({ length: widths.length }, (_, l) => l + 1);
  const kurtosis = layers.map((l) =>
    excessKurtosis({ kernel: point.kernel[l]!, variance: point.variance[l]!.reduce((sum, value, k) => sum + value / widths[k]!, 0) }),
  );
  figures.push({
    kind: "lines",
    title: "Excess kurtosis with depth, first input",
    xLabel: "hidden layers",
    yLabel: "excess kurtosis",
    series: [{ label: "first order in 1/N", x: layers, y: kurtosis }],
  });
  return figures;
}
