import { zeros, type Matrix, type WishartChain } from "@finitewidth/core";
import { gram, innerProduct } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import {
  biasCovariance,
  chainAdjoint,
  chainFactors,
  chainLayout,
  mixingMoments,
  outputDesign,
  outputDesignAdjoint,
  pullBackMixing,
  pushForwardMixing,
  sampleBartlett,
  sampleChainFactors,
  siteCovariance,
  siteCovarianceAdjoint,
  stackFeatures,
  stackSiteKernels,
} from "../src/index.js";

const random = stream(11);
const symmetric = (n: number): Matrix => gram(normalMatrix(random, n, n + 1));

/** Two layers over sites, the upper one read through two overlapping taps, with a bias in the upper layer and the readout. */
const chain: WishartChain = {
  layers: [
    {
      width: 4,
      sites: 3,
      variance: 0.8,
      taps: [normalMatrix(random, 3, 2), normalMatrix(random, 3, 2)],
      biasVariance: 0,
      biasWeights: Float64Array.of(1, 1, 1),
    },
    { width: 5, sites: 2, variance: 0.3, taps: [], biasVariance: 0.4, biasWeights: Float64Array.of(1, -0.5) },
  ],
  readoutBiasVariance: 0.2,
};

describe("Wishart chains over sites", () => {
  it("have the moments that sampled chains have, biases included", () => {
    const outputs = 2;
    const exact = mixingMoments(chain, outputs);
    const layout = chainLayout(chain, outputs);
    const [n, d2, b2] = [20_000, 36, 4];
    const size = d2 + b2;
    const sum = new Float64Array(size);
    const second = new Float64Array(size * size);
    const fourth = new Float64Array(size * size);
    const expectedMean = Float64Array.of(...exact.mean.data, ...exact.biasMean.data);
    for (let k = 0; k < n; k++) {
      const mixing = sampleChainFactors(layout, random).map(({ f }) => gram(f));
      const v = Float64Array.of(...mixing[0]!.data, ...biasCovariance(chain, outputs, mixing).data).map(
        (value, i) => value - expectedMean[i]!,
      );
      for (let i = 0; i < size; i++) {
        sum[i]! += v[i]! / n;
        for (let j = 0; j < size; j++) {
          second[i * size + j]! += (v[i]! * v[j]!) / n;
          fourth[i * size + j]! += (v[i]! * v[j]!) ** 2 / n;
        }
      }
    }
    const expected = (i: number, j: number): number => {
      if (i < d2) return j < d2 ? exact.covariance.data[i * d2 + j]! : exact.biasMixingCovariance.data[(j - d2) * d2 + i]!;
      return j < d2 ? exact.biasMixingCovariance.data[(i - d2) * d2 + j]! : exact.biasCovariance.data[(i - d2) * b2 + j - d2]!;
    };
    for (let i = 0; i < size; i++) {
      expect(Math.abs(sum[i]!)).toBeLessThan(5 * Math.sqrt(expected(i, i) / n) + 1e-12);
      for (let j = 0; j < size; j++) {
        const error = Math.sqrt(Math.max(0, fourth[i * size + j]! - second[i * size + j]! ** 2) / n);
        expect(Math.abs(second[i * size + j]! - expected(i, j)), `covariance (${i}, ${j})`).toBeLessThan(5.5 * error + 1e-12);
      }
    }
  });

  it("carry gradients back through taps and Cholesky factors", () => {
    for (const outputs of [1, 2]) {
      const layout = chainLayout(chain, outputs);
      expect(layout.layers[0]!.reduced).toBe(true);
      const z = layout.layers.map(({ size, layer }) => sampleBartlett(size, layer.width, random));
      const weights = layout.layers.map(({ rows }) => symmetric(rows));
      const loss = (at: readonly Matrix[]): number =>
        chainFactors(layout, at).reduce((total, { f }, l) => total + innerProduct(gram(f), weights[l]!), 0);
      const gradients = chainAdjoint(layout, chainFactors(layout, z), weights);
      z.forEach((matrix, l) => {
        const [rows, columns] = matrix.shape;
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j <= Math.min(i, columns - 1); j++) {
            const at = (step: number): number =>
              loss(
                z.map((other, k) =>
                  k === l
                    ? { data: other.data.map((value, e) => (e === i * columns + j ? value + step : value)), shape: other.shape }
                    : other,
                ),
              );
            expectClose(
              [gradients[l]!.data[i * columns + j]!],
              [(at(1e-5) - at(-1e-5)) / 2e-5],
              { relative: 1e-6, absolute: 1e-7 },
              `layer ${l + 1}, (${i}, ${j})`,
            );
          }
        }
      });
    }
  });

  it("move mixing matrices down and gradients up by adjoint maps", () => {
    const layer = chain.layers[0]!;
    for (const outputs of [1, 3]) {
      const [above, below] = [symmetric(2 * outputs), symmetric(3 * outputs)];
      expect(innerProduct(pullBackMixing(layer, outputs, above), below)).toBeCloseTo(
        innerProduct(above, pushForwardMixing(layer, outputs, below)),
        9,
      );
    }
  });

  it("give the same covariances from kernels, features and designs, with adjoint gradients", () => {
    const [sites, points, outputs] = [3, 4, 2];
    const features = Array.from({ length: sites }, () => normalMatrix(random, points, 5));
    const stacked = stackFeatures(features);
    const kernels = stackSiteKernels(
      features.flatMap((a) =>
        features.map((b): Matrix => {
          const out = zeros(points, points);
          for (let mu = 0; mu < points; mu++)
            for (let nu = 0; nu < points; nu++)
              for (let f = 0; f < 5; f++) out.data[mu * points + nu]! += a.data[mu * 5 + f]! * b.data[nu * 5 + f]!;
          return out;
        }),
      ),
      sites,
    );
    const factor = normalMatrix(random, outputs * sites, 4);
    const mixing = gram(factor);
    const covariance = siteCovariance(kernels, outputs, mixing);
    expectClose(siteCovariance(stacked, outputs, mixing), covariance, { relative: 1e-11, absolute: 1e-12 });
    expectClose(gram(outputDesign(stacked, factor)), covariance, { relative: 1e-11, absolute: 1e-12 });
    const h = symmetric(outputs * points);
    const gradient = siteCovarianceAdjoint(kernels, outputs, h);
    expectClose(siteCovarianceAdjoint(stacked, outputs, h), gradient, { relative: 1e-10, absolute: 1e-11 });
    expect(innerProduct(gradient, mixing)).toBeCloseTo(innerProduct(h, covariance), 8);
    const design = normalMatrix(random, outputs * points, 20);
    expect(innerProduct(outputDesignAdjoint(stacked, 4, design), factor)).toBeCloseTo(
      innerProduct(design, outputDesign(stacked, factor)),
      9,
    );
  });
});
