import { rowsOf, type Matrix, type Prediction, type Run } from "@finitewidth/core";
import { crossInfiniteWidthRecursion } from "@finitewidth/activations";
import { firstLayerDiagonal, firstLayerKernel } from "@finitewidth/kernels";
import { affine, combine, multiply, multiplyTransposedRight, symmetrise } from "@finitewidth/linalg";
import { conditionTargets, independentOutputs } from "@finitewidth/numerics";
import type { TestKernels } from "./closure.js";
import { createClosure } from "./create-closure.js";
import { predictFromKernels } from "./data-term.js";
import { movedErrors } from "./node-moves.js";
import { predictLinear } from "./linear-predict.js";
import type { ForwardBackwardPosterior } from "./fit-context.js";
import { closureOptionsOf, settingOf, solvesInRange, type Setting } from "./setting.js";
import type { ForwardBackwardState, ProportionalState } from "./state.js";

/** Test kernels of the first layer. */
const firstKernels = ({ chain, inputs: train }: Setting, inputs: Matrix, covariance: boolean): TestKernels => ({
  cross: firstLayerKernel(chain, inputs, train),
  variances: firstLayerDiagonal(chain, inputs),
  ...(covariance ? { joint: firstLayerKernel(chain, inputs) } : {}),
});

/** Test kernels of the readout layer: the closures of all layers extended in turn, C*^{l+1} = g⟨φ(h*)φ(h)⟩ + g_b. */
function readoutKernels(
  { options, state }: Pick<ForwardBackwardPosterior, "options" | "state">,
  setting: Setting,
  inputs: Matrix,
  covariance: boolean,
  run: Run,
): TestKernels {
  const { kernels, conjugates, seed } = state;
  const closure = createClosure(setting.activation, closureOptionsOf(setting, options, seed));
  const readout = { weights: state.weights, resolvent: responseOf(state, setting) };
  let test = firstKernels(setting, inputs, covariance);
  for (const [l, conjugate] of conjugates.entries()) {
    run.signal?.throwIfAborted();
    const [g, bias] = [setting.weightVariance[l]!, setting.biasVariance[l]!];
    // behind one layer node by node, behind several by groups of nodes through all of them
    const want = conjugates.length === 1 ? { ...readout, gain: g, bias } : "moves";
    const { cross, variances, joint, errors, moves } = closure.extend({ kernel: kernels[l]!, conjugate, weightVariance: g }, test, want);
    test = {
      cross: affine(g, cross, bias),
      variances: variances.map((value) => g * value + bias),
      ...(joint ? { joint: affine(g, joint, bias) } : {}),
      ...(errors ? { errors } : {}),
      ...(moves ? { moves } : {}),
    };
  }
  return test.moves ? { ...test, errors: movedErrors(test.moves, test.cross, readout) } : test;
}

/** How V follows the kernel that it was made of: −dV = R dC V, R = (C + T)⁻¹, and with the Onsager term (C/(1 + τ) + T)⁻¹/(1 + τ). */
function responseOf(state: ForwardBackwardState, { targets, temperature }: Setting): Matrix {
  if (state.kind === "kernels") return state.resolvent;
  const scale = 1 / (1 + state.tau);
  return affine(scale, conditionTargets(affine(scale, state.kernels.at(-1)!), targets, temperature, { regular: true }).resolvent());
}

/** Errors of nodes beyond this fraction of the largest mean are said. */
const noisyMean = 0.1;

/** Predictions with what random nodes leave in them, of `share` of C*V; `variance`: whether they made the variances too. */
function withErrors(
  { mean, variance }: { readonly mean: Matrix; readonly variance: Float64Array },
  { errors }: TestKernels,
  { share, variances }: { readonly share: number; readonly variances: boolean },
): Prediction {
  const outputs = mean.shape[1];
  const prediction = independentOutputs({ mean, variance }, outputs);
  if (!errors) return prediction;
  const largest = (values: Float64Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const own = affine(share, errors.mean);
  const noise = largest(own.data);
  return {
    ...prediction,
    diagnostics: { nodeErrors: { mean: rowsOf(own), ...(variances ? { variance: [...errors.variance] } : {}) } },
    ...(noise > noisyMean * largest(mean.data)
      ? {
          warnings: [
            `the importance nodes leave standard errors of up to ${noise.toPrecision(2)} in predictive means; raise "nodes", four times as many halve them`,
          ],
        }
      : {}),
  };
}

/** Mean C*V/(1 + τ) and variance of the renormalised infinite-width kernel. */
function predictProportional(
  state: ProportionalState,
  setting: Setting,
  inputs: Matrix,
  test: TestKernels,
): { readonly mean: Matrix; readonly variance: Float64Array } {
  const { orderParameter: q, tau } = state;
  const { chain, inputs: train } = setting;
  const { mean } = predictFromKernels(state, test.cross, test.variances);
  const { preactivation, rowVariances } = crossInfiniteWidthRecursion(
    setting.activation,
    firstLayerDiagonal(chain, inputs),
    firstLayerKernel(chain, inputs, train),
    firstLayerDiagonal(chain, train),
    setting.weightVariance,
    setting.biasVariance,
  );
  const { variance } = predictFromKernels(
    state,
    affine(q, preactivation.at(-1)!),
    rowVariances.at(-1)!.map((value) => q * value),
  );
  return { mean: { data: mean.data.map((value) => value / (1 + tau)), shape: mean.shape }, variance };
}

/**
 * Latent outputs at test inputs: mean C*V, variance C** − C*RC*ᵀ, equal for all outputs. Test points carry no data, so they never change
 * the solution: O(n P) each for n nodes. Random nodes (more than two points) leave their standard errors in the
 * diagnostics. Joint covariances C** − C*RC*ᵀ with linear φ (order "full") and the closure "gaussian-variational" only.
 */
export function predictForwardBackward(
  posterior: Pick<ForwardBackwardPosterior, "problem" | "options" | "state">,
  inputs: Matrix,
  want: { readonly covariance: boolean },
  run: Run,
): Prediction {
  const { state } = posterior;
  const setting = settingOf(posterior.problem, run.registry);
  const proportional = state.kind === "proportional";
  const outputs = state.weights.shape[1];
  if (!proportional && solvesInRange(setting, posterior.options)) {
    const { mean, variance, joint } = predictLinear(
      {
        firstKernel: state.kernels[0]!,
        readoutKernel: state.kernels.at(-1)!,
        targets: setting.targets,
        temperature: setting.temperature,
        gain: setting.weightVariance.reduce((product, g) => product * g * setting.activation.value(1) ** 2, 1),
      },
      firstKernels(setting, inputs, want.covariance),
    );
    return independentOutputs({ mean, variance, ...(joint ? { covariance: joint } : {}) }, outputs);
  }
  const test = readoutKernels(posterior, setting, inputs, want.covariance && !proportional, run);
  const { mean, variance } = proportional
    ? predictProportional(state, setting, inputs, test)
    : predictFromKernels(state, test.cross, test.variances);
  const prediction = withErrors({ mean, variance }, test, { share: proportional ? 1 / (1 + state.tau) : 1, variances: !proportional });
  if (!want.covariance) return prediction;
  if (!test.joint)
    return {
      ...prediction,
      warnings: [
        ...(prediction.warnings ?? []),
        'forward-backward gives joint covariances of test points only with identity activation (order "full") or the closure "gaussian-variational"; here variances alone',
      ],
    };
  const joint = symmetrise(combine(1, test.joint, -1, multiplyTransposedRight(multiply(test.cross, state.resolvent), test.cross)));
  return independentOutputs({ mean, variance, covariance: joint }, outputs);
}
