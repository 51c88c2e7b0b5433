import { createProblem } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { expect, it } from "vitest";
import { normalMatrix } from "../../../tools/testing.ts";
import { createClosure } from "../src/forward-backward/create-closure.js";
import { sweepOperations } from "../src/forward-backward/fit-kernels.js";
import { forwardBackwardOptions, type ForwardBackwardOptions } from "../src/forward-backward/options.js";
import { sweepOnce } from "../src/forward-backward/saddle.js";
import { closureOptionsOf, settingOf } from "../src/forward-backward/setting.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const { value: options } = forwardBackwardOptions["~standard"].validate({}) as { readonly value: ForwardBackwardOptions };

/** Processor time of a sweep over its declared operations, in nanoseconds; the least of three. */
function nanoseconds(activation: string, depth: number, points: number): number {
  const random = stream(1);
  const network = { type: "fully-connected", widths: Array.from({ length: depth }, () => 50), activation };
  const [inputs, targets] = [normalMatrix(random, points, points + 2), normalMatrix(random, points, 1)];
  const setting = settingOf(createProblem({ network, inputs, targets, temperature: 0.5 }, registry), registry);
  const closureOptions = closureOptionsOf(setting, options, 1);
  const [firstKernel, ...infiniteWidth] = setting.infiniteWidth;
  const closure = createClosure(setting.activation, closureOptions);
  const problem = { ...setting, firstKernel: firstKernel!, infiniteWidth, closure };
  const sweep = (): number => {
    const before = process.cpuUsage().user;
    sweepOnce(problem, infiniteWidth);
    return 1000 * (process.cpuUsage().user - before);
  };
  sweep();
  return Math.min(sweep(), sweep(), sweep()) / sweepOperations(2 ** closureOptions.log2Count, points, depth);
}

// without φ an operation took eight times as long at P = 6 as at P = 40
it.each(["erf", "gelu"])("%s: what a sweep is said to cost grows with P as its time does", (activation) => {
  const ratio = nanoseconds(activation, 3, 6) / nanoseconds(activation, 3, 40);
  expect(Math.abs(Math.log(ratio))).toBeLessThan(Math.log(3));
});
