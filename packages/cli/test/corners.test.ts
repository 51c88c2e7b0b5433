import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { resolveNetworkInput } from "@finitewidth/core";
import type { StepOutcome } from "@finitewidth/experiment";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadRegistry, resolvePlugin } from "../src/builtin-registry.js";
import { figureCard } from "../src/report/figure-card.js";
import { createDocument } from "../src/report/html.js";
import { describeNetwork } from "../src/report/network-facts.js";
import type { Story } from "../src/report/story.js";
import { sweepRemarks } from "../src/report/sweep-remarks.js";
import { sweepRows } from "../src/sweep-table.js";
import { printResults } from "../src/terminal.js";
import { legend } from "../src/verdict-text.js";
import { capture } from "./command.js";
import { outcomeOf, planned, registry, resultsOf } from "./outcomes.js";
import { cardsOf, documentOf } from "./pages.js";

let folder: string;
beforeAll(() => void (folder = realpathSync(mkdtempSync(join(tmpdir(), "finitewidth-corners-")))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("remarks of a long sweep", () => {
  it("are cut to what can be read, and counted; all are in the report", async () => {
    const plan = await planned({ sweep: { seed: Array.from({ length: 15 }, (_, i) => i + 1) }, methods: ["nngp"] });
    const results = resultsOf(plan, (s, _n, _m, label) => outcomeOf(label, 1, { warnings: [`at ${s}`, "always"] }));
    const printed: string[] = [];
    printResults(plan, results, "x", { write: (text) => printed.push(text) });
    const lines = printed.filter((line) => line.startsWith("  !"));
    expect(lines).toHaveLength(13);
    expect(lines.slice(0, 3)).toEqual(["  ! nngp: at 0 (at seed 1)\n", "  ! nngp: always (15 times)\n", "  ! nngp: at 1 (at seed 2)\n"]);
    expect(lines.at(-1)).toBe("  ! … and 4 more in the report\n");
    const page = documentOf(`<main>${sweepRemarks(sweepRows(results))}</main>`);
    const texts = (selector: string) => [...page.querySelectorAll(selector)].map(({ textContent }) => textContent);
    expect(texts("main > .warning")).toHaveLength(8);
    expect(texts("main > .warning")[1]).toBe("nngp: always (15 steps)");
    expect(texts("details > .warning")).toHaveLength(8);
    expect(texts("summary")).toEqual(["8 more remarks"]);
  });
});

describe("several networks in the terminal", () => {
  it("have a table each under their names, with whom to believe below it; marks are explained once, then warnings and files", async () => {
    const network = { type: "fully-connected", activation: "identity" };
    const plan = await planned({ networks: ["a", "b", "c"].map((label, k) => ({ label, ...network, widths: [4 + k] })) });
    const believe = (method: string) => ({ logEvidence: { method, value: 1, standardError: 0.1, how: "" } });
    const verdict = { status: "confirmed", error: null, standardError: null, how: "" };
    const results = resultsOf(plan, (_s, n, m, label) => outcomeOf(label, 8 * (n + 1) + m, n === 1 ? { warnings: ["so"] } : {})).map(
      ({ step, problems }) => ({
        step,
        problems: problems.map((one, n) =>
          n === 0 ? one : { ...one, verdicts: { verdicts: { exact: { logEvidence: verdict } }, believe: believe(`m${n}`), referee: {} } },
        ),
      }),
    ) as unknown as StepOutcome[];
    const printed: string[] = [];
    printResults(plan, results, "x", { write: (text) => printed.push(text) });
    const rows = printed.join("").split("\n").map((line) => line.split(/ {2,}/).slice(0, 3).join("|")); // prettier-ignore
    const rule = expect.stringMatching(/^─+\|/) as string;
    const table = (name: string, size: number): string[] => ["", name, "method|predictions|log evidence", rule, `nngp|–|${-size}.0 ± ${(size / 8).toFixed(1)}`, `exact|–|${-size - 1}.0 ± ${((size + 1) / 8).toFixed(1)} ✓`]; // prettier-ignore
    expect(rows).toEqual([
      "",
      "a",
      "method|log evidence|generalisation error",
      rule,
      "nngp|-8.0 ± 1.0|16.0 ± 1.1",
      "exact|-9.0 ± 1.1|18.0 ± 1.3",
      ...table("b", 16),
      "Believe m1 for all that was checked.",
      ...table("c", 24),
      "Believe m2 for all that was checked.",
      legend,
      "|! b: nngp: so",
      "|! b: exact: so",
      "",
      "Report: x/report.html",
      "Numbers: x/result.json",
      "",
    ]);
  });
});

describe("a network in words", () => {
  it.each([
    [{ type: "fully-connected", widths: [4], activation: "erf" }, "fully-connected, 1 hidden layer of width 4, erf activation"],
    [
      { type: "fully-connected", widths: [4, 7, 2], activation: "identity" },
      "fully-connected, 3 hidden layers of widths 4, 7, 2, identity activation",
    ],
    [{ type: "fully-connected", widths: [4, 4], activation: "erf" }, "fully-connected, 2 hidden layers of width 4, erf activation"],
    [
      {
        type: "sequential",
        inputShape: [4],
        layers: [{ layer: "dense", width: 6 }, { layer: "residual", body: [{ layer: "dense", width: 6 }] }, { layer: "dense" }],
      },
      "sequential, 2 hidden layers of width 6, no activation",
    ],
    [
      {
        type: "convolutional",
        inputShape: [1, 4, 4],
        layers: [{ channels: 6, kernelSize: [2, 2] }],
        readout: "flatten",
        activation: "relu",
      },
      "convolutional, 1 hidden layer of 6 channels, relu activation",
    ],
    [
      {
        type: "convolutional",
        inputShape: [1, 4, 4],
        layers: [
          { channels: 6, kernelSize: [2, 2] },
          { channels: 5, kernelSize: [2, 2] },
        ],
        readout: "flatten",
        activation: "relu",
      },
      "convolutional, 2 hidden layers of channels 6, 5, relu activation",
    ],
  ])("%j", (network, words) => {
    const resolved = resolveNetworkInput(network as Parameters<typeof resolveNetworkInput>[0], registry);
    expect(describeNetwork(resolved, registry)).toBe(words);
  });
});

describe("figures of methods", () => {
  const story = { document: createDocument(), colours: () => "red", solved: [{ label: "exact" }] } as unknown as Story;

  it("of matrices are pictures of their own, all others drawn twice", () => {
    const panels = ["one", "two"].map((label, k) => ({ label, values: { data: Float64Array.of(k, 2, 3, 4), shape: [2, 2] as const } }));
    const { card } = cardsOf(documentOf(figureCard({ kind: "heatmaps", title: "m", panels }, "cap", story)))["m"]!;
    expect([...card.querySelectorAll("image[data-values]")].map((image) => image.getAttribute("data-values"))).toEqual([
      "0 2 3 4",
      "1 2 3 4",
    ]);
    const values = Float64Array.of(1, 2, 3);
    const other = cardsOf(documentOf(figureCard({ kind: "histogram", title: "h", label: "f", values, bins: 3 }, "cap", story)))["h"]!;
    expect(other.rows.map(([value]) => value)).toEqual(["value", "1", "2", "3"]);
    expect(
      ["wide", "narrow"].map((name) =>
        other.card.querySelector(`.${name} svg[width="460"], .${name} svg[width="350"]`)?.getAttribute("width"),
      ),
    ).toEqual(["460", "350"]);
  });
});

describe("plug-ins by name", () => {
  const install = (
    root: string,
    name: string,
    manifest: object,
    file: string,
    content = "export const plugin = { name: 'x' };",
  ): string => {
    const at = join(root, "node_modules", name);
    mkdirSync(join(at, "lib"), { recursive: true });
    writeFileSync(join(at, "package.json"), JSON.stringify({ name, version: "1.0.0", ...manifest }));
    writeFileSync(join(at, file), content);
    return pathToFileURL(join(at, file)).href;
  };
  const find = (name: string): string => resolvePlugin(name, join(folder, "experiments"), "plugins[1]", false);

  it("are the files that their packages name, whichever way, from the folder of the experiment upwards", () => {
    mkdirSync(join(folder, "experiments"), { recursive: true });
    const wanted = {
      commonjs: install(folder, "commonjs", { main: "lib/a.js" }, "lib/a.js"),
      "only-import": install(folder, "only-import", { type: "module", exports: { ".": { import: "./lib/b.js" } } }, "lib/b.js"),
      nested: install(folder, "nested", { type: "module", exports: { node: { import: "./lib/c.js" } } }, "lib/c.js"),
      "@scope/own": install(folder, "@scope/own", { type: "module", exports: { import: "./lib/d.js" } }, "lib/d.js"),
    };
    for (const [name, url] of Object.entries(wanted)) expect(find(name)).toBe(url);
    expect(() => find("missing")).toThrow(/^plugins\[1\]: package "missing" is not installed in .*experiments or /);
    // nearer to the experiment comes first
    install(folder, "both", { main: "lib/a.js" }, "lib/a.js");
    const near = install(join(folder, "experiments"), "both", { main: "lib/a.js" }, "lib/a.js");
    expect(find("both")).toBe(near);
  });

  it("are announced with their file before they are loaded, and added to what is built in", async () => {
    const url = install(
      folder,
      "mine",
      { type: "module", exports: { import: "./lib/e.js" } },
      "lib/e.js",
      "export default { name: 'mine', module: import.meta.url };",
    );
    install(folder, "empty", { type: "module", exports: { import: "./lib/f.js" } }, "lib/f.js", "export const nothing = 1;");
    const said: string[] = [];
    const policy = { allowPaths: false, announce: (sentence: string) => void said.push(sentence) };
    const loaded = await loadRegistry(["mine"], folder, policy);
    expect(said).toEqual([`loading plug-in mine (${join(folder, "node_modules", "mine", "lib", "e.js")})`]);
    expect(loaded.plugins.at(-1)).toMatchObject({ name: "mine", module: url });
    expect(loaded.plugins.length).toBe((await loadRegistry([], folder, policy)).plugins.length + 1);
    await expect(loadRegistry(["mine", "empty"], folder, policy)).rejects.toThrow(/^plugins\[1\]: "empty" exports no plug-in/);
  });
});

describe("the referee of the command line", () => {
  it("has the seconds that are typed, and all else as the experiment says", async () => {
    const inputs = [[1], [2], [3]];
    const file = join(folder, "e.json");
    const dry = async (referee: object | undefined, ...more: string[]): Promise<string | undefined> => {
      const experiment = {
        data: { train: { inputs, targets: inputs } },
        network: { type: "fully-connected", widths: [3], activation: "identity" },
        likelihood: { temperature: 1 },
        methods: ["nngp"],
        sweep: { temperature: [1, 2, 3] },
        ...(referee ? { referee } : {}),
      };
      writeFileSync(file, JSON.stringify(experiment));
      const { stdout } = await capture(["run", file, "--dry-run", ...more]);
      return /^referee +(\S+ s)[^]*^ {2}referee: at most: (\d) networks/m.exec(stdout)?.slice(1).join(", ");
    };
    expect(await dry({ seconds: 5, steps: "all" })).toBe("15 s, 3");
    expect(await dry({ seconds: 5, steps: "all" }, "--referee", "2")).toBe("6 s, 3");
    expect(await dry(undefined, "--referee", "20")).toBe("40 s, 2");
    expect(await dry({ seconds: 5 }, "--referee", "off")).toBeUndefined();
    for (const typed of ["0", "x", "-1", "1000000"])
      expect(await capture(["run", file, "--referee", typed])).toMatchObject({
        status: 2,
        stderr: `--referee: expected seconds or off, got ${typed}\n`,
      });
  });
});
