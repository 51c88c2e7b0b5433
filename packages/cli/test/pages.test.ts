import { matrixFromRows, type PaperFigure } from "@finitewidth/core";
import { planPrior, type PriorOutcome, type ReproducedFigure } from "@finitewidth/experiment";
import { describe, expect, it } from "vitest";
import { experimentReport } from "../src/report/experiment-report.js";
import { figurePage, figureSvg, galleryPage } from "../src/report/figure-report.js";
import { priorReport, priorTable } from "../src/report/prior-report.js";
import { outcomeOf, planned, registry, resultsOf } from "./outcomes.js";
import { cardsOf, documentOf, tablesOf } from "./pages.js";

describe("pages of reproduced figures", () => {
  const series = (k: number) => [{ label: `s${k}`, x: Float64Array.of(1, 2), y: Float64Array.of(k, 3) }];
  const picture = (k: number) => ({
    figure: { kind: "lines", title: "t", xLabel: "x", yLabel: "y", series: series(k) } as const,
    caption: `caption ${k}`,
  });
  const reproduced = (name: string, holds: readonly boolean[], seconds: number, pictures = 1): ReproducedFigure => ({
    figure: {
      name,
      summary: `summary of ${name}`,
      paper: `paper of ${name}`,
      statement: `statement of ${name}`,
      differences: `differences of ${name}`,
      pictures: (numbers: unknown) => Array.from({ length: pictures }, (_, k) => picture((numbers as number) + k)),
    } as unknown as PaperFigure,
    size: "paper",
    numbers: 7,
    checks: holds.map((one, k) => ({ name: `check ${k}`, expected: `expected ${k}`, found: `found ${k}`, holds: one })),
    passed: holds.every(Boolean),
    seconds,
  });

  it("say what the paper reports and what differs, show every picture with its data, every check, and link the experiments", () => {
    const page = documentOf(figurePage(reproduced("one", [true, false], 12.34, 2), ["a", "b"]));
    expect(page.querySelector("h1")!.textContent).toBe("one: summary of one");
    expect([...page.querySelectorAll("main > p")].map(({ textContent }) => textContent)).toEqual([
      "paper of one",
      "statement of one",
      "What differs. differences of one",
      "Size paper, 12.3 s. Experiments, for finitewidth run: a, b.",
    ]);
    expect([...page.querySelectorAll("a")].map((link) => link.getAttribute("href"))).toEqual(["experiments/a.json", "experiments/b.json"]);
    expect(tablesOf(page)).toEqual([
      [
        { check: "check 0", expected: "expected 0", found: "found 0", "": "shown" },
        { check: "check 1", expected: "expected 1", found: "found 1", "": "not shown" },
      ],
    ]);
    expect([...page.querySelectorAll("td span")].map(({ className }) => className)).toEqual(["pass", "fail"]);
    const cards = cardsOf(page);
    expect(Object.keys(cards)).toEqual(["one", "one-2"]);
    expect([cards["one"]!.rows[1], cards["one-2"]!.rows[1]]).toEqual([
      ["s7", "1", "7", ""],
      ["s8", "1", "8", ""],
    ]);
    expect(cards["one-2"]!.card.querySelector("figcaption")!.textContent).toBe("caption 8");
    expect(cards["one-2"]!.card.querySelector(".narrow svg")!.getAttribute("width")).toBe("350");
    expect(documentOf(figurePage(reproduced("one", [true], 600), [])).querySelector("main")!.textContent).toContain(
      "Size paper, 10.0 min.",
    );
  });

  it("stand in a gallery with their checks counted and failures first, and are one SVG file", () => {
    const [one, two] = [reproduced("one", [true, true, true], 3), reproduced("two", [true, false, false], 90)];
    const page = documentOf(galleryPage([one, two], [{ figure: reproduced("three", [], 0).figure, reason: "why" }]));
    expect(tablesOf(page)[0]).toEqual([
      { figure: "one", shows: "summary of one", checks: "3 of 3 shown", time: "3.0 s" },
      { figure: "two", shows: "summary of two", checks: "1 of 3 not shown", time: "1.5 min" },
    ]);
    expect(page.querySelector(".failed")!.textContent).toBe("three why");
    expect([...page.querySelectorAll("a")].map((link) => link.getAttribute("href"))).toEqual(["#one", "#two"]);
    expect([...page.querySelectorAll("h2")].map(({ id, textContent }) => [id, textContent])).toEqual([
      ["one", "one: summary of one"],
      ["two", "two: summary of two"],
    ]);
    expect(
      tablesOf(page)
        .slice(1)
        .map((table) => table.length),
    ).toEqual([3, 3]);
    const widths = figureSvg(reproduced("one", [true], 1, 2)).matchAll(/<svg[^>]* width="(\d+)"/g);
    // two pictures, and a file with a margin around them
    expect(Array.from(widths, ([, width]) => width)).toEqual(["736", "720", "720"]);
  });
});

describe("the report of a prior", () => {
  const plan = planPrior(
    {
      inputs: [
        [1, 2],
        [0, 1],
        [3, -1],
      ],
      outputs: 2,
      seed: 6,
      network: { type: "fully-connected", widths: [4], activation: "erf" },
      methods: ["nngp", { method: "perturbative", label: "p" }],
    },
    registry,
  );
  const moments = (from: number) =>
    matrixFromRows([
      [from, 2, 3],
      [2, 5, 6],
      [3, 6, 9],
    ]);
  const outcomes: PriorOutcome[] = [
    {
      label: "nngp",
      method: "nngp",
      named: true,
      seconds: 1.5,
      status: "ok",
      result: {
        secondMoment: moments(1),
        excessKurtosis: Float64Array.of(0.5, 9, 9),
        logDensity: Float64Array.of(-2.5),
        warnings: ["w <1>"],
        kernelMeanShift: moments(0),
      },
    },
    {
      label: "p",
      method: "perturbative",
      named: true,
      seconds: 2.25,
      status: "ok",
      result: {
        secondMoment: moments(4),
        excessKurtosis: Float64Array.of(0.75, 8, 8),
        logDensity: Float64Array.of(-3),
        standardError: { secondMoment: moments(0.5), excessKurtosis: Float64Array.of(0.125, 5, 5), logDensity: 0.25 },
        warnings: [],
      },
    },
    { label: "bad", method: "exact", named: true, seconds: 3, status: "failed", error: new Error("no") },
  ];

  it("has the moments at the first input with their own errors", () => {
    const { header, rows } = priorTable(outcomes);
    expect(header).toEqual(["method", "E f²", "excess kurtosis", "log density (first point)", "seconds"]);
    expect(rows).toEqual([
      ["nngp", "1", "0.5", "-2.5", "1.50"],
      ["p", "4.00 ± 0.50", "0.75 ± 0.13", "-3.00 ± 0.25", "2.25"],
      ["bad", "failed", "", "", "3.00"],
    ]);
  });

  it("draws the second moments and the shift of every method that states them, with warnings, failures and the facts", () => {
    const page = documentOf(priorReport(plan, outcomes, "a prior"));
    expect(page.querySelector(".lead")!.textContent).toBe(
      "Prior: fully-connected, 1 hidden layer of width 4, erf activation; 3 inputs of 2 features, 2 outputs, seed 6.",
    );
    expect([...page.querySelectorAll(".warning, .failed")].map(({ textContent }) => textContent)).toEqual([
      "nngp: w <1>",
      "bad failed: no",
    ]);
    const drawn = (name: string) =>
      [...cardsOf(page)[name]!.card.querySelectorAll("svg")].map((svg) => [
        svg.querySelector("text")!.textContent,
        svg.querySelector("image")!.getAttribute("data-values"),
      ]);
    expect(drawn("second moments")).toEqual([
      ["nngp", "1 2 3 2 5 6 3 6 9"],
      ["p", "4 2 3 2 5 6 3 6 9"],
    ]);
    expect(drawn("shift of the mean kernel")).toEqual([["nngp", "0 2 3 2 5 6 3 6 9"]]);
    expect(tablesOf(page)[0]![1]).toMatchObject({ method: "p", "E f²": "4.00 ± 0.50" });
  });
});

describe("the report of several networks", () => {
  it("has the best of all by every measure, all numbers of all networks, and each measure at the place of its network", async () => {
    const network = { type: "fully-connected", widths: [4], activation: "identity" };
    const plan = await planned({
      networks: ["a", "b", "c"].map((label, k) => ({ label, ...network, widths: [4 + k] })),
      methods: ["nngp", "exact"],
    });
    const size = (n: number, m: number): number => [30, 10, 20][n]! + m;
    const results = resultsOf(plan, (_s, n, m, label) => outcomeOf(label, size(n, m), n === 2 ? { warnings: ["careful"] } : {}));
    const page = documentOf(experimentReport(plan, results, "networks"));
    expect(page.querySelector(".lead")!.textContent).toBe(
      "fully-connected, 1 hidden layer of width 4, identity activation; fully-connected, 1 hidden layer of width 5, identity activation; fully-connected, 1 hidden layer of width 6, identity activation. 4 training points of 3 features, 2 outputs, temperature 0.3, standard scaling.",
    );
    expect(page.querySelector("p.headline")!.textContent).toBe(
      "The largest log evidence: b, nngp (-10). The smallest generalisation error: b, nngp (20).",
    );
    const table = tablesOf(page)[0]!;
    expect(table.map(({ network: name, method }) => `${name} ${method}`)).toEqual([
      "a nngp",
      "a exact",
      "b nngp",
      "b exact",
      "c nngp",
      "c exact",
    ]);
    expect(table[5]).toEqual({ network: "c", method: "exact", "log evidence": "-21.0 ± 2.6", "generalisation error": "42.0 ± 3.0" });
    const { rows, tips, card } = cardsOf(page)["log evidence of networks"]!;
    expect(rows.slice(1)).toEqual(
      ["a", "b", "c"].flatMap((name, n) => ["nngp", "exact"].map((method, m) => [name, method, `${-size(n, m)}`, `${size(n, m) / 8}`])),
    );
    expect(tips.filter((tip) => tip.includes("exact"))).toEqual(
      ["a", "b", "c"].map((name, n) => expect.stringMatching(new RegExp(`^${name}, exact\nlog evidence -${size(n, 1)}`))),
    );
    // hollow where the method warns
    const hollow = [...card.querySelectorAll(".wide circle")].filter((circle) => circle.getAttribute("fill")!.includes("surface"));
    expect(hollow.map((circle) => circle.querySelector("title")!.textContent![0])).toEqual(["c", "c"]);
    expect([...page.querySelectorAll("main > h2")].map(({ textContent }) => textContent).filter((title) => /^[abc]$/.test(title!))).toEqual(
      ["a", "b", "c"],
    );
  });
});
