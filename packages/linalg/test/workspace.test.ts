import { FinitewidthError, type Matrix } from "@finitewidth/core";
import { afterEach, describe, expect, it } from "vitest";
import {
  addDiagonal,
  backend,
  createWorkspace,
  gram,
  mapErf,
  mapExp,
  referenceBackend,
  setBackend,
  solveLower,
  solveLowerTransposed,
  transpose,
  type Workspace,
} from "../src/index.js";
import { availableBackends } from "./backends.js";
import { randomMatrix, randomPositive } from "./matrices.js";
import { expectClose } from "../../../tools/testing.ts";

const sizes = [
  [0, 0, 0],
  [0, 3, 2],
  [3, 0, 2],
  [1, 1, 1],
  [1, 7, 1],
  [5, 3, 1],
  [2, 2, 2],
  [13, 9, 17],
  [33, 65, 31],
  [101, 100, 203],
  [120, 270, 5],
] as const;

/** Rows, columns and share of a constant factor's entries that are not zero; columns of the product. Blocks have 256 columns. */
const factors = [
  [0, 3, 1, 2],
  [3, 0, 1, 2],
  [4, 5, 0, 3],
  [1, 1, 1, 1],
  [5, 9, 0.3, 7],
  [13, 70, 0.2, 16],
  [21, 256, 0.1, 20],
  [30, 257, 0.5, 31],
  [600, 37, 0.2, 35],
  [17, 530, 0.05, 48],
  [19, 40, 0.9, 33],
] as const;

/** Normals, a share of them; the first column and the last row are zeros where the share is less than 1. */
function sparseMatrix(rows: number, columns: number, share: number): Matrix {
  const { data, shape } = randomMatrix(rows, columns, 7);
  const kept = randomMatrix(rows, columns, 8).data;
  const order = Float64Array.from(kept).sort();
  const limit = share === 0 ? Number.NEGATIVE_INFINITY : order[Math.ceil(share * order.length) - 1]!;
  const zero = (i: number): boolean => kept[i]! > limit || i % columns === 0 || i >= (rows - 1) * columns;
  return { data: share === 1 ? data : data.map((value, i) => (zero(i) ? 0 : value)), shape };
}

const own = backend();
afterEach(() => void setBackend(own));

/** A workspace of the backend with copies of the matrices. */
function resident(...matrices: readonly Matrix[]): Workspace {
  const workspace = createWorkspace(matrices.map(({ shape }) => shape));
  matrices.forEach(({ data }, i) => workspace.matrices[i]!.data.set(data));
  return workspace;
}

const close = (actual: Matrix, expected: Matrix, what: string) =>
  expectClose(actual.data, expected.data, { relative: 1e-11, absolute: 1e-11 }, what);

describe.each(availableBackends().map((entry) => [entry.name, entry] as const))("workspace on %s", (name, chosen) => {
  const make = (...matrices: readonly Matrix[]): Workspace => {
    setBackend(chosen);
    return resident(...matrices);
  };

  it("is of the build in use and starts with zeros", () => {
    const workspace = make(
      ...[
        [2, 3],
        [0, 4],
        [1, 1],
      ].map(([m, n]) => ({ data: new Float64Array(m! * n!), shape: [m!, n!] as const })),
    );
    expect(workspace.name).toBe(name);
    for (const { data, shape } of workspace.matrices) expect([...data]).toEqual(Array.from({ length: shape[0] * shape[1] }, () => 0));
  });

  it.each(sizes)("C = β C + α A B, all transposes: %d × %d × %d", (m, k, n) => {
    for (const transposed of ["none", "left", "right"] as const) {
      const plain = [randomMatrix(m, k, 1), randomMatrix(k, n, 2)] as const;
      const a = transposed === "left" ? transpose(plain[0]) : plain[0];
      const b = transposed === "right" ? transpose(plain[1]) : plain[1];
      const product = referenceBackend.multiply(plain[0], plain[1], "none").data;
      const c = randomMatrix(m, n, 3);
      for (const [alpha, beta] of [
        [1, 0],
        [-0.5, 0],
        [1, 1],
        [2, -3],
      ] as const) {
        const workspace = make(a, b, c);
        const [x, y, out] = workspace.matrices as [Matrix, Matrix, Matrix];
        workspace.multiply(x, y, out, { transposed, alpha, beta });
        close(
          out,
          { data: c.data.map((value, i) => beta * value + alpha * product[i]!), shape: c.shape },
          `${transposed} ${alpha} ${beta}`,
        );
        expect(x.data).toEqual(a.data);
        expect(y.data).toEqual(b.data);
      }
    }
  });

  it.each(factors)("constant factors, %d × %d of which %d, for %d columns", (m, k, share, n) => {
    const x = sparseMatrix(m, k, share);
    const [b, c] = [randomMatrix(n, k, 2), randomMatrix(m, n, 3)];
    setBackend(chosen);
    const workspace = createWorkspace([b.shape, [m, n], c.shape, [n, k], x.shape, [m, n], [n, k]], [randomMatrix(3, 2), x]);
    const [ownB, out, ownC, left, ownX, denseOut, denseLeft] = workspace.matrices as [
      Matrix,
      Matrix,
      Matrix,
      Matrix,
      Matrix,
      Matrix,
      Matrix,
    ];
    ownB.data.set(b.data);
    ownC.data.set(c.data);
    ownX.data.set(x.data);
    out.data.fill(Number.NaN);
    left.data.fill(Number.NaN);
    const before = x.data.slice();
    x.data.fill(1);
    const factor = workspace.constants[1]!;
    expect(factor.shape).toEqual([m, k]);
    factor.multiplyTransposed(ownB, out);
    factor.leftMultiplyTransposed(ownC, left);
    const source = { data: before, shape: x.shape };
    close(out, referenceBackend.multiply(source, b, "right"), "X Bᵀ");
    close(left, referenceBackend.multiply(c, source, "left"), "Bᵀ X");
    // what zeros add is nothing: the same sums in the same order, up to the sign of a sum that is zero
    const sums = ({ data }: Matrix) => [...data].map((value) => value + 0);
    workspace.multiply(ownX, ownB, denseOut, { transposed: "right" });
    workspace.multiply(ownC, ownX, denseLeft, { transposed: "left" });
    expect(sums(out)).toEqual(sums(denseOut));
    expect(sums(left)).toEqual(sums(denseLeft));
    expect([...ownB.data, ...ownC.data, ...ownX.data]).toEqual([...b.data, ...c.data, ...before]);
  });

  it("with β = 0 what the output held does not matter", () => {
    for (const n of [1, 6, 40]) {
      const workspace = make(randomMatrix(n, n, 1), randomMatrix(n, n, 2), {
        data: new Float64Array(n * n).fill(Number.NaN),
        shape: [n, n],
      });
      const [a, b, out] = workspace.matrices as [Matrix, Matrix, Matrix];
      workspace.multiply(a, b, out);
      close(out, referenceBackend.multiply(randomMatrix(n, n, 1), randomMatrix(n, n, 2), "none"), `n = ${n}`);
    }
  });

  it.each(sizes)("lower triangle of X Xᵀ and Xᵀ X: %d × %d", (m, k) => {
    const x = randomMatrix(m, k);
    const lower = ({ data, shape: [n] }: Matrix) => data.filter((_, i) => i % n <= Math.floor(i / n));
    const workspace = make(x, { data: new Float64Array(m * m), shape: [m, m] }, { data: new Float64Array(k * k), shape: [k, k] });
    const [resident, rows, columns] = workspace.matrices as [Matrix, Matrix, Matrix];
    workspace.gramLower(resident, rows);
    workspace.gramLower(resident, columns, true);
    expectClose(lower(rows), lower(referenceBackend.gram(x)), { relative: 1e-11, absolute: 1e-11 });
    expectClose(lower(columns), lower(referenceBackend.gram(transpose(x))), { relative: 1e-11, absolute: 1e-11 });
  });

  it("maps in place, views of odd length without touching their neighbours", () => {
    for (const n of [0, 1, 2, 7, 16, 1001]) {
      const x = randomMatrix(1, n + 2);
      for (const [kind, map] of [
        ["exp", mapExp],
        ["erf", mapErf],
      ] as const) {
        const workspace = make(x);
        const { data } = workspace.matrices[0]!;
        workspace.map(kind, { data: data.subarray(1, n + 1), shape: [1, n] });
        expectClose(data.subarray(1, n + 1), map(x.data.slice(1, n + 1)), { relative: 1e-14, absolute: 0 });
        expect([data[0], data[n + 1]]).toEqual([x.data[0], x.data[n + 1]]);
      }
    }
  });

  it.each([0, 1, 2, 3, 25, 50, 131])("Cholesky factor and triangular solves, n = %d", (n) => {
    const a = randomPositive(n, n + 3, 0.1);
    for (const columns of [0, 1, 3, 20]) {
      const b = randomMatrix(n, columns, 5);
      const workspace = make(a, b);
      const [l, x] = workspace.matrices as [Matrix, Matrix];
      expect(workspace.cholesky(l)).toBe(-1);
      const outcome = referenceBackend.cholesky(a);
      if (!("factor" in outcome)) throw new Error("the matrix is positive definite");
      close(l, outcome.factor, "factor");
      workspace.solveTriangular(l, x);
      close(x, solveLower(outcome.factor, b), "L⁻¹ B");
      workspace.solveTriangular(l, x, true);
      close(x, solveLowerTransposed(outcome.factor, solveLower(outcome.factor, b)), "L⁻ᵀ L⁻¹ B");
    }
  });

  it("names the pivot of a matrix that is not positive definite, NaN included", () => {
    for (const n of [3, 40]) {
      const a = addDiagonal(gram(randomMatrix(n, n + 2)), 1);
      for (const wrong of [-5, 0, Number.NaN]) {
        const spoilt = { data: a.data.slice(), shape: a.shape };
        spoilt.data[2 * n + 2] = wrong;
        const workspace = make(spoilt);
        expect(workspace.cholesky(workspace.matrices[0]!)).toBe(2);
      }
    }
  });

  it("gives the same bits whatever else is laid out", () => {
    const [a, b] = [randomMatrix(37, 41, 1), randomMatrix(41, 29, 2)];
    const run = (...others: Matrix[]) => {
      const workspace = make(...others, a, b, { data: new Float64Array(37 * 29), shape: [37, 29] });
      const [x, y, out] = workspace.matrices.slice(others.length) as [Matrix, Matrix, Matrix];
      workspace.multiply(x, y, out);
      workspace.map("erf", out);
      return out.data.slice();
    };
    expect(run(randomMatrix(3, 5), randomMatrix(111, 7))).toEqual(run());
  });

  it("refuses shapes that do not agree", () => {
    const workspace = make(randomMatrix(2, 3), randomMatrix(4, 2), randomMatrix(3, 3));
    const [a, b, c] = workspace.matrices as [Matrix, Matrix, Matrix];
    expect(() => workspace.multiply(a, b, c)).toThrow(/b/);
    expect(() => workspace.multiply(a, c, b)).toThrow(/out/);
    expect(() => workspace.gramLower(a, c)).toThrow(/out/);
    expect(() => workspace.cholesky(a)).toThrow(/square/);
    expect(() => workspace.solveTriangular(c, b)).toThrow(/b/);
    const [factor] = createWorkspace([], [sparseMatrix(2, 3, 0.3)]).constants;
    expect(() => factor!.multiplyTransposed(b, a)).toThrow(/b/);
    expect(() => factor!.leftMultiplyTransposed(b, a)).toThrow(/b/);
    expect(() => factor!.multiplyTransposed(c, b)).toThrow(/out/);
  });
});

describe("a workspace", () => {
  it("refuses sizes that are none, and sizes beyond memory with the number of bytes", () => {
    expect(() => createWorkspace([[1, -1]])).toThrow(FinitewidthError);
    expect(() => createWorkspace([[1, 0.5]])).toThrow(/shapes\[0\]\[1\]/);
    if (own.name.startsWith("wasm")) expect(() => createWorkspace([[1e5, 1e5]])).toThrow(/80\d{9} bytes/);
  });

  it("refuses arrays of other memory", () => {
    const workspace = createWorkspace([[2, 2]]);
    if (workspace.name === "reference") return;
    expect(() => workspace.map("exp", randomMatrix(2, 2))).toThrow(/workspace/);
  });

  it("can be made many times: memory of those not in use any more is given back", () => {
    for (let i = 0; i < 300; i++) expect(createWorkspace([[10, 10]]).matrices[0]!.data[99]).toBe(0);
  });
});
