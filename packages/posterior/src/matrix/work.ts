import { zeros } from "@finitewidth/core";
import type { PlainChain } from "../exact/chain.js";
import { bridgeTask, chainTask, importanceTask, ratiosTask, type SamplingSource } from "../sampling/work.js";
import type { SpectralProblem } from "../spectrum/problem.js";
import { matrixTarget, type MatrixTarget } from "./target.js";

/** What the likelihood of a chain over outputs is made from: no matrix of the size of the data. */
export interface MatrixModel {
  readonly chain: PlainChain;
  readonly problem: SpectralProblem;
}

const build = ({ chain, problem }: MatrixModel): MatrixTarget => matrixTarget(chain, problem);

/** Parts of the sampling of mixing matrices, for workers. */
export const mixingChains = chainTask(import.meta.url, "mixingChains", build);
export const mixingBridges = bridgeTask(import.meta.url, "mixingBridges", build);
export const mixingRatios = ratiosTask(import.meta.url, "mixingRatios", build);
export const mixingImportance = importanceTask(import.meta.url, "mixingImportance", build);

/** The target with the tasks that sample it; eigenvectors stay here. */
export function matrixSource(target: MatrixTarget, problem: SpectralProblem): SamplingSource<MatrixModel> {
  const model = { chain: target.chain, problem: { ...problem, spectrum: { values: problem.spectrum.values, vectors: zeros(0, 0) } } };
  return { target, data: model, tasks: { chain: mixingChains, bridge: mixingBridges, ratios: mixingRatios, importance: mixingImportance } };
}
