import { createHash, type Hash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { copyRows, type DataSplit, type Matrix, type Plugin, type Registry } from "@finitewidth/core";
import { backend } from "@finitewidth/linalg";
import type { Identity } from "./checkpoints.js";
import { version } from "./version.js";

/** What made a result: `provenance` of every result file. */
export interface Provenance {
  readonly version: string;
  readonly backend: string;
  readonly node: string;
  readonly platform: string;
  readonly date: string;
  /** SHA-256 of the data as numbers: shapes and little-endian float64. */
  readonly dataHash?: string;
  readonly command: string;
  /** Third-party plug-ins with their versions. */
  readonly plugins?: Readonly<Record<string, string>>;
}

/** Numbers up to which a matrix of codes is decoded for good: whoever computes with it reads them too. */
const few = 2 ** 22;

function updateWith(hash: Hash, array: Matrix): void {
  const [rows, columns] = array.shape;
  if (rows * columns <= few) {
    const { buffer, byteOffset, byteLength } = array.data;
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    return;
  }
  const atOnce = Math.min(rows, 1024);
  const buffer = new Float64Array(atOnce * columns);
  for (let from = 0; from < rows; from += atOnce) {
    const part = buffer.subarray(0, Math.min(atOnce, rows - from) * columns);
    copyRows(array, from, part);
    hash.update(new Uint8Array(buffer.buffer, 0, part.byteLength));
  }
}

/** Hash of data, whatever file they came from. */
export function hashOfData(splits: readonly DataSplit[]): string {
  const hash = createHash("sha256");
  for (const { train, test } of splits)
    for (const array of [train.inputs, train.targets, test?.inputs, test?.targets]) {
      hash.update(array ? array.shape.join("×") : "none").update(";");
      if (array) updateWith(hash, array);
    }
  return hash.digest("hex");
}

export const provenanceOf = (registry: Registry, command: string, dataHash?: string): Provenance => {
  const plugins = thirdParty(registry);
  return {
    version,
    backend: backend().name,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    date: new Date().toISOString(),
    ...(dataHash === undefined ? {} : { dataHash }),
    command,
    ...(Object.keys(plugins).length > 0 ? { plugins } : {}),
  };
};

/** Identity of a run: `content` is the experiment as read. */
export function identityOf(registry: Registry, content: unknown, dataHash: string): Identity {
  const { backend: kernels, node, platform } = provenanceOf(registry, "");
  return {
    experiment: createHash("sha256").update(JSON.stringify(content)).update(dataHash).digest("hex"),
    versions: { finitewidth: version, backend: kernels, node, platform, ...thirdParty(registry) },
  };
}

/** Versions of what decides about numbers: workers elsewhere must have the same. */
export const numericalVersions = (registry: Registry): Readonly<Record<string, string>> => ({
  finitewidth: version,
  backend: backend().name,
  ...thirdParty(registry),
});

const thirdParty = (registry: Registry): Record<string, string> =>
  Object.fromEntries(
    registry.plugins.flatMap((plugin) => (plugin.name.startsWith("@finitewidth/") ? [] : [[plugin.name, pluginVersion(plugin)]])),
  );

/** Version of the package a plug-in came from, and a hash of its main file: a plug-in under development changes without a version. */
function pluginVersion({ module }: Plugin): string {
  if (module === undefined || !module.startsWith("file:")) return "unknown";
  const file = fileURLToPath(module);
  const hash = existsSync(file) ? createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 8) : "unknown";
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest)) return `${(JSON.parse(readFileSync(manifest, "utf8")) as { version?: string }).version ?? "0"}+${hash}`;
  }
  return hash;
}
