import type { Figure, Matrix } from "@finitewidth/core";

/** Data as the workers take them. */
export interface WorkerData {
  /** Names them: a worker that has been sent them keeps them until others come. */
  readonly id: number;
  readonly train: { readonly inputs: Matrix; readonly targets: Matrix };
  readonly test?: { readonly inputs: Matrix; readonly targets?: Matrix };
}

/** Data as they travel: by name alone to a worker that has them. */
export type SentData = WorkerData | Pick<WorkerData, "id">;

/** One method on one network. */
export interface SolveRequest {
  readonly network: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly temperature: number;
  readonly method: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly data: SentData;
  /** Hidden layer whose kernel is wanted; left out: only the numbers that a sweep draws. */
  readonly layer?: number;
  readonly seed: number;
}

/** What the referee is asked. */
export interface VerdictRequest {
  /** An experiment file without data. */
  readonly experiment: Readonly<Record<string, unknown>>;
  readonly data: SentData;
  readonly seed: number;
}

/** What it gave. */
export interface Solved {
  readonly method: string;
  readonly status: "ok" | "failed" | "not asked";
  /** Why it failed, does not apply, or was not asked. */
  readonly reason?: string;
  readonly mean?: Float64Array;
  readonly variance?: Float64Array;
  readonly error?: { readonly bias: number; readonly variance: number; readonly total: number };
  readonly logEvidence?: number;
  readonly orderParameter?: readonly number[];
  /** Kernel of the layer that was asked for, as the theory has it after the data. */
  readonly kernel?: Matrix;
  /** The theory leaves that layer as it is at infinite width. */
  readonly isInfinite?: true;
  readonly layer?: number;
  /** Densities of an order parameter, where the theory gives them. */
  readonly densities?: Extract<Figure, { kind: "density" }>;
  /** Milliseconds in the worker. */
  readonly milliseconds: number;
}

/** χ⊥ over the plane of variances. */
export interface PhaseAnswer {
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  /** Row by row of weight variance; NaN where there is none. */
  readonly chi: Float64Array;
  readonly line: readonly (readonly [number, number])[];
}

/** A stretch of a chain in all weights of the real network. */
export interface ChainRequest {
  readonly network: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly data: SentData;
  readonly temperature: number;
  readonly seed: number;
  /** Stretch: its stream. */
  readonly index: number;
  /** Where the last stretch ended; left out: a start from the prior with a warm-up. */
  readonly from?: { readonly theta: Float64Array; readonly stepSize: number };
}

export interface ChainAnswer {
  readonly theta: Float64Array;
  readonly stepSize: number;
  /** First-layer weights of the network at the end: units × inputs. */
  readonly receptiveFields: Matrix;
  /** Outputs at the test inputs, one list for each draw of the stretch; for one-dimensional inputs. */
  readonly functions: readonly Float64Array[];
  readonly acceptance: number;
}

/** Verdicts by method: the quantity that is in most doubt. */
export type VerdictAnswer = Readonly<Record<string, { readonly status: string; readonly how: string }>>;
