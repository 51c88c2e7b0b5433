import {
  FinitewidthError,
  columnVector,
  shapeError,
  zeros,
  type Matrix,
  type MixingLaw,
  type RandomStream,
  type WishartChain,
} from "@finitewidth/core";
import { cholesky, gram, trace } from "@finitewidth/linalg";
import { chainLayout, logDensityLogGammaProduct, logGamma, sampleChainFactors } from "@finitewidth/numerics";
import type { DenseChain } from "../chain.js";
import { firstLayerKernel } from "./infinite-width.js";

/**
 * The Wishart chain of a deep linear network: one site, no taps. Biases of layers 2 … L act on M_l, that of the readout on every output.
 */
export function fullyConnectedChain(network: DenseChain): WishartChain {
  const { widths, weightVariance, biasVariance } = network;
  return {
    layers: widths.map((width, l) => ({
      width,
      sites: 1,
      variance: weightVariance[l + 1]!,
      taps: l + 1 < widths.length ? [columnVector(Float64Array.of(1))] : [],
      biasVariance: l === 0 ? 0 : biasVariance[l]!,
      biasWeights: Float64Array.of(1),
    })),
    readoutBiasVariance: biasVariance.at(-1)!,
  };
}

/** Q ⊗ K, index (output, point). */
function kronecker(q: Matrix, k: Matrix): Matrix {
  const [d] = q.shape;
  const [rows, columns] = k.shape;
  const out = zeros(d * rows, d * columns);
  for (let a = 0; a < d; a++) {
    for (let b = 0; b < d; b++) {
      const factor = q.data[a * d + b]!;
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) out.data[(a * rows + i) * d * columns + b * columns + j] = factor * k.data[i * columns + j]!;
    }
  }
  return out;
}

/** log density of Q ~ W_D(N, s I/N) at a positive definite Q, N ≥ D. */
function logWishartDensity(q: Matrix, width: number, variance: number): number {
  const d = q.shape[0];
  const rate = width / (2 * variance);
  let value =
    0.5 * (width - d - 1) * cholesky(q).logDeterminant -
    rate * trace(q) +
    0.5 * width * d * Math.log(rate) -
    0.25 * d * (d - 1) * Math.log(Math.PI);
  for (let i = 0; i < d; i++) value -= logGamma(0.5 * (width - i));
  return value;
}

/**
 * Exact law of the mixing matrix Q of a deep linear network: f | Q ~ N(0, Q ⊗ K¹), Q = M_1 of the chain M_L ~ W_D(N_L, s_L I/N_L),
 * M_{l−1} | M_l ~ W_D(N_{l−1}, s_{l−1} M_l/N_{l−1}), s_l = σ_w²(l+1). `logDensity` takes Q: for D = 1 it is the density of u = log q at
 * q = Q (Mellin integral), for D > 1 the Wishart density of Q, known for one hidden layer with N ≥ D.
 * Source: docs/theories/exact.md, "Prior"; F. Bassetti et al., Feature learning in finite-width Bayesian deep linear networks (2024),
 * section 3. A draw costs O(L D³), whatever the widths. @throws FinitewidthError (code "shape") for values that are not D × D.
 */
export function fullyConnectedMixing(network: DenseChain): MixingLaw {
  const { widths } = network;
  const variances = network.weightVariance.slice(1);
  const chain = fullyConnectedChain(network);
  return {
    sites: 1,
    chain,
    sample: (outputs: number, stream: RandomStream): Matrix => gram(sampleChainFactors(chainLayout(chain, outputs), stream)[0]!.f),
    logDensity: (outputs: number, value: Matrix): number => {
      if (value.shape[0] !== outputs || value.shape[1] !== outputs)
        throw shapeError("value", `${outputs} × ${outputs}`, value.shape.join(" × "));
      if (outputs === 1) {
        const shapes = widths.map((width) => width / 2);
        const rates = widths.map((width, l) => width / (2 * variances[l]!));
        return logDensityLogGammaProduct(Math.log(value.data[0]!), shapes, rates);
      }
      if (widths.length === 1 && widths[0]! >= outputs) return logWishartDensity(value, widths[0]!, variances[0]!);
      throw new FinitewidthError(
        "the mixing matrix of several outputs has a density in closed form only for one hidden layer at least as wide as the outputs; sample it instead",
        { code: "refused" },
      );
    },
    siteKernels: (inputs, others) => [firstLayerKernel(network, inputs, others)],
    linearKernel: (inputs) => ({ weight: network.weightVariance[0]! / inputs.shape[1], bias: network.biasVariance[0]! }),
    covariance: (outputs, value, inputs, others) => {
      if (value.shape[0] !== outputs) throw shapeError("value", `${outputs} × ${outputs}`, value.shape.join(" × "));
      return kronecker(value, firstLayerKernel(network, inputs, others));
    },
  };
}
