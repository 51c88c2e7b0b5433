// Tasks of every package, in one place: build, typecheck, lint, test. Package scripts are not used (nx would run them through pnpm on
// PATH).
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const tsc = "node_modules/typescript-7/bin/tsc";
const up = (root) => (root.startsWith("packages/") ? "../.." : "..");

function targetsOf(root, manifest) {
  const command = (text, extra = {}) => ({ executor: "nx:run-commands", options: { command: text, cwd: root }, ...extra });
  const cached = (inputs, outputs, tools) => ({ cache: true, inputs: [...inputs, { externalDependencies: tools }], outputs });
  const targets = {};
  const page = existsSync(join(root, "vite.config.mjs")) ? " && node build-digits.mjs && node node_modules/vite/bin/vite.js build" : "";
  const bundle = manifest.bin ? ` && node ${up(root)}/tools/build-bundle.mjs` : "";
  if (existsSync(join(root, "tsconfig.json"))) {
    targets.build = command(`node ${up(root)}/${tsc} -b tsconfig.json${page}${bundle}`, {
      ...cached(
        ["production", "^production", ...(manifest.bin ? ["{workspaceRoot}/tools/build-bundle.mjs"] : [])],
        ["{projectRoot}/dist", ...(page ? ["{projectRoot}/page"] : [])],
        ["typescript-7", ...(manifest.bin ? ["esbuild"] : [])],
      ),
      dependsOn: ["^build"],
    });
    targets.typecheck = command(`node ${up(root)}/${tsc} -p tsconfig.spec.json`, cached(["default", "^production"], [], ["typescript-7"]));
  }
  targets.lint = command(
    `node ${up(root)}/node_modules/oxlint/bin/oxlint -c ${up(root)}/.oxlintrc.json --deny-warnings . && node ${up(root)}/tools/check-boundaries.mjs ${root}`,
    cached(["default", "{workspaceRoot}/.oxlintrc.json", "{workspaceRoot}/tools/check-boundaries.mjs"], [], ["oxlint"]),
  );
  if (existsSync(join(root, "vitest.config.ts"))) {
    targets.test = command(`node ${up(root)}/node_modules/vitest/vitest.mjs run`, {
      ...cached(
        ["default", "^production", "{workspaceRoot}/verification/fixtures/**/*"],
        ["{projectRoot}/test-results"],
        ["vitest", "fast-check", "tsx"],
      ),
      dependsOn: manifest.bin ? ["build"] : [],
    });
  }
  for (const [name, target] of Object.entries(manifest.finitewidth?.targets ?? {}))
    targets[name] = { executor: "nx:run-commands", ...target, options: { cwd: root, ...target.options } };
  return targets;
}

export const createNodesV2 = [
  "{packages/*,tools,verification}/package.json",
  (files) =>
    files.map((file) => {
      const root = dirname(file);
      const manifest = JSON.parse(readFileSync(file, "utf8"));
      return [
        file,
        { projects: { [root]: { name: manifest.name, root, targets: targetsOf(root, manifest), tags: manifest.nx?.tags ?? [] } } },
      ];
    }),
];
