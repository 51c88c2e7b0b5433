import type { Figure, Matrix, MixingLaw } from "@finitewidth/core";
import { gram, symmetricEigenvalues } from "@finitewidth/linalg";
import { chainFactors, coordinatesToFactors, expandSites, sampleChainFactors, siteMap, type SiteGeometry } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { eigenvalueFigure } from "../exact/eigenvalue-figure.js";
import type { SiteDraws } from "./predict.js";
import { meanMixing, type SiteProblem } from "./problem.js";

/** Sites up to which mixing matrices are reported over all sites and drawn as a map. */
export const siteLimit = 200;

/** Means of the mixing matrix between sites, before and after learning. */
export function mapFigure(law: MixingLaw, mean: Matrix, geometry: SiteGeometry | undefined, outputs: number): readonly Figure[] {
  if (mean.shape[0] > siteLimit * outputs) return [];
  const prior = meanMixing(law, outputs)[0]!;
  const basis = geometry?.siteBases?.[0];
  const before = siteMap(basis !== undefined && basis.shape[0] <= siteLimit ? expandSites(basis, prior) : prior, outputs);
  const after = siteMap(mean, outputs);
  return [
    {
      kind: "heatmaps",
      title: "Renormalisation of pairs of sites: mean of the mixing matrix",
      panels: [
        { label: "prior", values: before },
        { label: "posterior", values: after },
        {
          label: "difference",
          values: { data: after.data.map((value, k) => value - before.data[k]!), shape: after.shape },
          diverging: true,
        },
      ],
    },
  ];
}

/** Rows of the mixing matrix up to which its eigenvalues are drawn. */
const eigenvalueLimit = 200;

/** Eigenvalues of M_1 under posterior and prior; the infinite width as marks at those of E M_1. */
export function mixingFigures({ law, layout, outputs }: SiteProblem, draws: SiteDraws, seed: number): readonly Figure[] {
  if (layout.layers[0]!.rows > eigenvalueLimit) return [];
  const random = stream(seed, 9001);
  const mixingOf = (x: Float64Array): Matrix => gram(chainFactors(layout, coordinatesToFactors(layout, x).z)[0]!.f);
  const prior = (): Matrix => gram(sampleChainFactors(layout, random)[0]!.f);
  const means = Array.from(symmetricEigenvalues(meanMixing(law, outputs)[0]!));
  const distinct = means.filter((value, i) => i === 0 || value - means[i - 1]! > 1e-9 * value);
  return [
    eigenvalueFigure(
      draws.weights,
      (k) => mixingOf(draws.points[k]!),
      prior,
      distinct.map((x, i) => ({ label: i === 0 ? "infinite width" : "", x })),
    ),
  ];
}
