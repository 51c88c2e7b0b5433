import {
  inputError,
  name,
  positiveInteger,
  positiveNumber,
  strictObject,
  validate,
  type ExperimentObject,
  type Json,
} from "@finitewidth/core";
import * as v from "valibot";

const optimise = strictObject({
  over: v.pipe(
    v.record(
      v.string(),
      v.array(positiveNumber, "[least, largest], positive numbers (of depth a list of all to try)"),
      "an object of ranges",
    ),
    v.check((over) => Object.keys(over).length > 0, "at least one value with its range"),
  ),
  method: v.union([name, v.looseObject({ method: name })], 'a method\'s name or an object with "method"'),
  starts: v.optional(positiveInteger, 3),
  /** Method whose own best values are told beside; infinite width by default. */
  reference: v.optional(name, "nngp"),
});

/** What is to be maximised over what. */
export interface OptimiseRequest {
  readonly over: Readonly<Record<string, readonly number[]>>;
  /** [least, largest] of every value but the depth. */
  readonly ranges: Readonly<Record<string, readonly number[]>>;
  /** Numbers of hidden layers to try; [undefined]: that of the file. */
  readonly depths: readonly (number | undefined)[];
  readonly method: { readonly method: string; readonly [option: string]: unknown };
  readonly starts: number;
  readonly reference?: string;
}

/**
 * The request of an experiment file with `optimise`, and the file as an experiment of that method alone. @throws FinitewidthError (code
 * "input") naming the field.
 */
export function parseOptimise(file: unknown): { readonly request: OptimiseRequest; readonly experiment: ExperimentObject } {
  if (typeof file !== "object" || file === null || Array.isArray(file)) throw inputError("value", "an object", file);
  const { optimise: written, sweep, networks, methods: _methods, ...rest } = file as ExperimentObject;
  if (written === undefined) throw inputError("optimise", 'an object with "over" and "method"', written);
  if (sweep !== undefined) throw inputError("sweep", "no sweep in a file to optimise", sweep);
  if (networks !== undefined) throw inputError("networks", "one network in a file to optimise", networks);
  const { over, method, starts, reference } = validate(optimise, written, "optimise");
  const { depth, ...ranges } = over;
  for (const [key, range] of Object.entries(ranges)) {
    const path = `optimise.over.${key}`;
    if (range.length !== 2 || !(range[0]! < range[1]!))
      throw inputError(path, "[least, largest], the first smaller", range.length === 2 ? `from ${range[0]} to ${range[1]}` : range);
    if (key === "widths" && !range.every(Number.isInteger)) throw inputError(path, "two integers", range);
  }
  if (depth && !(depth.length > 0 && depth.every(Number.isInteger)))
    throw inputError("optimise.over.depth", "a list of numbers of layers", depth);
  const own = typeof method === "string" ? { method } : method;
  return {
    request: { over, ranges, depths: depth ?? [undefined], method: own, starts, ...(reference === own.method ? {} : { reference }) },
    experiment: { ...rest, methods: [own as Json], referee: false },
  };
}
