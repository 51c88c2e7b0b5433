import type { ExperimentObject } from "./extensions.js";
import type { Figure } from "./figure.js";
import type { Json } from "./json.js";
import type { Posterior } from "./posterior.js";
import type { Prediction } from "./prediction.js";
import type { Problem } from "./problem.js";
import type { Run } from "./run.js";
import type { Matrix } from "./tensor.js";

/** "quick": about a minute on two cores at most. "paper": the sizes of the paper, as long as they take. */
export type FigureSize = "quick" | "paper";

/** One thing that a figure must show, decided on its numbers. */
export interface FigureCheck {
  readonly name: string;
  /** What the paper makes one expect, with its tolerance: "−1 ± 0.1". */
  readonly expected: string;
  readonly found: string;
  readonly holds: boolean;
}

/** What one method gave on one network. */
export interface FigureMethod {
  readonly posterior: Posterior;
  readonly predictive?: Prediction;
  readonly generalizationError?: { readonly bias: number; readonly variance: number; readonly total: number };
  readonly generalizationStandardError?: { readonly bias: number; readonly variance: number; readonly total: number };
  readonly classification?: { readonly accuracy?: number };
}

/** One step of an experiment's sweep, or the experiment itself. */
export interface FigureStep {
  readonly values: { readonly [key: string]: Json };
  readonly problem: Problem;
  readonly test?: { readonly inputs: Matrix; readonly targets?: Matrix };
  /** By label. */
  readonly methods: { readonly [label: string]: FigureMethod };
}

/** Where a figure's numbers are computed. */
export interface FigureLab {
  readonly run: Run;
  /**
   * Runs an experiment as its file has it, with one network; the file is written beside the figure under this name.
   * @throws FinitewidthError when it is not valid, or when a method fails.
   */
  experiment(name: string, file: ExperimentObject): Promise<readonly FigureStep[]>;
  /** Plain data that are computed once: an interrupted figure goes on after them. */
  keep<T>(name: string, compute: () => Promise<T>): Promise<T>;
}

/** A picture and what is to be seen on it. */
export interface FigurePicture {
  readonly figure: Figure;
  readonly caption: string;
}

/** Numbers as they would come out if the physics were another: what the checks are there for. */
export interface FigureFault<Numbers> {
  /** "no feature learning". */
  readonly name: string;
  apply(numbers: Numbers): Numbers;
}

/**
 * Plug-in kind: a figure of a paper. Numbers that are computed, pictures of them, what the paper reports, and checks that the numbers show
 * it. `Numbers` are plain JSON data.
 */
export interface PaperFigure<Numbers = unknown> {
  /** "pacelli-loss". */
  readonly name: string;
  /** One line for lists. */
  readonly summary: string;
  /** Authors, year, title and where it is found. */
  readonly paper: string;
  /** What the paper reports, in a sentence or two. */
  readonly statement: string;
  /** What is not as in the paper, and why. */
  readonly differences: string;
  compute(size: FigureSize, lab: FigureLab): Promise<Numbers>;
  pictures(numbers: Numbers): readonly FigurePicture[];
  checks(numbers: Numbers): readonly FigureCheck[];
  /** Every check fails under at least one of them. */
  readonly faults: readonly FigureFault<Numbers>[];
}
