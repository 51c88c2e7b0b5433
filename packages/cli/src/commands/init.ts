import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { FinitewidthError, inputError } from "@finitewidth/core";
import { fileSchema } from "@finitewidth/experiment";
import { loadRegistry } from "../builtin-registry.js";
import { prettyJson, writeAtomically } from "../files.js";
import { textTable } from "../table.js";
import { templates, type Template } from "../templates.js";
import type { Output } from "../terminal.js";

const commandOf: Readonly<Record<Template["kind"], string>> = { run: "run", prior: "prior", phase: "phase-diagram" };

/** `finitewidth init`: lists the templates, or writes one with the schema of its kind beside it; nothing is overwritten. */
export async function runInitCommand(name: string, stdout: Output): Promise<number> {
  if (name === "") {
    const width = Math.max(...templates.map((template) => template.question.length));
    const rows = templates.map((template) => [template.name, template.question.padEnd(width)]);
    stdout.write(
      `${textTable(["template", "question".padEnd(width)], rows)}\n\nfinitewidth init NAME writes NAME.json and a schema for editors.\n`,
    );
    return 0;
  }
  const template = templates.find((one) => one.name === name);
  if (!template) throw inputError("init", `one of ${templates.map((one) => JSON.stringify(one.name)).join(", ")}`, name);
  const [file, schemaFile] = [`${name}.json`, `${template.kind}.schema.json`];
  if (existsSync(resolve(file)))
    throw new FinitewidthError(`${file}: is already there; nothing was written`, { code: "input", path: file });
  const registry = await loadRegistry([], process.cwd(), { allowPaths: false });
  await writeAtomically(resolve(schemaFile), `${JSON.stringify(fileSchema(template.kind, registry), undefined, 1)}\n`);
  await writeAtomically(resolve(file), [...prettyJson({ $schema: `./${schemaFile}`, ...template.content })].join(""));
  const then = `finitewidth ${commandOf[template.kind]} ${file}`;
  stdout.write(`${file} and ${schemaFile} are written. Next: ${template.first === undefined ? then : `${template.first}, then ${then}`}\n`);
  return 0;
}
