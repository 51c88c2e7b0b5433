import { reasonToRefuse, type Problem, type Run, type Task, type TaskContext } from "@finitewidth/core";
import type { MethodOutcome } from "./method-outcome.js";
import type { PlannedStep } from "./plan.js";
import type { PlannedMethod } from "./planned-methods.js";
import { runMethod } from "./run-method.js";

/** Numbers among the training inputs above which a problem is not sent elsewhere: its copies and kernels are dearer than waiting. */
const mostSent = 2e6;

/** One method on one network, as plain data. */
export interface MethodChunk {
  readonly method: Omit<PlannedMethod, "theory">;
  readonly problem: Problem;
  readonly test?: PlannedStep["data"]["test"];
  readonly seed: number;
}

/** What came out of it; null for a method that has chunks of its own to spread, which it had better do. */
export type MethodAnswer = Extract<MethodOutcome, { status: "ok" }> | null;

/**
 * Solves a problem with a method by name, alone. A method that asks for several chunks at once is left before the first of them is
 * computed: whoever asked runs it again where they can be spread. Failures are thrown.
 */
export const solveMethod: Task<MethodChunk, MethodAnswer> = {
  module: import.meta.url,
  name: "solveMethod",
  async run({ method, problem, test, seed }, { registry, tick }) {
    const alone = aloneRun(seed, { registry, tick });
    const planned = { ...method, theory: registry.theory(method.method, "method") };
    const outcome = await runMethod(planned, { problem }, { data: test ? { test } : {} }, alone.run);
    if (alone.spreads()) return null;
    if (outcome.status === "failed") throw outcome.error;
    return outcome;
  },
};

/** A run that computes single chunks here and gives up at the first map of several. */
function aloneRun(seed: number, { registry, tick }: TaskContext): { readonly run: Run; spreads(): boolean } {
  let several = false;
  return {
    spreads: () => several,
    run: {
      registry,
      seed,
      async *map(task, chunks) {
        if (chunks.length > 1) {
          several = true;
          throw new Error("several chunks are not computed in one place");
        }
        for (const chunk of chunks) yield await task.run(chunk, { registry, tick });
      },
    },
  };
}

/**
 * `runMethod` for many methods on many problems: each as a chunk of the run, but those that spread chunks of their own from here. Which
 * these are is learnt the first time; the numbers are the same.
 */
export function solveElsewhere(run: Run): typeof runMethod {
  const spreading = new Set<string>();
  return async (method, planned, step, own) => {
    const { theory: _theory, ...entry } = method;
    const key = JSON.stringify([entry, planned.label]);
    if (spreading.has(key) || planned.problem.inputs.shape[0] * planned.problem.inputs.shape[1] > mostSent)
      return runMethod(method, planned, step, own);
    const { test } = step.data;
    const chunk: MethodChunk = { method: entry, problem: planned.problem, ...(test ? { test } : {}), seed: own.seed };
    const started = performance.now();
    try {
      // a refusal is not sent after chunks that take long: its time would be theirs
      if (reasonToRefuse(method.theory, planned.problem, method.options, run.registry) !== undefined)
        return await runMethod(method, planned, step, own);
      for await (const answer of run.map(solveMethod, [chunk])) {
        if (answer !== null) return answer;
        spreading.add(key);
      }
      return await runMethod(method, planned, step, own);
    } catch (error) {
      run.signal?.throwIfAborted();
      const { label, method: name, named } = method;
      const seconds = (performance.now() - started) / 1000;
      return { label, method: name, named, status: "failed", error: error instanceof Error ? error : new Error(String(error)), seconds };
    }
  };
}
