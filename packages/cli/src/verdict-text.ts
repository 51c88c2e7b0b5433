import type { MethodVerdict, Verdict } from "@finitewidth/core";
import type { Verdicts } from "@finitewidth/experiment";
import { formatNumber } from "./table.js";

const marks = { confirmed: "✓", doubtful: "?", contradicted: "✗", unchecked: "" } as const;
const order = ["contradicted", "doubtful", "confirmed", "unchecked"] as const;

/** A number with the mark of its verdict. */
export const marked = (text: string, verdict: Verdict | undefined): string =>
  verdict && marks[verdict.status] ? `${text} ${marks[verdict.status]}` : text;

/** What the marks mean. */
export const legend = "✓ confirmed, ? doubtful, ✗ contradicted by a short run of the real network; result.json says how";

/** One word for a method: the worst of what was checked about its outputs, or about all else where nothing was. */
export function overall(verdict: MethodVerdict | undefined): string {
  if (!verdict) return "–";
  const { predictive, generalizationError, ...rest } = verdict;
  const statuses = [generalizationError ?? predictive, ...Object.values(rest)].flatMap((one) => (one ? [one.status] : []));
  const outputs = (generalizationError ?? predictive)?.status;
  return outputs && outputs !== "unchecked" ? outputs : (order.find((status) => statuses.includes(status)) ?? "unchecked");
}

/** `overall`, and the hidden kernels where they are worse: no column of the table is theirs. */
export function overallWithKernels(verdict: MethodVerdict | undefined): string {
  const word = overall(verdict);
  const kernels = verdict?.hiddenKernels?.status;
  const worse = kernels !== undefined && order.indexOf(kernels) < Math.min(order.indexOf(word as (typeof order)[number]), 2);
  return worse ? `${word}, hidden kernels ${kernels}` : word;
}

const titles: Readonly<Record<keyof MethodVerdict, string>> = {
  predictive: "predictive",
  generalizationError: "generalisation error",
  logEvidence: "log evidence",
  hiddenKernels: "hidden kernels",
  orderParameter: "order parameter",
};

/** Every verdict with its error and its sentence, for the report. */
export function verdictRows({ verdicts }: Verdicts): { readonly header: string[]; readonly rows: string[][] } {
  const rows = Object.entries(verdicts).flatMap(([label, own]) =>
    (Object.entries(own) as [keyof MethodVerdict, Verdict][]).map(([quantity, { status, error, standardError, how }]) => [
      label,
      titles[quantity],
      status,
      error === null ? "–" : `${formatNumber(error)}${standardError === null ? "" : ` ± ${formatNumber(standardError)}`}`,
      how,
    ]),
  );
  return { header: ["method", "quantity", "verdict", "error", "how it is known"], rows };
}
