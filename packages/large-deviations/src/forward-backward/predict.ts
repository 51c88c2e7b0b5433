import { crossInfiniteWidthRecursion } from "@finitewidth/activations";
import { zeros, type Matrix, type Posterior, type Prediction, type Run, type Tensor } from "@finitewidth/core";
import { firstLayerKernel, firstLayerVariances } from "../effective-action/first-layer.js";
import type { TestKernels } from "./closure.js";
import { createClosure } from "./create-closure.js";
import { predictFromKernels } from "./data-term.js";
import { unstack } from "./fit.js";
import type { ForwardBackwardOptions } from "./options.js";
import { closureOptionsOf, settingOf } from "./solve-network.js";

/** Test kernels of the readout layer: the closures of all layers extended in turn, C*^{l+1} = g⟨φ(h*)φ(h)⟩ + g_b. */
function readoutKernels(posterior: Posterior, inputs: Matrix, run: Run): TestKernels {
  const setting = settingOf(posterior.problem, run.registry);
  const options = posterior.diagnostics["options"] as unknown as ForwardBackwardOptions;
  const closure = createClosure(setting.activation, closureOptionsOf(setting, options, posterior.diagnostics["seed"] as number));
  const kernels = unstack(posterior.arrays["kernels"]!);
  const conjugates = unstack(posterior.arrays["conjugates"]!);
  let test: TestKernels = { cross: firstLayerKernel(setting.network, inputs, setting.inputs), variances: firstLayerVariances(setting.network, inputs) };
  for (const [l, conjugate] of conjugates.entries()) {
    run.signal?.throwIfAborted();
    const [g, bias] = [setting.weightVariance[l]!, setting.biasVariance[l]!];
    const { cross, variances } = closure.extend({ kernel: kernels[l]!, conjugate, weightVariance: g }, test);
    test = { cross: { data: cross.data.map((value) => g * value + bias), shape: cross.shape }, variances: variances.map((value) => g * value + bias) };
  }
  return test;
}

/** Mean C*V/(1 + τ) and variance of the renormalised infinite-width kernel. */
function predictProportional(posterior: Posterior, inputs: Matrix, test: TestKernels, run: Run): { readonly mean: Matrix; readonly variance: Float64Array } {
  const [q, tau] = (posterior.arrays["proportional"] as Tensor).data as unknown as [number, number];
  const { network, activation, inputs: train, weightVariance, biasVariance } = settingOf(posterior.problem, run.registry);
  const data = { weights: posterior.arrays["weights"] as Matrix, resolvent: posterior.arrays["resolvent"] as Matrix };
  const { mean } = predictFromKernels(data, test.cross, test.variances);
  const rows = firstLayerVariances(network, inputs);
  const recursion = crossInfiniteWidthRecursion(activation, rows, firstLayerKernel(network, inputs, train), firstLayerVariances(network, train), weightVariance, biasVariance);
  const cross = recursion.preactivation.at(-1)!;
  const { variance } = predictFromKernels(data, { data: cross.data.map((value) => q * value), shape: cross.shape }, recursion.rowVariances.at(-1)!.map((value) => q * value));
  return { mean: { data: mean.data.map((value) => value / (1 + tau)), shape: mean.shape }, variance };
}

/**
 * Latent outputs at test inputs: mean C*V, variance C** − C*RC*ᵀ, equal for all outputs. Test points carry no data, so they never change the solution:
 * O(n P) each for n nodes. Joint covariances between test points are not computed.
 */
export function predictForwardBackward(posterior: Posterior, inputs: Matrix, want: { readonly covariance: boolean }, run: Run): Prediction {
  const test = readoutKernels(posterior, inputs, run);
  const data = { weights: posterior.arrays["weights"] as Matrix, resolvent: posterior.arrays["resolvent"] as Matrix };
  const { mean, variance } = posterior.arrays["proportional"] ? predictProportional(posterior, inputs, test, run) : predictFromKernels(data, test.cross, test.variances);
  const outputs = data.weights.shape[1];
  const spread = zeros(variance.length, outputs);
  for (let i = 0; i < spread.data.length; i++) spread.data[i] = variance[Math.floor(i / outputs)]!;
  return { mean, variance: spread, ...(want.covariance ? { warnings: ["forward-backward gives variances of single test points only, no joint covariance"] } : {}) };
}
