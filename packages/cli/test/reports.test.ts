import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { runCommand } from "./command.js";

const rows = Array.from({ length: 14 }, (_, i) => [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i)]);
const tests = Array.from({ length: 20 }, (_, i) => [Math.sin(i + 0.5), Math.cos(3 * i), Math.sin(5 * i)]);
const base = {
  data: {
    train: { inputs: rows, targets: rows.map(([x]) => [x! > 0 ? 1 : -1]) },
    test: { inputs: tests, targets: tests.map(([x]) => [x! > 0 ? 1 : -1]) },
  },
  network: { type: "fully-connected", widths: [3, 3], activation: "identity" },
  likelihood: { temperature: 0.02 },
  methods: ["nngp", "exact"] as unknown,
  referee: false,
};
const documentOf = (html: string | undefined): Document => parseHTML(html!).document as unknown as Document;
const texts = (document: Document, selector: string): string[] =>
  [...document.querySelectorAll(selector)].map((node) => node.textContent ?? "");

describe("the report of an experiment", () => {
  it("opens with the answer, the table and the kernel, and ends with where it came from", async () => {
    const { result, report } = await runCommand("run", base);
    const document = documentOf(report);
    const sentence = texts(document, "p.headline")[0]!.replaceAll("\u00a0", " ");
    const { nngp, exact } = result.results;
    const gain = Number((exact.logEvidence - nngp.logEvidence).toPrecision(5));
    const change = (exact.generalizationError.total - nngp.generalizationError.total) / nngp.generalizationError.total;
    expect(sentence).toContain(`the log evidence is ${Math.abs(gain)} ${gain >= 0 ? "higher" : "lower"}`);
    expect(sentence).toMatch(
      new RegExp(`generalisation error is [\\d.]+ % ${change <= 0 ? "lower" : "higher"} than at infinite width \\(exact against nngp\\)`),
    );
    expect(sentence).toMatch(
      /The kernel of the last hidden layer moved by [\d.]+ %, its alignment with the targets (rose|fell) from 0\.\d\d to 0\.\d\d/,
    );
    const main = document.querySelector("main")!;
    const order = [...main.children].map((node) =>
      `${node.tagName} ${node.className} ${node.tagName === "H2" ? node.textContent : ""}`.trim(),
    );
    const at = (what: string): number => order.findIndex((one) => one.includes(what));
    expect(at("headline")).toBeLessThan(at("card"));
    expect(order.slice(at("headline") + 1, at("headline") + 3)).toEqual(["DIV card", "DIV card"]);
    expect(at("Predictions")).toBeLessThan(at("What each layer learned"));
    expect(at("What each layer learned")).toBeLessThan(at("Order parameters"));
    expect(at("Order parameters")).toBeLessThan(at("Provenance"));
    expect(texts(document, "dl.facts dt")).toEqual(
      expect.arrayContaining(["finitewidth", "backend", "Node", "platform", "date", "data (SHA-256)", "seed"]),
    );
    expect(/\b(src|href)="https?:/.test(report!)).toBe(false);
    expect(main.innerHTML.includes("NaN")).toBe(false);
  });

  it("keeps numbers when something cannot be drawn, and escapes what files say", async () => {
    const { status, report } = await runCommand("run", {
      ...base,
      methods: ["nngp", { method: "exact", label: "<script>alert(1)</script>" }],
    });
    expect(status).toBe(0);
    const document = documentOf(report);
    expect(texts(document, "script").some((code) => code.startsWith("alert(1)"))).toBe(false);
    expect(report!.includes("&lt;script&gt;alert")).toBe(true);
  });

  it("several networks stand side by side under their labels", async () => {
    const { network, ...rest } = base;
    const { report, result } = await runCommand("run", {
      ...rest,
      networks: [
        { label: "narrow", ...network },
        { label: "wide", ...network, widths: [40, 40] },
      ],
    });
    expect(Object.keys(result.results)).toEqual(["narrow", "wide"]);
    expect(texts(documentOf(report), "h2").filter((title) => ["narrow", "wide"].includes(title))).toEqual(["narrow", "wide"]);
    // the comparison in front names the best of all by every measure
    const evidence = Object.entries(result.results).flatMap(([label, methods]) =>
      Object.entries(methods as Record<string, { logEvidence?: number }>).flatMap(([method, { logEvidence }]) =>
        logEvidence === undefined ? [] : [{ name: `${label}, ${method}`, logEvidence }],
      ),
    );
    const best = evidence.reduce((a, b) => (b.logEvidence > a.logEvidence ? b : a));
    expect(texts(documentOf(report), "p.headline")[0]).toContain(`The largest log evidence: ${best.name} `);
    const csv = documentOf(report).querySelector("[data-name='log evidence of networks'] script")!.textContent!.trim().split("\n").slice(1);
    expect(csv.map((line) => Number(line.split(",")[2])).toSorted()).toEqual(evidence.map(({ logEvidence }) => logEvidence).toSorted());
  });
});

describe("the report of a sweep", () => {
  /** Points of a panel by label: positions along x and y in the figure, and values from its data. */
  const panel = (document: Document, name: string) => {
    const card = [...document.querySelectorAll(".card")].find((one) => one.getAttribute("data-name") === name)!;
    return {
      card,
      csv: card
        .querySelector("script[type='text/csv']")!
        .textContent!.trim()
        .split("\n")
        .map((line) => line.split(",")),
    };
  };

  it("one key: every quantity against it, with the numbers of the result file", async () => {
    const { result, report, stdout } = await runCommand("run", { ...base, sweep: { widths: [2, 8, 40] } }, []);
    const document = documentOf(report);
    const { csv, card } = panel(document, "generalisation error against widths");
    expect(csv[0]).toEqual(["widths", "method", "generalizationError.total", "standardError"]);
    const wanted = result.sweep.flatMap(
      (step: { values: { widths: number }; results: Record<string, { generalizationError: { total: number } }> }) =>
        ["nngp", "exact"].map((method) => [String(step.values.widths), method, String(step.results[method]!.generalizationError.total)]),
    );
    expect(csv.slice(1).map((line) => line.slice(0, 3))).toEqual(wanted);
    const circles = [...card.querySelectorAll(".wide circle")].filter((circle) =>
      circle.querySelector("title")?.textContent?.startsWith("exact"),
    );
    const xs = circles.map((circle) => Number(circle.getAttribute("cx")));
    expect(xs[0]).toBeLessThan(xs[1]!);
    expect(xs[1]).toBeLessThan(xs[2]!);
    const evidences = result.sweep.map(
      (step: { results: { exact: { logEvidence: number } } }) => step.results.exact.logEvidence,
    ) as number[];
    const best = [2, 8, 40][evidences.indexOf(Math.max(...evidences))];
    expect(texts(document, "p.headline")[0]).toMatch(new RegExp(`Largest log evidence:.* at widths ${best} by exact \\(`));
    expect(stdout).toMatch(new RegExp(`best log evidence of exact: .* at widths ${best}\n`));
    const lines = stdout.split("\n").filter((line) => /^(2|8|40) /.test(line));
    expect(lines.map((line) => line.split(/\s+/)[0])).toEqual(["2", "8", "40"]);
  });

  it("the error of what is sampled beside the method that the sweep does not change, in standard errors", async () => {
    const methods = ["nngp", { method: "monte-carlo", chains: 2, draws: 20, warmup: 20 }];
    const { result, report } = await runCommand("run", { ...base, methods, sweep: { widths: [2, 8] } });
    const { csv } = panel(documentOf(report), "(error − nngp) / standard error against widths");
    type Entry = { readonly generalizationError: { readonly total: number }; readonly standardError: Entry };
    const wanted = result.sweep.map(({ values, results }: { values: { widths: number }; results: Record<string, Entry> }) => {
      const { generalizationError, standardError } = results["monte-carlo"]!;
      const difference = generalizationError.total - results["nngp"]!.generalizationError.total;
      return [String(values.widths), "monte-carlo", String(difference / standardError.generalizationError.total)];
    });
    expect(csv.slice(1).map((line) => line.slice(0, 3))).toEqual(wanted);
  });

  it("two keys: a plane with the best cell framed; three: parallel axes and facets", async () => {
    const two = await runCommand("run", { ...base, sweep: { widths: [2, 8], temperature: [0.1, 1, 10] } });
    const { csv, card } = panel(documentOf(two.report), "log evidence, exact");
    expect(csv[0]).toEqual(["widths", "temperature", "logEvidence"]);
    expect(csv).toHaveLength(7);
    const wanted = two.result.sweep.map(
      (step: { values: { widths: number; temperature: number }; results: { exact: { logEvidence: number } } }) => [
        String(step.values.widths),
        String(step.values.temperature),
        String(step.results.exact.logEvidence),
      ],
    );
    expect(csv.slice(1)).toEqual(wanted);
    // the frame is the last of the cells
    const cells = [...card.querySelectorAll(".wide rect")];
    const [bestWidth, bestTemperature] = wanted.toSorted((a: string[], b: string[]) => Number(b[2]) - Number(a[2]))[0]!;
    const best = cells.find((cell) => new RegExp(` ${bestWidth}, .* ${bestTemperature}: `).test(cell.textContent))!;
    const place = (cell: Element) => ["x", "y"].map((name) => cell.getAttribute(name));
    expect(place(cells.at(-1)!)).toEqual(place(best));
    const three = await runCommand("run", { ...base, sweep: { widths: [2, 8], temperature: [0.1, 1], "network.weightVariance": [1, 2] } });
    const document = documentOf(three.report);
    expect(texts(document, "figcaption").some((caption) => caption.startsWith("Every step as a line"))).toBe(true);
    expect([...document.querySelectorAll(".card")].map((card) => card.getAttribute("data-name"))).toContain(
      "generalisation error at temperature 1, network.weightVariance 2 against widths",
    );
    expect(document.querySelectorAll("table.sortable tbody tr")).toHaveLength(16);
  });
});
