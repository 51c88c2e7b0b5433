import type { MethodVerdict, Verdict } from "@finitewidth/core";
import type { Belief, Verdicts } from "@finitewidth/experiment";
import { formatNumber, withError } from "./table.js";

const marks = { confirmed: "✓", doubtful: "?", contradicted: "✗", unchecked: "" } as const;
const order = ["contradicted", "doubtful", "confirmed", "unchecked"] as const;

/** A number with the mark of its verdict. */
export const marked = (text: string, verdict: Verdict | undefined): string =>
  verdict && marks[verdict.status] ? `${text} ${marks[verdict.status]}` : text;

/** The row of the referee's own numbers. */
export const sampledNetwork = "the network itself";

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

/** The verdict on the predictions, "–" without one, and on the hidden kernels where it is worse: no column of the table is theirs. */
export function onPredictions(verdict: MethodVerdict | undefined): string {
  const word = (verdict?.generalizationError ?? verdict?.predictive)?.status;
  const kernels = verdict?.hiddenKernels?.status;
  const rank = Math.min(word ? order.indexOf(word) : Infinity, order.indexOf("confirmed"));
  return kernels && order.indexOf(kernels) < rank ? `${word ?? "–"}, hidden kernels ${kernels}` : (word ?? "–");
}

const titles: Readonly<Record<keyof MethodVerdict, string>> = {
  predictive: "predictions",
  generalizationError: "generalisation error",
  logEvidence: "log evidence",
  hiddenKernels: "hidden kernels",
  orderParameter: "order parameter",
};

/** Whom to believe in a sentence, quantity by quantity; undefined where nothing was checked. */
export function beliefText(believe: Verdicts["believe"]): string | undefined {
  const entries = Object.entries(believe ?? {}) as [keyof MethodVerdict, Belief][];
  if (entries.length === 0) return undefined;
  const methods = [...new Set(entries.flatMap(([, { method }]) => (method === null ? [] : [method])))];
  const named = methods.map((label) => {
    const own = entries.filter(([, { method }]) => method === label);
    return own.length === entries.length
      ? `${label} for all that was checked`
      : `${label} for ${listed(own.map(([quantity]) => titles[quantity]))}`;
  });
  const rest = entries.filter(([, { method }]) => method === null);
  const sampled = rest.flatMap(([quantity, { value, standardError }]) =>
    value === null ? [] : [`${titles[quantity]} ${withError(value, standardError ?? undefined)}`],
  );
  // of what is more than one number the referee has none to show
  const longer = "a long run of monte-carlo";
  const whom =
    sampled.length === 0
      ? longer
      : `what was sampled from the network, ${listed(sampled)}${sampled.length < rest.length ? `, and for the rest ${longer}` : ""}`;
  return [
    ...(named.length > 0 ? [`Believe ${named.join("; ")}.`] : []),
    ...(rest.length > 0 ? [`No method is confirmed for ${listed(rest.map(([quantity]) => titles[quantity]))}: believe ${whom}.`] : []),
  ].join(" ");
}

const listed = (texts: readonly string[]): string => texts.join(", ").replace(/, ([^,]*)$/u, " and $1");

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
