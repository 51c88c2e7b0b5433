import type { FittedMethod, MethodVerdict, Verdict } from "@finitewidth/core";
import { studentQuantile, type IslandEvidence } from "@finitewidth/numerics";
import { againstEffect, decide, visibleErrors } from "./judgement.js";

/** Log evidences within this of the truth are as good as it: a Bayes factor of e. */
const evidenceTolerance = 1;
/** Two-sided level of a contradiction with one look, and with three. */
export const levels = { one: 0.002, several: 0.001 };

/** What every method gave, by label. */
export type Methods = Readonly<Record<string, FittedMethod>>;

export const mapMethods = <Out>(methods: Methods, f: (method: FittedMethod) => Out): Record<string, Out> =>
  Object.fromEntries(Object.entries(methods).map(([label, method]) => [label, f(method)]));

export const notChecked = (how: string): Verdict => ({ status: "unchecked", error: null, standardError: null, how });

/** One verdict for every quantity that a method gives. */
export function verdictsOf(method: FittedMethod, labelled: boolean, of: (quantity: keyof MethodVerdict) => Verdict): MethodVerdict {
  const given: readonly (keyof MethodVerdict)[] = [
    ...(method.predictive ? (labelled ? (["predictive", "generalizationError"] as const) : (["predictive"] as const)) : []),
    ...(method.logEvidence === undefined ? [] : (["logEvidence"] as const)),
    ...(method.hiddenKernels === undefined ? [] : (["hiddenKernels"] as const)),
    ...(method.orderParameter === undefined ? [] : (["orderParameter"] as const)),
  ];
  return Object.fromEntries(given.map((quantity) => [quantity, of(quantity)]));
}

/** Three significant digits; no power of ten below a million. */
export const about = (value: number): string =>
  Math.abs(value) >= 1000 && Math.abs(value) < 1e6 ? value.toFixed(0) : value.toPrecision(3);

/** Within one nat of the annealed evidence, and not seen to miss a fifth of what finite width changes. */
export function judgeEvidence(
  { logEvidence, logEvidenceStandardError = 0 }: FittedMethod,
  evidence: IslandEvidence,
  infinite?: number,
): Verdict {
  // with few particles the finer objections are often noise; these two are the ones that convict (docs/theories/evidence.md)
  if (evidence.islandSpread > 1 || Math.min(...evidence.acceptance) < 0.2) {
    return notChecked(
      `the referee's own log evidence is not good enough (${evidence.objections.join("; ")}); use monte-carlo with "evidence": true`,
    );
  }
  const standardError = Math.hypot(evidence.standardError, logEvidenceStandardError);
  const difference = logEvidence! - evidence.logEvidence;
  const rule = { tolerance: 0, alpha: levels.one, trust: 0.05 };
  return {
    status: againstEffect(
      decide(difference, standardError, evidenceTolerance, evidence.islandWeights.length, rule),
      difference,
      evidence.standardError,
      infinite === undefined ? undefined : Math.abs(infinite - evidence.logEvidence),
      visibleErrors(evidence.islandWeights.length, "difference"),
      Math.max(1, Math.abs(evidence.logEvidence)),
    ),
    error: Math.abs(difference),
    standardError,
    how: `annealed runs of the real network give ${evidence.logEvidence.toFixed(2)} ± ${about(evidence.standardError)} (Student, ${evidence.islandWeights.length - 1} degrees of freedom: 95 % within ± ${about(studentQuantile(0.975, evidence.islandWeights.length - 1) * standardError)})`,
  };
}
