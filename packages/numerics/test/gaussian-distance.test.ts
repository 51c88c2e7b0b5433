import { matrix } from "@finitewidth/core";
import { expect, test } from "vitest";
import { sampledDistance } from "../src/index.js";

test("the distance of one point, from draws that all say K + δ, is (D/2)t + (D²/8)t² + (D/4)t²", () => {
  const one = (value: number) => matrix(1, 1, Float64Array.of(value));
  const t = (0.3 / (2 + 0.5)) ** 2;
  for (const outputs of [1, 2, 3]) {
    const draws = Array.from({ length: 5 }, () => one(2.3));
    const square = (outputs * outputs * t * t) / 8 + (outputs * t * t) / 4;
    expect(sampledDistance(draws, one(2), 0.5, outputs, { meanKnown: true }).chiSquare).toBeCloseTo(square, 12);
    expect(sampledDistance(draws, one(2), 0.5, outputs).chiSquare).toBeCloseTo(0.5 * outputs * t + square, 12);
  }
});
