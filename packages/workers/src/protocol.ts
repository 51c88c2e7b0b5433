import { FinitewidthError, type ErrorDetails } from "@finitewidth/core";

/** What a worker exposes over Comlink. */
export interface WorkerApi {
  /** Finds the plug-ins of the run among those that the worker was given, or imports them; once per worker. */
  configure(plugins: readonly Address[]): Promise<Envelope>;
  /** Runs a task on a chunk. `control`: shared words, see `controlWords`; undefined where memory cannot be shared. */
  run(task: Address, chunk: unknown, control: SharedArrayBuffer | undefined): Promise<Envelope>;
}

/** Where a plug-in or a task is found: by name in a worker that was given it, else in a module of its own. */
export interface Address {
  readonly name: string;
  /** Left out where there is no such module: its URL is that of a bundle. */
  readonly module?: string;
}

/** A result, or an error as plain data: structured clone drops the class and the fields of errors. */
export type Envelope = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ErrorRecord };

/** An error as plain data. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly details?: ErrorDetails;
}

/** Layout of the shared control block: a cancel flag (Int32) and the fraction done (Float64). */
export const controlBytes = 16;
export const controlWords = (buffer: SharedArrayBuffer): { readonly cancel: Int32Array; readonly fraction: Float64Array } => ({
  cancel: new Int32Array(buffer, 0, 1),
  fraction: new Float64Array(buffer, 8, 1),
});

/** Turns an error into plain data. */
export function recordError(error: unknown): ErrorRecord {
  if (error instanceof FinitewidthError)
    return {
      name: error.name,
      message: error.message,
      ...(error.stack === undefined ? {} : { stack: error.stack }),
      details: error.toJSON(),
    };
  if (error instanceof Error)
    return { name: error.name, message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) };
  return { name: "Error", message: String(error) };
}

/** Turns plain data back into the error that was thrown: our class with code and path, or one of the built-in ones. */
export function restoreError(record: ErrorRecord): Error {
  const classes: Record<string, new (message: string) => Error> = { RangeError, TypeError, SyntaxError };
  const error = record.details ? new FinitewidthError(record.message, record.details) : new (classes[record.name] ?? Error)(record.message);
  if (record.stack !== undefined) error.stack = record.stack;
  return error;
}

/** Thrown by `tick` when the run was cancelled; never leaves the pool. */
export const cancelled = "finitewidth: cancelled";
