import type { Digits } from "../model/digits.js";
import type { Rows } from "../model/data.js";
import { networkOf, sampler, slowMethods, sweptWidths } from "../model/experiment.js";
import type { ExploreState } from "../model/state.js";
import { averageOf, nothing, type Answers } from "./answers.js";
import { Lane, latest, remote } from "./lane.js";
import type {
  ChainAnswer,
  ChainRequest,
  PhaseAnswer,
  Solved,
  SolveRequest,
  VerdictAnswer,
  VerdictRequest,
  WorkerData,
} from "./messages.js";
import { PreparedData } from "./prepared-data.js";

const solve = remote<SolveRequest, Solved>("solveTask");
const plane = remote<{ readonly activation: string; readonly weight: readonly number[]; readonly bias: readonly number[] }, PhaseAnswer>(
  "phaseTask",
);
const priorDraws = remote<ChainRequest, readonly Float64Array[]>("priorDrawsTask");
const chain = remote<ChainRequest, ChainAnswer>("chainTask");
const isLinear = remote<string, boolean>("linearTask");
const verdict = remote<VerdictRequest, VerdictAnswer>("verdictTask");

/** Milliseconds without a touch after which the slow questions are asked. */
const calm = 350;
/** Milliseconds after which an answer to an old question is given up. */
const patience = 500;
/** Widths at which networks are sampled, and runs of each. */
const sampledWidths = [3, 12, 50];
const mostRuns = 24;
const mostStretches = 150;
/** Points up to which theories of cubic equations over pairs of points are asked by themselves. */
const fewPoints = 30;

/** Computes what a state asks for in workers and tells what has changed. The latest state wins; nothing queues up. */
export class Session {
  answers: Answers = nothing;
  /** Milliseconds from a state to each method's answer, newest last. */
  readonly latencies: { readonly method: string; readonly milliseconds: number; readonly inWorker: number }[] = [];
  running = true;
  #state: ExploreState | undefined;
  readonly #data = new PreparedData();
  /** The theory that takes longest on nonlinear networks has a lane of its own. */
  readonly #quick = [["nngp", "exact"], ["effective-action"]].map((methods): QuickLane => {
    const own: QuickLane = {
      lane: new Lane(),
      methods,
      done: 0,
      since: undefined,
      solve: latest<SolveTogether>((asked) => this.#solveAll(own, asked)),
    };
    return own;
  });
  readonly #slow = new Lane();
  readonly #chains = new Lane();
  readonly #samples = new Lane();
  #generation = 0;
  #slowBusy = false;
  #chainBusy = false;
  #sampleBusy = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #changed: () => void;
  readonly #digits: () => Digits | undefined;

  constructor(changed: () => void, digits: () => Digits | undefined) {
    this.#changed = changed;
    this.#digits = digits;
  }

  /** Rows of a state, made once for the same data. @throws FinitewidthError where the data do not fit. */
  rows(state: ExploreState): Rows {
    return this.#data.of(state, this.#digits()).rows;
  }

  /** Whether the quick theories have answered for the present state. */
  get isSettled(): boolean {
    return this.#generation > 0 && this.#quick.every(({ done }) => done === this.#generation);
  }

  /** Shows another state. */
  show(state: ExploreState): void {
    const { data } = this.#data.of(state, this.#digits());
    const samePlane = this.#state?.activation === state.activation ? this.answers.phase : undefined;
    this.#state = state;
    this.#generation += 1;
    // Old numbers stay on the screen until the new ones are there, apart from those that belong to other networks.
    this.answers = { ...nothing, solved: this.answers.solved, priorFunctions: [], ...(samePlane ? { phase: samePlane } : {}) };
    const asked = { state, data, generation: this.#generation, since: performance.now() };
    for (const one of this.#quick) {
      if (one.since !== undefined && asked.since - one.since > patience) one.lane.cancel();
      one.solve(asked);
    }
    if (this.#slowBusy) this.#slow.cancel();
    if (this.#chainBusy) this.#chains.cancel();
    if (this.#sampleBusy) this.#samples.cancel();
    this.#slowBusy = this.#chainBusy = this.#sampleBusy = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      void this.#askSlow(asked);
      void this.#sample(asked);
      void this.#runChain(asked);
    }, calm);
    this.#changed();
  }

  /** Goes on or stops with what never ends by itself: the chain and the sampled points. */
  pause(paused: boolean): void {
    this.running = !paused;
    if (!paused && this.#state) this.show(this.#state);
  }

  /** `width`: of the touched layer instead of its own; only the numbers that are drawn against it are answered. */
  #request({ state, data }: SolveTogether, method: string, width?: number): SolveRequest {
    const { temperature, seed, layer } = state;
    return { network: networkOf(state, width), temperature, method, data, seed, ...(width === undefined ? { layer } : {}) };
  }

  #update(change: Partial<Answers>): void {
    this.answers = { ...this.answers, ...change };
    this.#changed();
  }

  #keep(solved: Solved, isCurrent = true): void {
    const { method } = solved;
    const { current } = this.answers;
    const solvedNow = new Map(this.answers.solved).set(method, solved);
    this.#update({ solved: solvedNow, current: isCurrent ? new Set(current).add(method) : current });
  }

  async #solveAll(own: QuickLane, asked: SolveTogether): Promise<void> {
    const current = (): boolean => asked.generation === this.#generation;
    try {
      for (const method of own.methods) {
        own.since = performance.now();
        const solved = await own.lane.ask(solve, this.#request(asked, method));
        this.latencies.push({ method, milliseconds: performance.now() - asked.since, inWorker: solved.milliseconds });
        this.#keep(solved, current());
        // Someone has touched again: the rest is for the new state.
        if (!current()) return;
      }
      own.done = asked.generation;
      this.#changed();
    } catch (error) {
      if (current()) throw error;
    } finally {
      own.since = undefined;
    }
  }

  async #askSlow(asked: SolveTogether): Promise<void> {
    const current = (): boolean => asked.generation === this.#generation;
    this.#slowBusy = true;
    try {
      if (!this.answers.phase) {
        const grid = (from: number, to: number, count: number) =>
          Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
        const phase = await this.#slow.ask(plane, { activation: asked.state.activation, weight: grid(0.1, 3, 40), bias: grid(0, 1, 26) });
        if (!current()) return;
        this.#update({ phase });
      }
      await Promise.all([...this.#quick.map((own) => this.#sweepWidths(own, asked, current)), this.#judge(asked, current)]);
    } catch (error) {
      if (current()) throw error;
    } finally {
      if (current()) this.#slowBusy = false;
    }
  }

  /** Theories against the width of the touched layer: where they are quick, in the worker that answers touches, which is warm then. */
  async #sweepWidths(own: QuickLane, asked: SolveTogether, current: () => boolean): Promise<void> {
    for (const method of own.methods) {
      const taken = this.answers.solved.get(method)?.milliseconds ?? 0;
      const lane = taken > 150 ? this.#slow : own.lane;
      for (const width of taken > 300 ? sweptWidths.filter((_, i) => i % 3 === 0) : sweptWidths) {
        const solved = await lane.ask(solve, this.#request(asked, method, width));
        if (!current()) return;
        const sweep = new Map(this.answers.sweep);
        this.#update({ sweep: sweep.set(method, new Map(sweep.get(method)).set(width, solved)) });
        if (solved.status === "failed") break;
      }
    }
  }

  /** The slower theories where they are quick enough, then the verdict on all. */
  async #judge(asked: SolveTogether, current: () => boolean): Promise<void> {
    const { state, data } = asked;
    const points = data.train.inputs.shape[0];
    const isQuick = points <= fewPoints || (await this.#slow.ask(isLinear, state.activation));
    for (const method of slowMethods) {
      const solved = isQuick ? await this.#slow.ask(solve, this.#request(asked, method)) : notAsked(method, points);
      if (!current()) return;
      this.#keep(solved);
    }
    const methods = [...this.answers.solved.values()].filter(({ status }) => status === "ok").map(({ method }) => method);
    const likelihood = { temperature: state.temperature };
    const experiment = { network: networkOf(state), likelihood, methods, seed: state.seed, referee: { seconds: 4 } };
    const verdicts = await this.#slow.ask(verdict, { experiment, data, seed: state.seed });
    if (current()) this.#update({ verdicts });
  }

  /** Independent short runs of real networks, one width after the other: the error bars shrink while one looks. */
  async #sample(asked: SolveTogether): Promise<void> {
    if (!asked.data.test?.targets) return;
    const current = (): boolean => asked.generation === this.#generation;
    const totals = new Map<number, number[]>();
    const options = { chains: 2, draws: 40, warmup: 60 };
    this.#sampleBusy = true;
    try {
      for (let run = 0; run < mostRuns && this.running; run++)
        for (const width of sampledWidths) {
          const request = { ...this.#request(asked, sampler, width), options };
          const { error } = await this.#samples.ask(solve, { ...request, seed: asked.state.seed + 1000 * (run + 1) });
          if (!current() || !error) return;
          totals.set(width, [...(totals.get(width) ?? []), error.total]);
          this.#update({ sampled: new Map(this.answers.sampled).set(width, averageOf(totals.get(width)!)) });
        }
    } catch (error) {
      if (current()) throw error;
    } finally {
      if (current()) this.#sampleBusy = false;
    }
  }

  async #runChain(asked: SolveTogether): Promise<void> {
    const current = (): boolean => asked.generation === this.#generation;
    const { state, data } = asked;
    const request = { network: networkOf(state), data, temperature: state.temperature, seed: state.seed, index: 0 };
    this.#chainBusy = true;
    try {
      if (data.test && data.train.inputs.shape[1] === 1 && data.train.targets.shape[1] === 1) {
        const priorFunctions = await this.#chains.ask(priorDraws, request);
        if (!current()) return;
        this.#update({ priorFunctions });
      }
      let from: ChainRequest["from"];
      for (let index = 0; index < mostStretches && this.running; index++) {
        const { theta, stepSize, receptiveFields, functions } = await this.#chains.ask(chain, {
          ...request,
          index,
          ...(from ? { from } : {}),
        });
        if (!current()) return;
        from = { theta, stepSize };
        const posteriorFunctions = [...this.answers.posteriorFunctions, ...functions.slice(-1)].slice(-12);
        this.#update({ receptiveFields, posteriorFunctions, stretches: index + 1 });
      }
    } catch (error) {
      // Layers that cannot be followed along gradients (sign) have no chain here.
      if (current() && !(error instanceof Error)) throw error;
    } finally {
      if (current()) this.#chainBusy = false;
    }
  }
}

/** A worker for theories that follow every touch. */
interface QuickLane {
  readonly lane: Lane;
  readonly methods: readonly string[];
  /** The last state that it has answered. */
  done: number;
  /** When the question that it works on was asked. */
  since: number | undefined;
  readonly solve: (asked: SolveTogether) => void;
}

/** One state and its data. */
interface SolveTogether {
  readonly state: ExploreState;
  readonly data: WorkerData;
  readonly generation: number;
  /** When it came. */
  readonly since: number;
}

/** The answer of a theory that takes too long to be asked by itself. */
const notAsked = (method: string, points: number): Solved => ({
  method,
  status: "not asked",
  reason: `takes too long for ${points} points of a nonlinear network (asked by itself up to ${fewPoints}): run it in a terminal`,
  milliseconds: 0,
});
