import { createRegistry, matrixFromRows, type FigureLab, type Matrix } from "@finitewidth/core";
import { expect, it } from "vitest";
import { plugin } from "../src/index.js";

const registry = createRegistry([plugin]);
/** A laboratory whose only experiment has this one step. */
const lab = (step: object, asked: unknown[] = []): FigureLab =>
  ({ run: { registry, seed: 1 }, experiment: async (...call: unknown[]) => (asked.push(call), [step]) }) as unknown as FigureLab;
const compute = <Numbers>(name: string, step: object, asked?: unknown[]) =>
  registry.figure(name).compute("quick", lab(step, asked)) as Promise<Numbers>;

it("fischer-alignment: cosine of the centred kernel and the centred y yᵀ, errors of entries taken as one", async () => {
  const y = [1, -1, 0.5];
  const centred = y.map((value) => value - 0.5 / 3);
  /** ⟨HKH, yyᵀ⟩/(|HKH||yyᵀ|), H = 1 − 11ᵀ/n. */
  const alignment = ({ data }: Matrix): number => {
    const H = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? 1 : 0) - 1 / 3));
    const K = [0, 1, 2].map((i) =>
      [0, 1, 2].map((j) =>
        [0, 1, 2].reduce((sum, a) => sum + [0, 1, 2].reduce((part, b) => part + H[i]![a]! * data[3 * a + b]! * H[b]![j]!, 0), 0),
      ),
    );
    const flat = K.flat();
    const target = centred.flatMap((a) => centred.map((b) => a * b));
    return flat.reduce((sum, value, k) => sum + value * target[k]!, 0) / (Math.hypot(...flat) * Math.hypot(...target));
  };
  const kernel = (shift: number): Matrix => matrixFromRows([[2 + shift, 0.3, -0.4], [0.3, 1.5, 0.2 * shift], [-0.4, 0.2 * shift, 3 - shift]]); // prettier-ignore
  const of = (shift: number, more: object = {}) => ({ posterior: { hiddenKernels: [kernel(shift), kernel(shift + 0.1)], ...more } });
  const errors = [
    matrixFromRows([
      [0.1, 0, 0],
      [0, 0, 0.2],
      [0, 0, 0],
    ]),
    matrixFromRows([
      [0, 0, 0],
      [0, 0.3, 0],
      [0, 0, 0],
    ]),
  ];
  const methods = { nngp: of(0), "forward-backward": of(0.5), "monte-carlo": of(0.7, { standardError: { hiddenKernels: errors } }) };
  const targets = matrixFromRows(y.map((value) => [value]));
  const found = await compute<{ infinite: number[]; adapted: number[]; sampled: { value: number; standardError: number }[] }>("fischer-alignment", { problem: { targets }, methods }); // prettier-ignore
  [0, 0.1].forEach((shift, l) => {
    expect(found.infinite[l]).toBeCloseTo(alignment(kernel(shift)), 12);
    expect(found.adapted[l]).toBeCloseTo(alignment(kernel(0.5 + shift)), 12);
    const own = kernel(0.7 + shift);
    expect(found.sampled[l]!.value).toBeCloseTo(alignment(own), 12);
    const slope = (k: number): number => {
      const at = (by: number): number => alignment({ data: own.data.map((value, i) => value + (i === k ? by : 0)), shape: own.shape });
      return (at(1e-4) - at(-1e-4)) / 2e-4;
    };
    const spread = [...errors[l]!.data].reduce((sum, error, k) => sum + Math.abs(slope(k)) * error, 0);
    expect(found.sampled[l]!.standardError).toBeCloseTo(spread, 5);
  });
});

it("yaida-accuracy: the correction of N = 100 in proportion to 1/N, rows right where the largest output is that of the label", async () => {
  const infinite = matrixFromRows([[0.6, 0.4, 0.1], [0.2, 0.5, 0.45], [0.7, 0.2, 0.3]]); // prettier-ignore
  const corrected = matrixFromRows([[0.5, 0.5, 0.1], [0.2, 0.4, 0.48], [0.6, 0.2, 0.32]]); // prettier-ignore
  const labels = matrixFromRows([[0, 1, 0], [0, 0, 1], [1, 0, 0]]); // prettier-ignore
  const method = (mean: Matrix) => ({ predictive: { mean } });
  const asked: [string, { network: { widths: number[] }; data: { test: number } }][] = [];
  const { inverseWidths, accuracy, bias, tests } = await compute<Record<"inverseWidths" | "accuracy" | "bias", number[]> & { tests: number }>("yaida-accuracy", { methods: { nngp: method(infinite), perturbative: method(corrected) }, test: { targets: labels } }, asked); // prettier-ignore
  expect([asked[0]![1].network.widths, asked[0]![1].data.test]).toEqual([[100], tests]);
  expect([inverseWidths[0], inverseWidths.at(-1), inverseWidths.length]).toEqual([0, expect.closeTo(0.03, 14), 31]);
  inverseWidths.forEach((x, i) => {
    const mean = [...infinite.data].map((value, k) => value + x * 100 * (corrected.data[k]! - value));
    const right = [0, 1, 2].filter((row) => {
      const own = mean.slice(3 * row, 3 * row + 3);
      return own.indexOf(Math.max(...own)) === [1, 2, 0][row];
    });
    expect(accuracy[i], `1/N = ${x}`).toBe(right.length / 3);
    expect(bias[i]).toBeCloseTo(mean.reduce((sum, value, k) => sum + (value - labels.data[k]!) ** 2, 0) / 9, 12);
  });
  expect(new Set(accuracy).size).toBeGreaterThan(2);
});

it("tiberi-heads: weights of paths, accuracy and error as heads are removed, evidence and losses over infinite width", async () => {
  const targets = matrixFromRows([[1], [-1], [1], [-1]]);
  const means = [[0.5, -0.5, 0.2, 0.1], [0.4, 0.3, 0, -0.2], [0, 0, 0, 0]]; // prettier-ignore
  const loss = (from: number) => ({ bias: from, variance: from + 1, total: from + 2 });
  const panels = [{ label: "w", values: matrixFromRows([[1, 2], [3, 4]]), names: ["1", "2"] }, { label: "other", values: matrixFromRows([[9]]) }]; // prettier-ignore
  const exact = {
    posterior: { logEvidence: -3, figures: [{ kind: "lines" }, { kind: "heatmaps", panels }] },
    predictive: { diagnostics: { pruning: { mean: means } } },
    generalizationError: loss(10),
  };
  const nngp = { posterior: { logEvidence: -5 }, generalizationError: loss(20) };
  const chains = { generalizationError: loss(30), generalizationStandardError: loss(40) };
  expect(await compute("tiberi-heads", { methods: { nngp, exact, "monte-carlo": chains }, test: { targets } })).toEqual({
    weights: [[1, 2], [3, 4]], // prettier-ignore
    names: ["1", "2"],
    // right by sign, half for no decision
    accuracy: [3 / 4, (1 + 0 + 0.5 + 1) / 4, 0.5],
    error: means.map((mean) => mean.reduce((sum, value, i) => sum + (value - targets.data[i]!) ** 2, 0) / 4),
    gain: 2,
    loss: 12,
    infiniteLoss: 22,
    sampled: { bias: 30, biasError: 40, loss: 32, standardError: 42 },
  });
});
