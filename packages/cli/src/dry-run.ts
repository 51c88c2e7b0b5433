import { hiddenWidths, resolveArchitecture, rowRange, zeros, type Matrix, type Run } from "@finitewidth/core";
import { isRefereed, runMethod, type Plan, type PlannedMethod, type PlannedProblem, type PlannedStep } from "@finitewidth/experiment";

/** What a method, or the referee, is expected to cost over the whole plan. */
export interface Estimate {
  readonly label: string;
  /** Seconds for all steps and networks; undefined when it refuses or fails on small parts. */
  readonly seconds?: number;
  /** Least bytes at the largest problem: the kernels of every layer. */
  readonly bytes?: number;
  readonly remark?: string;
}

const probes = [20, 40, 80];
/** Seconds that one probe may take; longer ones are extrapolated from how far they came. */
const patience = 4;

/**
 * Tries every method on the first 20, 40 and 80 training points of the first and the last step, and extends the measured power of P to the
 * whole. `open` gives a run that is cut off and tells how far it came.
 */
export async function estimatePlan(
  plan: Plan,
  open: (signal: AbortSignal, onProgress: (done: number, total: number) => void) => { readonly run: Run; close(): void },
): Promise<Estimate[]> {
  const ends = [...new Set([plan.steps[0]!, plan.steps.at(-1)!])];
  const labels = [...new Set(plan.steps.flatMap(({ problems }) => problems.flatMap(({ methods }) => methods.map(({ label }) => label))))];
  const estimates: Estimate[] = [];
  for (const label of labels) {
    let [seconds, count, bytes] = [0, 0, 0];
    let remark: string | undefined;
    for (const step of ends)
      for (const problem of step.problems) {
        const method = problem.methods.find((one) => one.label === label);
        if (!method) continue;
        const { network, inputs } = problem.problem;
        bytes = Math.max(bytes, 8 * (hiddenWidths(resolveArchitecture(plan.registry, network)).length + 2) * inputs.shape[0] ** 2);
        const one = await extrapolate(method, problem, step, open);
        if (typeof one === "string") remark = one;
        else [seconds, count] = [seconds + one, count + 1];
      }
    const times = plan.steps.reduce(
      (sum, { problems }) => sum + problems.filter(({ methods }) => methods.some((one) => one.label === label)).length,
      0,
    );
    estimates.push({
      label,
      bytes,
      ...(count > 0 ? { seconds: (seconds / count) * times } : {}),
      ...(remark === undefined ? {} : { remark }),
    });
  }
  return [...estimates, ...refereeEstimate(plan)];
}

/** The referee counts its operations beforehand and stays within the seconds it is given for each network. */
function refereeEstimate(plan: Plan): Estimate[] {
  const { referee } = plan.experiment;
  const networks = plan.steps.reduce((sum, { problems }, step) => sum + (isRefereed(plan, step) ? problems.length : 0), 0);
  if (referee === false || networks === 0) return [];
  const { seconds } = referee;
  const remark = `at most: ${networks === 1 ? "one network is" : `${networks} networks are`} sampled for up to ${seconds} s; --referee off leaves it out`;
  return [{ label: "referee", seconds: networks * seconds, remark }];
}

async function extrapolate(
  method: PlannedMethod,
  planned: PlannedProblem,
  step: PlannedStep,
  open: Parameters<typeof estimatePlan>[1],
): Promise<number | string> {
  const { problem } = planned;
  const all = problem.inputs.shape[0];
  const sizes = [...new Set(probes.map((size) => Math.min(size, all)))];
  const order = firstOfEveryKind(problem.targets);
  const measured: { readonly points: number; readonly seconds: number }[] = [];
  for (const points of sizes) {
    const part = {
      ...planned,
      problem: { ...problem, inputs: chosenRows(problem.inputs, order, points), targets: chosenRows(problem.targets, order, points) },
    };
    const controller = new AbortController();
    let fraction = 0;
    const { run, close } = open(controller.signal, (done, total) => (fraction = total > 0 ? done / total : 0));
    const started = performance.now();
    const timer = setTimeout(() => controller.abort(new Error("long enough")), patience * 1000);
    const elapsed = (): number => (performance.now() - started) / 1000;
    try {
      const outcome = await runMethod(method, part, withoutTest(step), run);
      if (outcome.status === "failed") return outcome.error.message;
      measured.push({ points, seconds: elapsed() });
    } catch {
      measured.push({ points, seconds: elapsed() / Math.max(fraction, 0.01) });
      break;
    } finally {
      clearTimeout(timer);
      close();
    }
  }
  return extended(measured, all);
}

/** Rows in an order that begins with one of every different target, so that a few points have every class. */
export function firstOfEveryKind(targets: Matrix): number[] {
  const seen = new Set<string>();
  const [first, rest]: [number[], number[]] = [[], []];
  for (let i = 0; i < targets.shape[0]; i++) {
    const kind = rowRange(targets, i, i + 1).data.join();
    (seen.has(kind) ? rest : first).push(i);
    seen.add(kind);
  }
  return [...first, ...rest];
}

function chosenRows(m: Matrix, order: readonly number[], count: number): Matrix {
  const out = zeros(count, m.shape[1]);
  for (let i = 0; i < count; i++) out.data.set(rowRange(m, order[i]!, order[i]! + 1).data, i * m.shape[1]);
  return out;
}

const withoutTest = (step: PlannedStep): PlannedStep => {
  const train: { readonly inputs: Matrix; readonly targets: Matrix } = step.data.train;
  return { ...step, data: { train } };
};

/** Seconds at `all` points by the power of P between the last two measurements, at least 0 and at most 3; in proportion to P after one. */
export function extended(measured: readonly { readonly points: number; readonly seconds: number }[], all: number): number {
  const last = measured.at(-1)!;
  const before = measured.at(-2);
  if (last.points === all) return last.seconds;
  const power = before ? Math.min(3, Math.max(0, Math.log(last.seconds / before.seconds) / Math.log(last.points / before.points))) : 1;
  return last.seconds * (all / last.points) ** power;
}
