import { zeros, type Figure, type MixingLaw, type Problem, type WishartChain } from "@finitewidth/core";
import { affine, identity, symmetricEigenvalues } from "@finitewidth/linalg";
import { expandSites, pullBackMixing, siteGeometryOf, siteMap } from "@finitewidth/numerics";
import { rateLayers } from "./rate-layers.js";
import { scalarRateAction } from "./scalar-minimiser.js";
import type { Solution } from "./solution.js";
import type { SpectralData } from "./spectral-data.js";

/** J(u) − J(u*) of one output with its minima marked. */
export function actionFigure(
  problem: Problem,
  chain: WishartChain,
  data: SpectralData,
  solution: Solution,
  referenceWidth: number,
): Figure {
  const { widths, skips, variance } = rateLayers(chain);
  const scalar = {
    eigenvalues: data.eigenvalues.map((value) => variance * value),
    squares: data.targets.data.map((value) => value * value),
    temperature: problem.temperature,
    widths,
    skips,
    referenceWidth,
    scaling: problem.scaling,
  };
  const centres = [0, ...solution.minima.map(({ mixing }) => Math.log(mixing.data[0]! / variance))];
  const [from, to] = [Math.min(...centres) - 2, Math.max(...centres) + 2];
  const u = Float64Array.from({ length: 201 }, (_, k) => from + ((to - from) * k) / 200);
  return {
    kind: "lines",
    title: "Action of the mixing variable",
    xLabel: "q",
    yLabel: "J(q) − J(q*)",
    logX: true,
    series: [
      {
        label: "J − J*",
        x: u.map((value) => variance * Math.exp(value)),
        y: u.map((value) => scalarRateAction(scalar, value).action - solution.action),
      },
    ],
    marks: [
      ...solution.minima.map(({ mixing }, k) => ({ label: k === 0 ? "q*" : "local minimum", x: mixing.data[0]! })),
      { label: "infinite width", x: variance },
    ],
  };
}

/** Eigenvalues of Q at the minimum against the value Π s that all have at infinite width. */
export function eigenvalueFigure(solution: Solution, chain: WishartChain): Figure {
  const values = symmetricEigenvalues(solution.mixing[0]!);
  const { variance, skips } = rateLayers(chain);
  const limit = skips.reduce((product, k) => product * (1 + k), variance);
  const x = Float64Array.from(values, (_, a) => a + 1);
  return {
    kind: "lines",
    title: "Eigenvalues of the mixing matrix",
    xLabel: "eigenvalue",
    yLabel: "Q",
    series: [
      { label: "minimiser", x, y: values, points: true },
      { label: "infinite width", x, y: new Float64Array(values.length).fill(limit) },
    ],
  };
}

/** How pairs of sites are renormalised: M_1 averaged over outputs, at infinite width and at the minimum. Undefined above 200 sites. */
export function siteMapFigure(law: MixingLaw, solution: Solution, outputs: number): Figure | undefined {
  const basis = siteGeometryOf(law)?.siteBases?.[0] ?? identity(law.sites);
  if (basis.shape[0] > 200) return undefined;
  const { layers } = law.chain;
  let prior = zeros(0, 0);
  for (let l = layers.length - 1; l >= 0; l--)
    prior =
      l === layers.length - 1
        ? affine(layers[l]!.variance, identity(outputs * layers[l]!.sites))
        : pullBackMixing(layers[l]!, outputs, prior);
  const [before, after] = [prior, solution.mixing[0]!].map((m) => siteMap(expandSites(basis, m), outputs)) as [typeof prior, typeof prior];
  const difference = { data: after.data.map((value, k) => value - before.data[k]!), shape: after.shape };
  return {
    kind: "heatmaps",
    title: "Renormalisation of pairs of sites",
    panels: [
      { label: "infinite width", values: before },
      { label: "minimiser", values: after },
      { label: "difference", values: difference, diverging: true },
    ],
  };
}
