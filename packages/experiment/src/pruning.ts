import type { Figure, Json, Matrix, Posterior, Prediction } from "@finitewidth/core";

/** Numbers of pruned predictions that a result file takes. */
const mostNumbers = 20_000;

/**
 * A posterior and its predictions with what became of the test error as parts were removed: mean squared error of the mean against the
 * number of parts kept, in `diagnostics.predictive.pruning` and as a figure. Unchanged where nothing was pruned or targets are missing.
 */
export function withPruning(
  posterior: Posterior,
  predictive: Prediction | undefined,
  targets: Matrix | undefined,
): { readonly posterior: Posterior; readonly predictive?: Prediction } {
  if (predictive === undefined) return { posterior };
  if (predictive.pruned === undefined) return { posterior, predictive };
  const { removed, means } = predictive.pruned;
  const errors = targets && means.map(({ data }) => data.reduce((sum, value, i) => sum + (value - targets.data[i]!) ** 2 / data.length, 0));
  const small = means.reduce((sum, { data }) => sum + data.length, 0) <= mostNumbers;
  const pruning: Json = {
    removed,
    ...(small ? { mean: means.map(({ data }) => Array.from(data)) } : {}),
    ...(errors ? { testError: errors } : {}),
  };
  const kept = Float64Array.from(means, (_, k) => removed.length - k);
  const figure = (values: readonly number[]): Figure => ({
    kind: "lines",
    title: "Pruning: error at the test inputs, lowest score first",
    xLabel: "heads kept",
    yLabel: "mean squared error at the test inputs",
    series: [{ label: "exact posterior mean", x: kept, y: Float64Array.from(values) }],
  });
  return {
    posterior: errors ? { ...posterior, figures: [...(posterior.figures ?? []), figure(errors)] } : posterior,
    predictive: { ...predictive, diagnostics: { ...predictive.diagnostics, pruning } },
  };
}
