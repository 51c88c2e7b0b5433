import type { MethodVerdict, VerdictStatus } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { beliefLines, bestRow, quantities, rowText, type SweepRow } from "../src/sweep-table.js";

const evidence = quantities.find(({ name }) => name === "logEvidence")!;
const error = quantities.find(({ name }) => name === "generalizationError.total")!;

const dataOf = (target: number) => {
  const one = { data: Float64Array.of(target), shape: [1, 1] as const };
  return { train: { inputs: one, targets: one } };
};

/** A row with the numbers and verdicts given; what no quantity reads is left out. */
function row(logEvidence: number, total: number, status?: VerdictStatus, warnings: readonly string[] = []): SweepRow {
  const outcome = { label: "theory", status: "ok", posterior: { logEvidence }, generalizationError: { total }, warnings };
  const one = status && { status, error: null, standardError: null, how: "" };
  const verdict: MethodVerdict | undefined = one && { logEvidence: one, generalizationError: one };
  return { step: { values: {}, data: dataOf(1) }, index: 0, outcome, ...(verdict ? { verdict } : {}) } as unknown as SweepRow;
}

describe("the best of a sweep", () => {
  it("is the largest evidence and the smallest positive error", () => {
    const rows = [row(-3, 0.2), row(-1, 0.3), row(-2, -0.1)];
    expect([bestRow(rows, evidence)!.row, bestRow(rows, error)!.row]).toEqual([rows[1], rows[0]]);
  });

  it("is nothing that sampling the network contradicts", () => {
    const rows = [row(-3, 0.3, "confirmed"), row(-1, 0.1, "contradicted"), row(-2, 0.2, "doubtful")];
    expect(bestRow(rows, evidence)).toEqual({ row: rows[2], text: "-2 ?", where: " (what is larger is contradicted)", ties: [rows[2]] });
    expect(bestRow(rows, error)).toEqual({ row: rows[2], text: "0.2 ?", where: " (what is smaller is contradicted)", ties: [rows[2]] });
  });

  it("says when the referee did not look at it although it looked at others", () => {
    const rows = [row(-3, 0.3, "confirmed"), row(-1, 0.1), row(-2, 0.2, "unchecked", ["not here"])];
    expect(bestRow(rows, evidence)!.text).toBe("-1, not checked by the referee");
    expect(bestRow([rows[0]!, rows[2]!], error)!.text).toBe("0.2, not checked by the referee, it warns");
    expect(bestRow([row(-3, 0.3, "unchecked"), rows[1]!], evidence)!.text).toBe("-1");
    expect(bestRow([rows[0]!, row(-4, 1)], evidence)!.text).toBe("-3 ✓");
    expect(
      bestRow(
        rows.map((one) => ({ ...one })),
        quantities.find(({ name }) => name === "generalizationError.bias")!,
      ),
    ).toBeUndefined();
  });

  it("says when the method itself warns", () =>
    expect(bestRow([row(-3, 1), row(-1, 1, undefined, ["not here"])], evidence)!.text).toBe("-1, it warns"));

  it("is nothing where the method does not depend on the sweep", () =>
    expect(bestRow([row(-3, 0.2), row(-3, 0.2)], evidence)).toBeUndefined());

  it("counts what differs by more than rounding as different, however little that is", () => {
    expect(bestRow([row(-2, 0.3), row(-2 * (1 - 1e-6), 0.3)], evidence)!.ties).toHaveLength(1);
    expect(bestRow([row(-2, 0.3), row(-2 * (1 - 1e-12), 0.3)], evidence)).toBeUndefined();
  });
  it("is said to be at the keys that it depends on", () => {
    const at = (widths: number, temperature: number, logEvidence: number): SweepRow =>
      ({ ...row(logEvidence, 1), step: { values: { widths, temperature }, data: dataOf(1) } }) as unknown as SweepRow;
    const infinite = [at(5, 0.1, -3), at(5, 0.2, -2), at(9, 0.1, -3 - 1e-15), at(9, 0.2, -2)];
    expect(bestRow(infinite, evidence)!.where).toBe("temperature 0.2");
    expect(bestRow([...infinite, at(20, 0.2, -1)], evidence)!.where).toBe("widths 20, temperature 0.2");
    expect(bestRow([at(5, 0.1, -3), at(9, 0.2, -2)], evidence)!.where).toBe("widths 9, temperature 0.2");
  });

  it("is told with whatever is as good; contradicted numbers are not", () => {
    const at = (train: number, total: number, status?: VerdictStatus): SweepRow =>
      ({ ...row(-1, total, status), step: { values: { train } } }) as unknown as SweepRow;
    const rows = [at(5, 0.2), at(10, 0.1), at(20, 0.1), at(30, 0.1, "contradicted"), at(40, 0.1)];
    expect(bestRow(rows, error)).toEqual({
      row: rows[1],
      text: "0.1, not checked by the referee",
      where: "train 10 and 2 more",
      ties: [rows[1], rows[2], rows[4]],
    });
  });

  it("is no evidence of other data: the same points are compared, wherever they stand", () => {
    const at = (target: number, logEvidence: number): SweepRow =>
      ({ ...row(logEvidence, -logEvidence), step: { values: { target }, data: dataOf(target) } }) as unknown as SweepRow;
    expect(bestRow([at(1, -3), at(2, -2)], evidence)).toBeUndefined();
    expect(bestRow([at(1, -3), at(2, -2)], error)!.where).toBe("target 2");
    expect(bestRow([at(1, -3), at(1, -2)], evidence)!.text).toBe("-2");
  });

  it("numbers carry the marks of their verdicts", () =>
    expect(
      (["confirmed", "doubtful", "contradicted", "unchecked"] as const).map((status) => rowText(row(-2.5, 1, status), evidence)),
    ).toEqual(["-2.5 ✓", "-2.5 ?", "-2.5 ✗", "-2.5"]));
});

it("whom to believe, a line for each step that was refereed", () => {
  const step = (width: number, believe?: object) =>
    ({ step: { values: { widths: [width] } }, problems: [{ problem: {}, ...(believe ? { verdicts: { believe } } : {}) }] }) as never;
  const exact = { logEvidence: { method: "exact", value: 1, standardError: 0.1, how: "so" } };
  expect(beliefLines([step(2, exact), step(3), step(4, {})])).toEqual(["widths [2]: Believe exact for all that was checked."]);
  const networks = ["a", "b"].map((label) => ({ problem: { label }, verdicts: { believe: exact } }));
  expect(beliefLines([{ step: { values: { widths: 3, temperature: 0.5 } }, problems: networks }] as never)).toEqual([
    "widths 3, temperature 0.5, a: Believe exact for all that was checked.",
    "widths 3, temperature 0.5, b: Believe exact for all that was checked.",
  ]);
  expect(beliefLines([step(1, exact), step(2, exact), step(3, exact)], 1)).toEqual([
    "widths [1]: Believe exact for all that was checked.",
    "… and 2 more steps in result.json",
  ]);
});

describe("the order parameter that a sweep follows", () => {
  const { value } = quantities.find(({ name }) => name === "orderParameter")!;
  const of = (orderParameter: unknown) => value({ posterior: { orderParameter } } as never);
  const square = (size: number, entry: (i: number, j: number) => number) => ({
    data: Float64Array.from({ length: size * size }, (_, k) => entry(Math.floor(k / size), k % size)),
    shape: [size, size],
  });

  it.each([1, 2, 3, 7])("is q for a number, for layers that all have q, and for q times the identity of %i outputs", (size) => {
    expect(of(0.8)).toBe(0.8);
    expect(of({ data: new Float64Array(size).fill(0.75), shape: [size] })).toBeCloseTo(0.75, 14);
    expect(of(square(size, (i, j) => (i === j ? 0.75 : 0)))).toBeCloseTo(0.75, 14);
  });

  it("is the mean of the diagonal, of no other entry; nothing where there is no one number", () => {
    expect(of(square(3, (i, j) => (i === j ? i + 1 : 100 * (i + 2 * j))))).toBeCloseTo(2, 14);
    expect([of(undefined), of({ data: new Float64Array(6), shape: [2, 3] }), of({ data: new Float64Array(8), shape: [2, 2, 2] })]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
