import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Network } from "./network.js";
import type { Registry } from "./registry.js";
import type { Matrix, Tensor } from "./tensor.js";

/** Normalisation of the outputs. "mean-field": outputs divided by a further √N_L and noise variance T/N_L. */
export type Scaling = "standard" | "mean-field";

/** A regression problem: network, data, noise. Everything is resolved (defaults filled in, shapes checked). */
export interface Problem {
  readonly network: Network;
  /** X: P × N0. */
  readonly inputs: Matrix;
  /** Y: P × D. */
  readonly targets: Matrix;
  /** Noise variance T ≥ 0. */
  readonly temperature: number;
  readonly scaling: Scaling;
}

/** A question about the prior: the law of f at some inputs. */
export interface PriorProblem {
  readonly network: Network;
  /** X: P × N0. */
  readonly inputs: Matrix;
  /** D. */
  readonly outputs: number;
  /** Values of f(X), P × D each, at which log densities are wanted. */
  readonly evaluateAt: readonly Matrix[];
  /** Number of networks to draw, for sampling theories. */
  readonly samples: number;
}

/** Everything that a computation may touch besides its arguments; nothing is global. */
export interface Run {
  readonly registry: Registry;
  /** Chunk i draws from stream (seed, i), whoever runs it. */
  readonly seed: number;
  readonly signal?: AbortSignal;
  /**
   * Runs the named task (see `Task`) on every chunk, inline or in a worker pool, and yields results in the order of the chunks.
   * Same results bit for bit whatever the number of workers.
   */
  map<A, B>(task: Task<A, B>, chunks: readonly A[]): AsyncIterable<B>;
  onProgress?(done: number, total: number, note?: string): void;
}

/**
 * A pure function that a worker can run: found there by importing `module` and taking its export `name`, with a registry rebuilt from the
 * `module` of every plug-in. Chunks and results are plain data; buffers of results are transferred.
 */
export interface Task<A, B> {
  /** URL of the module that exports the task under `name`: `import.meta.url`. */
  readonly module: string;
  readonly name: string;
  run(chunk: A, context: TaskContext): B | Promise<B>;
}

/** What a task may use besides its chunk. */
export interface TaskContext {
  readonly registry: Registry;
  /** To be called at least every 50 ms or so of work, with the fraction done; throws when the run was cancelled. */
  tick(fraction: number): void;
}

/** Mean and variance of the latent outputs f at some inputs; the noise is not included. */
export interface Prediction {
  /** P* × D. */
  readonly mean: Matrix;
  /** P* × D. */
  readonly variance: Matrix;
  /** (P*·D) × (P*·D), index point·D + output; on request. */
  readonly covariance?: Matrix;
  /** Monte Carlo standard errors, for sampled answers. */
  readonly standardError?: { readonly mean: Matrix; readonly variance: Matrix };
  /** Anything else worth reporting about these predictions; written to the result file under `diagnostics.predictive`. */
  readonly diagnostics?: { readonly [key: string]: Json };
  readonly warnings?: readonly string[];
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** How an iteration or a sampler ended. Closed forms: converged, 0 iterations. */
export interface SolverReport {
  readonly converged: boolean;
  readonly iterations: number;
  readonly residual: number;
  /** Added to a diagonal to make it factorise; 0 unless asked for. */
  readonly jitter: number;
}

/**
 * A fitted theory: plain data, so it clones to a worker, saves to .npz (`posteriorToNpz`) and prints in a report.
 * `arrays` hold what `predict` needs; the named fields are the result file's quantities, left out where a theory cannot give them.
 */
export interface Posterior {
  readonly theory: string;
  readonly problem: Problem;
  readonly arrays: Readonly<Record<string, Tensor>>;
  readonly solver: SolverReport;
  /** log density of Y, (2πT)^(−PD/2) included. */
  readonly logEvidence?: number;
  /** Latent f at the training inputs. */
  readonly train?: Prediction;
  readonly orderParameter?: number | Tensor;
  /** Posterior mean of Ĝˡ on the training inputs, l = 1 … L: P × P each. */
  readonly hiddenKernels?: readonly Matrix[];
  /** Monte Carlo standard errors, keyed and shaped like the quantities above. */
  readonly standardError?: {
    readonly logEvidence?: number;
    readonly orderParameter?: number | Tensor;
    readonly hiddenKernels?: readonly Matrix[];
  };
  /** Anything else worth reporting; written to the result file as it is. */
  readonly diagnostics: { readonly [key: string]: Json };
  readonly warnings: readonly string[];
  /** Figures for the report beyond the standard ones, as plain data (see `@finitewidth/plots`). */
  readonly figures?: readonly Figure[];
}

/** Derivatives of the log evidence; null where there is nothing to vary (no biases, no such layer) or where it is not known. */
export interface EvidenceGradient {
  /** In log σ_w²(1 … L+1). */
  readonly logWeightVariance: readonly (number | null)[];
  /** In log σ_b²(1 … L+1). */
  readonly logBiasVariance: readonly (number | null)[];
  readonly logTemperature: number | null;
  /** log Z_{N+1}/Z_N for each hidden layer. */
  readonly widths: readonly (number | null)[];
  /** For sampled gradients. */
  readonly standardError?: Omit<EvidenceGradient, "standardError">;
}

/** A picture described as data; `@finitewidth/plots` draws it. */
export type Figure =
  | {
      readonly kind: "density";
      readonly title: string;
      readonly label: string;
      readonly series: readonly Series[];
      readonly marks?: readonly Mark[];
      readonly logX?: boolean;
    }
  | {
      readonly kind: "lines";
      readonly title: string;
      readonly xLabel: string;
      readonly yLabel: string;
      readonly series: readonly Series[];
      readonly marks?: readonly Mark[];
      readonly logX?: boolean;
      readonly logY?: boolean;
    }
  | {
      readonly kind: "heatmaps";
      readonly title: string;
      readonly panels: readonly { readonly label: string; readonly values: Matrix; readonly diverging?: boolean }[];
    }
  | {
      readonly kind: "histogram";
      readonly title: string;
      readonly label: string;
      readonly values: Float64Array;
      readonly bins?: number;
      readonly series?: readonly Series[];
      readonly marks?: readonly Mark[];
    };
/** A curve; `error` draws vertical bars of ± one standard error, `points` draws markers instead of a line. */
export interface Series {
  readonly label: string;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly error?: Float64Array;
  readonly points?: boolean;
}
/** A vertical line. */
export interface Mark {
  readonly label: string;
  readonly x: number;
}

/** Answer to a prior question; the fields of `prior.json`. */
export interface PriorResult {
  /** E f_a f_aᵀ of one output: P × P. */
  readonly secondMoment?: Matrix;
  /** Connected, one output: P × P × P × P; left out for P > 8. */
  readonly fourthCumulant?: Tensor;
  /** P numbers. */
  readonly excessKurtosis?: Float64Array;
  /** One per `evaluateAt`. */
  readonly logDensity?: Float64Array;
  /** E K̂^{L+1} − K^{L+1}: P × P. */
  readonly kernelMeanShift?: Matrix;
  /** Cov of the entries of K̂^{L+1}: P × P × P × P; left out for P > 8. */
  readonly kernelCovariance?: Tensor;
  readonly standardError?: { readonly [quantity: string]: number | Tensor | Float64Array };
  readonly diagnostics?: { readonly [key: string]: Json };
  readonly warnings: readonly string[];
  readonly figures?: readonly Figure[];
}

/** What Monte Carlo of the real network must estimate to test a claim. Quantities are those of the result files, e.g. "predictive.mean". */
export interface Estimand {
  readonly of: "prior" | "posterior";
  readonly quantity: PosteriorQuantity | PriorQuantity;
  /** Hidden layer, for `hiddenKernel`. */
  readonly layer?: number;
}
export type PosteriorQuantity =
  "logEvidence" | "predictive.mean" | "predictive.variance" | "train.mean" | "train.variance" | "hiddenKernel";
export type PriorQuantity = "secondMoment" | "fourthMoment" | "excessKurtosis" | "kernelMean" | "kernelCovariance";

/** A number that the theory stands behind and a sampled finite network could contradict. */
export interface Claim {
  /** Unique within the theory, e.g. "predictive-mean". */
  readonly id: string;
  /** One sentence for the report. */
  readonly statement: string;
  /** Paper and equation, or theory page and section. */
  readonly source: string;
  readonly estimand: Estimand;
  readonly value: Tensor;
  /** Monte Carlo standard error of the value itself, for theories evaluated by sampling their mixing variable. */
  readonly standardError?: Tensor;
  /**
   * "exact": no error but Monte Carlo's. `{ order }`: the residual falls as N^−order when all widths grow together, checked by its slope.
   * `{ relative }`: within that fraction of the value (a measured error of an approximation, with its source).
   */
  readonly error: "exact" | { readonly order: number } | { readonly relative: number };
}

/** Where claims are tested: a small network with data and test inputs. */
export interface Scenario {
  readonly name: string;
  readonly problem: Problem;
  /** P* × N0. */
  readonly testInputs: Matrix;
}

/** Plug-in kind 2: one treatment of the random kernel. */
export interface Theory<Options = unknown> {
  /** Name in `methods` of an experiment file. */
  readonly name: string;
  readonly summary: string;
  /** Validates the options of a method entry and fills in defaults. */
  readonly options: StandardSchemaV1<unknown, Options>;
  /** A sentence for the user when the theory does not apply, saying why and what to use instead; undefined when it does. */
  refuses(problem: Problem, options: Options, registry: Registry): string | undefined;
  fit(problem: Problem, options: Options, run: Run): Promise<Posterior>;
  /** Latent outputs at the rows of `inputs`, P* × N0. */
  predict(posterior: Posterior, inputs: Matrix, want: { readonly covariance: boolean }, run: Run): Promise<Prediction>;
  /** Answers prior questions, where the theory can; `refusesPrior` says why not. */
  prior?(problem: PriorProblem, options: Options, run: Run): Promise<PriorResult>;
  refusesPrior?(problem: PriorProblem, options: Options, registry: Registry): string | undefined;
  /** Claims about the scenario that Monte Carlo can test; empty when the theory refuses it. */
  claims(scenario: Scenario, options: Options, run: Run): AsyncIterable<Claim>;
}
