import { createRegistry, type Figure, type Series } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { plugin } from "../src/index.js";

const registry = createRegistry([plugin]);
type Lines = Extract<Figure, { kind: "lines" }>;
type Heatmaps = Extract<Figure, { kind: "heatmaps" }>;
const pictures = (name: string, numbers: object): Figure[] =>
  registry
    .figure(name)
    .pictures(numbers as never)
    .map(({ figure }) => figure);
/** What a curve shows: its name, numbers, errors, and how it is drawn. */
const shown = (figure: Figure) =>
  (figure as Lines).series.map(({ label, x, y, error, group, dashed, points }: Series) => [
    label,
    [...x],
    [...y],
    ...(error ? [[...error]] : []),
    ...(group === undefined ? [] : [`as ${group}`]),
    ...(dashed ? ["dashed"] : []),
    ...(points ? ["points"] : []),
  ]);
const panels = (figure: Figure) => (figure as Heatmaps).panels.map(({ label, values, diverging }) => [label, values.shape, [...values.data], ...(diverging ? ["diverging"] : [])]); // prettier-ignore
const axes = (figure: Figure) => {
  const { xLabel, yLabel, logX = false, logY = false } = figure as Lines;
  return [xLabel, yLabel, logX, logY];
};
/** n numbers, none of which is another's. */
let last = 0;
const some = (n: number): number[] => Array.from({ length: n }, () => (last += 0.5));
const values = (n: number) => some(n).map((value) => ({ value, standardError: value + 0.125 }));
const of = <T, K extends keyof T>(list: readonly T[], key: K): T[K][] => list.map((one) => one[key]);

describe("pictures show the numbers of their figures, sampled ones with their errors", () => {
  it("shifts of kernels against widths and layers", () => {
    const widths = [8, 16];
    const [one, two] = [values(3), values(3)];
    const linear = { widths, firstOrder: [some(3), some(3)], exact: [some(3), some(3)], sampled: [{ width: 8, shifts: one }, { width: 16, shifts: two }] }; // prettier-ignore
    const [shift] = pictures("zavatone-veth-linear", linear);
    const column = (table: readonly (readonly number[])[], l: number): number[] => table.map((row) => row[l]!);
    const expected = (exact: boolean) =>
      [0, 1, 2].flatMap((l) => {
        const group = `layer ${l + 1}`;
        return [
          [`${group}, first order`, widths, column(linear.firstOrder, l), `as ${group}`, "dashed"],
          ...(exact ? [[`${group}, exact`, widths, column(linear.exact, l), `as ${group}`]] : []),
          [
            `${group}, sampled`,
            widths,
            [one[l]!.value, two[l]!.value],
            [one[l]!.standardError, two[l]!.standardError],
            `as ${group}`,
            "points",
          ],
        ];
      });
    expect(shown(shift!)).toEqual(expected(true));
    expect(shown(pictures("zavatone-veth-linear", { ...linear, exact: [] })[0]!)).toEqual(expected(false));
    expect(axes(shift!)).toEqual(["width N of every layer", "relative shift |ΔK|/|K|", true, true]);

    const bottleneck = { widths: [9, 3, 9], firstOrder: some(3), sampled: one };
    const [narrow] = pictures("zavatone-veth-bottleneck", bottleneck);
    const layers = [1, 2, 3];
    const points = (group: string, x: readonly number[], list: typeof one) => [`${group}, sampled`, x, of(list, "value"), of(list, "standardError"), `as ${group}`, "points"]; // prettier-ignore
    expect(shown(narrow!)).toEqual([["perturbative", layers, bottleneck.firstOrder], points("monte-carlo", layers, one)]);
    expect(axes(narrow!)).toEqual(["hidden layer", "relative shift |ΔK|/|K|", false, false]);

    const single = { widths: [4, 8, 16], firstOrder: some(3), sampledWidths: [4, 8], sampled: values(2) };
    const [layer] = pictures("zavatone-veth-one-layer", single);
    expect(shown(layer!)).toEqual([["perturbative", single.widths, single.firstOrder], points("monte-carlo", [4, 8], single.sampled)]);
    expect(axes(layer!)).toEqual(["width N", "relative shift |ΔK|/|K|", true, true]);

    const sites = [[some(2), some(2)], [some(2), some(2)]]; // prettier-ignore
    const conv = { channels: widths, firstOrder: [some(2), some(2)], sampled: [{ channels: 16, shifts: values(2) }], sites };
    const [channels, between] = pictures("zavatone-veth-convolution", conv);
    expect(shown(channels!)).toEqual(
      [0, 1].flatMap((l) => [
        [`layer ${l + 1}`, widths, column(conv.firstOrder, l)],
        points(`layer ${l + 1}`, [16], [conv.sampled[0]!.shifts[l]!]),
      ]),
    );
    expect(axes(channels!)).toEqual(["channels", "relative shift |ΔK|/|K|", true, true]);
    expect(panels(between!)).toEqual(sites.map((matrix, l) => [`layer ${l + 1}, sites`, [2, 2], matrix.flat()]));
  });

  it("densities against the laws", () => {
    const panel = (activation: string) => ({ activation, centres: some(3), density: some(3), standardError: some(3), gaussian: some(3), firstOrder: some(3) }); // prettier-ignore
    const two = [panel("identity"), panel("relu")];
    const densities = pictures("yaida-density", { panels: two });
    expect(densities.map(shown)).toEqual(
      two.map(({ centres, density, standardError, gaussian, firstOrder }) => [
        ["nngp", centres, gaussian, "dashed"],
        ["perturbative", centres, firstOrder],
        ["monte-carlo", centres, density, standardError, "points"],
      ]),
    );
    expect(densities.map(axes)).toEqual([["f, identity", "probability density", false, false], ["f, relu", "probability density", false, false]]); // prettier-ignore

    const sampled = some(3).map((density) => ({ density, standardError: density + 0.125 }));
    const field = (n: number) => some(n).map((mean) => ({ mean, standardError: mean + 0.25 }));
    const student = { centres: some(3), sampled, varianceGamma: some(3), gaussian: some(3), fields: some(2), student: some(2), gaussianField: some(2), characteristic: field(2), erf: field(2) }; // prettier-ignore
    const [conjugate, output] = pictures("pacelli-student", student);
    const law = (label: string, list: typeof student.erf) => [label, student.fields, of(list, "mean"), of(list, "standardError"), "points"];
    expect(shown(conjugate!)).toEqual([
      ["Student t", student.fields, student.student],
      ["Gaussian", student.fields, student.gaussianField, "dashed"],
      law("sampled, linear units", student.characteristic),
      law("sampled, erf units", student.erf),
    ]);
    expect(shown(output!)).toEqual([
      ["variance-gamma", student.centres, student.varianceGamma],
      ["Gaussian", student.centres, student.gaussian, "dashed"],
      ["sampled, linear units", student.centres, of(sampled, "density"), of(sampled, "standardError"), "points"],
    ]);
    expect([conjugate!, output!].map(axes)).toEqual([
      ["conjugate field s (units of 1/√K)", "law of s, 1 at s = 0", false, false],
      ["output f (units of √K)", "probability density", false, false],
    ]);

    const kernel = () => [some(2), some(2)];
    const mixed = { infinite: kernel(), drawn: [kernel(), kernel(), kernel()], centres: some(3), sampled, mixture: some(3), gaussian: some(3), components: [some(3), some(3), some(3)] }; // prettier-ignore
    const [kernels, superposition] = pictures("fischer-superposition", mixed);
    expect(panels(kernels!)).toEqual([
      ["infinite width", [2, 2], mixed.infinite.flat()],
      ["draw 1", [2, 2], mixed.drawn[0]!.flat()],
      ["draw 2", [2, 2], mixed.drawn[1]!.flat()],
    ]);
    expect(shown(superposition!)).toEqual([
      ["infinite width", mixed.centres, mixed.gaussian, "dashed"],
      ...mixed.components.map((density, i) => [`draw ${i + 1}`, mixed.centres, density, "as single draws", "dashed"]),
      ["superposition", mixed.centres, mixed.mixture],
      ["sampled outputs", mixed.centres, of(sampled, "density"), of(sampled, "standardError"), "points"],
    ]);
  });

  it("accuracy, error and evidence", () => {
    const accuracy = { inverseWidths: some(3), accuracy: some(3), bias: some(3), tests: 7 };
    expect(pictures("yaida-accuracy", accuracy).map((one) => [shown(one), axes(one)])).toEqual([
      [[["perturbative", accuracy.inverseWidths, accuracy.accuracy]], ["1/N", "test accuracy", false, false]],
      [[["perturbative", accuracy.inverseWidths, accuracy.bias]], ["1/N", "squared error of the mean", false, false]],
    ]);

    const [effectiveDepth, gain] = [some(2), [some(2), some(2), some(2), some(2), some(2)]];
    const annealed = [1, 2].map((depth) => ({ depth, effectiveDepth: some(1)[0]!, gain: some(1)[0]!, standardError: some(1)[0]! }));
    const [evidence] = pictures("hanin-depth", { effectiveDepth, gain, sampled: annealed });
    const label = (depth: number): string => (depth === 1 ? "1 hidden layer" : `${depth} hidden layers`);
    expect(shown(evidence!)).toEqual([
      ...[1, 2, 4, 8, 16].map((depth, i) => [label(depth), effectiveDepth, gain[i]]),
      ...annealed.map((one) => [`${label(one.depth)}, sampled`, [one.effectiveDepth], [one.gain], [one.standardError], `as ${label(one.depth)}`, "points"]), // prettier-ignore
    ]);
    expect(axes(evidence!)).toEqual(["effective depth λ = Σ 1/N_l", "log evidence − infinite width", true, false]);

    const heads = { weights: [some(2), some(2)], names: ["a", "b"], accuracy: some(3), error: some(3), sampled: { bias: 91, biasError: 92, loss: 93, standardError: 94 } }; // prettier-ignore
    const [weights, right, wrong] = pictures("tiberi-heads", heads);
    expect(panels(weights!)).toEqual([["weights of paths", [2, 2], heads.weights.flat()]]);
    expect((weights as Heatmaps).panels[0]!.names).toEqual(["a", "b"]);
    expect([right!, wrong!].map((one) => [shown(one), axes(one)])).toEqual([
      [[["exact", [0, 1, 2], heads.accuracy]], ["heads removed", "test accuracy", false, false]],
      [
        [
          ["exact", [0, 1, 2], heads.error],
          ["monte-carlo, sampled", [0], [91], [92], "as monte-carlo", "points"],
        ],
        ["heads removed", "squared error of the mean", false, false],
      ],
    ]);
  });

  it("losses and order parameters", () => {
    const loss = () => ({ bias: some(1)[0]!, variance: some(1)[0]!, total: some(1)[0]! });
    const panel = (name: string) => ({ label: name, infinite: loss(), theory: [loss(), loss(), loss()], unitwise: [loss(), loss()], sampled: [loss(), loss()].map((one) => ({ ...one, standardError: one.total + 0.125 })) }); // prettier-ignore
    const numbers = { widths: [2, 4, 8], sampledWidths: [2, 8], panels: [panel("erf"), panel("relu")] };
    const drawn = pictures("pacelli-loss", numbers);
    expect(drawn.map(shown)).toEqual(
      numbers.panels.map(({ infinite, theory, unitwise, sampled }) => [
        ["nngp", [2, 4, 8], [infinite.total, infinite.total, infinite.total], "dashed"],
        ["effective-action", [2, 4, 8], of(theory, "total")],
        ["expectation-propagation", [2, 8], of(unitwise, "total")],
        ["monte-carlo, sampled", [2, 8], of(sampled, "total"), of(sampled, "standardError"), "as monte-carlo", "points"],
      ]),
    );
    expect(drawn.map(axes)).toEqual(["erf", "relu"].map((name) => ["width N", `generalisation loss, ${name}`, true, false]));

    const depths = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    const deep = { infinite: some(10), theory: some(10), sampledDepths: [1, 3], sampled: values(2), orderParameters: some(10) };
    const [depth, order] = pictures("pacelli-depth", deep);
    expect(shown(depth!)).toEqual([
      ["nngp", depths, deep.infinite, "dashed"],
      ["effective-action", depths, deep.theory],
      ["monte-carlo, sampled", [1, 3], of(deep.sampled, "value"), of(deep.sampled, "standardError"), "as monte-carlo", "points"],
    ]);
    expect(shown(order!)).toEqual([["effective-action", depths, deep.orderParameters]]);

    const matrix = () => [some(2), some(2)];
    const mixing = { widths: [2, 4, 8], minimiser: [matrix(), matrix(), matrix()], mean: [matrix(), matrix(), matrix()], sampled: { width: 2, mean: matrix(), standardError: matrix() } }; // prettier-ignore
    const [maps, entries] = pictures("bassetti-order-parameter", mixing);
    expect(panels(maps!)).toEqual([
      ["minimiser", [2, 2], mixing.minimiser[2]!.flat()],
      ["N = 2", [2, 2], mixing.mean[0]!.flat()],
      ["N = 8", [2, 2], mixing.mean[2]!.flat()],
    ]);
    expect(shown(entries!)).toEqual(
      [[0, 0], [0, 1], [1, 1]].flatMap(([i, j]) => {
        const group = `(${i! + 1}, ${j! + 1})`;
        const entry = (list: number[][][]): number[] => list.map((one) => one[i!]![j!]!);
        return [
          [group, [2, 4, 8], entry(mixing.mean)],
          [`${group}, minimiser`, [2, 4, 8], entry(mixing.minimiser), `as ${group}`, "dashed"],
          [`${group}, sampled`, [2], entry([mixing.sampled.mean]), entry([mixing.sampled.standardError]), `as ${group}`, "points"],
        ];
      }),
    ); // prettier-ignore

    const shape = { exact: matrix(), linear: { mean: matrix() }, effectiveAction: matrix(), erf: { mean: matrix() } };
    const departure = (own: number[][]): number[] => own.flatMap((row, i) => row.map((value, j) => value - (i === j ? 1 : 0)));
    expect(pictures("bassetti-shape", shape).map(panels)).toEqual([
      [["linear, exact", [2, 2], departure(shape.exact), "diverging"], ["linear, sampled", [2, 2], departure(shape.linear.mean), "diverging"]],
      [["erf, effective action", [2, 2], departure(shape.effectiveAction), "diverging"], ["erf, sampled", [2, 2], departure(shape.erf.mean), "diverging"]],
    ]); // prettier-ignore
  });

  it("alignment and criticality", () => {
    const alignment = { infinite: some(3), adapted: some(3), sampled: values(3) };
    const [layers] = pictures("fischer-alignment", alignment);
    const sampled = (group: string, x: number[], list: ReturnType<typeof values>) => [`${group}, sampled`, x, of(list, "value"), of(list, "standardError"), `as ${group}`, "points"]; // prettier-ignore
    expect(shown(layers!)).toEqual([
      ["nngp", [1, 2, 3], alignment.infinite],
      ["forward-backward", [1, 2, 3], alignment.adapted],
      sampled("monte-carlo", [1, 2, 3], alignment.sampled),
    ]);
    const critical = { weightVariance: some(3), biasVariance: [0, 0.05], response: [some(3), some(3)], critical: [null, 1.25], sampledAt: some(2), sampled: values(2) }; // prettier-ignore
    const [response] = pictures("fischer-criticality", critical);
    expect(shown(response!)).toEqual([
      ["σ_b² = 0", critical.weightVariance, critical.response[0]],
      ["σ_b² = 0.05", critical.weightVariance, critical.response[1]],
      sampled("σ_b² = 0.05", critical.sampledAt, critical.sampled),
    ]);
    expect((response as Lines).marks).toEqual([{ label: "χ⊥ = 1 at σ_b² = 0.05", x: 1.25 }]);
  });
});
