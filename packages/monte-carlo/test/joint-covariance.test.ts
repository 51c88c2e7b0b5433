import { expect, it } from "vitest";
import { randomMatrix, sample } from "./helpers.js";

it("outputs with opposite targets are as opposite as their means: what a draw leaves open is their own", async () => {
  const y = randomMatrix(6, 1, 3).data;
  const { predict } = await sample(
    { widths: [4], activation: "erf" },
    {
      inputs: randomMatrix(6, 3, 1),
      temperature: 0.3,
      targets: { data: Float64Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? 1 : -1) * y[Math.floor(i / 2)]!), shape: [6, 2] },
    },
    { chains: 1, draws: 40, warmup: 20 },
  );
  const { variance, covariance } = await predict(randomMatrix(2, 3, 2), { covariance: true });
  const at = (point: number, a: number, other: number, b: number): number => covariance!.data[(2 * point + a) * 4 + 2 * other + b]!;
  for (const point of [0, 1]) {
    expect(at(point, 0, point, 0)).toBeCloseTo(variance.data[2 * point]!, 10);
    // −Var m for means ±m, while each has Var m and what the draws leave open
    expect(at(point, 0, point, 1)).toBeLessThan(0);
    expect(at(point, 0, point, 1)).toBeGreaterThan(-variance.data[2 * point]!);
    for (const other of [0, 1]) {
      const open = at(point, 0, other, 0) + at(point, 0, other, 1);
      expect(at(point, 1, other, 1) + at(point, 1, other, 0)).toBeCloseTo(open, 10);
    }
  }
});
