import { createRegistry, inlineRun, matrixFromRows } from "@finitewidth/core";
import { planExperiment, runMethod } from "@finitewidth/experiment";
import { nngp } from "@finitewidth/posterior";
import { standardPlugins } from "@finitewidth/verification";
import { expect, it, vi } from "vitest";
import type { WorkerData } from "../src/compute/messages.js";
import { solveTask } from "../src/compute/tasks.js";
import { experimentOf, initialState, networkOf, quickMethods, rowsOfChoice, type ExploreState } from "../src/index.js";

const state: ExploreState = { ...initialState, widths: [7, 4], data: { kind: "teacher", dimension: 3, train: 9, noise: 0.2 } };
const rows = rowsOfChoice(state.data, undefined, 1);
const data: WorkerData = {
  id: 1,
  train: { inputs: matrixFromRows(rows.train.inputs), targets: matrixFromRows(rows.train.targets) },
  test: { inputs: matrixFromRows(rows.test!.inputs), targets: matrixFromRows(rows.test!.targets!) },
};
const context = { registry: createRegistry([]), tick: () => undefined };
const request = (method: string) => ({ network: networkOf(state), temperature: state.temperature, method, seed: 1, layer: 2 });

it.each(quickMethods)("%s answers what the experiment file of the page gives", async (method) => {
  const solved = await solveTask.run({ ...request(method), data }, context);
  const registry = createRegistry(standardPlugins);
  const { steps } = await planExperiment({ ...experimentOf(state, rows, [method]), referee: false }, { registry });
  const [problem] = steps[0]!.problems;
  const outcome = await runMethod(problem!.methods[0]!, problem!, steps[0]!, inlineRun({ registry, seed: 1 }));
  if (outcome.status === "failed") throw outcome.error;
  const { posterior, predictive, generalizationError } = outcome;
  expect(solved).toMatchObject({ status: "ok", layer: 2, logEvidence: posterior.logEvidence, error: generalizationError });
  expect(solved.mean).toEqual(predictive!.mean.data);
  expect(solved.variance).toEqual(predictive!.variance.data);
  expect(solved.kernel).toEqual(posterior.hiddenKernels?.[1]);
  expect([method, solved.isInfinite]).toEqual([method, method === "nngp" ? true : undefined]);
});

it("remembers the data that it was sent, and no others", async () => {
  await solveTask.run({ ...request("nngp"), data }, context);
  expect(await solveTask.run({ ...request("nngp"), data: { id: 1 } }, context)).toMatchObject({ status: "ok" });
  await expect((async () => solveTask.run({ ...request("nngp"), data: { id: 2 } }, context))()).rejects.toThrow(
    "data 2 were not sent to this worker",
  );
});

it("tells why a theory does not apply", async () => {
  const solved = await solveTask.run({ ...request("exact"), network: networkOf({ ...state, activation: "erf" }), data }, context);
  expect(solved.status).toBe("failed");
  expect(solved.reason).toMatch(/must be linear/);
});

it.each(["logEvidence", "orderParameter", "hiddenKernels"])("withholds numbers that are not finite: %s", async (field) => {
  const bad = field === "hiddenKernels" ? [1, 2].map(() => ({ data: new Float64Array(81).fill(Number.NaN), shape: [9, 9] })) : Infinity;
  const { fit } = nngp;
  vi.spyOn(nngp, "fit").mockImplementation(async (...asked) => ({ ...(await fit(...asked)), [field]: bad }));
  const solved = await solveTask.run({ ...request("nngp"), data }, context);
  vi.restoreAllMocks();
  expect(solved).toMatchObject({ status: "failed", reason: expect.stringContaining(`[nngp] ${field}`) as unknown });
});
