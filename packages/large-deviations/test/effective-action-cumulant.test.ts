import { createRegistry, matrixFromRows } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.ts";
import { cumulantCorrection } from "../src/index.js";

const registry = createRegistry([activations]);

interface Case {
  readonly case: string;
  readonly inputs: {
    readonly X: number[][];
    readonly y: number[];
    readonly XTest: number[][];
    readonly activation: string;
    readonly width: number;
    readonly temperature: number;
    readonly Q: number;
    readonly zeta: number;
  };
  readonly expected: {
    readonly meanShift: { readonly estimate: number[]; readonly standardError: number[] };
    readonly logEvidenceShift: { readonly estimate: number; readonly standardError: number };
  };
  readonly tolerance: { readonly zScore: number };
}
const cases = readFixture<{ cases: Case[] }>("effective-action/cumulant-correction").cases;
const correct = ({ inputs }: Case, seed = 1, size = 4000) => {
  const chain = {
    activation: registry.activation(inputs.activation),
    widths: [inputs.width],
    weightVariance: [1, 1],
    biasVariance: [0, 0],
  };
  return cumulantCorrection(
    {
      chain,
      inputs: matrixFromRows(inputs.X),
      testInputs: matrixFromRows(inputs.XTest),
      targets: Float64Array.from(inputs.y),
      temperature: inputs.temperature,
      orderParameter: inputs.Q,
      zeta: inputs.zeta,
    },
    { seed, size },
  );
};

describe.each(cases.map((c) => [c.case, c] as const))("fixture: %s", (_, fixture) => {
  const { expected, tolerance } = fixture;
  it("shifts of the predictor and of the evidence", () => {
    const found = correct(fixture);
    const both = (a: ArrayLike<number>, b: readonly number[]): number[] => b.map((value, i) => Math.hypot(value, a[i]!) + 1e-12);
    expectWithinStandardErrors(
      found.meanShift,
      expected.meanShift.estimate,
      both(found.meanShiftError, expected.meanShift.standardError),
      tolerance.zScore,
      "mean shift",
    );
    expectWithinStandardErrors(
      found.logEvidenceShift,
      expected.logEvidenceShift.estimate,
      both([found.logEvidenceShiftError], [expected.logEvidenceShift.standardError]),
      tolerance.zScore,
      "evidence shift",
    );
  });
});

describe("cumulantCorrection", () => {
  it("depends on the seed only, and reports an error that shrinks with the draws", () => {
    const erf = cases[0]!;
    const found = correct(erf, 1, 200);
    expect(correct(erf, 1, 200)).toEqual(found);
    expect(correct(erf, 2, 200).logEvidenceShift).not.toBe(found.logEvidenceShift);
    expect(correct(erf, 1, 3200).logEvidenceShiftError).toBeLessThan(0.5 * found.logEvidenceShiftError);
  });
  it("is zero to rounding for the identity", () => {
    const found = correct(cases.find((c) => c.inputs.activation === "identity")!);
    expectClose(
      found.meanShift,
      found.meanShift.map(() => 0),
      { absolute: 1e-11 },
    );
    expectClose(found.logEvidenceShift, 0, { absolute: 1e-11 });
  });
});
