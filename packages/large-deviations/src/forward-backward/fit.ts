import { FinitewidthError, type Problem, type Task } from "@finitewidth/core";
import { symmetricEigenvalues } from "@finitewidth/linalg";
import type { FitContext, ForwardBackwardPosterior } from "./fit-context.js";
import { fitKernels } from "./fit-kernels.js";
import { fitProportional } from "./fit-proportional.js";
import type { ForwardBackwardOptions } from "./options.js";
import { settingOf, type Setting } from "./setting.js";

/**
 * @throws FinitewidthError (code "refused") naming the temperature at T = 0 with a singular readout kernel: no posterior interpolates then.
 */
function requireRegular({ infiniteWidth, temperature }: Setting): void {
  if (temperature > 0) return;
  const values = symmetricEigenvalues(infiniteWidth.at(-1)!);
  if (values[0]! > values.length * Number.EPSILON * values.at(-1)!) return;
  throw new FinitewidthError(
    `[forward-backward] likelihood.temperature: expected a number > 0, got 0: the readout kernel of these inputs is singular (duplicate, dependent or more inputs than features), so the outputs cannot interpolate the targets and the evidence does not exist`,
    { code: "refused", path: "likelihood.temperature", expected: "a number > 0", received: "0" },
  );
}

/** Fits the theory to a problem that it does not refuse. */
export function fitForwardBackward(problem: Problem, options: ForwardBackwardOptions, context: FitContext): ForwardBackwardPosterior {
  const setting = settingOf(problem, context.registry);
  requireRegular(setting);
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
