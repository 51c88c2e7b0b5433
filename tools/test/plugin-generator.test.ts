import { describe, expect, it } from "vitest";
import generatePlugin from "../generators/plugin.mjs";

/** The part of an nx tree that the generator uses. */
function tree(existing: readonly string[] = []) {
  const files = new Map<string, string>(existing.map((path) => [path, ""]));
  return { files, exists: (path: string) => files.has(path), write: (path: string, content: string) => void files.set(path, content) };
}

describe("plug-in generator", () => {
  it.each([
    ["activation", "sin"],
    ["layer", "student-t"],
    ["prior", "linear-residual"],
    ["theory", "laplace-evidence"],
  ])("writes a complete %s without a trace of its template's name", async (kind, template) => {
    const { files, ...host } = tree();
    await generatePlugin(host, { name: "my-thing", kind });
    expect([...files.keys()].sort()).toEqual(
      ["README.md", "package.json", "src/index.ts", "test/conformance.test.ts", "tsconfig.json"].map((path) => `plugins/my-thing/${path}`),
    );
    expect(JSON.parse(files.get("plugins/my-thing/package.json")!)).toMatchObject({
      name: "finitewidth-plugin-my-thing",
      scripts: { test: "vitest run" },
    });
    const source = files.get("plugins/my-thing/src/index.ts")!;
    expect(source).toContain('name: "my-thing"');
    expect(source).toContain("module: import.meta.url");
    for (const text of files.values()) expect(text).not.toContain(`"${template}"`);
    expect(files.get("plugins/my-thing/test/conformance.test.ts")).toMatch(/@finitewidth\/(?:core|kernels)\/conformance/);
  });

  it("writes where it is told, never over something", async () => {
    const { files, ...host } = tree(["elsewhere/package.json"]);
    await expect(generatePlugin(host, { name: "a", kind: "prior", directory: "elsewhere" })).rejects.toThrow(
      "already exists; choose another --directory",
    );
    await generatePlugin(host, { name: "a", kind: "prior", directory: "other" });
    expect(files.has("other/src/index.ts")).toBe(true);
  });

  it("says what it expects", async () => {
    await expect(generatePlugin(tree(), { name: "MyThing", kind: "prior" })).rejects.toThrow(
      'name: expected kebab-case such as "my-theory", got "MyThing"',
    );
    await expect(generatePlugin(tree(), { name: "a", kind: "optimiser" })).rejects.toThrow(
      "kind: expected one of activation, layer, prior, theory",
    );
  });
});
