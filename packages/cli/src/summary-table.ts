import { randomLayers, resolveArchitecture, type Network, type Registry } from "@finitewidth/core";
import { sampledNumber, type MethodOutcome, type SolvedOutcome, type Verdicts } from "@finitewidth/experiment";
import { withError } from "./table.js";
import { marked, onPredictions, sampledNetwork } from "./verdict-text.js";

/**
 * Header and rows of the summary table, shared by the terminal and the report. Where there was a referee its verdict on the predictions
 * comes first; other numbers carry marks of their own.
 */
export function summaryTable(
  outcomes: readonly MethodOutcome[],
  verdicts?: Verdicts,
): { readonly header: string[]; readonly rows: string[][] } {
  const column = (text: string): string[] => (verdicts ? [text] : []);
  const classes = outcomes.some((outcome) => outcome.status === "ok" && outcome.classification?.negativeLogLikelihood !== undefined);
  const measures = classes ? ["accuracy", "negative log likelihood", "calibration error"] : ["generalisation error", "bias", "variance"];
  const header = ["method", ...column("predictions"), "log evidence", ...measures, "order parameter", "s"];
  const rows = outcomes.map((outcome) => {
    if (outcome.status === "failed")
      return [outcome.label, ...column("failed"), verdicts ? "" : "failed", "", "", "", "", outcome.seconds.toFixed(2)];
    const { posterior, generalizationError: error, generalizationStandardError: spread } = outcome;
    const verdict = verdicts?.verdicts[outcome.label];
    return [
      outcome.label,
      ...column(onPredictions(verdict)),
      // a leading term is no evidence: it does not stand beside those that are
      posterior.evidenceIsLeadingOrder
        ? "–"
        : marked(withError(posterior.logEvidence, posterior.standardError?.logEvidence), verdict?.logEvidence),
      ...(classes
        ? scoreTexts(outcome)
        : [
            marked(withError(error?.total, spread?.total), verdict?.generalizationError),
            withError(error?.bias, spread?.bias),
            withError(error?.variance, spread?.variance),
          ]),
      orderParameterText(outcome),
      outcome.seconds.toFixed(2),
    ];
  });
  const sampled = classes || !verdicts ? undefined : sampledRow(verdicts);
  return { header, rows: sampled ? [...rows, sampled] : rows };
}

/** What the methods are held against: the referee's own numbers, where it could judge by them. */
function sampledRow({ referee, believe }: Verdicts): string[] | undefined {
  const evidence = believe?.logEvidence && sampledNumber(referee, "logEvidence");
  const errors = believe?.generalizationError
    ? (["total", "bias", "variance"] as const).map((part) => sampledNumber(referee, "generalizationError", part))
    : [];
  if (!evidence && errors.length === 0) return undefined;
  const text = (one: ReturnType<typeof sampledNumber>): string => withError(one?.value, one?.standardError);
  return [sampledNetwork, "sampled", text(evidence), ...[0, 1, 2].map((k) => text(errors[k])), "", ""];
}

const scoreTexts = ({ classification: scores }: SolvedOutcome): string[] =>
  (["accuracy", "negativeLogLikelihood", "calibrationError"] as const).map((score) =>
    withError(scores?.[score], scores?.standardError[score]),
  );

function orderParameterText({ posterior }: SolvedOutcome): string {
  const value = posterior.orderParameter;
  if (value === undefined) return "–";
  const error = posterior.standardError?.orderParameter;
  if (typeof value === "number") return withError(value, typeof error === "number" ? error : undefined);
  return value.shape.length === 1 && value.data.length <= 4
    ? Array.from(value.data, (entry) => Number(entry.toPrecision(3))).join(", ")
    : `${value.shape.join(" × ")} matrix`;
}

/** Whether a weight variance behind the first layer is not one: there order parameters of theories differ by a factor. */
export function hasLaterVariances(network: Network, registry: Registry): boolean {
  const [, ...later] = randomLayers(resolveArchitecture(registry, network).layers);
  return later.some(({ weightVariance }) => weightVariance !== 1);
}

/** What is to be said of order parameters that stand side by side: that they are of several kinds, or in several units. */
export function orderParameterRemark(outcomes: readonly MethodOutcome[], network: Network, registry: Registry): string | undefined {
  const stated = outcomes.flatMap((outcome) => {
    const value = outcome.status === "ok" ? outcome.posterior.orderParameter : undefined;
    return value === undefined ? [] : [{ method: outcome.method, kind: typeof value === "number" ? "" : value.shape.join(" × ") }];
  });
  if (new Set(stated.map(({ method }) => method)).size < 2) return undefined;
  if (new Set(stated.map(({ kind }) => kind)).size > 1)
    return "Order parameters of several kinds: one number, one a layer or a matrix over outputs are not to be compared.";
  return hasLaterVariances(network, registry)
    ? "Order parameters with or without the weight variances of later layers, by the theory: their values are not to be compared."
    : undefined;
}
