import type { RandomStream } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, test } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { hamiltonianChain, type ChainReport, type ChainState, type HamiltonianOptions, type LogDensity } from "../src/index.js";
import { dualAveraging } from "../src/sampling/step-size.js";
import { all, startAt } from "./chains.ts";

describe("the warm-up", () => {
  const normal = (variance: number): LogDensity => ({
    dimension: 1,
    evaluate: (at, gradient) => ((gradient[0] = -at[0]! / variance), (-0.5 * at[0]! ** 2) / variance),
  });
  /** How many gradients every iteration took, those before the first one in front. */
  const counts = (
    options: HamiltonianOptions,
    target = normal(1),
  ): { readonly gradients: number[]; readonly report: ChainReport; readonly states: ChainState[] } => {
    let count = 0;
    const watched: LogDensity = { dimension: 1, evaluate: (at, gradient) => (count++, target.evaluate(at, gradient)) };
    const chain = hamiltonianChain(watched, options, startAt([0.5]), stream(12));
    const [gradients, states]: [number[], ChainState[]] = [[], []];
    for (;;) {
      const next = chain.next();
      if (next.done) return { gradients, report: next.value, states };
      states.push({ ...next.value });
      gradients.push(count);
      count = 0;
    }
  };

  test.each([0.003, 1, 40])(
    "starts with a step that an energy error of log 0.8 lets pass, by factors of two from 0.1 (variance %d)",
    (variance) => {
      for (const integrator of ["leapfrog", "rotation"] as const) {
        const [visited, momenta]: [number[], number[]] = [[], []];
        const random = stream(13);
        const watched: RandomStream = { ...random, normals: (out) => (random.normals(out), momenta.push(out[0]!), out) };
        const density = normal(variance);
        const seen: LogDensity = { dimension: 1, evaluate: (at, gradient) => (visited.push(at[0]!), density.evaluate(at, gradient)) };
        // a small target acceptance and one trajectory of one step: its size is the first, times 1
        const chain = hamiltonianChain(seen, { draws: 0, warmup: 1, steps: 1, adapt: "none", integrator }, startAt([0.4]), watched);
        all<ChainReport>(chain);
        const rotates = integrator === "rotation";
        const x = 0.4;
        const move = (size: number, p: number): readonly [number, number, number] => {
          const half = p - (0.5 * size * x) / variance;
          const at = rotates ? Math.cos(size) * x + Math.sin(size) * half : x + size * half;
          const end = (rotates ? Math.cos(size) * half - Math.sin(size) * x : half) - (0.5 * size * at) / variance;
          const energy = (q: number, k: number): number => 0.5 * k * k + (0.5 * q * q) / variance + (rotates ? 0.5 * q * q : 0);
          return [at, end, energy(x, p) - energy(at, end)];
        };
        const expected = [x];
        let [size, direction] = [0.1, 0];
        for (const p of momenta.slice(0, -1)) {
          const [at, , gain] = move(size, p);
          expected.push(at);
          const next = gain > Math.log(0.8) ? 1 : -1;
          if (direction !== 0 && next !== direction) break;
          direction = next;
          size *= 2 ** direction;
          if (rotates && size > Math.PI / 2) size = Math.PI / 2;
        }
        expected.push(move(size, momenta.at(-1)!)[0]);
        expectClose(visited, expected, { relative: 1e-10 });
        if (variance === 40) expect(size).toBe(rotates ? Math.PI / 2 : size);
      }
    },
  );

  test("looks for a step again at the end of every window, of the metric that it has learned then, and only there", () => {
    const windowed = counts({ draws: 4, warmup: 100, steps: 1 });
    const more = windowed.gradients.flatMap((count, k) => (count > 1 ? [k] : []));
    // before the first, and after the last iterations of the windows 15 … 40 … 90
    expect(more).toEqual([0, 39, 89]);
    for (const options of [{ adapt: "none" }, { integrator: "rotation" }] as const)
      expect(
        counts({ draws: 4, warmup: 100, steps: 1, ...options })
          .gradients.slice(1)
          .every((count) => count === 1),
      ).toBe(true);
    expect(
      counts({ draws: 4, warmup: 19, steps: 1 })
        .gradients.slice(1)
        .every((count) => count === 1),
    ).toBe(true);
    // a unit of the metric is a standard deviation: steps for a variance of 10⁴ are of order 1 once it is known, of order 100 without
    const stepOf = (adapt: "none" | "diagonal") => counts({ draws: 1, warmup: 300, adapt }, normal(1e4)).report.stepSize;
    expect(stepOf("diagonal")).toBeLessThan(5);
    expect(stepOf("none")).toBeGreaterThan(20);
  });

  test("ends with the average of the steps that dual averaging went through", () => {
    for (const targetAcceptance of [undefined, 0.6]) {
      const { states, report } = counts({
        draws: 3,
        warmup: 40,
        adapt: "none",
        stepSize: 0.9,
        steps: 2,
        ...(targetAcceptance ? { targetAcceptance } : {}),
      });
      const adaptation = dualAveraging(0.9, targetAcceptance ?? 0.85);
      for (const { acceptance, warmup } of states) if (warmup) adaptation.update(acceptance);
      expectClose(report.stepSize, adaptation.average(), { relative: 1e-12 });
      expect(Math.abs(report.stepSize / adaptation.current() - 1)).toBeGreaterThan(1e-3);
    }
  });
});
