import { access, constants, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { FinitewidthError, inputError, systemReason, toMatrix, type Matrix } from "@finitewidth/core";
import { decodeNpz } from "@finitewidth/core/npz";
import { jobsOf, Mistakes, outcomeToJson, planExperiment, runPlan, type Job, type Plan, type StepOutcome } from "@finitewidth/experiment";
import { loadRegistry } from "../builtin-registry.js";
import { fileReader, pluginsOf } from "../files.js";
import { dispatch, workerCount } from "../main.js";
import { makeFolder } from "../output-folder.js";
import { hashOfData, provenanceOf, type Provenance } from "../provenance.js";
import { openCompute } from "../session.js";
import { ArrayFile, packResult, withoutKernels } from "./arrays.js";

/** A request as its line has it; fields by what is to be done, see the page on the protocol. */
interface Request {
  readonly id: number;
  readonly do: string;
  readonly [field: string]: unknown;
}

/** What a request is answered with while it runs. */
interface Call {
  readonly request: Request;
  readonly signal: AbortSignal;
  readonly emit: (event: string, content: Record<string, unknown>) => void;
}

/** A finished run whose posteriors can still be asked. */
interface Kept {
  readonly plan: Plan;
  readonly results: readonly StepOutcome[];
  readonly workers: number;
  readonly provenance: Provenance;
}

/** Milliseconds between two events about progress. */
const pause = 100;

/** Answers requests, one after the other; a cancellation jumps the queue and is only `noticed`. Returns what takes a line. */
export function createServer(send: (message: object) => void, noticed: () => void): (line: string) => void {
  const kept = new Map<number, Kept>();
  const running = new Map<number, AbortController>();
  let queue = Promise.resolve();

  const answer = async (request: Request): Promise<void> => {
    const { id } = request;
    const controller = running.get(id)!;
    const emit: Call["emit"] = (event, content) => send({ id, event, ...content });
    try {
      controller.signal.throwIfAborted();
      const handler = handlers[request.do];
      if (!handler) throw mistake("do", `one of ${Object.keys(handlers).join(", ")}, cancel`, request.do);
      send({ id, result: (await handler({ request, signal: controller.signal, emit }, kept)) ?? null });
    } catch (error) {
      send({ id, error: controller.signal.aborted ? { code: "cancelled", message: "cancelled" } : described(error) });
    } finally {
      running.delete(id);
    }
  };

  return (line) => {
    let request: Request;
    try {
      request = requestOf(line);
    } catch (error) {
      send({ id: null, error: described(error) });
      return;
    }
    if (request.do === "cancel") {
      running.get(request.of as number)?.abort();
      noticed();
      return;
    }
    running.set(request.id, new AbortController());
    queue = queue.then(() => answer(request));
  };
}

/** The request in a line. @throws FinitewidthError (code "input"). */
function requestOf(line: string): Request {
  let request: Request | null;
  try {
    request = JSON.parse(line) as Request | null;
  } catch {
    throw inputError("request", "a line of JSON", line);
  }
  if (typeof request?.id !== "number") throw mistake("id", "a number", request?.id);
  return request;
}

/** An input error that tells a field that is missing from one that is wrong. */
function mistake(field: string, expected: string, value: unknown): FinitewidthError {
  if (value !== undefined) return inputError(field, expected, value);
  return new FinitewidthError(`${field}: required, expected ${expected}, got nothing`, {
    code: "input",
    path: field,
    expected,
    received: "nothing",
  });
}

/** An error with the path of its field, and all of them where there are several. */
function described(error: unknown): Record<string, unknown> {
  if (error instanceof Mistakes) return { ...error.toJSON(), errors: error.errors.map((one) => one.toJSON()) };
  if (error instanceof FinitewidthError) return { ...error.toJSON() };
  return { code: "failed", message: error instanceof Error ? error.message : String(error) };
}

const handlers: Readonly<Record<string, (call: Call, kept: Map<number, Kept>) => unknown>> = {
  run,
  predict,
  report,
  command,
  release: ({ request }, kept) => void kept.delete(request.of as number),
};

const text = (request: Request, field: string): string => {
  const value = request[field];
  if (typeof value !== "string") throw mistake(field, "text", value);
  return value;
};

/** The folder for arrays, made where it is not there yet. @throws FinitewidthError (code "file") when nothing can be written there. */
async function openFolder(request: Request): Promise<string> {
  const folder = text(request, "folder");
  try {
    await makeFolder(resolve(folder));
    await access(folder, constants.W_OK);
  } catch (cause) {
    throw new FinitewidthError(`folder: ${folder} cannot be written (${systemReason(cause)})`, { code: "file", path: "folder" }, { cause });
  }
  return folder;
}
const workersOf = ({ workers }: Request): number => workerCount(workers === undefined || workers === null ? undefined : String(workers));

/** Sends progress now and then: what is running, and the share of the whole that is done. */
function progressOf(emit: Call["emit"]) {
  let [label, finished, parts, last] = ["", 0, 1, 0];
  const tell = (within: number): void => {
    if (Date.now() - last < pause) return;
    last = Date.now();
    emit("progress", { stage: label, fraction: Math.min(1, (finished + within) / parts) });
  };
  return {
    stage(text: string, done: number, total: number) {
      [label, finished, parts] = [text, done, total];
      tell(0);
    },
    advance: (done: number, total: number): void => tell(total > 0 ? Math.min(1, done / total) : 0),
  };
}

/** Tells the caller, who sees no standard error, why there is one thread only. */
const inOneThread =
  (emit: Call["emit"]) =>
  (reason: string): void =>
    emit("warning", { message: `computing in one thread: ${reason}` });

async function run({ request, signal, emit }: Call, kept: Map<number, Kept>): Promise<unknown> {
  const { id, experiment, kernels = false, keep = false } = request;
  if (typeof experiment !== "object" || experiment === null || Array.isArray(experiment))
    throw mistake("experiment", "an object as experiment files have it", experiment);
  text(request, "folder");
  const base = text(request, "base");
  const workers = workersOf(request);
  const registry = await loadRegistry(pluginsOf(experiment), base, { allowPaths: request.allowPluginPaths === true });
  const plan = await planExperiment(experiment, { registry, readFile: fileReader(base) });
  const folder = await openFolder(request);
  const jobs = jobsOf(plan);
  const progress = progressOf(emit);
  const { seed } = plan.experiment;
  const dataHash = hashOfData([...new Set([plan.data, ...plan.steps.map((step) => step.data)])]);
  const compute = await openCompute({
    registry,
    seed,
    workers,
    signal,
    points: plan.data.train.inputs.shape[0],
    onProgress: progress.advance,
    onFallback: inOneThread(emit),
  });
  // of the backend that computes: threads that share the matrices are gone when it closes
  const provenance = provenanceOf(registry, "finitewidth serve", dataHash);
  let results: readonly StepOutcome[];
  let done = 0;
  try {
    results = await runPlan(plan, compute.run, {
      onStart: ({ method }) => progress.stage(method.label, done, jobs.length),
      onReferee: (judged, asked) => progress.stage("referee", judged, asked),
      onResult(job, outcome) {
        done += 1;
        if (jobs.length > 1)
          emit("outcome", { ...placeOf(job), outcome: outcomeToJson(kernels === true ? outcome : withoutKernels(outcome)) });
        progress.stage(job.method.label, done, jobs.length);
      },
    });
  } finally {
    compute.close();
  }
  if (keep) kept.set(id, { plan, results, workers, provenance });
  return packResult(plan, results, { kernels: kernels === true, folder, more: { provenance } });
}

const placeOf = ({ step, stepIndex, problem, method }: Job): Record<string, unknown> => ({
  ...(step.values ? { step: stepIndex, values: step.values } : {}),
  ...(problem.label === undefined ? {} : { network: problem.label }),
  method: method.label,
});

/** A run that is still here. @throws FinitewidthError (code "input") naming `of`. */
function found(request: Request, kept: Map<number, Kept>): Kept {
  const one = kept.get(request.of as number);
  if (!one) throw mistake("of", "the id of a run that was kept", request.of);
  return one;
}

/** Predictions of one method of a kept run at other inputs. */
async function predict({ request, signal, emit }: Call, kept: Map<number, Kept>): Promise<unknown> {
  const { plan, results, workers } = found(request, kept);
  const inputs = await inputsOf(text(request, "inputs"));
  const { step, problems } = results[(request.step as number | undefined) ?? 0]!;
  const one = problems.find(({ problem }) => problem.label === (request.network as string | undefined));
  const outcome = one?.outcomes.find(({ label }) => label === request.method);
  if (!one || outcome?.status !== "ok") throw inputError("method", "a method that has an answer", request.method);
  const features = one.problem.problem.inputs.shape[1];
  if (inputs.shape[1] !== features) throw inputError("inputs", `${features} features per row, like the training inputs`, inputs.shape[1]);
  const folder = await openFolder(request);
  const theory = plan.registry.theory(outcome.method);
  const compute = await openCompute({
    registry: plan.registry,
    seed: step.seed,
    workers,
    signal,
    points: one.problem.problem.inputs.shape[0],
    onProgress: progressOf(emit).advance,
    onFallback: inOneThread(emit),
  });
  try {
    const { mean, variance, probabilities } = await theory.predict(outcome.posterior, inputs, { covariance: false }, compute.run);
    const file = new ArrayFile();
    const put = (name: string, value: Matrix) => ({ [name]: file.put(name, value) });
    const answer = { ...put("mean", mean), ...put("variance", variance), ...(probabilities ? put("probabilities", probabilities) : {}) };
    await file.write(folder);
    return answer;
  } finally {
    compute.close();
  }
}

async function inputsOf(file: string): Promise<Matrix> {
  const { inputs } = decodeNpz(await readFile(file), "inputs", ["inputs"]).arrays;
  if (!inputs || inputs.shape.length !== 2) throw inputError("inputs", "a matrix named inputs", file);
  return toMatrix(inputs as Matrix, "inputs");
}

/** Writes the report of a kept run. */
async function report({ request }: Call, kept: Map<number, Kept>): Promise<unknown> {
  const { plan, results, provenance } = found(request, kept);
  const { experimentReport } = await import("../report/experiment-report.js");
  const file = join(await openFolder(request), "report.html");
  await writeFile(file, experimentReport(plan, results, (request.title as string | undefined) ?? "finitewidth", provenance));
  return { file };
}

/** A command as it would be typed; its files stay where it writes them. */
async function command({ request, signal, emit }: Call): Promise<unknown> {
  const { argv } = request;
  if (!Array.isArray(argv) || !argv.every((one) => typeof one === "string")) throw mistake("argv", "a list of texts", argv);
  if (argv[0] === "serve") throw inputError("argv[0]", "a command other than the one that serves already", argv[0]);
  const notes: string[] = [];
  const printed: string[] = [];
  const status = await dispatch(argv, signal, {
    stdout: { write: (part) => void printed.push(part) },
    stderr: {
      isTTY: true,
      write(part) {
        // A terminal redraws in place; what ends a line is said, not drawn.
        const line = part.replaceAll("\r\u001B[K", "").trimEnd();
        if (part.endsWith("\n")) notes.push(line);
        if (line !== "") emit("progress", { stage: line });
      },
    },
  });
  return { status, stdout: printed.join(""), notes };
}
