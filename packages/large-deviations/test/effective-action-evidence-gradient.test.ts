import { erf, identity, infiniteWidthRecursion, plugin as activations, pullBackVariances, relu } from "@finitewidth/activations";
import { createProblem, createRegistry, differenceEvidenceGradient, inlineRun, matrixFromRows, type Theory } from "@finitewidth/core";
import { firstLayerKernel, type DenseChain } from "@finitewidth/kernels";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { describe, expect, test } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { scalarIntegralGradient, scalarLaplaceGradient } from "../src/effective-action/evidence-gradient.js";
import { createScalarProblem, effectiveAction, plugin, resolveEffectiveActionOptions, scalarIntegral, scalarSaddle } from "../src/index.js";

interface Inputs {
  readonly X: number[][];
  readonly y: number[];
  readonly T: number;
  readonly activation: "erf" | "relu" | "linear";
  readonly sw2: number[];
  readonly sb2: number[];
}
const phi = { erf, relu, linear: identity };
const chainOf = ({ activation, sw2, sb2 }: Inputs, widths: readonly number[]): DenseChain => ({
  widths,
  activation: phi[activation],
  weightVariance: sw2,
  biasVariance: sb2,
});

interface ShallowFixture {
  readonly cases: readonly {
    readonly inputs: Inputs & { readonly N: number; readonly mode: "integral" | "laplace" };
    readonly expected: {
      readonly logEvidence: number;
      readonly dLogSw2: number[];
      readonly dLogSb2: number[];
      readonly dLogT: number;
      readonly dN: number;
    };
  }[];
}

describe("one hidden layer", () => {
  const { cases } = readFixture<ShallowFixture>("evidence-trust/effective-action-gradient");
  test.each(cases.map((each, i) => [i, each.inputs.mode, each] as const))("fixture, case %d, %s", (_, mode, { inputs, expected }) => {
    const X = matrixFromRows(inputs.X);
    const chain = chainOf(inputs, [inputs.N]);
    const recursion = infiniteWidthRecursion(phi[inputs.activation], firstLayerKernel(chain, X), [inputs.sw2[1]!], [0]);
    const problem = createScalarProblem({
      kernel: recursion.preactivation[1]!,
      targets: Float64Array.from(inputs.y),
      temperature: inputs.T,
      width: inputs.N,
      biasVariance: inputs.sb2[1]!,
    });
    const tolerance = { relative: 1e-8, absolute: 1e-9 };
    const [integral, saddle] = [scalarIntegral(problem), scalarSaddle(problem)];
    expectClose(mode === "integral" ? integral.logEvidence : saddle.logEvidence, expected.logEvidence, tolerance, "log evidence");
    const found = mode === "integral" ? scalarIntegralGradient(problem, integral) : scalarLaplaceGradient(problem, saddle);
    const { logWeightVariance, logBiasVariance } = pullBackVariances(
      phi[inputs.activation],
      recursion,
      inputs.sw2,
      [inputs.sb2[0]!, 0],
      found.adjoint,
    );
    expectClose(logWeightVariance, expected.dLogSw2, tolerance, "log σ_w²");
    expectClose([logBiasVariance[0]!, found.logReadoutBias], expected.dLogSb2, tolerance, "log σ_b²");
    expectClose(found.logTemperature, expected.dLogT, tolerance, "log T");
    expectClose(found.width, expected.dN, tolerance, "N");
  });
});

describe("capability of the theory, against differences of fits", () => {
  const registry = createRegistry([activations, fullyConnected, plugin]);
  const X = [
    [0.4, -1.2, 0.3],
    [1.1, 0.2, -0.7],
    [-0.5, 0.9, 1.4],
    [0.8, 0.6, 0.1],
    [-1.3, 0.2, 0.5],
  ];
  const y = [0.7, -0.4, 1.1, 0.3, -0.9];
  test.each([
    ["integral, biases", [6], "erf", [0.2, 0.3], {}],
    ["Laplace", [6], "erf", [0.2, 0], { mode: "saddle" }],
    ["Laplace with a readout bias, by differences", [6], "erf", [0.2, 0.3], { mode: "saddle" }],
    ["mean of the activation, by differences", [6], "relu", [0, 0], {}],
    ["deep, by differences", [6, 5], "erf", [0.1, 0.1, 0.1], {}],
  ] as const)("%s", async (_, widths, activation, biasVariance, options) => {
    const network = {
      type: "fully-connected",
      widths,
      activation,
      weightVariance: biasVariance.map((__, l) => 1.3 - 0.1 * l),
      biasVariance,
    };
    const problem = createProblem({ network, inputs: X, targets: y, temperature: 0.15 }, registry);
    const run = inlineRun({ registry });
    const resolved = resolveEffectiveActionOptions({ ...options, draws: 0 });
    const posterior = await effectiveAction.fit(problem, resolved, run);
    const found = (await effectiveAction.evidenceGradient!(posterior, run))!;
    const wanted = await differenceEvidenceGradient(effectiveAction as Theory, posterior, run);
    const tolerance = { relative: 1e-5, absolute: 1e-6 };
    expectClose(found.logWeightVariance as number[], wanted.logWeightVariance as number[], tolerance);
    expect(found.logBiasVariance.map((value) => value === null)).toEqual(biasVariance.map((value) => value === 0));
    expectClose(
      found.logBiasVariance.map((value) => value ?? 0),
      wanted.logBiasVariance.map((value) => value ?? 0),
      tolerance,
    );
    expectClose(found.logTemperature!, wanted.logTemperature!, tolerance);
    const wider = { ...network, widths: widths.map((width, l) => (l === 0 ? width + 1 : width)) };
    const next = await effectiveAction.fit(
      createProblem({ network: wider, inputs: X, targets: y, temperature: 0.15 }, registry),
      resolved,
      run,
    );
    expectClose(found.widths[0]!, next.logEvidence! - posterior.logEvidence!, { absolute: 1e-12 });
  });

  test("without noise there is no derivative in it", async () => {
    const network = { type: "fully-connected", widths: [9], activation: "erf", biasVariance: [0, 0.3] };
    const problem = createProblem({ network, inputs: X.slice(0, 3), targets: y.slice(0, 3), temperature: 0 }, registry);
    const run = inlineRun({ registry });
    const posterior = await effectiveAction.fit(problem, resolveEffectiveActionOptions({ draws: 0 }), run);
    const { logTemperature, logBiasVariance } = (await effectiveAction.evidenceGradient!(posterior, run))!;
    expect([logTemperature, logBiasVariance[0]]).toEqual([null, null]);
    expect(logBiasVariance[1]).toBeTypeOf("number");
  });
});
