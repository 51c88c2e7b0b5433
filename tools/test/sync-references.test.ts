import { expect, it } from "vitest";
import { manifest, readJson, script, workspace } from "./workspace.ts";

it("project references follow the dependencies; --check tells when they do not", () => {
  const root = workspace({
    "packages/core/package.json": manifest("core", "core", "any"),
    "packages/core/tsconfig.json": { include: ["src"] },
    "packages/a/package.json": manifest("a", "linalg", "any", { dependencies: { "@finitewidth/core": "workspace:^", valibot: "^1.0.0" } }),
    "packages/a/tsconfig.json": { include: ["src"], references: [{ path: "../gone" }] },
    "verification/package.json": manifest("verification", "verification", "any", { dependencies: { "@finitewidth/a": "workspace:^" } }),
    "verification/tsconfig.json": {},
  });
  const stale = script("sync-references.mjs", "--check", root);
  expect(stale.status).toBe(1);
  expect(stale.output).toContain("packages/a/tsconfig.json");
  expect(stale.output).not.toContain("packages/core/tsconfig.json");
  expect(readJson(root, "packages/a/tsconfig.json")).toMatchObject({ references: [{ path: "../gone" }] });

  expect(script("sync-references.mjs", root).status).toBe(0);
  expect(readJson(root, "packages/a/tsconfig.json")).toEqual({ include: ["src"], references: [{ path: "../core" }] });
  expect(readJson(root, "verification/tsconfig.json")).toEqual({ references: [{ path: "../packages/a" }] });
  expect(script("sync-references.mjs", "--check", root).status).toBe(0);
});
