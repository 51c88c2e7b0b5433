import { createRegistry, inlineRun, matrixFromRows, type Run, type Task } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { cholesky } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  settingFrom,
  solveStrongLabels,
  summariseBranch,
  type Branch,
  type BranchChunk,
  type Group,
  type SampleChunk,
  type SettingData,
} from "../src/index.js";

const registry = createRegistry([activations, fullyConnected]);
const width = 7;
const data: SettingData = {
  features: cholesky(matrixFromRows([[1.3, 0.4], [0.4, 0.8]])).factor,
  network: { type: "fully-connected", widths: [width], activation: "erf", weightVariance: [1, 1.4], biasVariance: [0, 0] } as SettingData["network"],
  width,
  weightVariance: 1.4,
  surroundings: { targets: Float64Array.of(1.2, -0.7), noise: matrixFromRows([[0.2, 0], [0, 0.2]]) },
  secondMoment: matrixFromRows([[0.45, 0.1], [0.1, 0.35]]),
}; // prettier-ignore
const options = { particles: 300, sweeps: 20, wall: 0.3, seed: 4 };
const field = { mean: Float64Array.of(0.7, -0.4), covariance: matrixFromRows([[1.4, 0.3], [0.3, 2.2]]) }; // prettier-ignore
const group = (odds: number, seed: number): Group => ({
  field: { ...field, mean: field.mean.map((value) => value * seed) },
  window: [0, 0.3],
  units: stream(2, seed).normals(new Float64Array(2 * 300)),
  angle: 0.4,
  odds: { odds, logNormaliser: 0.2 },
});
interface Told {
  /** Odds seen by a unit without an aligned one, by the aligned one, and by the others beside it; residuals. */
  readonly none: number;
  readonly one?: number;
  readonly others?: number;
  readonly residuals?: readonly [number, number];
}
/** Branches as told, and draws that are the units themselves, eight times; notes what was asked for. */
async function decide({ none, one, others = 0, residuals = [0.01, 0.01] }: Told, change: object = {}, insisted = one) {
  const asked: (BranchChunk | SampleChunk)[] = [];
  const run: Run = {
    ...inlineRun({ registry }),
    async *map<A, B>(task: Task<A, B>, chunks: readonly A[]): AsyncIterable<B> {
      for (const chunk of chunks as unknown as readonly (BranchChunk & SampleChunk)[]) {
        asked.push(chunk);
        if (task.name === "sampleTask") {
          yield Float64Array.from(Array.from({ length: 8 }, () => [...chunk.units]).flat()) as unknown as B;
          continue;
        }
        const seen = chunk.insist ? insisted : one;
        const branch: Branch | null =
          chunk.aligned === 0
            ? { aligned: 0, bulk: group(none, 1), residual: residuals[0], sweeps: 30 }
            : seen === undefined
              ? null
              : { aligned: 1, bulk: group(others, 2), block: group(seen, 3), residual: residuals[1], sweeps: 30 };
        yield branch as unknown as B;
      }
    },
  };
  return { asked, ...(await solveStrongLabels({ ...data, ...change }, options, run)) };
}
const summary = (draws: Parameters<typeof summariseBranch>[1]) => summariseBranch(settingFrom(data, registry), draws);
const eight = (units: Float64Array): Float64Array => Float64Array.from(Array.from({ length: 8 }, () => [...units]).flat());

describe("the number of aligned units", () => {
  it("is weighed by the evidences of both branches, and two by the odds of the others beside one", async () => {
    const { odds, probabilities, branches, oneMeasure, asked } = await decide({ none: 0.06, one: 0.05, others: 0.04 });
    const [first, second] = [
      summary({ bulk: { field: group(0, 1).field, units: eight(group(0, 1).units) } }),
      summary({
        bulk: { field: group(0, 2).field, units: eight(group(0, 2).units) },
        block: { field: group(0, 3).field, units: eight(group(0, 3).units), odds: { odds: 0.05, logNormaliser: 0.2 } },
      }),
    ];
    const ratio = Math.exp(second.logEvidence!.value - first.logEvidence!.value);
    expectClose([odds.fromNone, odds.fromOne!, odds.fromEvidence!], [7 * 0.06, 7 * 0.05, ratio], { relative: 1e-10 });
    const weights = [1, ratio, ratio * 0.5 * 6 * 0.04];
    const total = weights[0]! + weights[1]! + weights[2]!;
    expectClose(probabilities, weights.map((w) => w / total), { relative: 1e-10 }); // prettier-ignore
    // of the two that are solved for
    expectClose(branches.map(({ probability }) => probability), [1 / (1 + ratio), ratio / (1 + ratio)], { relative: 1e-10 }); // prettier-ignore
    expect(branches.map(({ branch }) => branch.aligned)).toEqual([0, 1]);
    expectClose(branches[1]!.summary.whole.mean, second.whole.mean, { relative: 1e-10 });
    expect(oneMeasure).toBe(false);
    // 300 units of two numbers in chunks of 125 particles, streams of their own for every group
    const samples = asked.filter((chunk) => "snapshots" in chunk);
    expect(samples.map(({ index, units }) => [index, units.length])).toEqual(
      [0, 2, 3].flatMap((g) => [[1000 * g, 250], [1000 * g + 1, 250], [1000 * g + 2, 100]]), // prettier-ignore
    );
    expect(samples.every(({ alpha, snapshots, thin, seed }) => alpha === 1.4 / 7 && snapshots === 8 && thin === 5 && seed === 4)).toBe(
      true,
    );
  });

  it.each<[string, Told, object, number[]]>([
    ["no aligned branch", { none: 1e-5 }, {}, [1, 0, 0]],
    ["an aligned branch that is as good as impossible", { none: 1e-5, one: 1e-5 }, {}, [1 / 1.00007, 7e-5 / 1.00007, 0]],
    ["a branch that every unit leaves", { none: 1e9, one: Infinity }, {}, [0, 1, 0]],
    ["an aligned branch that has not settled", { none: 0.1, one: 0.3, residuals: [0.01, 0.3] }, {}, [1, 0, 0]],
    ["others that have not settled", { none: 0.1, one: 0.3, residuals: [0.3, 0.01] }, {}, [0, 1, 0]],
    ["others that align beside it", { none: 1e9, one: Infinity, others: 0.5 }, {}, [0, 0.4, 0.6]],
  ])("%s", async (_, told, change, expected) => {
    const { probabilities, branches } = await decide(told, change);
    expectClose(probabilities, expected, { absolute: 1e-12 });
    expect(branches.map(({ branch, probability }) => [branch.aligned, probability])).toEqual([[expected[0]! > 0.5 ? 0 : 1, 1]]);
  });

  it("is asked for again where units align although none was found, and never of a single unit", async () => {
    const again = await decide({ none: 0.01 }, {}, 0.2);
    expect(again.asked.filter((chunk) => "insist" in chunk && chunk.insist)).toEqual([
      { setting: data, options, aligned: 1, insist: true },
    ]);
    expect(again.branches).toHaveLength(2);
    const seldom = await decide({ none: 1e-4 });
    expect(seldom.asked.some((chunk) => "insist" in chunk && chunk.insist)).toBe(false);
    const single = await decide({ none: 0.01, one: 0.2 }, { width: 1, network: { ...data.network, widths: [1] } });
    expect(single.asked.flatMap((chunk) => ("aligned" in chunk ? [chunk.aligned] : []))).toEqual([0]);
  });

  it.each([
    ["cross and find nothing beyond", { none: 0.01 }, true],
    ["cross and would come back", { none: 0.2, one: 0.1 }, true],
    ["cross and stay", { none: 0.2, one: 0.15 }, false],
    ["seldom cross", { none: 0.1, one: 0.1 }, false],
  ] as const)("one measure for all where units %s", async (_, told, expected) => {
    const { oneMeasure, branches, probabilities, odds, asked } = await decide(told);
    expect(oneMeasure).toBe(expected);
    if (!expected) return;
    const wide = asked.filter((chunk): chunk is BranchChunk => "options" in chunk && chunk.options.wall === Infinity);
    expect(wide).toHaveLength(1);
    expect(branches.map(({ probability }) => probability)).toEqual([1]);
    const { bulkAlignments } = branches[0]!.summary;
    const mean = 7 * (bulkAlignments.filter((value) => value >= 0.3).length / bulkAlignments.length);
    expect(mean).toBeGreaterThan(0.1);
    expectClose(probabilities, [Math.exp(-mean), mean * Math.exp(-mean), (mean ** 2 / 2) * Math.exp(-mean)], { relative: 1e-12 });
    expectClose(odds.fromNone, 7 * told.none, { relative: 1e-14 });
    expect(odds.fromEvidence).toBeUndefined();
  });
});
