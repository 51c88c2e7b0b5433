import type { Matrix } from "@finitewidth/core";
import type { PhaseAnswer, Solved, VerdictAnswer } from "./messages.js";

/** Averages of independent runs at one width. */
export interface Sampled {
  readonly runs: number;
  readonly mean: number;
  /** Standard error; NaN for one run. */
  readonly error: number;
}

/** All that has been computed of the present state. */
export interface Answers {
  readonly solved: ReadonlyMap<string, Solved>;
  /** Methods that have answered for the present state; the other answers are those of the last. */
  readonly current: ReadonlySet<string>;
  /** By method and width of the touched layer. */
  readonly sweep: ReadonlyMap<string, ReadonlyMap<number, Solved>>;
  readonly sampled: ReadonlyMap<number, Sampled>;
  readonly verdicts: VerdictAnswer;
  readonly phase?: PhaseAnswer;
  readonly priorFunctions: readonly Float64Array[];
  readonly posteriorFunctions: readonly Float64Array[];
  readonly receptiveFields?: Matrix;
  /** Stretches of the chain so far. */
  readonly stretches: number;
}

/** Before anything has been computed. */
export const nothing: Answers = {
  solved: new Map(),
  current: new Set(),
  sweep: new Map(),
  sampled: new Map(),
  verdicts: {},
  priorFunctions: [],
  posteriorFunctions: [],
  stretches: 0,
};

/** Mean of independent runs. */
export function averageOf(values: readonly number[]): Sampled {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { runs: values.length, mean, error: Math.sqrt(squares / (values.length - 1) / values.length) };
}
