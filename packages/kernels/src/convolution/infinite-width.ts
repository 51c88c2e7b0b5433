import { zeros, type InfiniteWidthKernels, type Matrix } from "@finitewidth/core";
import type { ConvolutionChain } from "../chain.js";
import { requireImages } from "./images.js";
import { linearKernels } from "./linear-kernels.js";
import { requireMemory } from "./memory.js";
import { sitePairs, type SitePairs } from "./site-pairs.js";

/**
 * Infinite-width kernels of a convolutional network: K^l_ij = (σ_w²/|m|) Σ_m G^{l−1}_{τ(i,m), τ(j,m)} + σ_b² over sites i, j, with
 * G⁰_ij(μν) = Σ_c x_ci(μ) x_cj(ν)/C_0 and G^l_ij = E φφ at covariance K^l_ij; the readout averages G^L_ii over sites (`flatten`) or G^L_ij
 * over pairs of sites (`global-average`). Taps keep the offset of a pair of sites, so `flatten` needs only the pairs i = j: O(Σ S_l |m|)
 * per pair of inputs; `global-average` needs the pairs the pooled layer can reach, O(Σ S_l² |m|). A linear activation is contracted over
 * sites first.
 * @throws FinitewidthError "shape" for rows of the wrong length, "memory" when the site pairs do not fit.
 * Theory: docs/theories/convolution.md §3 (Novak et al. 2019, Garriga-Alonso et al. 2019).
 */
export function convolutionalKernels(
  chain: ConvolutionChain,

  inputs: Matrix,
  others?: Matrix,
): InfiniteWidthKernels {
  const { geometry } = chain;
  requireImages(inputs, geometry.channels, geometry.inputSites);
  if (others) requireImages(others, geometry.channels, geometry.inputSites, "others");
  return chain.activation.linear ? linearKernels(chain, inputs, others) : siteRecursion(chain, inputs, others);
}

function siteRecursion(chain: ConvolutionChain, inputs: Matrix, others?: Matrix): InfiniteWidthKernels {
  const { geometry } = chain;
  const depth = geometry.layers.length;
  const [rows, columns] = [inputs.shape[0], (others ?? inputs).shape[0]];
  const pairs = sitePairs(geometry, chain.readout === "global-average");
  const sites = geometry.layers.reduce((all, table) => all + table.outputSites, 0);
  requireMemory(8 * (sites * (rows + columns) + (2 * depth + 1) * rows * columns), "infinite-width kernels", "use fewer inputs");
  const variances = inputs.shape[0] === 0 ? [] : siteVariances(chain, inputs);
  const otherVariances = others ? siteVariances(chain, others) : variances;
  const kernel = (): Matrix => zeros(rows, columns);
  const preactivation = Array.from({ length: depth + 1 }, kernel);
  const hidden = Array.from({ length: depth }, kernel);
  const averages = new Float64Array(2 * depth + 1);
  const pair = pairEvaluator(chain, pairs);
  for (let mu = 0; mu < rows; mu++) {
    for (let nu = others ? 0 : mu; nu < columns; nu++) {
      pair(inputs, mu, variances, others ?? inputs, nu, otherVariances, averages);
      for (let l = 0; l < depth; l++) {
        put(preactivation[l]!, mu, nu, averages[2 * l]!, !others);
        put(hidden[l]!, mu, nu, averages[2 * l + 1]!, !others);
      }
      put(preactivation[depth]!, mu, nu, averages[2 * depth]!, !others);
    }
  }
  if (!others) return { preactivation, hidden };
  const othersDiagonal = new Float64Array(columns);
  for (let nu = 0; nu < columns; nu++) {
    pair(others, nu, otherVariances, others, nu, otherVariances, averages);
    othersDiagonal[nu] = averages[2 * depth]!;
  }
  return { preactivation, hidden, othersDiagonal };
}

function put(k: Matrix, i: number, j: number, value: number, symmetric: boolean): void {
  k.data[i * k.shape[1] + j] = value;
  if (symmetric) k.data[j * k.shape[1] + i] = value;
}

/** K^l_ii(μμ) for layers 1 … L: rows × S_l each. */
function siteVariances(chain: ConvolutionChain, inputs: Matrix): Matrix[] {
  const rows = inputs.shape[0];
  const { geometry, activation } = chain;
  let second = zeros(rows, geometry.inputSites);
  for (let mu = 0; mu < rows; mu++) {
    for (let k = 0; k < inputs.shape[1]; k++)
      second.data[mu * geometry.inputSites + (k % geometry.inputSites)]! += inputs.data[mu * inputs.shape[1] + k]! ** 2 / geometry.channels;
  }
  return geometry.layers.map((table, l) => {
    const variance = zeros(rows, table.outputSites);
    const [scale, bias] = [chain.weightVariance[l]! / table.tapCount, chain.biasVariance[l]!];
    for (let mu = 0; mu < rows; mu++) {
      for (let i = 0; i < table.outputSites; i++) {
        let sum = 0;
        for (let m = 0; m < table.tapCount; m++) {
          const at = table.taps[i * table.tapCount + m]!;
          if (at >= 0) sum += second.data[mu * table.inputSites + at]!;
        }
        variance.data[mu * table.outputSites + i] = scale * sum + bias;
      }
    }
    second = { data: variance.data.map((k) => activation.moments.diagonal(k)), shape: variance.shape };
    return variance;
  });
}

type PairEvaluator = (
  x: Matrix,
  mu: number,
  variances: readonly Matrix[],
  y: Matrix,
  nu: number,
  otherVariances: readonly Matrix[],
  averages: Float64Array,
) => void;

/**
 * The recursion for one pair of inputs; writes mean_i K^l_ii, mean_i G^l_ii (l = 1 … L) and K^{L+1} into `averages`. Buffers are reused.
 */
function pairEvaluator(chain: ConvolutionChain, pairs: readonly SitePairs[]): PairEvaluator {
  const buffers = pairs.map((list) => new Float64Array(list.first.length));
  const { activation } = chain;
  const { channels, inputSites, layers } = chain.geometry;
  const depth = layers.length;
  const mean = (values: Float64Array, at: Int32Array): number => {
    let sum = 0;
    for (const p of at) sum += values[p]!;
    return sum / at.length;
  };
  return (x, mu, variances, y, nu, otherVariances, averages) => {
    const start = pairs[0]!;
    const size = channels * inputSites;
    for (let p = 0; p < start.first.length; p++) {
      let sum = 0;
      for (let c = 0; c < channels; c++)
        sum += x.data[mu * size + c * inputSites + start.first[p]!]! * y.data[nu * size + c * inputSites + start.second[p]!]!;
      buffers[0]![p] = sum / channels;
    }
    for (const [l, { tapCount, outputSites }] of layers.entries()) {
      const { first, second, sources, diagonal } = pairs[l + 1]!;
      const [below, here] = [buffers[l]!, buffers[l + 1]!];
      const [scale, bias] = [chain.weightVariance[l]! / tapCount, chain.biasVariance[l]!];
      for (let p = 0; p < here.length; p++) {
        let sum = 0;
        for (let m = 0; m < tapCount; m++) {
          const at = sources[p * tapCount + m]!;
          if (at >= 0) sum += below[at]!;
        }
        here[p] = scale * sum + bias;
      }
      averages[2 * l] = mean(here, diagonal);
      const [a, b] = [variances[l]!.data, otherVariances[l]!.data];
      for (let p = 0; p < here.length; p++)
        here[p] = activation.moments.kernel(a[mu * outputSites + first[p]!]!, here[p]!, b[nu * outputSites + second[p]!]!);
      averages[2 * l + 1] = mean(here, diagonal);
    }
    const top = buffers[depth]!;
    const readout = chain.readout === "flatten" ? averages[2 * depth - 1]! : top.reduce((sum, value) => sum + value, 0) / top.length;
    averages[2 * depth] = chain.weightVariance[depth]! * readout + chain.biasVariance[depth]!;
  };
}
