// Small rooms, no names, no idle dependencies: sources, tests and tools of at most 300 lines of 140 columns, nobody who compares the name
// of a plug-in, no markers of a merge conflict, nothing declared that is not imported and nothing imported that is not declared.
// Usage: node tools/check-house.mjs
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { finish, problems } from "./problems.mjs";

const limits = { lines: 300, columns: 140 };
// Names that plug-ins are registered under; `engine: "exact"` and other options of the same spelling are not theirs.
const unmistakable =
  "nngp|large-deviation|effective-action|forward-backward|perturbative|monte-carlo|fully-connected|convolutional|sequential";
const names = [
  /\bnetwork\.type\s*[!=]==?\s*["'`]/,
  /\bactivation(?:\.name)?\s*[!=]==?\s*["'`]/,
  new RegExp(`[!=]==?\\s*["'\`](?:${unmistakable})["'\`]`),
  /\b(?:theory|method|name|type)\s*[!=]==?\s*["'`](?:exact|expectation-propagation|attention)["'`]/,
];
const tracked = execFileSync("git", ["ls-files", "packages", "tools", "verification", "docs"], { encoding: "utf8" }).trim().split("\n");
const code = tracked.filter((file) => /\.(?:[cm]?ts|[cm]js)$/.test(file) && existsSync(file));
// A line may be longer by a literal that cannot be broken: a message, a template, a style sheet.
const breakable = (line) =>
  [...line].length > limits.columns && (/^\s*(?:\/?\*|\/\/)/.test(line) || !/["'`]|^[^;]*\{[^}]*\}|\$\{|<|:/.test(line));
const isSource = (file) => /^(?:packages\/[^/]+|verification)\/src\//.test(file) && !file.includes("/generated/");
// Compiled to one WebAssembly module each: an algorithm in one piece, which inlines.
const isKernel = (file) => file.startsWith("packages/linalg/assembly/");

for (const file of code.filter((name) => !name.includes("/generated/"))) {
  const lines = readFileSync(file, "utf8").split("\n");
  if (!isKernel(file) && lines.length - 1 > limits.lines) problems.push(`${file}: ${lines.length - 1} lines, more than ${limits.lines}`);
  for (const [i, line] of lines.entries()) {
    if (breakable(line)) problems.push(`${file}:${i + 1}: ${[...line].length} columns, more than ${limits.columns}`);
    if (isSource(file) && names.some((name) => name.test(line)))
      problems.push(`${file}:${i + 1}: asks a plug-in for its name: ${line.trim()}`);
  }
}

for (const file of tracked.filter((name) => /\.(?:[cm]?ts|[cm]js|md|json)$/.test(name) && existsSync(name)))
  if (/^(?:<{7}|>{7}) /m.test(readFileSync(file, "utf8"))) problems.push(`${file}: holds the markers of a merge conflict`);

const importOf =
  /(?:^|[\s;{}(])(?:import|export)\s(?:[^"'`;]*?\sfrom\s)?["']([^"'.#][^"'\s]*)["']|\bimport\(\s*["']([^"'.][^"']*)["']\s*\)|\.resolve\(["']([^"'.][^"']*)["']\)/g;
const packageOf = (specifier) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
for (const manifestFile of tracked.filter((file) => /^(?:packages\/[^/]+|verification)\/package\.json$/.test(file))) {
  const folder = manifestFile.slice(0, -"/package.json".length);
  const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  const used = new Set();
  for (const file of code.filter(
    (name) => (name.startsWith(`${folder}/src/`) && !name.includes("/assembly/")) || name.startsWith(`${folder}/bin/`),
  )) {
    const text = readFileSync(file, "utf8").replace(/^\s*(?:\/\/|\/?\*).*$/gm, "");
    for (const match of text.matchAll(importOf)) used.add(packageOf(match[1] ?? match[2] ?? match[3]));
  }
  const known = (name) =>
    !/^(?:@[a-z][\w-]*\/)?[a-z][\w.-]*$/.test(name) || name.startsWith("node:") || builtinModules.includes(name) || name === manifest.name;
  for (const name of declared) if (!used.has(name)) problems.push(`${manifestFile}: "${name}" is declared and not imported by its sources`);
  for (const name of used)
    if (!known(name) && !declared.includes(name)) problems.push(`${folder}: "${name}" is imported and not declared in dependencies`);
}

finish("the house is in order");
