import { FinitewidthError, matrix, zeros, type Matrix, type SiteBlocks } from "@finitewidth/core";
import { gram, multiplyTransposedRight } from "@finitewidth/linalg";
import type { ConvolutionChain } from "../chain.js";
import type { ConvolutionGeometry } from "./geometry.js";
import { requireImages } from "./images.js";
import { requireMemory } from "./memory.js";

/** Patches x_i of every input, (P·S) × (C·|m|), row μ·S + i; zeros where a tap falls on padding. */
function patches(geometry: ConvolutionGeometry, inputs: Matrix): Matrix {
  const { channels, inputSites } = geometry;
  const { taps, tapCount, outputSites } = geometry.layers[0]!;
  const width = channels * tapCount;
  const out = zeros(inputs.shape[0] * outputSites, width);
  for (let mu = 0; mu < inputs.shape[0]; mu++) {
    for (let i = 0; i < outputSites; i++) {
      const row = (mu * outputSites + i) * width;
      for (let c = 0; c < channels; c++) {
        for (let m = 0; m < tapCount; m++) {
          const site = taps[i * tapCount + m]!;
          if (site >= 0) out.data[row + c * tapCount + m] = inputs.data[mu * inputs.shape[1] + c * inputSites + site]!;
        }
      }
    }
  }
  return out;
}

/**
 * Postactivation covariances between the readout sites of a network with one hidden layer: K_ij = σ_w²(1) x_i x_jᵀ/(C|m|) + σ_b²(1),
 * B_ij = (σ_w²(2)/S) E φ(h_i)φ(h_j) ("flatten", S sites) or the average over pairs of sites ("global-average", one site). Cost O(S²P P′)
 * kernel evaluations and 8 S²P P′ bytes. @throws FinitewidthError (code "refused") for more than one hidden layer, "shape" for rows of the
 * wrong length, "memory" when the blocks do not fit. Theory: docs/theories/effective-action.md, "Convolutions".
 */
export function convolutionalSiteBlocks(chain: ConvolutionChain, inputs: Matrix, others?: Matrix): SiteBlocks {
  if (chain.channels.length !== 1)
    throw new FinitewidthError(`site blocks exist for one hidden layer, this network has ${chain.channels.length}`, { code: "refused" });
  const { geometry, activation } = chain;
  requireImages(inputs, geometry.channels, geometry.inputSites);
  if (others) requireImages(others, geometry.channels, geometry.inputSites, "others");
  const all = geometry.layers[0]!.outputSites;
  const [rows, columns] = [inputs.shape[0], (others ?? inputs).shape[0]];
  requireMemory(
    16 * all * all * rows * columns,
    "covariances between sites",
    'use readout "global-average", a larger stride, smaller inputs or fewer of them',
  );
  const pooled = chain.readout === "global-average";
  const sites = pooled ? 1 : all;
  const left = patches(geometry, inputs);
  const right = others ? patches(geometry, others) : left;
  const scale = chain.weightVariance[0]! / left.shape[1];
  const bias = chain.biasVariance[0]!;
  const variancesOf = (m: Matrix): Float64Array => {
    const width = m.shape[1];
    return Float64Array.from(
      { length: m.shape[0] },
      (_, row) => scale * m.data.subarray(row * width, (row + 1) * width).reduce((sum, x) => sum + x * x, 0) + bias,
    );
  };
  const leftVariance = variancesOf(left);
  const rightVariance = others ? variancesOf(right) : leftVariance;
  const products = others ? multiplyTransposedRight(left, right) : gram(left);
  const weight = pooled ? chain.weightVariance[1]! / (all * all) : chain.weightVariance[1]! / all;
  const { moments } = activation;
  const blocks = Array.from({ length: sites * sites }, () => zeros(rows, columns));
  for (let mu = 0; mu < rows; mu++) {
    for (let i = 0; i < all; i++) {
      const at = mu * all + i;
      for (let nu = 0; nu < columns; nu++) {
        for (let j = 0; j < all; j++) {
          const to = nu * all + j;
          const same = !others && at === to;
          const value = same
            ? moments.diagonal(leftVariance[at]!)
            : moments.kernel(leftVariance[at]!, scale * products.data[at * columns * all + to]! + bias, rightVariance[to]!);
          blocks[pooled ? 0 : i * all + j]!.data[mu * columns + nu]! += weight * value;
        }
      }
    }
  }
  const meanScale = pooled ? Math.sqrt(chain.weightVariance[1]!) / all : Math.sqrt(chain.weightVariance[1]! / all);
  const meansOf = (variances: Float64Array): Matrix => {
    const count = variances.length / all;
    const out = zeros(sites, count);
    variances.forEach(
      (value, at) => (out.data[(pooled ? 0 : (at % all) * count) + Math.floor(at / all)]! += meanScale * moments.mean(value)),
    );
    return out;
  };
  if (!others) return { sites, blocks, means: meansOf(leftVariance) };
  return { sites, blocks, means: meansOf(rightVariance), own: ownBlocks(right, rightVariance) };

  /** B_ij(x, x) of the others: P′ × S². */
  function ownBlocks(of: Matrix, variances: Float64Array): Matrix {
    const width = of.shape[1];
    const out = matrix(columns, sites * sites, new Float64Array(columns * sites * sites));
    for (let nu = 0; nu < columns; nu++) {
      for (let i = 0; i < all; i++) {
        for (let j = 0; j < all; j++) {
          const [a, b] = [nu * all + i, nu * all + j];
          let inner = 0;
          for (let c = 0; c < width; c++) inner += of.data[a * width + c]! * of.data[b * width + c]!;
          const value = i === j ? moments.diagonal(variances[a]!) : moments.kernel(variances[a]!, scale * inner + bias, variances[b]!);
          out.data[nu * sites * sites + (pooled ? 0 : i * sites + j)]! += weight * value;
        }
      }
    }
    return out;
  }
}
