import { inputError, reasonToRefuse, validateAll, type Problem, type Registry, type Theory } from "@finitewidth/core";
import { checkLabel } from "./limits.js";
import type { MistakeList } from "./mistakes.js";
import type { Experiment, MethodEntry } from "./schema.js";

/** A method with its options resolved. */
export interface PlannedMethod {
  /** Key of its results. */
  readonly label: string;
  /** Name of the theory. */
  readonly method: string;
  readonly theory: Theory;
  readonly options: unknown;
  /** Whether the derivatives of the log evidence are wanted too. */
  readonly gradients?: boolean;
  /** False when `"methods": "applicable"` chose it. */
  readonly named: boolean;
  /** Draws are wanted in a file. */
  readonly save?: boolean;
}

/** Every entry of `methods`, or "applicable". */
export function resolveMethods(
  entries: Experiment["methods"] | undefined,
  registry: Registry,
  mistakes: MistakeList,
): readonly PlannedMethod[] | "applicable" {
  if (entries === "applicable") return entries;
  return (entries ?? []).flatMap((entry, i) => resolveMethod(entry, i, entries!, registry, mistakes) ?? []);
}

/** One entry of `methods`; undefined when something was wrong with it. */
export function resolveMethod(
  { method, label, save, options }: MethodEntry,
  i: number,
  entries: readonly MethodEntry[],
  registry: Registry,
  mistakes: MistakeList,
): PlannedMethod | undefined {
  const path = `methods[${i}]`;
  mistakes.attempt(() => checkLabel(label, `${path}.label`));
  if (entries.findIndex((other) => other.label === label) !== i)
    mistakes.add(inputError(path, 'each method once, or with a "label" of its own (results are keyed by it)', label));
  const theory = mistakes.attempt(() => registry.theory(method, path));
  if (!theory) return undefined;
  const { gradients, ...rest } = options;
  // a theory may have an option of that name itself, as sampling does
  const own = gradients !== undefined && !("errors" in validateAll(theory.options, { gradients }));
  if (gradients !== undefined && !own && typeof gradients !== "boolean")
    mistakes.add(inputError(`${path}.gradients`, "true or false", gradients));
  const resolved = validateAll(theory.options, own ? options : rest, path);
  if ("errors" in resolved) {
    for (const error of resolved.errors) mistakes.add(error);
    return undefined;
  }
  return {
    label,
    method,
    theory,
    options: resolved.value,
    ...(gradients === true && !own ? { gradients } : {}),
    ...(save ? { save } : {}),
    named: true,
  };
}

/** Every registered theory that takes its default options and does not refuse the problem. */
export function applicable(problem: Problem, registry: Registry): PlannedMethod[] {
  return registry.theories.flatMap((theory): PlannedMethod[] => {
    const options = validateAll(theory.options, {});
    if ("errors" in options) return [];
    try {
      if (reasonToRefuse(theory, problem, options.value, registry) !== undefined) return [];
    } catch {
      return [];
    }
    return [{ label: theory.name, method: theory.name, theory, options: options.value, named: false }];
  });
}
