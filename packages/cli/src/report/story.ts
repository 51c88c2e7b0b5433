import { type DataSplit, type Matrix, type Problem, type Registry, type Verdict, type VerdictStatus } from "@finitewidth/core";
import type { Belief, Plan, ProblemOutcome, SolvedOutcome, Verdicts } from "@finitewidth/experiment";
import { reportColours } from "@finitewidth/plots";
import { centredAlignment, relativeShift } from "./kernel-measures.js";
import { infiniteHiddenKernels } from "./network-facts.js";
import { beliefText, overall } from "../verdict-text.js";
import { withError } from "../table.js";

/** Everything that the sections of a report draw on: one problem and its outcomes, what infinite width says, whom to believe. */
export interface Story {
  readonly registry: Registry;
  readonly problem: Problem;
  readonly test: DataSplit["test"];
  readonly outcomes: ProblemOutcome["outcomes"];
  readonly solved: readonly SolvedOutcome[];
  readonly verdicts: Verdicts | undefined;
  /** G¹ … G^L at infinite width; undefined where they cannot be worked out, or nobody states hidden kernels. */
  readonly infinite: readonly Matrix[] | undefined;
  /** The method that leaves the hidden layers as at infinite width, if any. */
  readonly baseline: SolvedOutcome | undefined;
  /** The method to believe. */
  readonly best: SolvedOutcome | undefined;
  readonly colours: (label: string) => string;
  readonly document: Document;
}

/** Gathers what a report tells about one network. A fault of a kernel never costs the report. */
export function tellStory(plan: Plan, step: Plan["steps"][number], one: ProblemOutcome, document: Document): Story {
  const { problem } = one.problem;
  const solved = one.outcomes.filter((outcome): outcome is SolvedOutcome => outcome.status === "ok");
  const { verdicts } = one;
  let [infinite, baseline] = [undefined as readonly Matrix[] | undefined, undefined as SolvedOutcome | undefined];
  try {
    baseline = solved.find((outcome) => {
      const kernels = outcome.posterior.hiddenKernels;
      return kernels !== undefined && handedOn(outcome, plan.registry) === kernels;
    });
    infinite = baseline?.posterior.hiddenKernels;
    if (solved.some((outcome) => outcome.posterior.hiddenKernels)) infinite ??= firstHandedOn(solved, problem, plan.registry);
  } catch {
    infinite = undefined;
  }
  return {
    registry: plan.registry,
    problem,
    test: step.data.test,
    outcomes: one.outcomes,
    solved,
    verdicts,
    infinite,
    baseline,
    best: believed(solved, baseline, verdicts),
    colours: reportColours(one.outcomes),
    document,
  };
}

/** The kernels at infinite width that a method still has. */
const handedOn = ({ method, posterior }: SolvedOutcome, registry: Registry): readonly Matrix[] | undefined =>
  registry.theory(method).infiniteKernels?.(posterior);

/** Those of the first method that has them of all training points, else made. */
function firstHandedOn(solved: readonly SolvedOutcome[], problem: Problem, registry: Registry): readonly Matrix[] {
  for (const outcome of solved) {
    const kernels = handedOn(outcome, registry);
    if (kernels?.every(({ shape: [points] }) => points === problem.inputs.shape[0])) return kernels;
  }
  return infiniteHiddenKernels(problem, registry);
}

const rank: Readonly<Record<VerdictStatus, number>> = { confirmed: 1, unchecked: 0, doubtful: -0.5, contradicted: -3 };

/**
 * The method with the best verdicts, then the one that states errors of its own (it sampled the network), then the one that warns least.
 */
function believed(
  solved: readonly SolvedOutcome[],
  baseline: SolvedOutcome | undefined,
  verdicts: Story["verdicts"],
): SolvedOutcome | undefined {
  const score = (outcome: SolvedOutcome): number => {
    const own = Object.values({ ...verdicts?.verdicts[outcome.label] } as Record<string, Verdict>);
    const checked = own.filter((verdict) => verdict.status !== "unchecked");
    const judged = checked.length > 0 ? checked.reduce((sum, verdict) => sum + rank[verdict.status], 0) / checked.length : 0;
    // chains that see one mode of several are worse than a theory that sees them all
    const blind = solved.some(({ posterior }) => posterior.modes !== undefined) && outcome.posterior.modes === undefined;
    const sampled = blind ? -1 : outcome.predictive?.standardError ? 0.3 : 0;
    const named = Object.values(verdicts?.believe ?? {}).filter(({ method }) => method === outcome.label).length;
    return (
      10 * judged +
      named +
      sampled -
      0.3 * outcome.warnings.length -
      (outcome === baseline ? 1 : 0) +
      (outcome.posterior.hiddenKernels ? 0.2 : 0)
    );
  };
  return [...solved].sort((a, b) => score(b) - score(a))[0];
}

const percent = (value: number): string =>
  `${Math.abs(100 * value) < 10 ? (100 * value).toFixed(1) : (100 * value).toFixed(0)} %`.replace("-", "−");

/** The first screen in a sentence or three: whether finite width matters, by how much, what was learned, whom to believe. */
export function headline(story: Story): string {
  const { best, baseline, infinite, problem, verdicts } = story;
  if (!best) return "No method has an answer; the reasons are below.";
  const parts: string[] = [];
  if (baseline && best !== baseline) {
    const { logEvidence, generalizationError } = verdicts?.believe ?? {};
    const { posterior } = best;
    const stated =
      typeof logEvidence?.value === "number"
        ? logEvidence
        : { value: posterior.logEvidence, standardError: posterior.standardError?.logEvidence };
    const evidence = gain(stated.value ?? undefined, baseline.posterior.logEvidence);
    const [finite, wide] = [generalizationError?.value ?? best.generalizationError?.total, baseline.generalizationError?.total];
    const change = finite !== undefined && wide !== undefined ? (finite - wide) / wide : undefined;
    const matters = Math.abs(evidence ?? 0) > 1 || Math.abs(change ?? 0) > 0.05;
    const numbers = [
      ...(evidence === undefined
        ? []
        : [
            `the log evidence is ${withError(Math.abs(evidence), stated.standardError ?? undefined)} ${evidence >= 0 ? "higher" : "lower"}`,
          ]),
      ...(change === undefined || Math.abs(change) < 5e-4
        ? []
        : [`the generalisation error is ${percent(Math.abs(change))} ${change <= 0 ? "lower" : "higher"}`]),
    ];
    const source = (one: Belief | undefined): string => (one ? (one.method ?? "the sampled network") : best.label);
    const sources = [
      ...new Set([
        ...(evidence === undefined ? [] : [source(logEvidence)]),
        ...(change === undefined ? [] : [source(generalizationError)]),
      ]),
    ];
    if (numbers.length > 0)
      parts.push(
        `Finite width ${matters ? "matters" : "hardly matters"} here: ${numbers.join(" and ")} than at infinite width (${sources.join(" and ")} against ${baseline.label}).`,
      );
  } else if (!baseline) parts.push("No method at infinite width was asked, so there is nothing to compare with.");
  const kernels = best.posterior.hiddenKernels ?? [];
  const learned = kernels.at(-1);
  // some methods give the kernels of the first layers only
  const before = infinite?.[kernels.length - 1];
  if (learned && before && best !== baseline) {
    const [from, to] = [centredAlignment(before, problem.targets), centredAlignment(learned, problem.targets)];
    const alignment =
      from === undefined || to === undefined
        ? ""
        : from.toFixed(2) === to.toFixed(2)
          ? `, its alignment with the targets stayed at ${to.toFixed(2)}`
          : `, its alignment with the targets ${to >= from ? "rose" : "fell"} from ${from.toFixed(2)} to ${to.toFixed(2)}`;
    const layer = kernels.length === infinite?.length ? "the last hidden layer" : `hidden layer ${kernels.length}`;
    const status = verdicts?.verdicts[best.label]?.hiddenKernels?.status;
    const source = status === "doubtful" || status === "contradicted" ? `, says ${best.label}, whose hidden kernels are ${status}` : "";
    parts.push(`The kernel of ${layer} moved by ${percent(relativeShift(learned, before))}${alignment}${source}.`);
  }
  parts.push(belief(best, verdicts, story));
  return parts.join(" ");
}

const gain = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined || b === undefined ? undefined : a - b);

function belief(best: SolvedOutcome, verdicts: Story["verdicts"], { solved }: Story): string {
  const wrong = solved.filter(({ label }) => overall(verdicts?.verdicts[label]) === "contradicted").map(({ label }) => label);
  const others = wrong.length > 0 ? ` Sampling the network contradicts ${wrong.join(", ")}.` : "";
  const { modes } = best.posterior;
  if (modes !== undefined)
    return `The posterior has ${modes} separate modes: of the methods asked ${best.label} is the one to believe, and what chains of the real network sample may be one of the modes alone.`;
  const checked = beliefText(verdicts?.believe);
  if (checked !== undefined) return `${checked}${others}`;
  if (best.predictive?.standardError) return `Believe ${best.label} up to its standard errors.${others}`;
  const caution = best.warnings.length > 0 ? "; it warns, see below" : "";
  return `Of the methods asked ${best.label} is the one to believe${caution}.${others}`;
}
