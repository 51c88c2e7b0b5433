import { bridgeTask, chainTask, importanceTask, ratiosTask, type SamplingSource } from "../sampling/work.js";
import type { SiteModel } from "./problem.js";
import { siteTarget } from "./target.js";

/** Parts of the sampling of mixing matrices over sites, for workers. */
export const siteChains = chainTask(import.meta.url, "siteChains", siteTarget);
export const siteBridges = bridgeTask(import.meta.url, "siteBridges", siteTarget);
export const siteRatios = ratiosTask(import.meta.url, "siteRatios", siteTarget);
export const siteImportance = importanceTask(import.meta.url, "siteImportance", siteTarget);

/** The target of a problem over sites with the tasks that sample it. */
export function siteSource({ law, layout, covariance, targets, outputs, temperature, weights }: SiteModel): SamplingSource<SiteModel> {
  const model: SiteModel = {
    law: { chain: law.chain },
    layout,
    covariance,
    targets,
    outputs,
    temperature,
    ...(weights === undefined ? {} : { weights }),
  };
  return {
    target: siteTarget(model),
    data: model,
    tasks: { chain: siteChains, bridge: siteBridges, ratios: siteRatios, importance: siteImportance },
  };
}
