// Bundles the command line into packages/cli/dist/finitewidth.cjs, one file that starts without looking for nine hundred. All threads start
// from finitewidth-start.cjs: the first one launches the command's, the others run the one file with the code that V8 made of it the last
// time (packages/cli/src/code-cache.ts). Both are CommonJS, which is there sooner than Node's loader of modules. What threads load by
// address (tasks and plug-ins, `module: import.meta.url`) gets addresses of the bundle's own, which its workers look up; all else that is
// loaded by address, third-party plug-ins above all, is imported as ever. Usage: node tools/build-bundle.mjs
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "esbuild";
import { closure, manifests } from "./pack.mjs";
import { root } from "./workspace.mjs";

const cli = join(root, "packages/cli/dist");
const ownAddress = /(\bmodule: |Task\()import\.meta\.url/g;
const addressOf = (file) => `finitewidth:${relative(root, file).replaceAll("\\", "/")}`;

// Data sets and the add-on look for their packages from where theirs is.
const ownRequire = "createRequire(import.meta.url)";
const packageOf = (file) =>
  /packages\/(datasets|linalg-native)\/dist\/(mnist|addon)\.js$/.exec(relative(root, file).replaceAll("\\", "/"))?.[1];

// Plot asks for a format of numbers when it is loaded: ten milliseconds of locales that no figure of a run needs.
const eagerFormat = /const format = numberFormat\(locale\);(\s*return .*)format\.format\(i\)/;
const lazyFormat = "$1numberFormat(locale).format(i)";

// A page's <style> could be asked for its rules, which takes a parser of them; none is asked.
const styleSheets = /import \{parse\} from 'cssomnom\/parse';/;

function replaced(text, before, after) {
  if (!before.test(text)) throw new Error(`build-bundle: ${before} is not there any more`);
  return text.replace(before, after);
}

const addressed = closure(["@finitewidth/cli"])
  .flatMap((name) => manifests.filter((manifest) => manifest.name === name).map(({ folder }) => join(root, folder, "dist")))
  .flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name)))
  .filter((file) => file.endsWith(".js") && readFileSync(file, "utf8").search(ownAddress) >= 0);

const path = (file) => JSON.stringify(file);
const entry = `
import { parentPort, workerData } from "node:worker_threads";

const modules = { ${addressed.map((file) => `${path(addressOf(file))}: () => import(${path(file)})`).join(",\n")} };

export async function start() {
  if (workerData?.role === "serve") await import(${path(join(cli, "serve/thread.js"))});
  else if (workerData?.role === "command") await (await import(${path(join(cli, "command-thread.js"))})).finished;
  else {
    const { serve } = await import(${path(join(root, "packages/workers/dist/serve.js"))});
    const { nodeEndpoint } = await import(${path(join(root, "packages/workers/dist/node-endpoint.js"))});
    serve(nodeEndpoint(parentPort), { load: (address) => modules[address]?.() ?? import(address) });
  }
}
`;

const common = {
  bundle: true,
  minify: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  logLevel: "warning",
  define: { "import.meta.url": "ownAddress" },
  banner: { js: 'const ownAddress = require("node:url").pathToFileURL(__filename).href;' },
};

await build({
  stdin: {
    contents: `
      import { isMainThread, workerData } from "node:worker_threads";
      import { runCached } from ${path(join(cli, "code-cache.js"))};
      import { launch } from ${path(join(cli, "launch.js"))};
      if (isMainThread) launch(process.argv.slice(2), new URL(import.meta.url));
      else runCached(new URL("finitewidth.cjs", import.meta.url), [workerData.role, workerData.argv?.[0]].join()).start();
    `,
    resolveDir: cli,
  },
  outfile: join(cli, "finitewidth-start.cjs"),
  ...common,
});

const { metafile } = await build({
  stdin: { contents: entry, resolveDir: cli, sourcefile: "bundle.js" },
  outfile: join(cli, "finitewidth.cjs"),
  ...common,
  metafile: true,
  conditions: ["@finitewidth/bundle"],
  // Modules that can be followed before those that ask for their parts at run time (jsonc-parser).
  mainFields: ["module", "main"],
  // Node has zlib of its own.
  alias: { fflate: join(cli, "native-codecs.js") },
  legalComments: "none",
  plugins: [
    {
      name: "addresses",
      setup(bundler) {
        bundler.onLoad({ filter: /\.js$/ }, ({ path: file }) =>
          addressed.includes(file)
            ? { contents: readFileSync(file, "utf8").replace(ownAddress, `$1${JSON.stringify(addressOf(file))}`), loader: "js" }
            : undefined,
        );
        bundler.onLoad({ filter: /@observablehq\/plot\/src\/format\.js$/ }, ({ path: file }) => ({
          contents: replaced(readFileSync(file, "utf8"), eagerFormat, lazyFormat),
          loader: "js",
        }));
        bundler.onLoad({ filter: /linkedom\/esm\/html\/style-element\.js$/ }, ({ path: file }) => ({
          contents: replaced(readFileSync(file, "utf8"), styleSheets, ""),
          loader: "js",
        }));
        bundler.onLoad({ filter: /(mnist|addon)\.js$/ }, ({ path: file }) => {
          const name = packageOf(file);
          if (name === undefined) return undefined;
          const contents = readFileSync(file, "utf8").replace(ownRequire, `createRequire(${ownRequire}.resolve("@finitewidth/${name}"))`);
          return { contents, loader: "js" };
        });
      },
    },
  ],
});

// What is imported by address goes through the function that the cached code is given.
const bundle = join(cli, "finitewidth.cjs");
writeFileSync(bundle, readFileSync(bundle, "utf8").replaceAll(/\bimport\(/g, "importModule("));

// What others wrote and is in the file now, with their licences.
const bundled = new Set(Object.keys(metafile.inputs).flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []));
const licences = [...bundled].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  return `${name} ${version} (${license})\n\n${file ? readFileSync(join(folder, file), "utf8").trim() : ""}\n`;
});
writeFileSync(join(cli, "finitewidth.licences.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));
