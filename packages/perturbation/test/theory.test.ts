import { fit, type Fitted, type Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, flatten, readFixture } from "../../../tools/testing.ts";
import { perturbative } from "../src/index.js";
import { activationName, registry } from "./networks.js";

interface Inputs {
  readonly trainInputs: number[][];
  readonly targets: number[][];
  readonly testInputs: number[][];
  readonly temperature: number;
  readonly activation: string;
  readonly widths: number[];
  readonly weightVariances: number[];
  readonly biasVariances: number[];
}
type Tolerance = { readonly relative: number; readonly absolute: number };

const fitFixture = (inputs: Omit<Inputs, "testInputs">, options: Record<string, unknown> = {}): Promise<Fitted> =>
  fit(
    perturbative,
    {
      network: {
        type: "fully-connected",
        widths: inputs.widths,
        activation: activationName(inputs.activation),
        weightVariance: inputs.weightVariances,
        biasVariance: inputs.biasVariances,
      },
      inputs: inputs.trainInputs,
      targets: inputs.targets,
      temperature: inputs.temperature,
    },
    { registry, options },
  );
const diagnostic = (fitted: Fitted, key: string) =>
  fitted.posterior.diagnostics[key] as never as Record<string, never> & readonly Record<string, never>[];
/** Leading P × P block of nested rows. */
const corner = (rows: readonly (readonly number[])[], P: number): number[][] => rows.slice(0, P).map((row) => row.slice(0, P));

describe("posterior fixtures", () => {
  it.each(["posterior-erf", "posterior-relu", "posterior-quadratic"])("%s", async (name) => {
    interface Kernel {
      readonly leading: number[][];
      readonly priorShift: number[][];
      readonly dataShift: number[][];
    }
    interface Fixture {
      readonly inputs: Inputs;
      readonly expected: {
        readonly hiddenKernels: Kernel[];
        readonly preactivationKernels: Kernel[];
        readonly predictive: { mean0: number[][]; mean1: number[][]; covariance0: number[][][][]; covariance1: number[][][][] };
        readonly logEvidence: { leading: number; correction: number; coefficientsOfInverseWidths: number[] };
        readonly diagnostics: Record<string, number>;
      };
      readonly tolerance: Tolerance;
    }
    const { inputs, expected, tolerance } = readFixture<Fixture>(`perturbative/${name}`);
    const fitted = await fitFixture(inputs);
    const P = inputs.trainInputs.length;
    for (const key of ["hiddenKernels", "preactivationKernels"] as const) {
      expected[key].forEach((kernel, l) => {
        for (const part of ["leading", "priorShift", "dataShift"] as const)
          expectClose(diagnostic(fitted, key)[l]![part]!, corner(kernel[part], P), tolerance, `${key} ${l} ${part}`);
      });
    }
    const evidence = diagnostic(fitted, "logEvidence");
    expectClose(evidence["leading"]!, expected.logEvidence.leading, tolerance, "leading evidence");
    expectClose(evidence["correction"]!, expected.logEvidence.correction, tolerance, "evidence correction");
    expectClose(evidence["coefficientsOfInverseWidths"]!, expected.logEvidence.coefficientsOfInverseWidths, tolerance, "coefficients");
    for (const [key, value] of Object.entries(expected.diagnostics))
      expectClose(fitted.posterior.diagnostics[key] as number, value, tolerance, key);
    const { mean0, mean1, covariance0, covariance1 } = expected.predictive;
    const joint = await fitted.predict(inputs.testInputs, { covariance: true });
    const sum = (a: number[], b: number[]): number[] => a.map((value, i) => value + b[i]!);
    expectClose(joint.mean, sum(flatten(mean0), flatten(mean1)), tolerance, "mean");
    expectClose(joint.covariance!, sum(flatten(covariance0), flatten(covariance1)), tolerance, "covariance");
    const single = await fitted.predict(inputs.testInputs);
    expectClose(single.mean, joint.mean, { relative: 1e-10 }, "mean from P + 1 points");
    expectClose(single.variance, joint.variance, { relative: 1e-10 }, "variance from P + 1 points");
  });

  it.each(["mc-posterior-erf", "mc-posterior-relu-two-layers"])("%s: coefficient of 1/N within 5 standard errors", async (name) => {
    type Estimate = { estimate: never; standardError: never };
    interface Fixture {
      readonly inputs: Inputs & { widthRatios: number[] };
      readonly expected: { coefficient: Record<"logEvidenceShift" | "meanShift" | "covarianceShift" | "kernelShifts", Estimate> };
      readonly tolerance: { standardErrors: number };
    }
    const { inputs, expected, tolerance } = readFixture<Fixture>(`perturbative/${name}`);
    const widths = inputs.widthRatios.map((ratio) => ratio * 1000);
    const wide = widths.map((width) => width * 1e9);
    const [narrow, infinite] = await Promise.all([fitFixture({ ...inputs, widths }), fitFixture({ ...inputs, widths: wide })]);
    const [a, b] = await Promise.all([
      narrow.predict(inputs.testInputs, { covariance: true }),
      infinite.predict(inputs.testInputs, { covariance: true }),
    ]);
    const coefficient = (x: Matrix, y: Matrix): number[] => Array.from(x.data, (value, i) => 1000 * (value - y.data[i]!));
    const check = (value: number | number[], key: keyof Fixture["expected"]["coefficient"]): void => {
      const { estimate, standardError } = expected.coefficient[key];
      expectWithinStandardErrors(value, estimate, standardError, tolerance.standardErrors, key);
    };
    check(1000 * (diagnostic(narrow, "logEvidence")["correction"] as number), "logEvidenceShift");
    check(coefficient(a.mean, b.mean), "meanShift");
    check(coefficient(a.covariance!, b.covariance!), "covarianceShift");
    const P = inputs.trainInputs.length;
    const kernels = diagnostic(narrow, "preactivationKernels").slice(1);
    kernels.forEach((kernel, l) => {
      const shift = flatten(kernel["priorShift"]!).map((value, i) => 1000 * (value + flatten(kernel["dataShift"]!)[i]!));
      const { estimate, standardError } = expected.coefficient.kernelShifts;
      expectWithinStandardErrors(shift, corner(estimate[l]!, P), corner(standardError[l]!, P), tolerance.standardErrors, `kernel ${l + 2}`);
    });
  });

  it("deep-linear: kernels, evidence, predictions through the theory", async () => {
    interface Fixture {
      readonly inputs: Inputs;
      readonly expected: {
        hiddenKernels: number[][][];
        mean0: number[][];
        mean1: number[][];
        covariance0: number[][][][];
        covariance1: number[][][][];
        logEvidenceCorrection: number;
      };
      readonly tolerance: Tolerance;
    }
    const { inputs, expected, tolerance } = readFixture<Fixture>("perturbative/deep-linear");
    const fitted = await fitFixture({ ...inputs, activation: "linear", biasVariances: inputs.weightVariances.map(() => 0) });
    fitted.posterior.hiddenKernels!.forEach((kernel, l) => expectClose(kernel, expected.hiddenKernels[l]!, tolerance, `kernel ${l}`));
    expectClose(diagnostic(fitted, "logEvidence")["correction"]!, expected.logEvidenceCorrection, tolerance);
    const prediction = await fitted.predict(inputs.testInputs, { covariance: true });
    expectClose(
      prediction.mean,
      flatten(expected.mean0).map((value, i) => value + flatten(expected.mean1)[i]!),
      tolerance,
      "mean",
    );
    expectClose(
      prediction.covariance!,
      flatten(expected.covariance0).map((value, i) => value + flatten(expected.covariance1)[i]!),
      tolerance,
      "covariance",
    );
  });

  it("deep-linear-exact-single-output: first order, and a residual that falls as 1/N²", async () => {
    interface Fixture {
      readonly inputs: Inputs & { hiddenLayers: number };
      readonly expected: {
        perWidth: {
          width: number;
          logEvidence: number;
          mean: number[];
          covariance: number[][];
          firstOrderLogEvidence: number;
          firstOrderMean: number[];
          firstOrderCovariance: number[][];
        }[];
      };
      readonly tolerance: Tolerance;
    }
    const { inputs, expected, tolerance } = readFixture<Fixture>("perturbative/deep-linear-exact-single-output");
    const scaled: number[] = [];
    for (const exact of expected.perWidth) {
      const { width } = exact;
      const fitted = await fitFixture({ ...inputs, activation: "linear", widths: [width], biasVariances: [0, 0] });
      const { mean, covariance } = await fitted.predict(inputs.testInputs, { covariance: true });
      expectClose(fitted.posterior.logEvidence!, exact.firstOrderLogEvidence, tolerance, "evidence");
      expectClose(mean, exact.firstOrderMean, tolerance, "mean");
      expectClose(covariance!, exact.firstOrderCovariance, tolerance, "covariance");
      const residual =
        Math.abs(fitted.posterior.logEvidence! - exact.logEvidence) +
        mean.data.reduce((sum, value, i) => sum + Math.abs(value - exact.mean[i]!), 0) +
        covariance!.data.reduce((sum, value, i) => sum + Math.abs(value - flatten(exact.covariance)[i]!), 0);
      scaled.push(width * width * residual);
    }
    expect(scaled.at(-1)! / scaled.at(-2)!).toBeGreaterThan(0.97);
    expect(scaled.at(-1)! / scaled.at(-2)!).toBeLessThan(1.03);
  });

  it("rejected-inputs name the field", async () => {
    interface Fixture {
      readonly inputs: { base: Inputs; changes: { name: string; change: Partial<Inputs> }[] };
    }
    const { inputs } = readFixture<Fixture>("perturbative/rejected-inputs");
    const numbers = (value: unknown): never =>
      JSON.parse(JSON.stringify(value), (_, entry: unknown) => (entry === "NaN" ? Number.NaN : entry)) as never;
    for (const { name, change } of inputs.changes) {
      const changed: Inputs = { ...inputs.base, ...(numbers(change) as Partial<Inputs>) };
      const attempt = async (): Promise<void> => {
        const fitted = await fitFixture(changed);
        await fitted.predict(changed.testInputs);
      };
      await expect(attempt(), name).rejects.toThrow(/^(\[perturbative\] )?(likelihood\.temperature|network\.\w+|inputs|targets)/);
    }
  });
});
