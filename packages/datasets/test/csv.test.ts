import { describe, expect, it } from "vitest";
import { rowsOf } from "@finitewidth/core";
import { readCsv } from "../src/index.js";

describe("CSV that is read", () => {
  const numbers = [
    [0.5, -1.2, 1],
    [1.5, 0.3, -1],
  ];
  it.each([
    ["no header", "0.5,-1.2,1\n1.5,0.3,-1\n", ["0", "1", "2"]],
    ["a header", "x0,x1,y\n0.5,-1.2,1\n1.5,.3,-1", ["x0", "x1", "y"]],
    ["row names under an empty name", '"","x0","x1","y"\n"a",0.5,-1.2,1\n"b",1.5,0.3,-1\n', ["x0", "x1", "y"]],
    ["an index under an empty name", ",x0,x1,y\n0,0.5,-1.2,1\n1,1.5,0.3,-1\n", ["x0", "x1", "y"]],
    ["semicolons, CRLF, a byte order mark", "\ufeffx0;x1;y\r\n0.5;-1.2;1\r\n1.5;0.3;-1\r\n", ["x0", "x1", "y"]],
    ["tabs, CR only", "x0\tx1\ty\r0.5\t-1.2\t1\r1.5\t0.3\t-1\r", ["x0", "x1", "y"]],
    ["comments, blank lines, spaces", "# one\n\n x0 , x1 , y \n 0.5,-1.2 ,1\n# two\n  \n1.5,0.3,-1\n\n", ["x0", "x1", "y"]],
    ["quoted commas in names", '"a,b","say ""c""",y\n0.5,-1.2,1\n1.5,0.3,-1\n', ["a,b", 'say "c"', "y"]],
    ["quoted tabs in names", '"x\t0"\t"x\t1"\ty\n0.5\t-1.2\t1\n1.5\t0.3\t-1\n', ["x\t0", "x\t1", "y"]],
    ["exponents and signs", "x0,x1,y\n+5e-1,-12E-1,1.\n15e-1,3.0E-01,-1\n", ["x0", "x1", "y"]],
  ])("%s", (_, text, columns) => {
    const table = readCsv(text);
    expect(rowsOf(table.values)).toEqual(numbers);
    expect(table.columns).toEqual(columns);
  });
});

describe("CSV that is refused in one line", () => {
  it.each([
    ["a header shorter than its rows", '"x0","x1","y"\n"1",0.5,-1.2,1\n', /^d: line 2: 4 cells, but the header \(line 1\) has 3 names$/],
    ["a header longer than its rows", "x0,x1,x2,y\n0.5,-1.2,1\n", /^d: line 2: 3 cells, but the header \(line 1\) has 4 names$/],
    ["a ragged row", "1,2\n# note\n3,4,5\n", /^d: line 3: 3 cells, but line 1 has 2$/],
    ["NaN in the first row", "NaN,-1.2,1\n0.5,-1.2,1\n", /^d: line 1, column 1: expected a finite number, got "NaN"$/],
    ["NA in the first row", "0.5,NA,1\n0.5,-1.2,1\n", /^d: line 1, column 2: expected a finite number, got "NA"$/],
    ["an empty first cell", ",-1.2,1\n0.5,-1.2,1\n", /^d: line 1, column 1: expected a finite number, got ""$/],
    ["names among numbers in the first row", "0.5,abc,1\n0.5,-1.2,1\n", /^d: line 1: names and numbers are mixed \(column 2 is "abc"\)/],
    ["text below comments", "# a\n# b\nx0,x1,y\n0.1,a,1\n", /^d: line 4, column 2: expected a finite number, got "a"$/],
    ["decimal commas", "0,5;-1,2;1\n1,5;0,3;-1\n", /^d: line 1, column 1: .*decimal commas.*, got "0,5"$/],
    ["decimal commas below a header", 'x,y\n"0,5","1,0"\n', /^d: line 2, column 1: .*decimal commas.*, got "0,5"$/],
    ["a hexadecimal number", "x,y\n0x10,1\n", /^d: line 2, column 1: expected a finite number, got "0x10"$/],
    ["a number beyond Float64", "x,y\n1e999,1\n", /^d: line 2, column 1: expected a finite number, got "1e999"$/],
    ["an open quote", 'x,y\n1,"2\n', /^d: line 2: Quote Not Closed/],
    ["nothing", "", /^d: no rows$/],
    ["a header only", "x,y\n", /^d: no rows below the header$/],
    ["control characters", "x,y\n\u001b]0;\u0007\u202e\u009b1,2\n", /^d: line 2, column 1: .* got "\\u001b\]0;\\u0007\\u202e\\u009b1"$/],
    ["a long cell", `x,y\n${"z".repeat(60_000)},2\n`, /^d: line 2, column 1: .{1,120}$/],
  ])("%s", (_, text, message) => {
    expect(() => readCsv(text, "d")).toThrow(message);
  });
});
