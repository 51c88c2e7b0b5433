import type { Architecture, Primitive, RandomLayer } from "./architecture.js";

/** All layers of weights in document order, branches one after the other; the readout is the last. */
export function randomLayers(layers: readonly Primitive[]): readonly RandomLayer[] {
  return layers.flatMap((layer) =>
    layer.kind === "random" ? [layer] : layer.kind === "merge" ? layer.branches.flatMap(randomLayers) : [],
  );
}

/** The linear readout, the last layer. @throws TypeError for layers that end otherwise. */
export function readoutOf({ layers }: Architecture): RandomLayer {
  const last = layers.at(-1);
  if (last?.kind !== "random" || last.width !== undefined)
    throw new TypeError("the last layer of an architecture must be a random layer without a width");
  return last;
}

/** Widths (numbers of channels) of the hidden layers of weights, in document order: N_1 … N_L of a chain. */
export function hiddenWidths({ layers }: Architecture): readonly number[] {
  return randomLayers(layers).flatMap(({ width }) => (width === undefined ? [] : [width]));
}

/** Number of features of an input row, or undefined when any number will do. */
export const inputSize = ({ input }: Architecture): number | undefined => (input ? input.channels * input.sites : undefined);

/** Whether the outputs are linear in every single layer of weights: no activation but φ(h) = h, no normalisation. */
export function isLinear(layers: readonly Primitive[]): boolean {
  return layers.every((layer) => {
    if (layer.kind === "pointwise") return layer.activation.linear === true;
    if (layer.kind === "merge") return layer.branches.every(isLinear);
    if (layer.kind === "random") return layer.scores === undefined;
    return layer.kind !== "normalise";
  });
}
