// Bundles the special functions of @stdlib into packages/numerics/src/generated, with their licences beside it: whoever installs
// numerics gets one file instead of 160 packages. Usage: node tools/build-special.mjs [--check]    --check writes nothing and fails when a
// committed file differs from what the installed packages give.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { writeGenerated } from "./generated.mjs";
import { root } from "./workspace.mjs";

const numerics = join(root, "packages/numerics");
/**
 * Files of src/generated, each with what it exports; several, so that who needs no t distribution leaves it out of a bundle. What they
 * have in common is in files of its own, once.
 */
const bundles = {
  stdlib: ["digamma", "erf", "erfc", "erfcx", "erfinv", "gammaln", "trigamma"].map((name) => ({
    name,
    from: `@stdlib/math-base-special-${name}`,
    type: "(x: number) => number",
  })),
  "stdlib-t": [
    { name: "tQuantile", from: "@stdlib/stats-base-dists-t-quantile/lib/main.js", type: "(p: number, degreesOfFreedom: number) => number" },
  ],
  "stdlib-gamma": [
    { name: "gammaincinv", from: "@stdlib/math-base-special-gammaincinv", type: "(p: number, shape: number, upper: boolean) => number" },
  ],
};

// Most of a bundle would be @stdlib's ways to split a Float64 into words on engines without typed arrays. Same bits, by a DataView:
const words = {
  "get-high-word": "x => (view.setFloat64(0, x), view.getUint32(0))",
  "get-low-word": "x => (view.setFloat64(0, x), view.getUint32(4))",
  "set-high-word": "(x, high) => (view.setFloat64(0, x), view.setUint32(0, high), view.getFloat64(0))",
  "set-low-word": "(x, low) => (view.setFloat64(0, x), view.setUint32(4, low), view.getFloat64(0))",
  "from-words": "(high, low) => (view.setUint32(0, high), view.setUint32(4, low), view.getFloat64(0))",
  "to-words":
    "Object.assign(x => (view.setFloat64(0, x), [view.getUint32(0), view.getUint32(4)]), { assign(x, out, stride, offset) { view.setFloat64(0, x); out[offset] = view.getUint32(0); out[offset + stride] = view.getUint32(4); return out; } })",
};
/** Reflection formulas at negative arguments, which the callers exclude, texts of errors that they cannot get, and a logger. */
const stubs = {
  "@stdlib/math-base-special-sinpi": "() => NaN",
  "@stdlib/math-base-special-tan": "() => NaN",
  "@stdlib/string-format": "() => ''",
  "@stdlib/utils-define-nonenumerable-read-only-property": "(object, key, value) => { object[key] = value; }",
  debug: "() => () => undefined",
};
const files = new Set();
const plugin = {
  name: "words",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^special:/ }, ({ path }) => ({ path: path.replace("special:", ""), namespace: "special" }));
    onLoad({ filter: /.*/, namespace: "special" }, ({ path }) => ({
      contents: bundles[path]
        .map(({ name, from }) =>
          path === "stdlib"
            ? `export { default as ${name} } from "${from}";`
            : // quantiles, of which most programs need none: their hundred modules wait for the first
              `let made; export const ${name} = (...given) => (made ??= require("${from}"))(...given);`,
        )
        .join("\n"),
      resolveDir: numerics,
    }));
    const filter = new RegExp(`^@stdlib/number-float64-base-(${Object.keys(words).join("|")})$`);
    onResolve({ filter }, ({ path }) => ({ path: path.replace("@stdlib/number-float64-base-", ""), namespace: "words" }));
    onLoad({ filter: /.*/, namespace: "words" }, ({ path }) => ({
      contents: `const view = new DataView(new ArrayBuffer(8)); module.exports = ${words[path]};`,
    }));
    onResolve({ filter: new RegExp(`^(${Object.keys(stubs).join("|")})$`) }, ({ path }) => ({ path, namespace: "stubs" }));
    onLoad({ filter: /.*/, namespace: "stubs" }, ({ path }) => ({ contents: `module.exports = ${stubs[path]};` }));
    onLoad({ filter: /@stdlib.*\.js$/ }, ({ path }) => void files.add(path));
  },
};

/** Text of every file by its name. */
async function generated() {
  const { outputFiles, metafile } = await build({
    entryPoints: Object.keys(bundles).map((name) => ({ in: `special:${name}`, out: name })),
    outdir: "out",
    bundle: true,
    splitting: true,
    format: "esm",
    legalComments: "none",
    logLevel: "error",
    mainFields: ["main"],
    metafile: true,
    minify: true,
    platform: "neutral",
    plugins: [plugin],
    target: "es2022",
    write: false,
  });
  const imported = ([, { imports }]) => imports.map(({ path }) => basename(path, ".js"));
  const files = new Map(Object.entries(metafile.outputs).map((entry) => [basename(entry[0], ".js"), imported(entry)]));
  const reach = (name) => [name, ...files.get(name).flatMap(reach)];
  /** Shared code is called after who shares it; the bundler names it after its content. */
  const named = (name) => {
    const users = Object.keys(bundles).filter((user) => reach(user).includes(name));
    return name in bundles ? name : `shared-by-${users.map((user) => user.replace("stdlib-", "")).join("-")}`;
  };
  return outputFiles.map(({ path, text }) => {
    const name = basename(path, ".js");
    const body = [...files.keys()].reduce((all, one) => all.replaceAll(`"./${one}.js"`, `"./${named(one)}.js"`), text.trim());
    const exported = bundles[name];
    // imports for their effects have none
    const bare = (exported ? body.replace(/export\s*\{[^}]*\};?$/, "") : body).replaceAll(/import"[^"]*";/g, "");
    const locals =
      exported &&
      /export\s*\{([^}]*)\};?$/
        .exec(body)[1]
        .split(",")
        .map((one) => one.split(" as ").map((word) => word.trim()));
    const typed = (exported ?? []).map(({ name: own, type }) => {
      const [local] = locals.find((pair) => pair.at(-1) === own);
      return `const ${own}_: ${type} = ${local};\nexport { ${own}_ as ${own} };\n`;
    });
    return [
      named(name),
      `// @ts-nocheck Generated by tools/build-special.mjs from @stdlib (Apache-2.0, see THIRD-PARTY-LICENCES.txt): do not edit.\n${bare.trim()}\n${typed.join("")}`,
    ];
  });
}

/** Licence and notice of @stdlib once, and each distinct notice of the sources that its functions were translated from. */
function licences() {
  const roots = [...files].map((file) => /.*\/node_modules\/@stdlib\/[^/]+/.exec(file)[0]).toSorted();
  const texts = [
    ...new Set(roots.flatMap((folder) => ["NOTICE", "LICENSE"].map((name) => readFileSync(join(folder, name), "utf8").trim()))),
  ];
  const notices = new Map();
  for (const file of [...files].toSorted()) {
    const notice = /## Notice\n([\s\S]*?)\*\//.exec(readFileSync(file, "utf8"))?.[1];
    if (notice === undefined) continue;
    const text = notice.replaceAll(/^[ \t]*\*?[ \t]?/gm, "").trim();
    const name = file.split("/node_modules/").at(-1);
    notices.set(text, [...(notices.get(text) ?? []), name]);
  }
  return [
    "src/generated/*.ts (dist/generated/*.js) are bundled from @stdlib, https://github.com/stdlib-js/stdlib, modified by bundling and by shorter access to the words of a number.",
    ...texts,
    ...[...notices].map(([text, names]) => `${names.join(", ")}:\n\n${text}`),
  ].join(`\n\n${"-".repeat(80)}\n\n`);
}

const outputs = [...(await generated())].map(([name, text]) => [join(numerics, `src/generated/${name}.ts`), text]);
writeGenerated(
  [...outputs, [join(numerics, "THIRD-PARTY-LICENCES.txt"), `${licences()}\n`]],
  "@stdlib gives; run node tools/build-special.mjs",
);
