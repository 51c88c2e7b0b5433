import {
  FinitewidthError,
  inputError,
  type ExperimentObject,
  type Json,
  type Registry,
  type SweepDraft,
  type SweepKey,
} from "@finitewidth/core";
import { parsePath, setPath } from "./json-path.js";
import { mostSteps } from "./limits.js";
import { builtinSweepKeys } from "./sweep-keys.js";

/** Values that one step of a sweep puts in, by key, in the order of the file. */
export type SweepValues = Readonly<Record<string, Json>>;

/** What a sweep may change, the top of every path. */
const roots = ["data", "network", "networks", "scaling", "likelihood", "methods", "seed"];

/** A registered short name, or any path of the experiment. @throws FinitewidthError (code "input") naming it below `where`. */
export function sweepKey(name: string, registry: Registry, where = "sweep"): SweepKey {
  const known = [...builtinSweepKeys, ...registry.sweepKeys];
  const registered = known.find((key) => key.name === name);
  if (registered) return registered;
  const keys = parsePath(name);
  if (keys === undefined || !roots.includes(String(keys[0]))) {
    const names = [...known.map((key) => key.name), ...roots].join(", ");
    throw new FinitewidthError(`${where}.${name}: unknown key; expected one of ${names} or a path such as network.activation`, {
      code: "input",
      path: `${where}.${name}`,
    });
  }
  return {
    name,
    summary: `${name} of the experiment`,
    apply: (draft, value) => ({ ...draft, experiment: setPath(draft.experiment as Json, keys, value, name) as ExperimentObject }),
  };
}

/** The experiment with methods as objects, so that paths into them exist. */
export function draftOf(experiment: ExperimentObject): SweepDraft {
  const { methods, sweep: _sweep, ...rest } = experiment;
  if (!Array.isArray(methods)) return { experiment: { ...rest, ...(methods === undefined ? {} : { methods }) } };
  return {
    experiment: { ...rest, methods: methods.map((entry: Json) => (typeof entry === "string" && entry !== "" ? { method: entry } : entry)) },
  };
}

/** The draft of a step: the values put in, keys of small order first. */
export function applyValues(draft: SweepDraft, values: SweepValues, keys: readonly SweepKey[], registry: Registry): SweepDraft {
  return keys
    .filter((key) => Object.hasOwn(values, key.name))
    .sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
    .reduce((current, key) => key.apply(current, values[key.name]!, registry), draft);
}

/**
 * All combinations of the values of a sweep, the last key of the file fastest. @throws FinitewidthError (code "input") for more than
 * `mostSteps`, before any is made.
 */
export function sweepSteps(sweep: Readonly<Record<string, readonly unknown[]>>): SweepValues[] {
  const count = Object.values(sweep).reduce((product, values) => product * values.length, 1);
  if (count > mostSteps) throw inputError("sweep", `at most ${mostSteps} steps`, count);
  let steps: Record<string, Json>[] = [{}];
  for (const [key, values] of Object.entries(sweep))
    steps = steps.flatMap((step) => values.map((value) => ({ ...step, [key]: value as Json })));
  return steps;
}

/** Position of a value on the axis of its key: the key's own, a number as it is, else its place in the list. */
export function positionOf(key: SweepKey, value: Json, values: readonly unknown[]): { readonly x: number; readonly numeric: boolean } {
  const own = key.position ? key.position(value) : typeof value === "number" ? value : undefined;
  if (own !== undefined && Number.isFinite(own)) return { x: own, numeric: true };
  const text = JSON.stringify(value);
  return { x: values.findIndex((other) => JSON.stringify(other) === text), numeric: false };
}
