import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { initialState, networkOf, slowMethods, sweptWidths, type ExploreState } from "../src/index.js";

interface Asked {
  readonly name: string;
  readonly chunk: Readonly<Record<string, any>>; // eslint-disable-line @typescript-eslint/no-explicit-any
  readonly lane: number;
}
const asked: Asked[] = [];
const cancelled: number[] = [];
let answer: (one: Asked) => unknown;
vi.mock("../src/compute/lane.js", async (original) => {
  let lanes = 0;
  class Lane {
    readonly #own = lanes++ % 5;
    async ask(task: { readonly name: string }, chunk: Asked["chunk"]): Promise<unknown> {
      const one = { name: task.name, chunk, lane: this.#own };
      asked.push(one);
      return answer(one);
    }
    cancel(): void {
      cancelled.push(this.#own);
    }
  }
  return { ...(await original<object>()), Lane };
});
const { Session } = await import("../src/compute/session.js");

const state: ExploreState = {
  ...initialState,
  data: { kind: "teacher", dimension: 3, train: 8, noise: 0.2 },
  widths: [7, 4],
  weightVariance: [1, 2, 3],
  biasVariance: [0, 0.1, 0.2],
  temperature: 0.3,
  layer: 1,
  seed: 5,
  activation: "tanh",
};
const curve: ExploreState = {
  ...state,
  data: {
    kind: "curve",
    points: [
      [0, 1],
      [1, 2],
      [2, 0],
    ],
  },
};
const many: ExploreState = { ...state, data: { kind: "teacher", dimension: 3, train: 31, noise: 0.2 } };

const solved = ({ chunk }: Asked) => ({
  method: chunk.method,
  status: chunk.method === "perturbative" ? "failed" : "ok",
  milliseconds: 1,
  error: { bias: 0, variance: 0, total: chunk.method === "monte-carlo" ? chunk.seed : chunk.network.widths[0] },
});
const usual = (one: Asked): unknown => {
  const { index, from } = one.chunk;
  if (one.name === "solveTask") return solved(one);
  if (one.name === "linearTask") return one.chunk === ("identity" as unknown);
  if (one.name === "phaseTask") return { activation: one.chunk.activation };
  if (one.name === "priorDrawsTask") return [Float64Array.of(1)];
  if (one.name === "verdictTask") return { exact: { status: "confirmed", how: "h" } };
  return {
    theta: Float64Array.of(index),
    stepSize: index / 10,
    functions: [Float64Array.of(-1), Float64Array.of(index)],
    receptiveFields: from?.theta,
  };
};
let session: InstanceType<typeof Session>;
let changes = 0;
const calm = (milliseconds = 400) => vi.advanceTimersByTimeAsync(milliseconds);
const of = (name: string, method?: string) =>
  asked.filter((one) => one.name === name && (!method || one.chunk.method === method)).map(({ chunk }) => chunk);
beforeEach(() => {
  vi.useFakeTimers();
  asked.length = cancelled.length = changes = 0;
  answer = usual;
  session = new Session(
    () => void (changes += 1),
    () => undefined,
  );
});
afterEach(() => void vi.useRealTimers());

describe("a state", () => {
  it("asks the quick theories at once, for itself, each in its lane", async () => {
    session.show(state);
    expect(session.isSettled).toBe(false);
    await calm(0);
    const { data, ...first } = of("solveTask")[0]!;
    expect(first).toEqual({ network: networkOf(state), temperature: 0.3, method: "nngp", seed: 5, layer: 1 });
    expect(data.train.inputs.shape).toEqual([8, 3]);
    expect([...data.train.targets.data]).toEqual(session.rows(state).train.targets.flat());
    expect(data.test.targets.shape).toEqual([100, 1]);
    expect(asked.map(({ chunk, lane }) => [chunk.method, lane])).toEqual([
      ["nngp", 0],
      ["effective-action", 1],
      ["exact", 0],
    ]);
    expect(session.isSettled).toBe(true);
    expect([...session.answers.current].sort()).toEqual(["effective-action", "exact", "nngp"]);
    expect(session.answers.solved.get("exact")).toMatchObject({ method: "exact", status: "ok" });
    expect(session.latencies.map(({ method, inWorker }) => [method, inWorker])).toEqual([
      ["nngp", 1],
      ["effective-action", 1],
      ["exact", 1],
    ]);
    expect(changes).toBeGreaterThan(3);
  });

  it("asks the rest when nothing has moved for a third of a second: phase plane, widths, slow theories, verdicts", async () => {
    session.show(state);
    await calm(340);
    expect(of("phaseTask")).toEqual([]);
    await calm(60);
    const [plane] = of("phaseTask");
    expect(plane).toMatchObject({ activation: "tanh" });
    expect([plane!.weight.length, plane!.weight[0], plane!.weight.at(-1), plane!.bias.length, plane!.bias[0], plane!.bias.at(-1)]).toEqual([
      40, 0.1, 3, 26, 0, 1,
    ]);
    const widths = of("solveTask", "exact").filter(({ layer }) => layer === undefined);
    expect(widths.map(({ network }) => network)).toEqual(sweptWidths.map((width) => networkOf(state, width)));
    for (const method of ["nngp", "exact", "effective-action"])
      expect([...session.answers.sweep.get(method)!].map(([width, one]) => [width, one.error!.total])).toEqual(
        sweptWidths.map((width) => [width, width]),
      );
    expect(slowMethods.map((method) => of("solveTask", method)[0]!.layer)).toEqual([1, 1, 1, 1]);
    expect(session.answers.solved.get("perturbative")!.status).toBe("failed");
    const [verdict] = of("verdictTask");
    expect(verdict).toMatchObject({
      seed: 5,
      experiment: {
        network: networkOf(state),
        likelihood: { temperature: 0.3 },
        methods: ["nngp", "effective-action", "exact", "large-deviation", "expectation-propagation", "forward-backward"],
        seed: 5,
        referee: { seconds: 4 },
      },
    });
    expect(session.answers.verdicts).toEqual({ exact: { status: "confirmed", how: "h" } });
  });

  it("samples networks of three widths, again and again with other seeds, and averages by width", async () => {
    session.show(state);
    await calm();
    const runs = of("solveTask", "monte-carlo");
    expect(runs).toHaveLength(72);
    expect(runs.slice(0, 4).map(({ seed, network, options, layer }) => [seed, network, options, layer])).toEqual(
      [
        [1005, 3],
        [1005, 12],
        [1005, 50],
        [2005, 3],
      ].map(([seed, width]) => [seed, networkOf(state, width), { chains: 2, draws: 40, warmup: 60 }, undefined]),
    );
    // errors are the seeds here: 1005, 2005 … 24005
    expect([...session.answers.sampled.keys()]).toEqual([3, 12, 50]);
    expect(session.answers.sampled.get(12)).toEqual({
      runs: 24,
      mean: 12505,
      error: expect.closeTo(1000 * Math.sqrt((24 * 25) / 12 / 24), 6),
    });
  });

  it("follows a chain from where its last stretch ended; functions are drawn over a line only", async () => {
    session.show(curve);
    await calm();
    const stretches = of("chainTask");
    expect(stretches).toHaveLength(150);
    expect(stretches.slice(0, 3).map(({ index, from }) => [index, from])).toEqual([
      [0, undefined],
      [1, { theta: Float64Array.of(0), stepSize: 0 }],
      [2, { theta: Float64Array.of(1), stepSize: 0.1 }],
    ]);
    expect(stretches[7]).toMatchObject({ network: networkOf(curve), temperature: 0.3, seed: 5 });
    expect(session.answers).toMatchObject({ stretches: 150, priorFunctions: [Float64Array.of(1)], receptiveFields: Float64Array.of(148) });
    expect(session.answers.posteriorFunctions.map(([value]) => value)).toEqual(Array.from({ length: 12 }, (_, i) => 138 + i));
    expect(of("priorDrawsTask")).toEqual([expect.objectContaining({ index: 0, seed: 5, network: networkOf(curve) })]);
    // without targets at the test points there is no error to sample
    expect(of("solveTask", "monte-carlo")).toEqual([]);
    session.show(state);
    await calm();
    expect(of("priorDrawsTask")).toHaveLength(1);
    expect(session.answers).toMatchObject({ priorFunctions: [], stretches: 150 });
  });

  it("of many points asks the slow theories where the network is linear only", async () => {
    session.show(many);
    await calm();
    expect(of("solveTask", "forward-backward")).toEqual([]);
    expect(session.answers.solved.get("forward-backward")).toMatchObject({
      status: "not asked",
      reason: expect.stringContaining("31 points of a nonlinear network (asked by itself up to 30)"),
    });
    expect(of("verdictTask")[0]!.experiment.methods).toEqual(["nngp", "effective-action", "exact"]);
    session.show({ ...many, activation: "identity" });
    await calm();
    expect(of("solveTask", "forward-backward")).toHaveLength(1);
    // 30 points are few
    session.show({ ...many, data: { kind: "teacher", dimension: 3, train: 30, noise: 0.2 } });
    await calm();
    expect(of("solveTask", "forward-backward")).toHaveLength(2);
  });
});

describe("the next state", () => {
  it("keeps the old numbers until its own are there, and the plane where the activation stays", async () => {
    session.show(state);
    await calm();
    session.show({ ...state, temperature: 0.7 });
    const { answers } = session;
    expect([answers.solved.size, answers.current.size, answers.sweep.size, answers.sampled.size, answers.stretches]).toEqual([
      7, 0, 0, 0, 0,
    ]);
    expect([answers.verdicts, answers.phase]).toEqual([{}, { activation: "tanh" }]);
    await calm();
    expect(of("phaseTask")).toHaveLength(1);
    expect(of("solveTask", "nngp").at(-1)).toMatchObject({ temperature: 0.7 });
    session.show({ ...state, activation: "erf" });
    expect(session.answers.phase).toBeUndefined();
    await calm();
    expect(of("phaseTask").map(({ activation }) => activation)).toEqual(["tanh", "erf"]);
  });

  it("ends what is asked of the old one; its answers are not shown as the new one's", async () => {
    const open: (() => void)[] = [];
    const hold = (one: Asked) => new Promise((resolve) => open.push(() => resolve(usual(one))));
    answer = (one) => (one.lane >= 2 ? hold(one) : usual(one));
    session.show(state);
    await calm();
    // slow, chains, samples: one each is under way
    expect(asked.filter(({ lane }) => lane >= 2).map(({ name }) => name)).toEqual(["phaseTask", "solveTask", "chainTask"]);
    expect(cancelled).toEqual([]);
    session.show({ ...state, temperature: 0.7 });
    expect(cancelled).toEqual([2, 3, 4]);
    for (const done of open.splice(0)) done();
    await calm(100);
    expect([session.answers.phase, session.answers.sampled.size, session.answers.stretches]).toEqual([undefined, 0, 0]);
  });

  it("waits half a second for a quick theory that is at work, then gives it up", async () => {
    answer = (one) => (one.lane === 0 ? new Promise(() => undefined) : usual(one));
    session.show(state);
    await calm(490);
    session.show({ ...state, temperature: 0.6 });
    expect(cancelled.filter((lane) => lane < 2)).toEqual([]);
    await calm(20);
    session.show({ ...state, temperature: 0.7 });
    expect(cancelled.filter((lane) => lane < 2)).toEqual([0]);
    expect(session.isSettled).toBe(false);
  });

  it("does not start what never ends while it is paused", async () => {
    session.pause(true);
    session.show(state);
    await calm();
    expect([of("solveTask", "monte-carlo"), of("chainTask")]).toEqual([[], []]);
    expect(of("verdictTask")).toHaveLength(1);
    session.pause(false);
    await calm();
    expect([of("solveTask", "monte-carlo").length, of("chainTask").length]).toEqual([72, 150]);
  });

  it("sweeps slow theories over fewer widths, in the lane of slow questions, and leaves one that fails", async () => {
    answer = (one) =>
      one.name === "solveTask"
        ? {
            ...solved(one),
            milliseconds: { nngp: 200, exact: 400 }[one.chunk.method as string] ?? 1,
            ...(one.chunk.network.widths[0] === 3 ? { status: "failed" } : {}),
          }
        : usual(one);
    session.show(state);
    await calm();
    const swept = (method: string) =>
      asked.filter(({ name, chunk }) => name === "solveTask" && chunk.method === method && chunk.layer === undefined);
    expect(swept("exact").map(({ chunk, lane }) => [chunk.network.widths[0], lane])).toEqual(
      [2, 8, 32, 130, 500].map((width) => [width, 2]),
    );
    expect(swept("nngp").map(({ chunk, lane }) => [chunk.network.widths[0], lane])).toEqual([
      [2, 2],
      [3, 2],
    ]);
    expect(swept("effective-action").map(({ chunk, lane }) => [chunk.network.widths[0], lane])).toEqual([
      [2, 1],
      [3, 1],
    ]);
  });
});
