import { describe, FinitewidthError, inputError, joinPath } from "@finitewidth/core";

/** Steps of a sweep. */
export const mostSteps = 10_000;
const mostLayers = 10_000;
const mostUnits = 10_000_000;
const mostPadding = 10_000;
const mostDraws = 10_000_000;
const mostSamples = 1_000_000_000;
/** Variances beyond it leave no room for the squares of kernels, and theories would search long for what cannot be represented. */
const mostVariance = 1e100;

type Visit = (value: unknown, keys: readonly PropertyKey[]) => void;

/** Calls `visit` on everything in a value, rows of numbers left out. */
function walk(value: unknown, visit: Visit, keys: readonly PropertyKey[] = []): void {
  visit(value, keys);
  if (Array.isArray(value)) {
    if (typeof value[0] === "number" && value.length > 64) return;
    value.forEach((entry, i) => walk(entry, visit, [...keys, i]));
  } else if (typeof value === "object" && value !== null)
    for (const [key, entry] of Object.entries(value)) walk(entry, visit, [...keys, key]);
}

/**
 * Names that every object has (`constructor`, `__proto__`, …) are no keys of a file: objects with them as their own could be taken for
 * others. One error for each. `data` with rows of numbers costs one visit a row.
 */
export function inheritedNames(value: unknown): FinitewidthError[] {
  const errors: FinitewidthError[] = [];
  walk(value, (_entry, keys) => {
    const last = keys.at(-1);
    if (typeof last === "string" && last in Object.prototype) {
      const path = joinPath("", keys);
      errors.push(new FinitewidthError(`${path}: unknown key; this name belongs to every object`, { code: "input", path }));
    }
  });
  return errors;
}

/** Numbers in a network that no machine could hold: layers, units, padding, variances. Looked at before a schema makes anything of them. */
export function networkLimits(network: unknown, path: string): FinitewidthError[] {
  const errors: FinitewidthError[] = [];
  walk(network, (value, keys) => {
    const at = joinPath(path, keys);
    if (Array.isArray(value)) {
      if (value.length > mostLayers) errors.push(inputError(at, `at most ${mostLayers} entries`, value));
      if (keys.at(-1) === "inputShape") {
        const product = value.reduce((size: number, entry) => size * (typeof entry === "number" ? entry : 1), 1) as number;
        // a single entry beyond it is told below
        if (product > mostUnits && value.every((entry) => !(entry > mostUnits)))
          errors.push(inputError(at, `at most ${mostUnits} numbers per input`, product));
      }
    }
    if (keys.some((key) => String(key).endsWith("Variance"))) {
      if (typeof value === "number" && value > mostVariance) errors.push(inputError(at, `at most ${mostVariance}`, value));
      return;
    }
    const limit = keys.includes("padding") ? mostPadding : mostUnits;
    if (typeof value === "number" && Number.isInteger(value) && value > limit) errors.push(inputError(at, `at most ${limit}`, value));
  });
  return errors;
}

/** Whole numbers among the options of a method that no machine could work off. */
export function optionLimits(options: Readonly<Record<string, unknown>>, path: string): FinitewidthError[] {
  return Object.entries(options).flatMap(([key, value]) => {
    const limit = key === "chains" ? mostDraws / 1000 : mostDraws;
    return typeof value === "number" && key !== "seed" && value > limit ? [inputError(`${path}.${key}`, `at most ${limit}`, value)] : [];
  });
}

/** Numbers in the request of a data set that no machine could hold. */
export function dataLimits(data: unknown, path: string): FinitewidthError[] {
  if (typeof data !== "object" || data === null) return [];
  const { size, ...rest } = data as { readonly size?: unknown };
  const pixels = Array.isArray(size) ? size.reduce((product: number, side) => product * (typeof side === "number" ? side : 1), 1) : 1;
  const errors = pixels > mostUnits ? [inputError(`${path}.size`, `at most ${mostUnits} pixels`, pixels)] : [];
  for (const [key, value] of Object.entries(rest))
    if (typeof value === "number" && key !== "seed" && value > mostUnits)
      errors.push(inputError(`${path}.${key}`, `at most ${mostUnits}`, value));
  return errors;
}

/** @throws FinitewidthError (code "input") for values of f whose squares could not be held. */
export function valueLimit(rows: readonly (readonly number[])[], path: string): void {
  rows.forEach((row, i) =>
    row.forEach((value, a) => {
      if (Math.abs(value) > mostVariance) throw inputError(`${path}[${i}][${a}]`, `at most ${mostVariance} in size`, value);
    }),
  );
}

/** @throws FinitewidthError (code "input") for more networks than can be drawn. */
export function sampleLimit(samples: number, path: string): void {
  if (samples > mostSamples) throw inputError(path, `at most ${mostSamples}`, samples);
}

/** Key of a result: nothing that every object has, no control characters, not too long. */
export function checkLabel(label: string, path: string): void {
  // eslint-disable-next-line no-control-regex
  if (label in Object.prototype || label.length > 80 || /[\u0000-\u001f\u007f]/.test(label))
    throw new FinitewidthError(`${path}: expected a label of at most 80 printable characters, got ${describe(label)}`, {
      code: "input",
      path,
    });
}
