import { stream } from "@finitewidth/random";
import { expect, it } from "vitest";
import { runCommand } from "./command.js";

it("gives the same numbers on one thread and on two that share the matrices", async () => {
  const random = stream(4);
  const rows = (count: number, columns: number) =>
    Array.from({ length: count }, () => Array.from(random.normals(new Float64Array(columns))));
  const experiment = {
    data: { train: { inputs: rows(520, 6), targets: rows(520, 1) }, test: { inputs: rows(20, 6) } },
    network: { type: "fully-connected", widths: [600], activation: "erf" },
    likelihood: { temperature: 0.1 },
    methods: ["nngp", "effective-action"],
  };
  const outcomes = [await runCommand("run", experiment), await runCommand("run", experiment, ["--quiet", "--workers", "2"])];
  const backends: string[] = [];
  const numbers = outcomes.map(({ status, stderr, result }) => {
    expect([status, stderr]).toEqual([0, ""]);
    for (const method of Object.values<{ seconds?: number }>(result.results)) delete method.seconds;
    backends.push(result.provenance.backend);
    // when, where and with how many threads it was computed
    delete result.provenance;
    return JSON.stringify(result);
  });
  expect(numbers[1]).toBe(numbers[0]);
  expect(backends).toEqual([expect.not.stringContaining("threads"), expect.stringContaining("2-threads")]);
});
