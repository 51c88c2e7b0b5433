// `nx g @finitewidth/tools:plugin NAME --kind theory|prior|layer|activation`: a complete plug-in, copied from the example of its kind with
// the names changed.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const examples = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "docs", "examples", "plugins");
/** The example that each kind starts from, and the name in it that is replaced. */
const templates = { activation: "sin", layer: "student-t", prior: "linear-residual", theory: "laplace-evidence" };

export default async function generatePlugin(tree, { name, kind, directory }) {
  if (!/^[a-z][a-z\d]*(-[a-z\d]+)*$/.test(name))
    throw new Error(`name: expected kebab-case such as "my-theory", got ${JSON.stringify(name)}`);
  const template = templates[kind];
  if (template === undefined) throw new Error(`kind: expected one of ${Object.keys(templates).join(", ")}, got ${JSON.stringify(kind)}`);
  const target = directory ?? `plugins/${name}`;
  if (tree.exists(join(target, "package.json"))) throw new Error(`${target}: already exists; choose another --directory`);
  const source = join(examples, template);
  for (const file of filesOf(source)) {
    const text = readFileSync(file, "utf8")
      .replaceAll(`finitewidth-plugin-${template}`, `finitewidth-plugin-${name}`)
      .replaceAll(`"${template}"`, `"${name}"`)
      .replaceAll(`'"${template}"'`, `'"${name}"'`);
    tree.write(join(target, relative(source, file)), text);
  }
  return () => console.log(`\n${target}: change src/index.ts, then \`npm install && npm test\` there runs the conformance suite.\n`);
}

const filesOf = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    ["node_modules", "dist"].includes(entry.name)
      ? []
      : entry.isDirectory()
        ? filesOf(join(folder, entry.name))
        : [join(folder, entry.name)],
  );
