import { describe, expect, it } from "vitest";
import { manifest, script, workspace } from "./workspace.ts";

const core = manifest("core", "core", "any");
const files = manifest("files", "kernels", "node");
const check = (self: Record<string, unknown>, source = "", others: Record<string, unknown> = {}) =>
  script(
    "check-boundaries.mjs",
    "packages/self",
    workspace({
      "packages/core/package.json": core,
      "packages/files/package.json": files,
      "packages/self/package.json": self,
      "packages/self/src/index.ts": source,
      ...others,
    }),
  );
const dependsOn = (name: string) => ({ dependencies: { [`@finitewidth/${name}`]: "workspace:^" } });

describe("module boundaries", () => {
  it("allow a layer to use those below", () => {
    expect(check(manifest("self", "inference", "any", dependsOn("core")), 'import { x } from "@finitewidth/core";')).toEqual({
      status: 0,
      output: "",
    });
  });

  it("refuse a theory that depends on another", () => {
    const { status, output } = check(manifest("self", "inference", "any", dependsOn("other")), "", {
      "packages/other/package.json": manifest("other", "inference", "any"),
    });
    expect(status).toBe(1);
    expect(output).toContain("layer inference must not depend on @finitewidth/other");
  });

  it("refuse an import that package.json does not declare, in subfolders too", () => {
    const { status, output } = check(manifest("self", "inference", "any"), "", {
      "packages/self/src/deep/file.ts": 'export { y } from "@finitewidth/core/npz";',
    });
    expect(status).toBe(1);
    expect(output).toContain("imports @finitewidth/core, which package.json does not declare");
  });

  it("refuse Node-only dependencies of packages for browsers", () => {
    expect(check(manifest("self", "inference", "any", dependsOn("files"))).output).toContain(
      "runs in browsers but depends on @finitewidth/files",
    );
    expect(check(manifest("self", "inference", "node", dependsOn("files"))).status).toBe(0);
  });

  it("refuse published packages that need private ones", () => {
    const { output } = check(manifest("self", "inference", "any", dependsOn("inner")), "", {
      "packages/inner/package.json": { ...manifest("inner", "core", "any"), private: true },
    });
    expect(output).toContain("is published but depends on the private @finitewidth/inner");
  });
});
