export { loadData, resolveSource, type FileReader } from "./data.js";
export { figureLab, reproduceFigure, type LabHooks, type ReproducedFigure } from "./figure-lab.js";
export { fileKinds, fileSchema, type FileKind, type JsonSchema } from "./json-schema.js";
export { parseJsonText } from "./json-text.js";
export * from "./method-outcome.js";
export { MistakeList, Mistakes, nearest, withSuggestion } from "./mistakes.js";
export { parseExperiment, parsePhaseFile, parsePriorFile } from "./parse.js";
export { optimiseEvidence, type Evaluation, type OptimiseResult, type OptimiseSettings, type Optimum } from "./optimise.js";
export { planExperiment, type Plan, type PlannedProblem, type PlannedStep, type PlanSettings } from "./plan.js";
export type { PlannedMethod } from "./planned-methods.js";
export { hiddenKernelArrays, kernelTextLimit, outcomeToJson, resolvedExperiment, resultToJson, savedDraws } from "./result-json.js";
export * from "./run-experiment.js";
export { runMethod } from "./run-method.js";
export { solveMethod } from "./solve-elsewhere.js";
export { planPrior, priorOutcomeToJson, runPrior, type PriorHooks, type PriorOutcome, type PriorPlan } from "./run-prior.js";
export {
  axisValues,
  type DatasetRequest,
  type DataSource,
  type Experiment,
  type InlineData,
  type MethodEntry,
  type PhaseFile,
  type PriorFile,
} from "./schema.js";
export { generalizationError, generalizationStandardError, type GeneralizationError } from "@finitewidth/core";
export { sampledNumber, type Belief, type Beliefs } from "./beliefs.js";
export { isRefereed, type Verdicts } from "./verdicts.js";
export { positionOf, sweepKey, sweepSteps, type SweepValues } from "./sweep.js";
export { builtinSweepKeys } from "./sweep-keys.js";
