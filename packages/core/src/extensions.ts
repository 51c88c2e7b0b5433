import type { Registry } from "./registry.js";
import type { Matrix } from "./tensor.js";
import type { Figure } from "./figure.js";
import type { Json } from "./json.js";
import type { Posterior } from "./posterior.js";
import type { Prediction } from "./prediction.js";
import type { Problem } from "./problem.js";

/** An experiment as its file has it. */
export type ExperimentObject = { readonly [key: string]: Json };

/** What a sweep key changes: the experiment as in its file, and how many of its training points are used. */
export interface SweepDraft {
  readonly experiment: ExperimentObject;
  readonly trainingPoints?: number;
}

/** A short name for something that a sweep changes. Any path of the experiment is a sweep key without being registered. */
export interface SweepKey {
  /** Key in `sweep` of an experiment file. */
  readonly name: string;
  readonly summary: string;
  /** Label of the axis in figures, e.g. "width N". */
  readonly label?: string;
  /** Order in which keys are applied, small first: `depth` copies the width that `widths` has set. @defaultValue 0 */
  readonly order?: number;
  /** The draft with the value put in. @throws FinitewidthError (code "input") when the value or the experiment does not fit. */
  apply(draft: SweepDraft, value: Json, registry: Registry): SweepDraft;
  /** Position of a value on an axis; left out or undefined: numbers as they are, others by their place in the list. */
  position?(value: Json): number | undefined;
}

/** What a report section may show: one problem and what every method gave for it. */
export interface ReportContext {
  readonly registry: Registry;
  readonly problem: Problem;
  readonly test?: { readonly inputs: Matrix; readonly targets?: Matrix };
  /** Names of the classes, where they are known. */
  readonly classes?: readonly string[];
  readonly methods: readonly {
    readonly label: string;
    readonly method: string;
    readonly posterior: Posterior;
    readonly predictive?: Prediction;
  }[];
}

/** Text, a table and figures as plain data; reports draw them. */
export interface ReportBlock {
  readonly title: string;
  readonly paragraphs?: readonly string[];
  readonly table?: { readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] };
  readonly figures?: readonly { readonly figure: Figure; readonly caption: string }[];
}

/** A section of the report of `finitewidth run`, after the built-in ones. */
export interface ReportSection {
  readonly name: string;
  readonly summary: string;
  /** undefined when there is nothing to show. */
  of(context: ReportContext): ReportBlock | undefined;
}
