import { matrixFromRows, type Matrix, type Problem } from "@finitewidth/core";
import type { SolvedOutcome, Verdicts } from "@finitewidth/experiment";
import { describe, expect, it } from "vitest";
import { createDocument } from "../src/report/html.js";
import { infiniteHiddenKernels } from "../src/report/network-facts.js";
import { headline, tellStory, type Story } from "../src/report/story.js";
import { summaryTable } from "../src/summary-table.js";
import { outcomeOf, planned, registry } from "./outcomes.js";

const targets = matrixFromRows([[1], [-1], [1], [-1]]);
const outer = (y: readonly number[], scale: number): Matrix => matrixFromRows(y.map((a) => y.map((b) => scale * a * b)));
/** A kernel that has as much of the targets in it as of something that knows nothing of them. */
const mixed = (own: number, other: number): Matrix => {
  const [a, b] = [outer([1, -1, 1, -1], own), outer([1, 1, -1, -1], other)];
  return { ...a, data: a.data.map((value, k) => value + b.data[k]!) };
};
const solved = (
  label: string,
  logEvidence: number | undefined,
  total: number | undefined,
  more: object = {},
  posterior: object = {},
): SolvedOutcome =>
  outcomeOf(label, 1, {
    posterior: { ...(logEvidence === undefined ? {} : { logEvidence }), diagnostics: {}, ...posterior },
    generalizationError: total === undefined ? undefined : { total, bias: 0, variance: 0 },
    ...more,
  }) as SolvedOutcome;
const story = (best: SolvedOutcome | undefined, baseline: SolvedOutcome | undefined, more: object = {}): Story =>
  ({
    registry,
    problem: { targets } as unknown as Problem,
    solved: [baseline, best].filter((one) => one !== undefined),
    outcomes: [],
    verdicts: undefined,
    infinite: undefined,
    test: undefined,
    best,
    baseline,
    colours: () => "red",
    document: createDocument(),
    ...more,
  }) as Story;
const wide = solved("nngp", -5, 0.4);

describe("the sentence that opens a report", () => {
  it.each([
    [-3.5, 0.3, "matters here: the log evidence is 1.5 higher and the generalisation error is 25 % lower"],
    [-7, 0.5, "matters here: the log evidence is 2 lower and the generalisation error is 25 % higher"],
    [-4.5, 0.41, "hardly matters here: the log evidence is 0.5 higher and the generalisation error is 2.5 % higher"],
    [-4.5, 0.43, "matters here: the log evidence is 0.5 higher and the generalisation error is 7.5 % higher"],
    [-5.5, 0.4, "hardly matters here: the log evidence is 0.5 lower"],
    [undefined, 0.2, "matters here: the generalisation error is 50 % lower"],
    [-3, undefined, "matters here: the log evidence is 2 higher"],
  ])("compares evidence %s and error %s with those at infinite width", (evidence, error, words) => {
    expect(headline(story(solved("exact", evidence, error), wide))).toBe(
      `Finite width ${words} than at infinite width (exact against nngp). Of the methods asked exact is the one to believe.`,
    );
  });

  it("takes the numbers that are to be believed, and says whose they are", () => {
    const believe = {
      logEvidence: { method: "other", value: -2, standardError: 0.1, how: "" },
      generalizationError: { method: null, value: 0.1, standardError: 0.02, how: "" },
    };
    const verdicts = { verdicts: {}, believe, referee: {} } as unknown as Verdicts;
    expect(headline(story(solved("exact", -3.5, 0.3), wide, { verdicts }))).toMatch(
      /^Finite width matters here: the log evidence is 3\.00 ± 0\.10 higher and the generalisation error is 75 % lower than at infinite width \(other and the sampled network against nngp\)\. Believe other for log evidence\./,
    );
  });

  it("says that there is no answer, or nothing to compare with, or that infinite width is all there is", () => {
    expect(headline(story(undefined, undefined))).toBe("No method has an answer; the reasons are below.");
    expect(headline(story(solved("exact", -3, 1), undefined))).toMatch(
      /^No method at infinite width was asked, so there is nothing to compare/,
    );
    expect(headline(story(wide, wide))).toBe("Of the methods asked nngp is the one to believe.");
  });

  it.each([
    [mixed(1, 1), mixed(1, 0), "the last hidden layer moved by 71 %, its alignment with the targets rose from 0.71 to 1.00"],
    [mixed(1, 0), mixed(1, 1), "the last hidden layer moved by 100 %, its alignment with the targets fell from 1.00 to 0.71"],
    [mixed(1, 1), mixed(1.05, 1.05), "the last hidden layer moved by 5.0 %, its alignment with the targets stayed at 0.71"],
  ])("says how far the last kernel moved, and to or from the targets", (before, after, words) => {
    const learned = solved("exact", -5, 0.4, {}, { hiddenKernels: [mixed(9, 1), after] });
    const text = headline(story(learned, wide, { infinite: [mixed(1, 9), before] }));
    expect(text).toContain(`The kernel of ${words}.`);
    // a method that gives the kernels of the first layers only
    const first = solved("exact", -5, 0.4, {}, { hiddenKernels: [after] });
    expect(headline(story(first, wide, { infinite: [before, mixed(1, 9)] }))).toContain(
      `The kernel of ${words.replace("the last hidden layer", "hidden layer 1")}.`,
    );
  });

  it("names the kernels that the referee doubts, and the methods that it contradicts", () => {
    const learned = solved("exact", -5, 0.4, {}, { hiddenKernels: [mixed(1, 0)] });
    const of = (status: string) => ({ status, error: null, standardError: null, how: "" });
    const text = (kernels: string): string =>
      headline(
        story(learned, wide, {
          infinite: [mixed(1, 1)],
          verdicts: { verdicts: { exact: { hiddenKernels: of(kernels) }, nngp: { predictive: of("contradicted") } }, referee: {} },
        }),
      );
    for (const status of ["doubtful", "contradicted"]) expect(text(status)).toContain(`, says exact, whose hidden kernels are ${status}.`);
    expect(text("confirmed")).not.toContain("says exact");
    expect(text("confirmed")).toMatch(/Of the methods asked exact is the one to believe\. Sampling the network contradicts nngp\.$/);
  });

  it("says what speaks for the method to believe: modes, its own errors, or nothing but that it warns", () => {
    expect(headline(story(solved("exact", -3, 1, {}, { modes: 2 }), undefined))).toContain(
      "The posterior has 2 separate modes: of the methods asked exact",
    );
    expect(headline(story(solved("mc", -3, 1, { predictive: { standardError: {} } }), undefined))).toMatch(
      /Believe mc up to its standard errors\.$/,
    );
    expect(headline(story(solved("mc", -3, 1, { warnings: ["x"] }), undefined))).toMatch(
      /mc is the one to believe; it warns, see below\.$/,
    );
  });
});

describe("what methods are held against", () => {
  it("is the method that says that its hidden kernels are those of infinite width; where none does these are worked out", async () => {
    const points = Array.from({ length: 60 }, (_, i) => [Math.sin(i), Math.cos(2 * i), 0.1 * i]);
    const plan = await planned({ data: { train: { inputs: points, targets: points.map(([a]) => [a]) } } });
    const [step] = plan.steps as [(typeof plan.steps)[0]];
    const [problem] = step.problems as [(typeof step.problems)[0]];
    const infinite = infiniteHiddenKernels(problem.problem, registry);
    const scaled = (factors: readonly number[]) =>
      infinite.map((one, l) => ({ ...one, data: one.data.map((value) => factors[l]! * value) }));
    const story = (...kernels: (readonly Matrix[] | undefined)[]): Story => {
      const own = kernels.map((hiddenKernels, k) =>
        solved(`m${k}`, -1, 1, { method: hiddenKernels === infinite ? "nngp" : "exact" }, hiddenKernels ? { hiddenKernels } : {}),
      );
      return tellStory(plan, step, { problem, outcomes: own }, createDocument());
    };
    const both = story(scaled([1, 1.05]), undefined, infinite, scaled([1.05, 1]));
    expect([both.baseline?.label, both.infinite]).toEqual(["m2", infinite]);
    // what leaves the hidden layers as they were is believed after methods that do not, and these before what has no kernels to show
    expect([both.best?.label, story(infinite, undefined).best?.label, story(undefined, infinite, scaled([1, 1.05])).best?.label]).toEqual([
      "m0",
      "m1",
      "m2",
    ]);
    const none = story(scaled([1, 1.05]), undefined);
    expect(none.baseline).toBeUndefined();
    expect(none.infinite!.map(({ data }) => data[61])).toEqual(infinite.map(({ data }) => data[61]));
    expect(story(undefined).infinite).toBeUndefined();
    // linear layers: G¹ = XXᵀ/3, G² the same times σ_w² = 1
    const wanted = points[1]!.reduce((sum, value, j) => sum + value * points[7]![j]!, 0) / 3;
    for (const { data } of infinite) expect(data[60 + 7]).toBeCloseTo(wanted, 12);
  });
});

describe("the summary of methods", () => {
  const byHeader = ({ header, rows }: ReturnType<typeof summaryTable>) =>
    rows.map((row) => Object.fromEntries(header.map((name, j) => [name, row[j]])));

  it("says of a method that failed so, and no number, with and without a referee", () => {
    const failed = { label: "bad", status: "failed", seconds: 1.25, named: true, method: "bad", error: new Error("no") } as const;
    expect(byHeader(summaryTable([failed]))[0]).toMatchObject({
      method: "bad",
      "log evidence": "failed",
      "order parameter": "",
      s: "1.25",
    });
    const verdicts = { verdicts: {}, referee: {} } as unknown as Verdicts;
    expect(byHeader(summaryTable([failed], verdicts))[0]).toMatchObject({
      method: "bad",
      predictions: "failed",
      "log evidence": "",
      s: "1.25",
    });
  });

  it("leaves out evidences that are leading terms, and shows order parameters of every shape", () => {
    const order = (orderParameter: unknown, more = {}) =>
      byHeader(summaryTable([outcomeOf("a", 1, { posterior: { logEvidence: -2, diagnostics: {}, orderParameter, ...more } })]))[0]!;
    expect(order(3, { evidenceIsLeadingOrder: true })).toMatchObject({ "log evidence": "–", "order parameter": "3" });
    expect(order({ data: Float64Array.of(0.12345, 2), shape: [2] })).toMatchObject({ "log evidence": "-2", "order parameter": "0.123, 2" });
    expect(order({ data: new Float64Array(6), shape: [2, 3] })["order parameter"]).toBe("2 × 3 matrix");
    expect(order({ data: new Float64Array(5), shape: [5] })["order parameter"]).toBe("5 matrix");
    expect(order(undefined)["order parameter"]).toBe("–");
  });

  it("ends with the numbers that the methods were held against, each in its column", () => {
    const referee = {
      logEvidence: -7,
      logEvidenceStandardError: 0.5,
      generalizationError: { total: 3, bias: 2, variance: 1 },
      generalizationErrorStandardError: { total: 0.3, bias: 0.2, variance: 0.1 },
    };
    const some = { method: null, value: null, standardError: null, how: "" };
    const last = (believe: object) =>
      byHeader(summaryTable([outcomeOf("a", 1)], { verdicts: {}, referee, believe } as unknown as Verdicts)).at(-1)!;
    expect(last({ logEvidence: some, generalizationError: some })).toEqual({
      method: "the network itself",
      predictions: "sampled",
      "log evidence": "-7.00 ± 0.50",
      "generalisation error": "3.00 ± 0.30",
      bias: "2.00 ± 0.20",
      variance: "1.00 ± 0.10",
      "order parameter": "",
      s: "",
    });
    expect(last({ logEvidence: some })).toMatchObject({ "log evidence": "-7.00 ± 0.50", "generalisation error": "–", variance: "–" });
    expect(last({ predictive: some }).method).toBe("a");
  });

  it("marks the numbers that were checked with their own verdicts", () => {
    const of = (status: string) => ({ status, error: null, standardError: null, how: "" });
    const verdicts = { verdicts: { a: { logEvidence: of("contradicted"), generalizationError: of("confirmed") } }, referee: {} };
    expect(byHeader(summaryTable([outcomeOf("a", 8)], verdicts as unknown as Verdicts))[0]).toMatchObject({
      predictions: "confirmed",
      "log evidence": "-8.0 ± 1.0 ✗",
      "generalisation error": "16.0 ± 1.1 ✓",
    });
  });
});
