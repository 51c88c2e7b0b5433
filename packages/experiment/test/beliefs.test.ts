import type { MethodVerdict, Verdict } from "@finitewidth/core";
import { expect, it } from "vitest";
import { beliefsOf, sampledNumber } from "../src/beliefs.js";
import type { MethodOutcome } from "../src/index.js";

const says = (status: Verdict["status"], error = 0.1, standardError = 0.01): Verdict => ({ status, error, standardError, how: "so" });
const outcome = (label: string, total: number, logEvidence: number, leading = false): MethodOutcome =>
  ({
    label,
    status: "ok",
    posterior: { logEvidence, ...(leading ? { evidenceIsLeadingOrder: true } : {}) },
    generalizationError: { bias: 0, variance: total, total },
  }) as unknown as MethodOutcome;
const outcomes = [
  outcome("near", 1, -1),
  outcome("nearer", 2, -2),
  outcome("far", 3, -3),
  { label: "broken", status: "failed" } as MethodOutcome,
];
const referee = {
  logEvidence: -9,
  logEvidenceStandardError: 0.5,
  generalizationError: { bias: 3, variance: 4, total: 7 },
  generalizationErrorStandardError: { bias: 0.1, variance: 0.2, total: 0.3 },
};
const of = (verdicts: Record<string, MethodVerdict>) => beliefsOf(outcomes, { verdicts, referee });

it("the nearest of the confirmed methods is the one to believe, however near a doubtful one comes", () => {
  const { generalizationError } = of({
    near: { generalizationError: says("confirmed", 0.1, 0.02) },
    nearer: { generalizationError: says("confirmed", 0.1, 0.01) },
    far: { generalizationError: says("doubtful", 0.001, 0.001) },
  });
  expect(generalizationError).toMatchObject({ method: "nearer", value: 2, standardError: Math.hypot(0.1, 0.01) });
});

it("where none is confirmed the sampled number is, with its error; where it has none, the sentence says what to run", () => {
  const found = of({
    near: { generalizationError: says("doubtful", 0.2), logEvidence: says("contradicted", 4), hiddenKernels: says("contradicted") },
    nearer: { generalizationError: says("doubtful", 0.1), logEvidence: says("doubtful", 1), hiddenKernels: says("unchecked") },
  });
  expect(found.generalizationError).toMatchObject({ method: null, value: 7, standardError: 0.3 });
  expect(found.generalizationError!.how).toContain("nearest is nearer, doubtful");
  expect(found.logEvidence).toMatchObject({ method: null, value: -9, standardError: 0.5 });
  expect(found.hiddenKernels).toMatchObject({ method: null, value: null, standardError: null });
  expect(found.hiddenKernels!.how).toContain("believe monte-carlo");
  expect(found.generalizationError!.how).not.toContain("noise");
  // one whose difference the noise explains may be right, and the sentence says so
  const { how } = of({ near: { logEvidence: says("doubtful", 1.9, 1) } }).logEvidence!;
  expect(how).toContain("nearest is near, doubtful, from which it differs by no more than its noise");
});

it("nothing is said about what was not checked, and a leading term is no evidence to believe", () => {
  expect(of({ near: { logEvidence: says("unchecked") }, far: {} })).toEqual({});
  const leading = [outcome("leading", 1, -1, true)];
  expect(beliefsOf(leading, { verdicts: { leading: { logEvidence: says("confirmed") } }, referee })).toEqual({});
});

it("a confirmed method gives its number where the quantity is one, a doubtful one beyond two standard errors is off by more than noise", () => {
  const found = of({
    far: { predictive: says("confirmed", 0.3, 0.4), logEvidence: says("confirmed", 3, 4), hiddenKernels: says("doubtful", 2.1, 1) },
    broken: { hiddenKernels: says("confirmed") },
  });
  expect(found.predictive).toEqual({
    method: "far",
    value: null,
    standardError: 0.5,
    how: "the real network confirms the predictions of far",
  });
  expect(found.logEvidence).toEqual({
    method: "far",
    value: -3,
    standardError: 5,
    how: "the real network confirms the log evidence of far",
  });
  expect(found.hiddenKernels!.how).toMatch(/^the real network confirms the hidden kernels of no method: .*nearest is far, doubtful$/);
  expect(of({ near: { generalizationError: says("contradicted", 0.01, 1) } }).generalizationError!.how).toMatch(
    /believe the number sampled from it; nearest is near, contradicted$/,
  );
});

it("the number that was sampled has parts where it is an error, and none of other quantities", () => {
  expect(sampledNumber(referee, "generalizationError")).toEqual({ value: 7, standardError: 0.3 });
  expect(sampledNumber(referee, "generalizationError", "bias")).toEqual({ value: 3, standardError: 0.1 });
  expect(sampledNumber(referee, "generalizationError", "variance")).toEqual({ value: 4, standardError: 0.2 });
  expect(sampledNumber(referee, "logEvidence")).toEqual({ value: -9, standardError: 0.5 });
  expect(sampledNumber(referee, "predictive")).toBeUndefined();
  expect(sampledNumber({ logEvidence: 3 }, "logEvidence")).toBeUndefined();
});
