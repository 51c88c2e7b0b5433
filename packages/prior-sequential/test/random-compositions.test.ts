import type { RandomStream } from "@finitewidth/core";
import { composition, compositionKernels, fullKernels, realise } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { architecture, serial, someInputs, type NetworkInput } from "./helpers.js";

type Entry = Record<string, unknown>;

/** Random lists of layers over a row of sites, from one source of numbers. */
function generator(random: RandomStream) {
  const below = (n: number): number => Math.floor(n * random.uniform());
  const pick = <T>(...items: readonly T[]): T => items[below(items.length)]!;
  const number = (from: number, to: number): number => from + (to - from) * random.uniform();
  const variances = () => ({ weightVariance: number(0.5, 2), biasVariance: pick(0, 0.2) });
  const activation = (): Entry => ({ layer: "activation", name: pick("erf", "relu", "gelu", "identity") });
  const weights = (sites: number, width: number): Entry => {
    const kind = sites === 1 ? 0 : below(4);
    if (kind === 0) return { layer: "dense", width, ...variances() };
    if (kind === 1)
      return {
        layer: "convolution",
        channels: width,
        kernelSize: [pick(2, 3)],
        dilation: [pick(1, 2)],
        padding: pick("circular", "zero"),
        ...variances(),
      };
    if (kind === 2) return { layer: "attention", scores: "softmax", scoreVariance: number(0, 1), heads: 2, keys: 2, width, ...variances() };
    const matrix = (): number[][] => Array.from({ length: sites }, () => Array.from({ length: sites }, () => number(-0.3, 1)));
    return { layer: "attention", matrices: [matrix(), matrix()].slice(below(2)), width, ...variances() };
  };
  /** Gaussian units to as many Gaussian units. */
  const block = (sites: number, width: number, depth: number): Entry[] => {
    switch (depth > 1 ? below(2) : below(4)) {
      case 0:
        return [{ layer: "layer-normalization", epsilon: pick(0, 0.1) }];
      case 1:
        return [activation(), weights(sites, width)];
      case 2:
        return [{ layer: "residual", body: block(sites, width, depth + 1), skip: number(-1, 1), branch: number(-1, 1) }];
      default:
        return [
          {
            layer: "sum",
            branches: [[], block(sites, width, depth + 1), block(sites, width, depth + 1)],
            coefficients: [pick(0, 1), number(-1, 1), 1],
          },
        ];
    }
  };
  return (): NetworkInput => {
    const sites = pick(1, 3, 4);
    const width = 2 + below(3);
    const layers = [weights(sites, width), ...block(sites, width, 0), ...block(sites, width, 0)];
    const pooling = { layer: "average-pooling", window: [2], stride: [pick(1, 2)], padding: pick("valid", "zero") };
    if (sites > 1 && below(2) === 0) layers.push(pooling);
    layers.push(activation());
    if (sites > 1) layers.push({ layer: pick("flatten", "global-average-pooling") });
    return serial(sites === 1 ? [2] : [2, sites], [...layers, { layer: "dense", ...variances() }]);
  };
}

describe("random compositions", () => {
  const random = stream(77);
  const next = generator(random);
  const networks = Array.from({ length: 60 }, next);
  networks.forEach((network, i) => {
    it(`${i}: kernels at the needed pairs of sites are those over all sites; pullbacks are gradients`, () => {
      const net = architecture(network);
      const inputs = someInputs(
        3,
        (network.inputShape as number[]).reduce((a, b) => a * b),
      );
      const top = fullKernels(composition(net), inputs).layers.at(-1)!;
      const largest = Math.max(...top.data.map(Math.abs));
      expectClose(
        compositionKernels(composition(net), inputs).preactivation.at(-1)!,
        top,
        { absolute: 1e-12 * largest },
        JSON.stringify(network),
      );
      const real = realise(net, inputs, 1);
      const theta = random.normals(new Float64Array(real.parameters));
      const gradient = new Float64Array(real.parameters);
      real.pullback(theta, real.forward(theta), { data: Float64Array.of(1, -1, 0.5), shape: [3, 1] }, gradient);
      const direction = random.normals(new Float64Array(real.parameters));
      const loss = (step: number): number => {
        const { data } = real.forward(theta.map((value, k) => value + step * direction[k]!)).outputs;
        return data[0]! - data[1]! + 0.5 * data[2]!;
      };
      // fourth order: kinks of relu are crossed with probability of order of the step
      const h = 1e-5;
      const difference = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h);
      const along = gradient.reduce((sum, value, k) => sum + value * direction[k]!, 0);
      const scale = Math.hypot(...gradient) * Math.sqrt(gradient.length);
      expect(
        Math.abs(along - difference) / scale,
        `${along} by pullback, ${difference} by differences of ${JSON.stringify(network)}`,
      ).toBeLessThan(1e-7);
    });
  });
});
