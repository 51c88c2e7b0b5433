// What comes with the packages: licences, scripts at installation, how many packages two of ours bring, and the bill of materials.
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { manifests, run } from "./pack.mjs";
import { root } from "./workspace.mjs";

/** Licences that ask for no more than attribution. */
export const permissive = [
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BSL-1.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  "PSF-2.0",
  "Python-2.0",
  "Unlicense",
  "Zlib",
];
/** Packages whose manifest is silent or wrong, with the licence that stands in their files. */
const known = { spawndamnit: "MIT" };
/** Development only, never in a bundle of ours: weak copyleft of tools, and data. */
const toolsOnly = ["MPL-2.0", "CC-BY-4.0"];
/** Folders of node_modules that an installation of core and posterior may have, ours included. */
const limit = 40;

/** SPDX expressions of one level: "MIT", "(MIT OR GPL-3.0)", "MIT AND Zlib". */
export function isAllowed(licence, allowed) {
  const terms = licence.replaceAll(/[()]/g, "").split(/ OR /i);
  return terms.some((term) => term.split(/ AND /i).every((part) => allowed.includes(part.trim())));
}

function licenceProblem(manifest, allowed) {
  const { licenses, license = licenses?.map((entry) => entry.type ?? entry).join(" OR ") } = manifest;
  const licence = known[manifest.name] ?? (typeof license === "object" ? license.type : license);
  if (licence !== undefined && isAllowed(licence, allowed)) return [];
  return [`${manifest.name} ${manifest.version}: licence ${licence ?? "unknown"} is not one of ${allowed.join(", ")}`];
}

const json = (file) => JSON.parse(readFileSync(file, "utf8"));

/**
 * Checks an npm installation of all our packages in `folder`, and writes its bill of materials (CycloneDX) to `sbom`.
 * @returns the problems, and how many third-party packages there are.
 */
export function checkInstalled(folder, sbom) {
  const problems = [];
  const mine = new Set(manifests.map((manifest) => manifest.name));
  let others = 0;
  for (const [path, entry] of Object.entries(json(join(folder, "package-lock.json")).packages)) {
    const name = path.split("node_modules/").at(-1);
    if (path === "" || mine.has(name) || !existsSync(join(folder, path))) continue;
    others++;
    if (entry.hasInstallScript) problems.push(`${name} runs a script at installation`);
    problems.push(...licenceProblem(json(join(folder, path, "package.json")), permissive));
  }
  mkdirSync(dirname(sbom), { recursive: true });
  writeFileSync(sbom, run("npm", ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev"], folder));
  return { problems, others };
}

/** Problems of an installation that holds core and posterior only. */
export function checkSmall(folder) {
  const count = Object.keys(json(join(folder, "package-lock.json")).packages).length - 1;
  return { count, problems: count < limit ? [] : [`core and posterior install ${count} packages; fewer than ${limit} expected`] };
}

/** Licences and installation scripts of everything that the workspace itself has installed, development tools included. */
export function checkWorkspace() {
  const problems = [];
  const store = join(root, "node_modules/.pnpm");
  const allowBuilds = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");
  let count = 0;
  for (const entry of readdirSync(store)) {
    const modules = join(store, entry, "node_modules");
    if (!existsSync(modules)) continue;
    const names = readdirSync(modules).flatMap((name) =>
      name.startsWith("@") ? readdirSync(join(modules, name)).map((sub) => `${name}/${sub}`) : [name],
    );
    for (const name of names) {
      const folder = join(modules, name);
      if (lstatSync(folder).isSymbolicLink() || !existsSync(join(folder, "package.json"))) continue;
      count++;
      const manifest = json(join(folder, "package.json"));
      problems.push(...licenceProblem(manifest, [...permissive, ...toolsOnly]));
      const script = ["preinstall", "install", "postinstall"].find((key) => manifest.scripts?.[key]);
      if (script !== undefined && !new RegExp(`\\b${name}: (false|true)`).test(allowBuilds))
        problems.push(`${name} ${manifest.version} has a ${script} script and is not named in allowBuilds`);
    }
  }
  return { count, problems };
}
