import type { Run } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { importanceSample } from "../sampling/importance.js";
import { laplaceFit } from "../sampling/laplace.js";
import { latticeSample } from "../sampling/lattice.js";
import type { PosteriorSample } from "../sampling/target.js";
import type { SiteProblem } from "./problem.js";
import { siteTarget } from "./target.js";

/** Weighted draws of the chain's coordinates. */
export async function sampleSiteChain(problem: SiteProblem, run: Run): Promise<PosteriorSample> {
  const target = siteTarget(problem);
  const fit = laplaceFit(target);
  run.signal?.throwIfAborted();
  const lattice = target.dimension <= 3 ? latticeSample(target, fit) : undefined;
  return lattice ?? importanceSample(target, fit, 8000, stream(run.seed, 11), () => run.signal?.throwIfAborted());
}
