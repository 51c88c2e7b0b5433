import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { capture } from "./command.js";

/** Three packages by path: the second has of everything, the others of some kinds only. */
const kinds = {
  Networks: "priorModels",
  Layers: "layers",
  Methods: "theories",
  Activations: "activations",
  Likelihoods: "likelihoods",
  "Data sets": "datasets",
  "Sweep keys": "sweepKeys",
  "Report sections": "reportSections",
  Figures: "figures",
};
const any = '{ "~standard": { version: 1, vendor: "x", validate: (value) => ({ value }) } }';
const told = "async () => ({ warnings: ['as ' + name + ' knows', 'twice'] })";
const item = (from: string, kind: string): string =>
  `((name) => ({ name, summary: "what " + name + " is", schema: ${any}, options: ${any}, fit: ${told}, prior: ${told}, refuses: () => undefined }))("${from}-${kind}")`;

let folder: string;
let load: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "finitewidth-loaded-"));
  const made = { one: ["theories", "datasets"], two: Object.values(kinds), three: ["theories", "sweepKeys", "figures", "reportSections"] };
  load = await Promise.all(
    Object.entries(made).map(async ([name, own]) => {
      const file = join(folder, `${name}.mjs`);
      const items = own.map((kind) => `${kind}: [${item(name, kind)}]`).join(", ");
      await writeFile(file, `export default { name: "the-${name}", module: import.meta.url, ${items} };`);
      return file;
    }),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const loads = (): string[] => load.flatMap((file) => ["--load", file]);

it("everything that is installed is listed under its kind, with what it is and the package that it is from", async () => {
  const { status, stdout } = await capture(["plugins", ...loads()]);
  expect(status).toBe(0);
  const rows = stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
  const kindOf = (row: number): string => rows.slice(0, row).findLast((one) => one.at(-1) === "from")![0]!;
  const listed = (one: string): unknown[] => rows.flatMap((row, i) => (row[2] === `the-${one}` ? [[kindOf(i), ...row.slice(0, 2)]] : []));
  const expected = (one: string, ...own: (keyof typeof kinds)[]) =>
    own.map((kind) => [kind, `${one}-${kinds[kind]}`, `what ${one}-${kinds[kind]} is`]);
  expect(listed("one")).toEqual(expected("one", "Methods", "Data sets"));
  expect(listed("two")).toEqual(expected("two", ...(Object.keys(kinds) as (keyof typeof kinds)[])));
  expect(listed("three")).toEqual(expected("three", "Methods", "Sweep keys", "Report sections", "Figures"));
  // what is built in comes first; sweep keys of the program itself are of no package
  const at = (name: string) => rows.findIndex(([first]) => first === name);
  expect(rows[at("temperature")]).toHaveLength(2);
  expect(kindOf(at("temperature"))).toBe("Sweep keys");
  for (const [builtin, ...after] of [
    ["mnist", "one-datasets", "two-datasets"],
    ["hanin-depth", "two-figures", "three-figures"],
    ["temperature", "two-sweepKeys", "three-sweepKeys"],
  ] as const)
    expect([builtin, ...after].map(at)).toEqual([builtin, ...after].map(at).toSorted((a, b) => a - b));
});

it("schemas know what is loaded, of every package", async () => {
  const schema = async (...more: string[]) => JSON.parse((await capture(["schema", "run", ...more])).stdout).properties;
  const [plain, own] = [await schema(), await schema(...loads())];
  const added = (look: (of: typeof plain) => unknown[]): unknown[] => {
    const before = new Set(look(plain));
    return look(own).filter((one) => !before.has(one));
  };
  expect(added(({ methods }) => methods.anyOf[1].items.anyOf[0].enum)).toEqual(["one-theories", "two-theories", "three-theories"]);
  expect(added(({ data }) => data.anyOf.map((one: typeof plain) => one.properties?.dataset?.const))).toEqual([
    "one-datasets",
    "two-datasets",
  ]);
  expect(added(({ sweep }) => Object.keys(sweep.properties))).toEqual(["two-sweepKeys", "three-sweepKeys"]);
  expect(added(({ network }) => network.anyOf.map((one: typeof plain) => one.properties.type.const))).toEqual(["two-priorModels"]);
  expect(added(({ likelihood }) => likelihood.anyOf.map((one: typeof plain) => one.properties.type?.const))).toEqual(["two-likelihoods"]);
});

it("a prior prints the warnings of every method that answered, by its label, and where its files are", async () => {
  const methods = ["one-theories", "nngp", { method: "three-theories", label: "mine" }, { method: "three-theories", label: "again" }];
  const network = { type: "fully-connected", widths: [3], activation: "identity" };
  const file = join(folder, "asked.json");
  await writeFile(file, JSON.stringify({ plugins: load, inputs: [[1, 2]], network, methods }));
  const out = join(folder, "out");
  const argv = ["prior", file, "--out", out, "--workers", "0", "--allow-plugin-paths"];
  const { status, stdout } = await capture(argv);
  expect(status).toBe(0);
  const lines = stdout.split("\n");
  expect(lines.flatMap((line) => /^(one-theories|nngp|mine|again) /.exec(line)?.[1] ?? [])).toEqual([
    "one-theories",
    "nngp",
    "mine",
    "again",
  ]);
  const told = (label: string, theory: string) => [`  ! ${label}: as ${theory} knows`, `  ! ${label}: twice`];
  expect(lines.slice(-10)).toEqual([
    ...told("one-theories", "one-theories"),
    ...told("mine", "three-theories"),
    ...told("again", "three-theories"),
    "",
    `Report: ${join(out, "report.html")}`,
    `Numbers: ${join(out, "prior.json")}`,
    "",
  ]);
  expect((await capture([...argv, "--quiet"])).stdout).toBe("");
});
