import { columnOf, matrixFromRows, rowsOf, type Matrix } from "@finitewidth/core";
import type { SolvedOutcome } from "@finitewidth/experiment";
import { normalQuantile } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { createDocument } from "../src/report/html.js";
import { kernelCard, learned, orderParameters, predictions, samplerHealth, type Section } from "../src/report/sections.js";
import type { Story } from "../src/report/story.js";
import { formatNumber } from "../src/table.js";
import { outcomeOf, registry } from "./outcomes.js";
import { cardsOf, documentOf, tablesOf } from "./pages.js";

const solved = (label: string, method: string, more: object): SolvedOutcome =>
  outcomeOf(label, 1, { method, posterior: { diagnostics: {} }, ...more }) as SolvedOutcome;
/** A story of two hidden layers, four points and targets whose order is 1, 3, 0, 2. */
const targets = matrixFromRows([[0.5], [-2], [3], [-1]]);
/** Positive kernels, every one different: the Gram matrix of waves. */
const kernel = (phase: number): Matrix => {
  const x = Array.from({ length: 4 }, (_, i) =>
    Array.from({ length: 5 }, (_unused, j) => Math.sin(1.3 * i + 2.1 * j * j + phase * (i + 1)) + 0.5 * Math.cos(i * i * (j + phase))),
  );
  return matrixFromRows(x.map((a) => x.map((b) => a.reduce((sum, value, j) => sum + value * b[j]!, 0) / 5)));
};
const infinite = [kernel(0.1), kernel(0.4)];
const learners = [
  solved("one", "exact", { posterior: { diagnostics: {}, hiddenKernels: [kernel(0.9), kernel(1.7)] } }),
  solved("two", "exact", { posterior: { diagnostics: {}, hiddenKernels: [kernel(2.3), kernel(3.1)] } }),
];
const story = (own: readonly SolvedOutcome[], more: object = {}): Story =>
  ({
    registry,
    problem: { targets, inputs: matrixFromRows([[1], [2], [3], [4]]), temperature: 0.4 },
    test: undefined,
    outcomes: own,
    solved: own,
    verdicts: undefined,
    infinite,
    baseline: undefined,
    best: own[0],
    colours: (label: string) => `colour-of-${label}`,
    document: createDocument(),
    ...more,
  }) as unknown as Story;
const pageOf = (section: Section, told: Story): Document => documentOf(`<main>${section.render(told)}</main>`);

/** Measures of a kernel by their definitions, with matrices written out. */
const centred = (K: number[][]): number[][] => {
  const n = K.length;
  const H = K.map((_, i) => K.map((_unused, j) => (i === j ? 1 : 0) - 1 / n));
  const times = (a: number[][], b: number[][]) =>
    a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));
  return times(times(H, K), H);
};
const dot = (a: number[][], b: number[][]): number => a.flat().reduce((sum, value, k) => sum + value * b.flat()[k]!, 0);
const norm = (a: number[][]): number => Math.sqrt(dot(a, a));
const measures = (K: Matrix, l: number): number[] => {
  const [k, g] = [rowsOf(K), rowsOf(infinite[l]!)];
  const y = [...targets.data];
  const own = centred(y.map((a) => y.map((b) => a * b)));
  const trace = k.reduce((sum, row, i) => sum + row[i]!, 0);
  return [
    norm(k.map((row, i) => row.map((value, j) => value - g[i]![j]!))) / norm(g),
    dot(centred(k), own) / norm(centred(k)) / norm(own),
    trace ** 2 / dot(k, k),
  ];
};

describe("what each layer learned", () => {
  const titles = ["shift from infinite width", "alignment with the targets", "effective rank"];
  const told = story(learners);
  const page = pageOf(learned, told);
  const all = [
    { label: "infinite width", kernels: infinite },
    ...learners.map(({ label, posterior }) => ({ label, kernels: posterior.hiddenKernels! })),
  ];

  it("is in a table and drawn against depth: every measure of every layer of every method", () => {
    const table = tablesOf(page).at(-1)!;
    expect(table).toEqual(
      all.flatMap(({ label, kernels }) =>
        kernels.map((one, l) => ({
          method: label,
          layer: `${l + 1}`,
          ...Object.fromEntries(titles.map((title, k) => [title, formatNumber(measures(one, l)[k]!)])),
        })),
      ),
    );
    const cards = cardsOf(page);
    titles.forEach((title, k) => {
      const { rows } = cards[`${title} against depth`]!;
      expect(rows.slice(1).map(([label, x, y]) => [label, x, Number(y).toPrecision(10)])).toEqual(
        all.flatMap(({ label, kernels }) => kernels.map((one, l) => [label, `${l + 1}`, measures(one, l)[k]!.toPrecision(10)])),
      );
    });
  });

  it("is shown as kernels before and after in the order of the targets, the last of the best method opening the report", () => {
    const order = [1, 3, 0, 2];
    const four = (value: number): number => Number(value.toPrecision(4));
    const drawn = (root: Document, name: string): number[][] =>
      [...cardsOf(root)[name]!.card.querySelectorAll("image[data-values]")].map((image) =>
        image.getAttribute("data-values")!.split(" ").map(Number),
      );
    const wanted = (l: number, { posterior }: SolvedOutcome): number[][] => {
      const [g, k] = [rowsOf(infinite[l]!), rowsOf(posterior.hiddenKernels![l]!)];
      const by = (of: (i: number, j: number) => number) => order.flatMap((i) => order.map((j) => four(of(i, j))));
      return [by((i, j) => g[i]![j]!), by((i, j) => k[i]![j]!), by((i, j) => k[i]![j]! - g[i]![j]!)];
    };
    expect(drawn(page, "kernel of layer 1")).toEqual(wanted(0, learners[1]!));
    expect(page.querySelector("details")!.querySelectorAll(".card")).toHaveLength(2);
    const opening = documentOf(kernelCard(told, learners[0]!, 1));
    expect(drawn(opening, "kernel of layer 2")).toEqual(wanted(1, learners[0]!));
    expect(opening.querySelector("figcaption")!.textContent).toMatch(/^Hidden layer 2: .* ordered by target\./);
    expect([...opening.querySelectorAll("svg > text[font-weight]")].map(({ textContent }) => textContent)).toEqual([
      "infinite width",
      "learned (one)",
      "difference",
    ]);
    // of the best method the last layer is above already
    const first = [...page.querySelectorAll("main > .card[data-name^='kernel']")];
    expect(first.map((card) => card.getAttribute("data-name"))).toEqual(["kernel of layer 1"]);
    expect(first[0]!.innerHTML).toContain("learned (one)");
  });

  it("has the spectra of every layer of the best method, and of the last at infinite width, as shares of the trace", () => {
    const { rows, card } = cardsOf(page)["spectra"]!;
    const share = (label: string) => rows.filter(([name]) => name === label).map(([, , y]) => Number(y));
    const wanted = {
      "layer 1": learners[0]!.posterior.hiddenKernels![0]!,
      "layer 2": learners[0]!.posterior.hiddenKernels![1]!,
      "layer 2 at infinite width": infinite[1]!,
    };
    expect(new Set(rows.slice(1).map(([name]) => name))).toEqual(new Set(Object.keys(wanted)));
    for (const [name, K] of Object.entries(wanted)) {
      const found = share(name);
      expect(found).toEqual(found.toSorted((a, b) => b - a));
      expect(rows.filter(([label]) => label === name).map(([, x]) => x)).toEqual(["1", "2", "3", "4"]);
      // the first two moments of the eigenvalues tell the spectra apart: tr K and tr K²
      expect(found.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 10);
      const trace = [0, 1, 2, 3].reduce((sum, i) => sum + columnOf(K, i)[i]!, 0);
      expect(found.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(dot(rowsOf(K), rowsOf(K)) / trace ** 2, 10);
    }
    expect(card.querySelector("figcaption")!.textContent).toContain("hidden kernels of one,");
  });

  it("of one layer is its kernel and its spectrum, nothing against depth", () => {
    const one = solved("one", "exact", { posterior: { diagnostics: {}, hiddenKernels: [kernel(0.9)] } });
    const single = pageOf(learned, story([one], { infinite: [infinite[0]!], best: undefined }));
    expect(Object.keys(cardsOf(single))).toEqual(["kernel of layer 1", "spectra"]);
  });

  it("takes the method that is infinite width for what the others are held against", () => {
    const baseline = solved("nngp", "nngp", { posterior: { diagnostics: {}, hiddenKernels: infinite } });
    const table = tablesOf(pageOf(learned, story([baseline, ...learners], { baseline, best: learners[1] }))).at(-1)!;
    expect(table.map(({ method }) => method)).toEqual(["nngp", "nngp", "one", "one", "two", "two"]);
    expect(table[0]![titles[0]!]).toBe("0");
  });
});

describe("predictions", () => {
  const points = 12;
  const wave = (phase: number): Float64Array => Float64Array.from({ length: points }, (_, i) => Math.sin(2.7 * i + phase));
  const matrix = (data: Float64Array): Matrix => ({ data, shape: [points, 1] });
  const predicted = (label: string, phase: number, error?: number): SolvedOutcome =>
    solved(label, label, {
      predictive: {
        mean: matrix(wave(phase)),
        variance: matrix(wave(phase + 1).map((value) => 0.2 + value * value)),
        ...(error === undefined
          ? {}
          : {
              standardError: {
                mean: matrix(new Float64Array(points).fill(error)),
                variance: matrix(new Float64Array(points).fill(2 * error)),
              },
            }),
      },
    });
  const own = [predicted("exact", 0.3), predicted("mc", 0.5, 0.0625), predicted("other", 0.9, 0.125)];
  const test = { inputs: matrix(wave(0)), targets: matrix(wave(1.9)) };
  const tips = (told: Story, name: string): string[] => cardsOf(pageOf(predictions, told))[name]!.tips;

  it("are calibrated with the noise of the targets", () => {
    const found = tips(story(own, { test }), "calibration").filter((tip) => tip.includes("stated"));
    const wanted = own.flatMap(({ label, predictive }) =>
      Array.from({ length: 39 }, (_, i) => {
        const level = (i + 1) / 40;
        const inside = [...test.targets.data].filter(
          (y, k) =>
            Math.abs(y - predictive!.mean.data[k]!) <= normalQuantile((1 + level) / 2) * Math.sqrt(predictive!.variance.data[k]! + 0.4),
        );
        return `${label}\nstated ${formatNumber(level)}, found ${Number((inside.length / points).toPrecision(4))}`;
      }),
    );
    expect(found).toEqual(wanted);
    expect(cardsOf(pageOf(predictions, story(own, { test: { inputs: test.inputs } })))).not.toHaveProperty("calibration");
    expect(pageOf(predictions, story(own, { test })).querySelectorAll('.narrow svg[width="350"]')).toHaveLength(3);
  });

  it("are held against the method to believe where it samples, else the last that does; errors are those of the quantity", () => {
    const against = (
      told: Story,
      quantity: "mean" | "variance",
    ): { reference: string | null; methods: Set<string>; errors: Set<string> } => {
      const page = pageOf(predictions, told);
      const { tips: all, card } = cardsOf(page)[`predictive ${quantity}`]!;
      const own = all.filter((tip) => tip.includes(" against "));
      return {
        reference: /against (.*), which samples/.exec(card.querySelector("figcaption")!.textContent)![1]!,
        methods: new Set(own.map((tip) => tip.split(",")[0]!)),
        errors: new Set(own.map((tip) => tip.split(" ± ")[1]!)),
      };
    };
    expect(against(story(own, { test, best: own[1] }), "mean")).toEqual({
      reference: "mc",
      methods: new Set(["exact", "other"]),
      errors: new Set(["0.0625"]),
    });
    expect(against(story(own, { test, best: own[0] }), "variance")).toEqual({
      reference: "other",
      methods: new Set(["exact", "mc"]),
      errors: new Set(["0.25"]),
    });
  });
});

describe("order parameters", () => {
  const density = {
    kind: "density",
    title: "q",
    label: "q",
    series: [{ label: "p", x: Float64Array.of(0, 1, 2), y: Float64Array.of(0, 1, 0) }],
    logX: false,
  } as const;
  const own = [
    solved("a", "exact", { posterior: { diagnostics: {}, orderParameter: 1.5, figures: [density] } }),
    solved("b", "effective-action", { posterior: { diagnostics: {}, orderParameter: 0.75 } }),
    solved("c", "large-deviation", {
      posterior: {
        diagnostics: {},
        orderParameter: matrixFromRows([
          [1, 2],
          [3, 4],
        ]),
      },
    }),
    solved("d", "nngp", { posterior: { diagnostics: {}, orderParameter: { data: Float64Array.of(7, 8, 9), shape: [3] } } }),
    solved("e", "nngp", {
      posterior: { diagnostics: {}, orderParameter: { data: Float64Array.from({ length: 49 }, (_, k) => k + 3), shape: [7, 7] } },
    }),
    solved("f", "nngp", {}),
  ];

  it("stand beside what they are of, matrices row by row; a density shows the numbers of the other methods, not its own", () => {
    const page = pageOf(orderParameters, story(own));
    const of = (method: string): string => registry.theory(method).summary;
    expect(tablesOf(page)[0]).toEqual(
      [
        ["a", "1.5", of("exact")],
        ["b", "0.75", of("effective-action")],
        ["c", "1, 2; 3, 4", of("large-deviation")],
        ["d", "7, 8, 9", of("nngp")],
        ["e", "7 × 7 matrix, diagonal 3, …", of("nngp")],
      ].map(([method, value, what]) => ({ method, "order parameter": value, theory: what })),
    );
    const { card } = cardsOf(page)["q"]!;
    const marks = [...card.querySelectorAll(".wide text")].map(({ textContent }) => textContent).filter((text) => /^[a-f]$/.test(text));
    expect([marks, page.querySelector("table")!.className]).toEqual([["b"], "stacked"]);
  });
});

describe("sampler health", () => {
  it("has what each sampler says about itself below its name, lists as their means", () => {
    const diagnostics = {
      rhat: 1.01,
      bulkEss: [100, 300],
      tailEss: 50,
      divergences: 2,
      acceptance: [0.5, 0.7, 0.9],
      chains: 4,
      draws: 500,
      mixed: true,
    };
    const own = [
      solved("mc", "monte-carlo", { posterior: { diagnostics } }),
      solved("exact", "exact", { posterior: { diagnostics: { chains: 3 } } }),
      solved("is", "exact", { posterior: { diagnostics: { effectiveSamples: 77, storedDraws: null, acceptance: [] } } }),
      solved("rhat", "exact", { posterior: { diagnostics: { rHat: 1.5 } } }),
    ];
    const table = tablesOf(pageOf(samplerHealth, story(own)))[0]!;
    expect(Object.keys(table[0]!).join(", ")).toBe(
      "method, R-hat, effective draws, tail effective draws, divergences, acceptance, chains, draws per chain, mixed",
    );
    expect(table.map((row) => Object.values(row))).toEqual([
      ["mc", "1.01", "200", "50", "2", "0.7", "4", "500", "yes"],
      ["is", "–", "77", "–", "–", "–", "–", "–", "–"],
      ["rhat", "1.5", "–", "–", "–", "–", "–", "–", "–"],
    ]);
    expect(samplerHealth.render(story([own[1]!]))).toBe("");
  });
});
