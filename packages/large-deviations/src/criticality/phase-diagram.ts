import { FinitewidthError, inputError, shapeError, zeros, type Activation, type Matrix, type Run, type Task } from "@finitewidth/core";
import { gram } from "@finitewidth/linalg";
import { kernelAlignment } from "../forward-backward/alignment.js";
import type { TiltClosure } from "../forward-backward/closure.js";
import { createClosure } from "../forward-backward/create-closure.js";
import { isLinear } from "../forward-backward/linear-closure.js";
import { solveLinearSaddle } from "../forward-backward/linear-saddle.js";
import { chainKernels } from "../forward-backward/prior-covariance.js";
import { relativeDistance, type Saddle } from "../forward-backward/saddle-problem.js";
import { solveSaddle } from "../forward-backward/saddle.js";
import { solveVariationalSaddle } from "../forward-backward/variational-saddle.js";
import { criticalBiasVariance, criticalLine } from "./critical-line.js";
import { criticalityAt, type Criticality, type Regime } from "./phase-point.js";

/** Feature-learning strength over the grid: the data, and the network apart from its variances, which are the same in every layer. */
export interface AdaptationInput {
  /** X: P × N0. */
  readonly inputs: Matrix;
  /** Y: P × D. */
  readonly targets: Matrix;
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  readonly temperature: number;
  readonly order: "full" | "first";
  /** @defaultValue "quadrature" */
  readonly closure?: "quadrature" | "gaussian-variational" | undefined;
}

/** What a phase diagram is drawn of. */
export interface PhaseDiagramInput {
  /** Name in the registry. */
  readonly activation: string;
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  readonly adaptation?: AdaptationInput | undefined;
}

/** W × B numbers, null where infinite or nonexistent. */
export type PhaseGrid = readonly (readonly (number | null)[])[];

/** The numbers of `phase.json`. */
export interface PhaseDiagram {
  readonly grid: { readonly weightVariance: readonly number[]; readonly biasVariance: readonly number[] };
  readonly variance: PhaseGrid;
  readonly chiPerp: PhaseGrid;
  readonly chiParallel: PhaseGrid;
  readonly correlation: PhaseGrid;
  readonly correlationSlope: PhaseGrid;
  readonly depthScaleVariance: PhaseGrid;
  readonly depthScaleCorrelation: PhaseGrid;
  readonly regime: readonly (readonly Regime[])[];
  readonly criticalLine: readonly (readonly [number, number])[];
  readonly criticalBiasVariance: readonly (number | null)[];
  readonly adaptation?: {
    /** |C − K|_F/|K|_F of the readout kernel. */
    readonly shift: PhaseGrid;
    /** Centred alignment with the targets, adapted minus infinite-width. */
    readonly alignmentGain: PhaseGrid;
    readonly maximum: { readonly weightVariance: number; readonly biasVariance: number } | null;
  };
  readonly warnings: readonly string[];
}

const finiteOrNull = (value: number | undefined): number | null => (value !== undefined && Number.isFinite(value) ? value : null);

/** One grid point of the adaptation block. */
export interface AdaptationChunk extends Omit<AdaptationInput, "closure"> {
  readonly activation: string;
  readonly closure: "quadrature" | "gaussian-variational";
  readonly weightVariance: number;
  readonly biasVariance: number;
  readonly seed: number;
}

/** Its result; `failure` when the equations were not solved. */
export interface AdaptationOutcome {
  readonly shift: number | null;
  readonly alignmentGain: number | null;
  readonly failure?: string;
}

/** Nodes for P > 3: 2^12, enough for a picture. */
const log2Nodes = 12;

/**
 * |C − K|/|K| and alignment gain of the readout kernel at one pair of variances, K¹ = σ_w² XXᵀ/N0 + σ_b². One solution of the
 * forward–backward equations; null and the reason where there is none.
 */
export function adaptationAt(activation: Activation, chunk: AdaptationChunk, beforeSweep: () => void): AdaptationOutcome {
  const { inputs, targets, widths, temperature, weightVariance, biasVariance } = chunk;
  const square = gram(inputs);
  const firstKernel: Matrix = {
    data: square.data.map((value) => (weightVariance * value) / inputs.shape[1] + biasVariance),
    shape: square.shape,
  };
  const layers = (value: number): number[] => Array.from(widths, () => value);
  const chain = { activation, firstKernel, widths, weightVariance: layers(weightVariance), biasVariance: layers(biasVariance) };
  const kernels = chainKernels(chain);
  const points = firstKernel.shape[0];
  const largestVariance = Math.max(
    ...kernels.slice(0, -1).flatMap((kernel) => Array.from({ length: points }, (_, i) => kernel.data[i * points + i]!)),
  );
  try {
    const variational = chunk.closure === "gaussian-variational" && chunk.order === "full" && !isLinear(activation);
    const problem = { ...chain, infiniteWidth: kernels.slice(1), targets, temperature };
    const options = { tolerance: 1e-8, beforeSweep };
    const nodes = (): TiltClosure =>
      createClosure(activation, {
        order: chunk.order,
        closure: chunk.closure,
        dimensions: points,
        largestVariance,
        log2Count: log2Nodes,
        seed: chunk.seed,
        coarse: true,
      });
    const solve = (): Saddle => {
      if (variational) return solveVariationalSaddle(activation, problem, options);
      const matrixEquation = isLinear(activation) && chunk.order === "full" && biasVariance === 0;
      return matrixEquation ? solveLinearSaddle(activation, problem, options) : solveSaddle({ ...problem, closure: nodes() }, options);
    };
    const { kernels: adapted } = solve();
    const [before, after] = [kernels.at(-1)!, adapted.at(-1)!];
    const [from, to] = [kernelAlignment(before, targets, true), kernelAlignment(after, targets, true)];
    return {
      shift: finiteOrNull(relativeDistance(after, before)),
      alignmentGain: from === undefined || to === undefined ? null : to - from,
    };
  } catch (error) {
    if (!(error instanceof FinitewidthError)) throw error;
    return { shift: null, alignmentGain: null, failure: error.message };
  }
}

/** `adaptationAt` for workers. */
export const adaptationTask: Task<AdaptationChunk, AdaptationOutcome> = {
  module: import.meta.url,
  name: "adaptationTask",
  run: (chunk, { registry, tick }) => adaptationAt(registry.activation(chunk.activation), chunk, () => tick(0)),
};

async function adaptationGrid(
  input: PhaseDiagramInput,
  adaptation: AdaptationInput,
  run: Run,
): Promise<{ readonly block: NonNullable<PhaseDiagram["adaptation"]>; readonly warnings: string[] }> {
  const { weightVariance, biasVariance } = input;
  const chunks = weightVariance.flatMap((weight) =>
    biasVariance.map((bias): AdaptationChunk => ({
      ...adaptation,
      activation: input.activation,
      closure: adaptation.closure ?? "quadrature",
      weightVariance: weight,
      biasVariance: bias,
      seed: run.seed,
    })),
  );
  const outcomes: AdaptationOutcome[] = [];
  for await (const outcome of run.map(adaptationTask, chunks)) outcomes.push(outcome);
  const rows = (pick: (outcome: AdaptationOutcome) => number | null): PhaseGrid =>
    weightVariance.map((_, i) => outcomes.slice(i * biasVariance.length, (i + 1) * biasVariance.length).map(pick));
  let best = -1;
  outcomes.forEach(({ shift }, i) => {
    if (shift !== null && (best < 0 || shift > outcomes[best]!.shift!)) best = i;
  });
  const failures = outcomes.filter((outcome) => outcome.failure !== undefined);
  return {
    block: {
      shift: rows((outcome) => outcome.shift),
      alignmentGain: rows((outcome) => outcome.alignmentGain),
      maximum: best < 0 ? null : { weightVariance: chunks[best]!.weightVariance, biasVariance: chunks[best]!.biasVariance },
    },
    warnings: [
      ...(failures.length > 0
        ? [
            `adaptation could not be computed at ${failures.length} of ${outcomes.length} grid points; the first reason: ${failures[0]!.failure}`,
          ]
        : []),
      ...(adaptation.closure === "gaussian-variational"
        ? ["adaptation by the Gaussian variational closure, which misses 10–35 % of the kernel shift (measured for erf)"]
        : []),
    ],
  };
}

/**
 * Criticality over a grid of weight and bias variances, and optionally the strength of feature learning over the same grid
 * (forward–backward equations, one solution per grid point through `run.map`). The largest adaptation is not at χ⊥ = 1: both are reported.
 * Without adaptation some hundred one- and two-point functions a grid point and a value of the line.
 * @throws FinitewidthError (code "input" or "shape") naming the field. Source: docs/theories/criticality.md.
 */
export async function phaseDiagram(input: PhaseDiagramInput, run: Run): Promise<PhaseDiagram> {
  const { weightVariance, biasVariance, adaptation } = input;
  const activation = run.registry.activation(input.activation, "activation");
  if (weightVariance.length === 0) throw inputError("weightVariance", "at least one value", []);
  if (biasVariance.length === 0) throw inputError("biasVariance", "at least one value", []);
  weightVariance.forEach((value, i) => {
    if (!(value > 0 && Number.isFinite(value))) throw inputError(`weightVariance[${i}]`, "a positive number", value);
  });
  biasVariance.forEach((value, i) => {
    if (!(value >= 0 && Number.isFinite(value))) throw inputError(`biasVariance[${i}]`, "a number ≥ 0", value);
  });
  if (adaptation) checkAdaptation(adaptation);
  run.signal?.throwIfAborted();
  const points = weightVariance.map((weight) =>
    biasVariance.map((bias) => criticalityAt(activation, { weightVariance: weight, biasVariance: bias })),
  );
  const gridOf = (pick: (point: Criticality) => number): PhaseGrid => points.map((row) => row.map((point) => finiteOrNull(pick(point))));
  const [lowest, highest] = [Math.min(...weightVariance), Math.max(...weightVariance)];
  const unbounded = points.flat().filter((point) => point.regime === "unbounded").length;
  const learned = adaptation && (await adaptationGrid(input, adaptation, run));
  return {
    grid: { weightVariance, biasVariance },
    variance: gridOf((point) => point.variance),
    chiPerp: gridOf((point) => point.chiPerp),
    chiParallel: gridOf((point) => point.chiParallel),
    correlation: gridOf((point) => point.correlation),
    correlationSlope: gridOf((point) => point.correlationSlope),
    depthScaleVariance: gridOf((point) => point.depthScaleVariance),
    depthScaleCorrelation: gridOf((point) => point.depthScaleCorrelation),
    regime: points.map((row) => row.map((point) => point.regime)),
    criticalLine: criticalLine(activation, lowest, highest),
    criticalBiasVariance: weightVariance.map((weight) => finiteOrNull(criticalBiasVariance(activation, weight))),
    ...(learned ? { adaptation: learned.block } : {}),
    warnings: [
      ...(unbounded > 0
        ? [`the variance of ${input.activation} networks grows without limit at ${unbounded} of ${points.flat().length} grid points`]
        : []),
      ...(learned?.warnings ?? []),
    ],
  };
}

/** @throws FinitewidthError (code "input" or "shape") naming the field. */
function checkAdaptation({ inputs, targets, widths, temperature }: AdaptationInput): void {
  if (inputs.shape[0] === 0 || inputs.shape[1] === 0)
    throw inputError("adaptation.data.train.inputs", "at least one row and one feature", zeros(0, 0));
  if (targets.shape[0] !== inputs.shape[0])
    throw shapeError("adaptation.data.train.targets", `${inputs.shape[0]} rows, like inputs`, `${targets.shape[0]}`);
  if (widths.length === 0) throw inputError("adaptation.widths", "at least one hidden layer", []);
  widths.forEach((width, l) => {
    if (!(Number.isInteger(width) && width > 0)) throw inputError(`adaptation.widths[${l}]`, "a positive integer", width);
  });
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    throw inputError("adaptation.likelihood.temperature", "a number ≥ 0", temperature);
}
