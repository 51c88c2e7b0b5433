// Error against width on handwritten digits, theories beside the sampled network; part of build-figures.mjs.
import { readFileSync } from "node:fs";
import { fit } from "@finitewidth/core";
import { drawFigure } from "@finitewidth/plots";

const fixture = (name) => JSON.parse(readFileSync(new URL(`../verification/fixtures/strong-labels/${name}`, import.meta.url), "utf8"));

/** Mean over the test rows of squared error plus variance. */
function generalisation({ mean, variance }, targets) {
  return targets.reduce((sum, y, i) => sum + ((mean.data[i] - y) ** 2 + variance.data[i]) / targets.length, 0);
}

/** Panels for 0/1 and 3/8, P = 60, erf, T = 0.05. */
export async function strongLabelsFigure(registry, document) {
  const truths = fixture("truth-and-theory.json").filter(({ case: name }) => /^d(01|38)_P60_/.test(name));
  const panels = [];
  for (const [data, title] of [
    ["digits-0-1.json", "Digits 0 and 1"],
    ["digits-3-8.json", "Digits 3 and 8"],
  ]) {
    const { raw, labels, mean, std } = fixture(data);
    const rows = raw.map((row) => row.map((value) => (value - mean) / std));
    const cases = truths.filter((truth) => truth.data === data).sort((a, b) => a.N - b.N);
    const x = Float64Array.from(cases, ({ N }) => N);
    const errorsOf = async (name) => {
      const errors = [];
      const aligned = [];
      for (const { N, T } of cases) {
        const problem = {
          network: { type: "fully-connected", widths: [N], activation: "erf" },
          inputs: rows.slice(0, 60),
          targets: labels.slice(0, 60),
          temperature: T,
        };
        const { posterior, predict } = await fit(registry.theory(name), problem, { registry });
        errors.push(generalisation(await predict(rows.slice(60, 260)), labels.slice(60, 260)));
        aligned.push(posterior.diagnostics.alignedUnits?.one ?? 0);
      }
      return { errors, aligned };
    };
    const series = [];
    for (const name of ["nngp", "effective-action", "expectation-propagation"]) {
      const { errors, aligned } = await errorsOf(name);
      series.push({ label: name, x, y: Float64Array.from(errors) });
      const special = [...x.keys()].filter((i) => aligned[i] > 0.5);
      if (special.length > 0)
        series.push({
          label: "one specialised unit",
          x: Float64Array.from(special, (i) => x[i]),
          y: Float64Array.from(special, (i) => errors[i]),
          points: true,
        });
    }
    series.push({
      label: "sampled network",
      x,
      y: Float64Array.from(cases, ({ hmc }) => hmc.generalisation),
      error: Float64Array.from(cases, ({ hmc }) => hmc.standardErrors.generalisation),
      points: true,
    });
    panels.push(
      drawFigure(
        { kind: "lines", title, xLabel: "width N", yLabel: `generalisation error, ${title.toLowerCase()}`, logX: true, series },
        document,
      ),
    );
  }
  return panels;
}
