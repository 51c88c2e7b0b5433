import { refusal, zeros, type Matrix, type RandomStream } from "@finitewidth/core";
import { gram, multiply, symmetricSquareRoot, symmetrise } from "@finitewidth/linalg";
import { requireImages } from "../convolution/images.js";
import { requireMemory } from "../convolution/memory.js";
import { normaliseStage } from "./finite/plain-stages.js";
import { lift, siteRows } from "./full-kernels.js";
import type { Composition, Field, Reading } from "./graph.js";
import { applyMap, everywhere } from "./source-maps.js";

/**
 * Ŝ^v of every random layer of one finite network, (P·s_v) × (P·s_v), the last the covariance of its outputs given all hidden layers: exact
 * in law, without weights. The units of a random layer are drawn from N(0, Ŝ) given the units below; skips use them again. N·n normals and
 * n³ a layer of N units on n = P·s points and sites. @throws FinitewidthError "shape", "memory"; "refused" for softmax attention and
 * weights that are not Gaussian, whose units are not Gaussian given what is below. Theory: docs/theories/layers.md, "Streams".
 */
export function drawKernels(composition: Composition, inputs: Matrix, stream: RandomStream): readonly Matrix[] {
  const { layers, norms } = composition;
  if (layers.some(({ random }) => random.scores || random.weights))
    throw refusal(
      "kernels",
      "units of random scores or of weights that are not Gaussian cannot be drawn given their covariance; use real networks",
    );
  const points = inputs.shape[0];
  const { channels, sites } = composition.input ?? { channels: inputs.shape[1], sites: 1 };
  requireImages(inputs, channels, sites);
  const numbers = layers.reduce((sum, layer) => sum + points * layer.sites * (3 * points * layer.sites + (layer.random.width ?? 0)), 0);
  requireMemory(8 * numbers, "the units and kernels of a drawn network", "use fewer inputs, fewer units or pooling");
  const kernels: Matrix[] = [];
  const known = new Map<Field, Matrix>();
  const field = (of: Field): Matrix => {
    let units = known.get(of);
    if (units === undefined) known.set(of, (units = make(of)));
    return units;
  };
  /** (point, site) × units. */
  const make = (of: Field): Matrix => {
    switch (of.kind) {
      case "units": {
        const width = layers[of.layer]!.random.width!;
        const normals = stream.normals(new Float64Array(points * of.sites * width));
        return multiply(symmetricSquareRoot(kernels[of.layer]!), { data: normals, shape: [points * of.sites, width] });
      }
      case "mapped":
        return applyMap(everywhere(of.map), field(of.below));
      case "normalised": {
        const below = field(of.below);
        const site = { points, channels: below.shape[1], sites: of.sites, parametersBelow: true };
        return normaliseStage(norms[of.norm]!.epsilon, site).forward(new Float64Array(), below);
      }
      case "sum": {
        const [first] = of.terms;
        const out = zeros(...field(first!).shape);
        of.terms.forEach((term, k) => field(term).data.forEach((value, i) => (out.data[i]! += of.coefficients[k]! * value)));
        return out;
      }
    }
  };
  const read = (reading: Reading): Matrix => {
    const inner = reading.kind === "input" ? siteRows(inputs, channels, sites) : field(reading.field);
    const phi = reading.kind === "units" ? reading.activation : undefined;
    const activity = phi ? { data: inner.data.map((h) => phi.value(h)), shape: inner.shape } : inner;
    return reading.map ? applyMap(everywhere(reading.map), activity) : activity;
  };
  layers.forEach((layer) => {
    const psi = read(layer.reading);
    const q = gram(psi);
    const average: Matrix = { data: q.data.map((value) => value / psi.shape[1]), shape: q.shape };
    const kernel = symmetrise(lift(layer, average));
    for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! += layer.random.biasVariance;
    kernels.push(kernel);
  });
  return kernels;
}
