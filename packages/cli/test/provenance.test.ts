import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRegistry, type DataSplit, type Matrix, type Plugin } from "@finitewidth/core";
import { backend } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { hashOfData, identityOf, numericalVersions, provenanceOf } from "../src/provenance.js";
import { version } from "../src/version.js";

const matrix = (rows: number, columns: number, from: number): Matrix => ({
  data: Float64Array.from({ length: rows * columns }, (_, i) => from + i),
  shape: [rows, columns],
});
/** Data as their four arrays. */
const split = ([x, y, u, v]: readonly Matrix[]): DataSplit => ({ train: { inputs: x!, targets: y! }, test: { inputs: u!, targets: v! } });
const arrays = [matrix(4, 3, 1), matrix(4, 2, 20), matrix(2, 3, 40), matrix(2, 1, 60)];
const own = hashOfData([split(arrays)]);
/** The data with another array in one place. */
const changed = (at: number, array: Matrix): DataSplit => split(arrays.map((one, i) => (i === at ? array : one)));

describe("the hash of data, by which results are kept, resumed and merged", () => {
  it("is one of numbers, wherever they lie", () => {
    const inside = arrays.map(({ data, shape }) => ({ data: Float64Array.of(7, ...data, 7).subarray(1, data.length + 1), shape }));
    expect(hashOfData([split(inside)])).toBe(own);
  });

  it.each(["training inputs", "training targets", "test inputs", "test targets"].map((name, at) => [name, at] as const))(
    "knows every number and the shape of %s",
    (_name, at) => {
      const { data, shape } = arrays[at]!;
      const hashes = Array.from(data, (value, i) => hashOfData([changed(at, { data: data.with(i, -value), shape })]));
      hashes.push(hashOfData([changed(at, { data, shape: [shape[1], shape[0]] })]));
      expect(new Set([own, ...hashes]).size).toBe(data.length + 2);
    },
  );

  it("knows every set of data, which part of it is missing, and their order", () => {
    const whole = split(arrays);
    const other = changed(1, matrix(4, 2, 21));
    const { test, train } = whole;
    const sets: DataSplit[][] = [
      [whole],
      [whole, other],
      [other, whole],
      [other],
      [{ train }],
      [{ train, test: { inputs: test!.inputs } }],
    ];
    expect(new Set(sets.map(hashOfData)).size).toBe(sets.length);
  });
});

describe("what kept results must have in common with a run", () => {
  const folder = mkdtempSync(join(tmpdir(), "finitewidth-provenance-"));
  const file = join(folder, "package", "lib", "index.mjs");
  mkdirSync(join(folder, "package", "lib"), { recursive: true });
  const plugins = (code: string, packageVersion: string): Plugin[] => {
    writeFileSync(file, code);
    writeFileSync(join(folder, "package", "package.json"), JSON.stringify({ version: packageVersion }));
    const module = pathToFileURL(file).href;
    return [{ name: "@finitewidth/own", module }, { name: "mine", module }, { name: "bare" } as Plugin];
  };
  const hashed = (code: string): string => createHash("sha256").update(code).digest("hex").slice(0, 8);

  it("is the experiment, its data, and every version that numbers depend on", () => {
    const bare = createRegistry([]);
    const one = identityOf(bare, { seed: 1 }, "data");
    expect(identityOf(bare, { seed: 1 }, "data")).toEqual(one);
    const others = [identityOf(bare, { seed: 2 }, "data"), identityOf(bare, { seed: 1 }, "datb"), one];
    expect(new Set(others.map(({ experiment }) => experiment)).size).toBe(3);
    expect(one.versions).toEqual({
      finitewidth: version,
      backend: backend().name,
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
    });
  });

  it("knows third-party plug-ins by the version of their package and by their code", () => {
    const own = plugins("export const a = 1;", "1.2.3");
    const registry = createRegistry(own);
    const mine = { mine: `1.2.3+${hashed("export const a = 1;")}`, bare: "unknown" };
    expect(identityOf(registry, 1, "").versions).toMatchObject(mine);
    expect(numericalVersions(registry)).toEqual({ finitewidth: version, backend: backend().name, ...mine });
    const provenance = provenanceOf(registry, "typed", "hash");
    expect(provenance).toMatchObject({
      version,
      backend: backend().name,
      node: process.version,
      dataHash: "hash",
      command: "typed",
      plugins: mine,
    });
    expect(Math.abs(Date.parse(provenance.date) - Date.now())).toBeLessThan(60_000);
    expect(provenanceOf(createRegistry([own[0]!]), "typed")).not.toHaveProperty("plugins");
    plugins("export const a = 2;", "1.2.4");
    expect(numericalVersions(registry)["mine"]).toBe(`1.2.4+${hashed("export const a = 2;")}`);
    rmSync(folder, { recursive: true });
    expect(numericalVersions(registry)["mine"]).toBe("unknown");
  });
});
