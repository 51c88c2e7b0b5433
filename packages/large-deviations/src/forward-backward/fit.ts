import type { Problem, Task } from "@finitewidth/core";
import type { FitContext, ForwardBackwardPosterior } from "./fit-context.js";
import { fitKernels } from "./fit-kernels.js";
import { fitProportional } from "./fit-proportional.js";
import type { ForwardBackwardOptions } from "./options.js";
import { settingOf } from "./setting.js";

/** Fits the theory to a problem that it does not refuse. */
export function fitForwardBackward(problem: Problem, options: ForwardBackwardOptions, context: FitContext): ForwardBackwardPosterior {
  const setting = settingOf(problem, context.registry);
  return options.order === "proportional"
    ? fitProportional(problem, setting, options, context)
    : fitKernels(problem, setting, options, context);
}

/** A fit as plain data. */
export interface FitChunk {
  readonly problem: Problem;
  readonly options: ForwardBackwardOptions;
  readonly seed: number;
}

/** `fitForwardBackward` for workers, so that a long solution can be followed and cancelled. */
export const fitTask: Task<FitChunk, ForwardBackwardPosterior> = {
  module: import.meta.url,
  name: "fitTask",
  run: ({ problem, options, seed }, { registry, tick }) => fitForwardBackward(problem, options, { registry, seed, tick }),
};
