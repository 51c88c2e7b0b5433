import type { MethodOutcome, SolvedOutcome } from "@finitewidth/experiment";
import { formatNumber, withError } from "./table.js";

/** Header and rows of the summary table, shared by the terminal and the report. */
export function summaryTable(outcomes: readonly MethodOutcome[]): { readonly header: string[]; readonly rows: string[][] } {
  const header = ["method", "log evidence", "generalisation error", "bias", "variance", "order parameter", "seconds"];
  const rows = outcomes.map((outcome) => {
    if (outcome.status === "failed") return [outcome.label, "failed", "", "", "", "", outcome.seconds.toFixed(2)];
    const { posterior, generalizationError: error, generalizationStandardError: spread } = outcome;
    return [
      outcome.label,
      withError(posterior.logEvidence, posterior.standardError?.logEvidence),
      withError(error?.total, spread?.total),
      withError(error?.bias, spread?.bias),
      withError(error?.variance, spread?.variance),
      orderParameterText(outcome),
      outcome.seconds.toFixed(2),
    ];
  });
  return { header, rows };
}

function orderParameterText({ posterior }: SolvedOutcome): string {
  const value = posterior.orderParameter;
  if (value === undefined) return "–";
  const error = posterior.standardError?.orderParameter;
  if (typeof value === "number") return withError(value, typeof error === "number" ? error : undefined);
  return value.shape.length === 1 && value.data.length <= 4
    ? Array.from(value.data, formatNumber).join(", ")
    : `${value.shape.join(" × ")} matrix`;
}
