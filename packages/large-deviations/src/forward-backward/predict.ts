import { crossInfiniteWidthRecursion } from "@finitewidth/activations";
import { zeros, type Matrix, type Posterior, type Prediction, type Run, type Tensor } from "@finitewidth/core";
import { affine, combine, multiply, multiplyTransposedRight, symmetrise } from "@finitewidth/linalg";
import { firstLayerKernel, firstLayerVariances } from "../effective-action/first-layer.js";
import type { TestKernels } from "./closure.js";
import { createClosure } from "./create-closure.js";
import { predictFromKernels } from "./data-term.js";
import { unstack } from "./fit.js";
import type { ForwardBackwardOptions } from "./options.js";
import { closureOptionsOf, settingOf } from "./solve-network.js";

/** Test kernels of the readout layer: the closures of all layers extended in turn, C*^{l+1} = g⟨φ(h*)φ(h)⟩ + g_b. */
function readoutKernels(posterior: Posterior, inputs: Matrix, covariance: boolean, run: Run): TestKernels {
  const setting = settingOf(posterior.problem, run.registry);
  const options = posterior.diagnostics["options"] as unknown as ForwardBackwardOptions;
  const closure = createClosure(setting.activation, closureOptionsOf(setting, options, posterior.diagnostics["seed"] as number));
  const kernels = unstack(posterior.arrays["kernels"]!);
  const conjugates = unstack(posterior.arrays["conjugates"]!);
  let test: TestKernels = {
    cross: firstLayerKernel(setting.network, inputs, setting.inputs),
    variances: firstLayerVariances(setting.network, inputs),
    ...(covariance ? { joint: firstLayerKernel(setting.network, inputs) } : {}),
  };
  for (const [l, conjugate] of conjugates.entries()) {
    run.signal?.throwIfAborted();
    const [g, bias] = [setting.weightVariance[l]!, setting.biasVariance[l]!];
    const { cross, variances, joint } = closure.extend({ kernel: kernels[l]!, conjugate, weightVariance: g }, test);
    test = {
      cross: affine(g, cross, bias),
      variances: variances.map((value) => g * value + bias),
      ...(joint ? { joint: affine(g, joint, bias) } : {}),
    };
  }
  return test;
}

/** Mean C*V/(1 + τ) and variance of the renormalised infinite-width kernel. */
function predictProportional(
  posterior: Posterior,
  inputs: Matrix,
  test: TestKernels,
  run: Run,
): { readonly mean: Matrix; readonly variance: Float64Array } {
  const [q, tau] = (posterior.arrays["proportional"] as Tensor).data as unknown as [number, number];
  const { network, activation, inputs: train, weightVariance, biasVariance } = settingOf(posterior.problem, run.registry);
  const data = { weights: posterior.arrays["weights"] as Matrix, resolvent: posterior.arrays["resolvent"] as Matrix };
  const { mean } = predictFromKernels(data, test.cross, test.variances);
  const rows = firstLayerVariances(network, inputs);
  const recursion = crossInfiniteWidthRecursion(
    activation,
    rows,
    firstLayerKernel(network, inputs, train),
    firstLayerVariances(network, train),
    weightVariance,
    biasVariance,
  );
  const cross = recursion.preactivation.at(-1)!;
  const { variance } = predictFromKernels(
    data,
    { data: cross.data.map((value) => q * value), shape: cross.shape },
    recursion.rowVariances.at(-1)!.map((value) => q * value),
  );
  return { mean: { data: mean.data.map((value) => value / (1 + tau)), shape: mean.shape }, variance };
}

/**
 * Latent outputs at test inputs: mean C*V, variance C** − C*RC*ᵀ, equal for all outputs. Test points carry no data, so they never change
 * the solution: O(n P) each for n nodes. Joint covariances C** − C*RC*ᵀ with linear φ (order "full") and the closure "gaussian-variational"
 * only.
 */
export function predictForwardBackward(posterior: Posterior, inputs: Matrix, want: { readonly covariance: boolean }, run: Run): Prediction {
  const proportional = posterior.arrays["proportional"] !== undefined;
  const test = readoutKernels(posterior, inputs, want.covariance && !proportional, run);
  const data = { weights: posterior.arrays["weights"] as Matrix, resolvent: posterior.arrays["resolvent"] as Matrix };
  const { mean, variance } = proportional
    ? predictProportional(posterior, inputs, test, run)
    : predictFromKernels(data, test.cross, test.variances);
  const outputs = data.weights.shape[1];
  const spread = zeros(variance.length, outputs);
  for (let i = 0; i < spread.data.length; i++) spread.data[i] = variance[Math.floor(i / outputs)]!;
  if (!want.covariance) return { mean, variance: spread };
  if (!test.joint)
    return {
      mean,
      variance: spread,
      warnings: [
        'forward-backward gives joint covariances of test points only with identity activation (order "full") or the closure "gaussian-variational"; here variances alone',
      ],
    };
  const joint = symmetrise(combine(1, test.joint, -1, multiplyTransposedRight(multiply(test.cross, data.resolvent), test.cross)));
  return { mean, variance: spread, covariance: independentOutputs(joint, variance, outputs) };
}

/** Covariance of one output repeated for D independent ones, index point·D + output; the diagonal is the variance. */
function independentOutputs(joint: Matrix, variance: Float64Array, outputs: number): Matrix {
  const points = variance.length;
  const size = points * outputs;
  const out = zeros(size, size);
  for (let s = 0; s < points; s++) {
    for (let t = 0; t < points; t++) {
      const value = s === t ? variance[s]! : joint.data[s * points + t]!;
      for (let d = 0; d < outputs; d++) out.data[(s * outputs + d) * size + t * outputs + d] = value;
    }
  }
  return out;
}
