import { inputError } from "@finitewidth/core";
import { fileKinds, fileSchema, type FileKind } from "@finitewidth/experiment";
import { loadRegistry } from "../builtin-registry.js";
import type { Output } from "../terminal.js";

/** `finitewidth schema`: the JSON Schema of a kind of file, of third-party packages given by --load too. */
export async function runSchemaCommand(kind: string, load: readonly string[], stdout: Output): Promise<number> {
  if (!(fileKinds as readonly string[]).includes(kind))
    throw inputError("schema", `one of ${fileKinds.map((one) => JSON.stringify(one)).join(", ")}`, kind);
  const registry = await loadRegistry(load, process.cwd(), { allowPaths: true, named: "--load" });
  stdout.write(`${JSON.stringify(fileSchema(kind as FileKind, registry), undefined, 1)}\n`);
  return 0;
}
