import { growsFasterThanLinear } from "@finitewidth/activations";
import { FinitewidthError, resolveArchitecture, toStandardScaling, type Matrix, type Problem, type Registry } from "@finitewidth/core";
import { denseChain, firstLayerDiagonal, firstLayerKernel, fullyConnectedKernels, type DenseChain } from "@finitewidth/kernels";
import { affine, combine, identity, symmetricEigenvalues } from "@finitewidth/linalg";
import { unitFeatures, type NewKernels, type UnitFeatures } from "./features.js";
import type { SettingData } from "./solution.js";

/** A problem in standard scaling, as single units. */
export interface StrongLabels {
  readonly problem: Problem;
  readonly chain: DenseChain;
  /** K¹: P × P. */
  readonly kernel: Matrix;
}

export function strongLabelsOf(given: Problem, registry: Registry): StrongLabels {
  const problem = toStandardScaling(given, registry);
  const chain = denseChain(resolveArchitecture(registry, problem.network))!;
  return { problem, chain, kernel: firstLayerKernel(chain, problem.inputs) };
}

/** Why the theory does not apply, or undefined. */
export function refusalOf(problem: Problem, registry: Registry): string | undefined {
  const chain = denseChain(resolveArchitecture(registry, problem.network));
  if (chain === undefined)
    return 'single units are exact here for fully connected networks only, and this network is none; use "effective-action", "perturbative" or "monte-carlo".';
  if (chain.widths.length !== 1)
    return `one hidden layer is needed, got ${chain.widths.length}: no verified equations are known for deeper networks; use "forward-backward" or "monte-carlo".`;
  if (problem.targets.shape[1] !== 1)
    return `one output is needed, got ${problem.targets.shape[1]}: the field of several outputs is not verified; use "effective-action" or "monte-carlo", or fit each output of its own.`;
  const { activation, widths } = chain;
  if (growsFasterThanLinear(activation))
    return `"${activation.name}" grows faster than linearly, and the tilt of its units is unbounded, where the equations are no better than infinite width; use "perturbative" or "monte-carlo".`;
  if (Math.abs(activation.value(1e-12) - activation.value(-1e-12)) > 1e-6)
    return `"${activation.name}" jumps, and units are moved along gradients here; use a smooth activation, "effective-action" or "monte-carlo".`;
  if (problem.temperature === 0 && widths[0]! <= problem.inputs.shape[0])
    return `without noise a network of ${widths[0]} units has no density at ${problem.inputs.shape[0]} points; use a temperature > 0.`;
  return undefined;
}

/** The problem as plain data for the solver, with the coordinates of a unit. @throws FinitewidthError (code "refused"). O(P³). */
export function settingDataOf({ problem, chain, kernel }: StrongLabels): {
  readonly data: SettingData;
  readonly coordinates: UnitFeatures;
} {
  const { targets, inputs, temperature, network } = problem;
  const P = inputs.shape[0];
  const coordinates = unitFeatures(kernel, targets.data);
  const secondMoment = fullyConnectedKernels(chain, inputs).hidden[0]!;
  if (temperature === 0) {
    const values = symmetricEigenvalues(secondMoment);
    if (!(values[0]! > P * Number.EPSILON * values.at(-1)!))
      throw new FinitewidthError(
        "[expectation-propagation] likelihood.temperature: expected a number > 0, got 0: the kernel of these inputs is singular, so the outputs cannot interpolate the targets",
        { code: "refused", path: "likelihood.temperature", expected: "a number > 0", received: "0" },
      );
  }
  const bias = chain.biasVariance[1]!;
  const noise = combine(1, affine(temperature, identity(P)), 1, { data: new Float64Array(P * P).fill(bias), shape: [P, P] });
  return {
    data: {
      features: coordinates.features,
      network,
      width: chain.widths[0]!,
      weightVariance: chain.weightVariance[1]!,
      surroundings: { targets: targets.data, noise },
      secondMoment,
    },
    coordinates,
  };
}

/** First-layer kernels of new rows. */
export function newKernels({ chain, problem }: StrongLabels, inputs: Matrix, covariance: boolean): NewKernels {
  return {
    cross: firstLayerKernel(chain, inputs, problem.inputs),
    own: covariance ? firstLayerKernel(chain, inputs) : firstLayerDiagonal(chain, inputs),
  };
}
