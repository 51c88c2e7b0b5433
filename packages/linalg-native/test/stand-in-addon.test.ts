import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Matrix } from "@finitewidth/core";
import { createWorkspace, referenceBackend as reference, setBackend, transpose, type Backend } from "@finitewidth/linalg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { randomMatrix } from "../../linalg/test/matrices.js";
import { createNativeBackend, nativeProblem } from "../src/index.js";
import { addon, agrees, at, exact, kernelKinds, positive, tall, wide } from "./stand-ins.js";

const folder = mkdtempSync(join(tmpdir(), "finitewidth-addon-"));
const place = (name: string, source: string): string => {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
};
beforeAll(() => vi.stubGlobal("standInAddon", addon));
afterAll(() => {
  vi.unstubAllGlobals();
  rmSync(folder, { recursive: true, force: true });
});

describe("the add-on", () => {
  const create = (): Backend => createNativeBackend({ path: place("addon.cjs", "module.exports = globalThis.standInAddon;") })!;

  it("is handed every matrix with its sizes, its order and its code", () => {
    const kernels = create();
    expect(kernels.name).toBe("native-loops");
    agrees(kernels);
    const known = reference.cholesky(positive) as { factor: Matrix };
    expectClose(
      reference.multiply(kernels.choleskyInverse!(known.factor), positive, "none"),
      [0, 1, 2, 3, 4, 5].flatMap((i) => [0, 1, 2, 3, 4, 5].map((j) => Number(i === j))),
      exact,
    );
    const x = Float64Array.of(-0.9, 0.1, 0.7);
    for (const kind of ["exp", "erf", "arcsin"] as const) {
      const [out, kept] = [new Float64Array(3), x.slice()];
      kernels.map(kind, kept, out);
      const expected = new Float64Array(3);
      reference.map(kind, x, expected);
      expectClose(out, expected, exact);
      expect(kept).toEqual(x);
      kernels.map(kind, kept, kept);
      expectClose(kept, expected, exact);
    }
    const [rows, columns] = [Float64Array.of(2, 1.5, 3), Float64Array.of(1, 2)];
    const cross = at(Float64Array.of(0.3, -0.5, 1, 0.2, 0.9, -1), 3, 2);
    for (const kind of kernelKinds) {
      const [a, b] = [new Float64Array(36), new Float64Array(36)];
      expect(kernels.symmetricKernel(kind, positive, a)).toBe(reference.symmetricKernel(kind, positive, b));
      expectClose(a, b, exact);
      const [c, d] = [new Float64Array(6), new Float64Array(6)];
      expect(kernels.crossKernel(kind, cross, rows, columns, c)).toBe(reference.crossKernel(kind, cross, rows, columns, d));
      expectClose(c, d, exact);
    }
  });

  it("works in place on the matrices of a workspace", () => {
    const before = setBackend(create());
    try {
      const workspace = createWorkspace([[5, 3], [3, 7], [5, 7], [3, 5], [5, 5], [3, 3], [6, 6], [6, 4]]); // prettier-ignore
      const [a, b, c, at35, g5, g3, p, q] = workspace.matrices as Matrix[];
      expect(workspace.name).toBe("native-loops");
      a!.data.set(tall.data);
      b!.data.set(wide.data);
      at35!.data.set(transpose(tall).data);
      const whole = reference.multiply(tall, wide, "none");
      c!.data.fill(Number.NaN);
      workspace.multiply(a!, b!, c!);
      expectClose(c!, whole, exact);
      workspace.multiply(at35!, b!, c!, { transposed: "left", alpha: 2, beta: 0.5 });
      expectClose(
        c!,
        whole.data.map((value) => 2.5 * value),
        exact,
      );
      workspace.multiply(a!, at35!, g5!);
      workspace.multiply(c!, b!, a!, { transposed: "right", alpha: -1 });
      expectClose(
        a!,
        reference.multiply(whole, wide, "right").data.map((value) => -2.5 * value),
        exact,
      );
      a!.data.set(tall.data);
      workspace.gramLower(a!, g5!);
      workspace.gramLower(a!, g3!, true);
      const lower = ({ data, shape: [n] }: Matrix): number[] => Array.from(data).filter((_, e) => e % n <= Math.floor(e / n));
      expectClose(lower(g5!), lower(reference.gram(tall)), exact);
      expectClose(lower(g3!), lower(reference.gram(transpose(tall))), exact);
      workspace.map("exp", g3!);
      expectClose(lower(g3!), lower(reference.gram(transpose(tall))).map(Math.exp), exact);
      p!.data.set(positive.data);
      expect(workspace.cholesky(p!)).toBe(-1);
      const { factor } = reference.cholesky(positive) as { factor: Matrix };
      expectClose(p!, factor, exact);
      for (const transposed of [undefined, true] as const) {
        q!.data.set(randomMatrix(6, 4, 5).data);
        workspace.solveTriangular(p!, q!, transposed);
        expectClose(q!, reference.solveTriangular(factor, randomMatrix(6, 4, 5), transposed ?? false), exact);
      }
    } finally {
      setBackend(before);
    }
  });

  it("of another version is not taken", () => {
    const path = place("old.cjs", "module.exports = { interface: () => 1 };");
    expect(createNativeBackend({ path })).toBeUndefined();
    expect(nativeProblem({ path })).toBe(`${path} has interface 1 where 2 is needed; install the version of this package`);
    expect(nativeProblem({ path: place("good.cjs", "module.exports = globalThis.standInAddon;") })).toBeUndefined();
  });
});
