import { initialState, type ExploreState } from "./state.js";

/** A guided state: what to look at, in two sentences. */
export interface Lesson {
  readonly name: string;
  readonly title: string;
  readonly text: string;
  readonly state: ExploreState;
}

const with_ = (change: Partial<ExploreState>): ExploreState => ({ ...initialState, ...change });
const layers = (count: number, value: number): number[] => Array.from({ length: count }, () => value);
const wave = Array.from({ length: 12 }, (_, i): [number, number] => {
  const x = Number((-1.65 + 0.3 * i).toFixed(2));
  return [x, Number((Math.sin(2.4 * x) + 0.15 * Math.cos(7 * x)).toFixed(3))];
});

/** Six of them, in the order of a lecture. */
export const lessons: readonly Lesson[] = [
  {
    name: "forgets",
    title: "What infinite width forgets",
    text: "At width 4 the kernel of the last hidden layer takes on the pattern of the labels; move the width slider to the right and the pattern fades. At infinite width it is gone: the kernel is the one that the network had before it saw any label.",
    state: with_({ widths: [4, 4], layer: 2 }),
  },
  {
    name: "order-parameter",
    title: "One order parameter",
    text: "All that a deep linear network learns about its scale is one positive number q, and the data move its distribution from the prior to the posterior. Make the layers wider: both distributions shrink around q = 1, and with them the difference between the theories.",
    state: with_({ widths: [10, 10], temperature: 0.02 }),
  },
  {
    name: "alignment",
    title: "Why kernels align",
    text: "The posterior favours kernels that make the labels likely, so their direction grows: same class bright, other class dark. Touch the layers one after the other: the closer to the output, the stronger, because every layer inherits what those before it have learned.",
    state: with_({ widths: [6, 6, 6], weightVariance: layers(4, 1), biasVariance: layers(4, 0), layer: 3, temperature: 0.02 }),
  },
  {
    name: "criticality",
    title: "Criticality",
    text: "Drag the cursor in the phase plane across the black line: below it all inputs look alike after a few layers, above it neighbours are torn apart. Signals reach deep layers, and kernels learn most, near the line.",
    state: with_({
      data: { kind: "curve", points: wave },
      activation: "tanh",
      widths: [40, 40, 40],
      weightVariance: layers(4, 1.7),
      biasVariance: layers(4, 0.05),
      layer: 3,
      temperature: 0.02,
    }),
  },
  {
    name: "paths",
    title: "Attention paths",
    text: "A layer of one unit is a gate that every signal must pass: as with an attention head, one number decides how much of the path is used. Here the second layer is such a bottleneck; compare the order parameter with that of two wide layers (set its width to 100).",
    state: with_({ widths: [60, 1], layer: 2 }),
  },
  {
    name: "fail",
    title: "When theories fail",
    text: "Few units and little noise: the theories part, and the verdicts, from a short run of the real network, say whom to believe. Wait for the orange points of the sampled networks, then raise the noise until all agree again.",
    state: with_({
      data: { kind: "teacher", dimension: 10, train: 40, noise: 0.1 },
      activation: "erf",
      widths: [3],
      weightVariance: layers(2, 2),
      biasVariance: layers(2, 0),
      layer: 1,
      temperature: 0.01,
    }),
  },
];
