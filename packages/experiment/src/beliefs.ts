import type { GeneralizationError, MethodVerdict, RefereeReport, Verdict } from "@finitewidth/core";
import type { MethodOutcome, SolvedOutcome } from "./method-outcome.js";

/** Whom to believe about a quantity. Plain data, as it stands in result files. */
export interface Belief {
  /** The confirmed method that was found nearest to the network; null where none is confirmed. */
  readonly method: string | null;
  /** Its number, or where no method is confirmed the number that the referee sampled; null for what is more than one number. */
  readonly value: number | null;
  /** Of the sampled number; of a method, how far it was found off, noise included. */
  readonly standardError: number | null;
  /** One sentence. */
  readonly how: string;
}

/** Whom to believe, quantity by quantity; quantities about which nothing was checked are left out. */
export type Beliefs = { readonly [Quantity in Judged]?: Belief };

/** Quantities of which the real network has one too. */
type Judged = "generalizationError" | "predictive" | "logEvidence" | "hiddenKernels";

const numbers: { readonly [Quantity in Judged]: { readonly title: string; readonly of?: (outcome: SolvedOutcome) => number | undefined } } =
  {
    generalizationError: { title: "generalisation error", of: ({ generalizationError }) => generalizationError?.total },
    predictive: { title: "predictions" },
    logEvidence: { title: "log evidence", of: ({ posterior }) => posterior.logEvidence },
    hiddenKernels: { title: "hidden kernels" },
  };

/** Whether a doubtful number may well be right: it is within two standard errors of what was sampled. */
const withinNoise = ({ status, error, standardError }: Verdict): boolean =>
  status === "doubtful" && error !== null && standardError !== null && error <= 2 * standardError;

/** How far a method may be off: what was seen, and the noise of seeing. */
const reach = ({ error, standardError }: Verdict): number => Math.hypot(error ?? Infinity, standardError ?? 0);

/**
 * Of every quantity the confirmed method that is nearest to the network, or else the network's own number as the referee sampled it: a
 * method that is doubtful or contradicted is never the one to believe.
 */
export function beliefsOf(outcomes: readonly MethodOutcome[], { verdicts, referee }: RefereeReport): Beliefs {
  return Object.fromEntries(
    (Object.keys(numbers) as Judged[]).flatMap((quantity) => {
      const judged = outcomes.flatMap((outcome) => {
        if (outcome.status !== "ok" || (quantity === "logEvidence" && outcome.posterior.evidenceIsLeadingOrder)) return [];
        const verdict = verdicts[outcome.label]?.[quantity];
        return verdict && verdict.status !== "unchecked" ? [{ outcome, verdict }] : [];
      });
      return judged.length === 0 ? [] : [[quantity, beliefOf(quantity, judged, sampledNumber(referee, quantity))]];
    }),
  );
}

interface JudgedOutcome {
  readonly outcome: SolvedOutcome;
  readonly verdict: Verdict;
}

function beliefOf(quantity: Judged, judged: readonly JudgedOutcome[], sampled: Sampled | undefined): Belief {
  const { title, of } = numbers[quantity];
  const nearest = (among: readonly JudgedOutcome[]): JudgedOutcome | undefined =>
    among.toSorted((a, b) => reach(a.verdict) - reach(b.verdict))[0];
  const confirmed = nearest(judged.filter(({ verdict }) => verdict.status === "confirmed"));
  if (confirmed) {
    const { outcome, verdict } = confirmed;
    return {
      method: outcome.label,
      value: of?.(outcome) ?? null,
      standardError: reach(verdict),
      how: `the real network confirms the ${title} of ${outcome.label}`,
    };
  }
  const { outcome, verdict } = nearest(judged)!;
  return {
    method: null,
    value: sampled?.value ?? null,
    standardError: sampled?.standardError ?? null,
    how: `the real network confirms the ${title} of no method: believe ${
      sampled ? "the number sampled from it" : "monte-carlo"
    }; nearest is ${outcome.label}, ${verdict.status}${withinNoise(verdict) ? ", from which it differs by no more than its noise" : ""}`,
  };
}

interface Sampled {
  readonly value: number;
  readonly standardError: number;
}

/** The network's own number, as the referee reports it. */
export function sampledNumber(
  referee: RefereeReport["referee"],
  quantity: keyof MethodVerdict,
  part: keyof GeneralizationError = "total",
): Sampled | undefined {
  if (quantity === "logEvidence") return numberPair(referee["logEvidence"], referee["logEvidenceStandardError"]);
  if (quantity !== "generalizationError") return undefined;
  const [value, error] = [referee["generalizationError"], referee["generalizationErrorStandardError"]];
  return numberPair((value as Parts | undefined)?.[part], (error as Parts | undefined)?.[part]);
}

type Parts = Partial<Record<keyof GeneralizationError, unknown>>;

const numberPair = (value: unknown, standardError: unknown): Sampled | undefined =>
  typeof value === "number" && typeof standardError === "number" ? { value, standardError } : undefined;
