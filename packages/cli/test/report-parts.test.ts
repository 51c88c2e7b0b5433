import { createRegistry, inlineRun, type Plugin, type ReportSection } from "@finitewidth/core";
import { planExperiment, runPlan, type MethodOutcome, type Verdicts } from "@finitewidth/experiment";
import { standardPlugins } from "@finitewidth/verification";
import { beforeAll, describe, expect, it } from "vitest";
import { experimentReport } from "../src/report/experiment-report.js";
import { outcomeOf, planned, resultsOf } from "./outcomes.js";
import { cardsOf, documentOf, tablesOf } from "./pages.js";

const quiet = (label: string, size: number, more: object = {}): MethodOutcome =>
  outcomeOf(label, size, {
    posterior: { logEvidence: -size, diagnostics: {}, solver: {} },
    generalizationStandardError: undefined,
    ...more,
  });
const texts = (page: Document, selector: string): string[] =>
  [...page.querySelectorAll(selector)].map(({ textContent }) => textContent ?? "");

describe("the report of a sweep over one key", () => {
  it("says that order parameters of several methods differ in units where a later weight variance is not one", async () => {
    const network = { type: "fully-connected", widths: [4], activation: "identity" };
    const caption = async (weightVariance: number[], methods: string[]): Promise<string> => {
      const plan = await planned({ network: { ...network, weightVariance }, sweep: { temperature: [0.1, 1] }, methods });
      const page = documentOf(
        experimentReport(
          plan,
          resultsOf(plan, (s, _n, m, label) => outcomeOf(label, 2 + s + m)),
          "units",
        ),
      );
      return cardsOf(page)["order parameter against temperature"]!.card.querySelector("figcaption")!.textContent!;
    };
    const [plain, units] = ["Order parameter against temperature T.", "With or without the weight variances of later layers"];
    expect(await caption([1, 16], ["nngp", "exact"])).toContain(`${plain} ${units}`);
    expect(await caption([16, 1], ["nngp", "exact"])).toBe(plain);
    expect(await caption([1, 16], ["exact"])).toBe(plain);
  });

  it("places values that are no numbers by name, dashes what does not depend on them, and draws a curve for every method", async () => {
    const activations = ["tanh", "identity", "erf"];
    const plan = await planned({ sweep: { "network.activation": activations } });
    const page = documentOf(
      experimentReport(
        plan,
        resultsOf(plan, (s, _n, m, label) => quiet(label, m === 0 ? 9 : 3 + ((s + 1) % 3))),
        "names",
      ),
    );
    const { rows, card } = cardsOf(page)["log evidence against network.activation"]!;
    // what no method states has neither column nor figure
    expect(Object.keys(tablesOf(page)[0]![0]!).join()).toBe(
      "network.activation,method,log evidence,generalisation error,bias,variance,seconds,remarks",
    );
    expect(Object.keys(cardsOf(page))).toHaveLength(4);
    expect(rows).toEqual([
      ["network.activation", "method", "logEvidence", "standardError"],
      ...activations.flatMap((name, s) => [
        [name, "nngp", "-9", "0"],
        [name, "exact", `${-(3 + ((s + 1) % 3))}`, "0"],
      ]),
    ]);
    for (const width of ["wide", "narrow"]) {
      const names = [...card.querySelectorAll(`.${width} text`)].map(({ textContent }) => textContent!);
      expect(names.filter((name) => activations.includes(name))).toEqual(activations);
    }
    expect(card.querySelector("figcaption")!.textContent).toBe("Log evidence against activation.");
    // infinite width is dashed, in its own colour; the other is not
    const line = (label: string): Element =>
      [...card.querySelectorAll(".wide path")].find((path) => path.getAttribute("stroke")?.includes(`hue-${label}`))!;
    const dashed = (label: string): boolean => line(label).closest("[stroke-dasharray]") !== null;
    expect([dashed("grey"), dashed("blue")]).toEqual([true, false]);
    expect(texts(page, ".legend .label").slice(0, 2)).toEqual(["nngp", "exact"]);
    expect(texts(page, "p.headline")[0]).toBe(
      "3 of 3 steps over network.activation.\nLargest log evidence: at network.activation erf by exact (-3).\nSmallest generalisation error: at network.activation erf by exact (6).",
    );
    expect(texts(page, ".lead")[0]).toContain(
      "fully-connected, 2 hidden layers of widths 4, 3, tanh activation … fully-connected, 2 hidden layers of widths 4, 3, erf activation. 4 training points of 3 features, 2 outputs, temperature 0.3",
    );
  });
});

describe("the report of a sweep over three keys", () => {
  it("has every step as a line across its values and a facet for every pair of the others, the best red", async () => {
    const sweep = { widths: [[2], [8]], temperature: [0.1, 1, 10], "network.activation": ["erf", "identity"] };
    const plan = await planned({ sweep, methods: ["nngp"] });
    const size = (s: number): number => 20 + ((5 * s + 3) % 12);
    const page = documentOf(
      experimentReport(
        plan,
        resultsOf(plan, (s, _n, _m, label) => quiet(label, size(s))),
        "three",
      ),
    );
    const values = plan.steps.map(({ values: own }) => own as { widths: number[]; temperature: number; "network.activation": string });
    const cards = cardsOf(page);
    const { tips, card } = cards["log evidence of nngp"]!;
    expect(tips.filter((tip) => tip.includes("log evidence"))).toEqual(
      values.map(
        (own, s) =>
          `width N: ${own.widths[0]}\ntemperature T: ${own.temperature}\nactivation: ${own["network.activation"]}\nlog evidence: −${size(s)}`,
      ),
    );
    expect(card.querySelector("figcaption")!.textContent).toContain("coloured by the log evidence of nngp; red: the largest.");
    for (const temperature of sweep.temperature)
      for (const activation of sweep["network.activation"]) {
        const { rows } = cards[`generalisation error at temperature ${temperature}, network.activation ${activation} against widths`]!;
        const own = values.flatMap((one, s) =>
          one.temperature === temperature && one["network.activation"] === activation ? [`${2 * size(s)}`] : [],
        );
        expect(rows.slice(1).map((row) => row[2])).toEqual(own);
      }
    expect(Object.keys(cards)).toHaveLength(2 + 6);
    // the lowest size is at the step that the headline names
    const best = values[[...values.keys()].toSorted((a, b) => size(a) - size(b))[0]!]!;
    expect(texts(page, "p.headline")[0]).toContain(
      `temperature ${best.temperature}, network.activation ${best["network.activation"]} by nngp (-20)`,
    );
  });

  it("draws 24 facets at most and says how many there are besides", async () => {
    const plan = await planned({ sweep: { widths: [2, 8], temperature: [0.1, 1, 2, 3, 4], seed: [1, 2, 3, 4, 5] }, methods: ["nngp"] });
    const page = documentOf(
      experimentReport(
        plan,
        resultsOf(plan, (s, _n, _m, label) => quiet(label, 1 + s)),
        "many",
      ),
    );
    expect(Object.keys(cardsOf(page)).filter((name) => name.includes(" at "))).toHaveLength(24);
    expect(page.querySelector("main")!.textContent).toContain("1 more combinations are in the table.");
  });
});

describe("the report of one network", () => {
  const ones = (length: number): number[] => Array.from({ length }, () => 1);
  const section = (name: string, of: ReportSection["of"]): ReportSection => ({ name, summary: "x", of }) as ReportSection;
  const own: Plugin = {
    name: "own",
    module: "own",
    reportSections: [
      section("mine", ({ methods, problem }) => ({
        title: "Mine <1>",
        paragraphs: [`about ${methods.map(({ label }) => label).join(" and ")}`, `${problem.inputs.shape[0]} points`],
        table: { header: ["k", "v"], rows: [["a<b", "1"]] },
        figures: [
          {
            caption: "two",
            figure: {
              kind: "lines",
              title: "drawn",
              xLabel: "x",
              yLabel: "y",
              series: ["exact", "else"].map((label) => ({ label, x: Float64Array.of(1, 2), y: Float64Array.of(3, 4) })),
            },
          },
        ],
      })),
      section("none", () => undefined),
      section("broken", () => {
        throw new Error("no such thing");
      }),
    ],
  };
  let page: Document;
  beforeAll(async () => {
    const registry = createRegistry([...standardPlugins, own]);
    const points = [
      [1, 2],
      [0, 1],
      [-1, 1],
    ];
    const plan = await planExperiment(
      {
        data: { train: { inputs: points, targets: [[1], [0.5], [-2]] }, test: { inputs: points, targets: [[1], [1], [-1]] } },
        network: { type: "fully-connected", widths: [6], activation: "identity" },
        likelihood: { temperature: 0.2 },
        methods: ["nngp", "exact", { method: "exact", label: "again" }],
        referee: false,
        seed: 17,
      },
      { registry },
    );
    const of = (status: string, how: string) => ({ status, error: 0.25, standardError: null, how });
    const verdicts = {
      verdicts: { nngp: { predictive: of("contradicted", "so") }, exact: { predictive: of("confirmed", "this way") } },
      referee: { priorDistance: { sentence: "the prior is near" } },
    } as unknown as Verdicts;
    const results = (await runPlan(plan, inlineRun({ registry, seed: 17 }))).map((step) => ({
      ...step,
      problems: step.problems.map((one) => ({
        ...one,
        verdicts,
        outcomes: one.outcomes.map((outcome, m): MethodOutcome => {
          if (m === 2)
            return { label: "again", method: "exact", named: true, seconds: 2, status: "failed", error: new Error("not <again>") };
          if (outcome.status === "failed" || m === 0) return outcome;
          return {
            ...outcome,
            warnings: ["careful"],
            posterior: { ...outcome.posterior, diagnostics: { short: ones(24), long: ones(25) } },
          };
        }),
      })),
    }));
    const provenance = {
      version: "1.2",
      backend: "b",
      node: "v1",
      platform: "p",
      date: "d",
      dataHash: "h",
      command: "c",
      plugins: { own: "3.4" },
    };
    page = documentOf(experimentReport(plan, results, "one", provenance));
  });

  it("has methods with their verdicts in front, remarks, and every verdict with how it is known", () => {
    expect(tablesOf(page)[0]!.map(({ method, predictions }) => [method, predictions])).toEqual([
      ["nngp", "contradicted"],
      ["exact", "confirmed"],
      ["again", "failed"],
    ]);
    expect([...page.querySelector("table")!.querySelectorAll("td > span:not(.label)")].map(({ className }) => className)).toEqual([
      "contradicted",
      "confirmed",
      "failed",
    ]);
    const dots = [...page.querySelector("table")!.querySelectorAll(".dot")].map((dot) => dot.getAttribute("style")!);
    expect(new Set(dots).size).toBe(3);
    expect([dots[0], dots[1]]).toEqual([expect.stringContaining("hue-grey"), expect.stringContaining("hue-blue")]);
    expect(
      [...page.querySelectorAll(".warning, .failed")].filter(({ tagName }) => tagName === "DIV").map(({ textContent }) => textContent),
    ).toEqual(["exact: careful", "again failed: not <again>", "broken could not be drawn: no such thing"]);
    const verdicts = tablesOf(page).find(([row]) => row && "how it is known" in row)!;
    expect(verdicts.map((row) => Object.values(row))).toEqual([
      ["nngp", "predictions", "contradicted", "0.25", "so"],
      ["exact", "predictions", "confirmed", "0.25", "this way"],
    ]);
    expect(texts(page, "main > p")).toContain("The prior is near.");
  });

  it("has the sections of plug-ins: words, table and figures, methods in their own colours and what they are compared with in none", () => {
    expect(texts(page, "h2")).toContain("Mine <1>");
    expect(texts(page, "main > p")).toEqual(expect.arrayContaining(["about nngp and exact", "3 points"]));
    expect(tablesOf(page)).toContainEqual([{ k: "a<b", v: "1" }]);
    const { rows, card } = cardsOf(page)["drawn"]!;
    expect(rows.slice(1)).toEqual(
      ["exact", "else"].flatMap((label) => [
        [label, "1", "3", ""],
        [label, "2", "4", ""],
      ]),
    );
    const strokes = [...card.querySelectorAll(".wide path")]
      .map((path) => path.getAttribute("stroke"))
      .filter((stroke) => stroke?.startsWith("var"));
    expect(strokes).toEqual([expect.stringContaining("hue-blue"), expect.stringContaining("--soft")]);
  });

  it("ends with the diagnostics, long lists left out, and with what made it", () => {
    const details = Object.fromEntries(
      [...page.querySelectorAll("details")].map((one) => [
        one.querySelector("summary")!.textContent!,
        one.querySelector("pre")?.textContent ?? "",
      ]),
    );
    expect(JSON.parse(details["Diagnostics of exact"]!)).toMatchObject({ short: ones(24), long: "25 entries, see result.json" });
    expect(Object.keys(details)).toContain("Diagnostics of nngp");
    const read = JSON.parse(details["Experiment as read"]!);
    expect(read).toMatchObject({ data: "inline (see result.json)", seed: 17 });
    const facts = texts(page, "dl.facts dt").map((name, i) => [name, texts(page, "dl.facts dd")[i]]);
    expect(facts).toEqual([
      ["finitewidth", "1.2"],
      ["backend", "b"],
      ["Node", "v1"],
      ["platform", "p"],
      ["date", "d"],
      ["data (SHA-256)", "h"],
      ["command", "c"],
      ["seed", "17"],
      ["plug-in own", "3.4"],
    ]);
  });
});
