import { describe, expect, it } from "vitest";
import { averageOf, nothing, type Answers } from "../src/compute/answers.js";
import { csvOf } from "../src/view/exports.js";

describe("averages of independent runs", () => {
  it("have the standard error of a mean: worked out by hand, and falling as one over the root of the runs", () => {
    const { runs, mean, error } = averageOf([1, 2, 6]);
    // deviations −2, −1, 3: variance 14/2 of one run, 7/3 of the mean
    expect([runs, mean]).toEqual([3, 3]);
    expect(error).toBeCloseTo(Math.sqrt(7 / 3), 14);
    const often = averageOf(Array.from({ length: 300 }, (_, i) => [1, 2, 6][i % 3]!));
    expect(often.error).toBeCloseTo(Math.sqrt(14 / 3 / 299), 14);
    expect(averageOf([5])).toEqual({ runs: 1, mean: 5, error: NaN });
  });
});

describe("the table of everything on the screen", () => {
  const solved = (method: string, from: number) => ({
    method,
    milliseconds: 1,
    status: "ok" as const,
    logEvidence: from,
    error: { total: from + 1, bias: from + 2, variance: from + 3 },
    orderParameter: [from + 4, from + 5],
    mean: Float64Array.of(from + 6, from + 7),
    variance: Float64Array.of(from + 8, from + 9),
  });
  const answers: Answers = {
    ...nothing,
    solved: new Map([
      ["exact", solved("exact", 10)],
      ["nngp", solved("nngp", 30)],
    ]),
    sweep: new Map([["exact", new Map([[5, solved("exact", 50)]])]]),
    sampled: new Map([
      [5, { runs: 4, mean: 0.7, error: 0.1 }],
      [9, { runs: 1, mean: 0.8, error: NaN }],
    ]),
  };

  it("has every number in the row of its method, quantity and place", () => {
    const [header, ...rows] = csvOf(answers).split("\n");
    expect(header).toBe("method,quantity,place,value,standard error");
    const own = (method: string, from: number) => [
      `${method},log evidence,,${from},`,
      ...["total", "bias", "variance"].map((part, i) => `${method},generalisation error: ${part},,${from + 1 + i},`),
      ...[1, 2].map((layer) => `${method},order parameter,${layer},${from + 3 + layer},`),
      ...[0, 1].flatMap((i) => [`${method},predictive mean,${i},${from + 6 + i},`, `${method},predictive variance,${i},${from + 8 + i},`]),
    ];
    expect(rows).toEqual([
      ...own("exact", 10),
      ...own("nngp", 30),
      "exact,generalisation error at width,5,51,",
      "monte-carlo,generalisation error at width,5,0.7,0.1",
      "monte-carlo,generalisation error at width,9,0.8,",
    ]);
  });
});
