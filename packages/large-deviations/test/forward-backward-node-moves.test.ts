import { erf, relu, sign } from "@finitewidth/activations";
import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { addDiagonal, affine, identity, multiply, solve, transpose } from "@finitewidth/linalg";
import { expect, it } from "vitest";
import type { TestKernels } from "../src/forward-backward/closure.ts";
import { conditionalMoments } from "../src/forward-backward/conditional-moments.ts";
import { movedErrors, nodeGroups } from "../src/forward-backward/node-moves.ts";
import { latticeNodes } from "../src/forward-backward/nodes.ts";
import { quadratureClosure } from "../src/forward-backward/quadrature-closure.ts";

const [gains, biases] = [
  [1.3, 1.7, 1.4],
  [0.2, 0.3, 0.1],
];
const first = matrixFromRows([
  [1.2, 0.4],
  [0.4, 0.9],
]);
/** The second one is a training point: nothing of it is left when that is known. */
const tests: TestKernels = {
  cross: matrixFromRows([
    [0.7, -0.3],
    [1.2, 0.4],
  ]),
  variances: Float64Array.of(1.5, 1.2),
};
const conjugates = [
  [0.25, 0.1, -0.2],
  [-0.1, 0.15, 0.1],
  [0.2, -0.1, 0.3],
].map(([a, b, c]) =>
  matrixFromRows([
    [a!, b!],
    [b!, c!],
  ]),
);

/** Kernels above three layers, of training and test points, where the nodes of both carry `weights` and conjugate kernels stay. */
function above(name: "erf" | "relu", points: Matrix, weights: Float64Array, want?: "moves"): TestKernels & { readonly training: Matrix } {
  const closure = quadratureClosure({ erf, relu, sign }[name], { points, weights });
  let [training, test] = [first, tests];
  for (const [l, conjugate] of conjugates.entries()) {
    const scale = name === "relu" ? 0.5 : 1;
    const measure = { kernel: training, conjugate: affine(scale, conjugate), weightVariance: gains[l]! };
    const { cross, variances, moves } = closure.extend(measure, test, want);
    training = affine(gains[l]!, closure.averages(measure, { gradient: false }).secondMoment, biases[l]!);
    test = {
      cross: affine(gains[l]!, cross, biases[l]!),
      variances: variances.map((value) => gains[l]! * value + biases[l]!),
      ...(moves ? { moves } : {}),
    };
  }
  return { training, ...test };
}

it.each([
  ["erf", 0.4, 1e-4],
  ["relu", 0.2, 0.05],
] as const)("%s: what a group of nodes moves of kernels and predictions behind three layers", (name, spacing, precision) => {
  const { points, weights } = latticeNodes(2, spacing, 7.5);
  const groupOf = nodeGroups(weights.length);
  const [targets, temperature] = [matrixFromRows([[0.7], [-1.1]]), 0.4];
  const predict = ({ training, cross, variances }: ReturnType<typeof above>) => {
    const noisy = addDiagonal(training, temperature);
    const explained = multiply(cross, solve(noisy, transpose(cross)));
    return [...multiply(cross, solve(noisy, targets)).data, ...variances.map((value, t) => value - explained.data[3 * t]!)];
  };
  const { moves, ...kernels } = above(name, points, weights, "moves");
  const largest = (values: Iterable<number>): number => Math.max(...[...values].map(Math.abs));
  const squares = [0, 0, 0, 0];
  for (const [b, training] of moves!.training.entries()) {
    const at = (step: number) => {
      const grown = weights.map((weight, i) => weight * (groupOf[i] === b ? 1 + step : 1));
      const total = grown.reduce((sum, weight) => sum + weight, 0);
      return above(
        name,
        points,
        grown.map((weight) => weight / total),
      );
    };
    const [up, down] = [at(1e-4), at(-1e-4)];
    const change = (more: Iterable<number>, less: Iterable<number>) => {
      const other = [...less];
      return [...more].map((value, k) => (value - other[k]!) / 2e-4);
    };
    for (const [found, expected] of [
      [training.data, change(up.training.data, down.training.data)],
      [moves!.cross[b]!.data, change(up.cross.data, down.cross.data)],
      [[0, 1].map((t) => moves!.variances.data[t * moves!.training.length + b]!), change(up.variances, down.variances)],
    ] as const)
      expected.forEach((value, k) => expect(Math.abs(found[k]! - value)).toBeLessThan(precision * largest(expected)));
    change(predict(up), predict(down)).forEach((value, k) => (squares[k]! += value ** 2));
  }
  const noisy = addDiagonal(kernels.training, temperature);
  const found = movedErrors(moves!, kernels.cross, { weights: solve(noisy, targets), resolvent: solve(noisy, identity(2)) });
  [...found.mean.data, ...found.variance].forEach((error, k) =>
    expect(error / Math.sqrt((squares[k]! * moves!.training.length) / (moves!.training.length - 1))).toBeCloseTo(1, name === "erf" ? 3 : 1),
  );
});

it.each(["erf", "relu", "sign"] as const)("%s: derivatives of conditional moments", (name) => {
  const activation = { erf, relu, sign }[name];
  const means = Float64Array.of(-0.9, 0.2, 1.4);
  for (const deviation of [0.3, 1, 20]) {
    const { derivatives } = conditionalMoments(activation, means, deviation, { derivatives: true });
    const at = (shift: number, variance: number) =>
      conditionalMoments(
        activation,
        means.map((mean) => mean + shift),
        Math.sqrt(variance),
      );
    const step = 1e-3 * deviation;
    for (const quantity of ["mean", "square"] as const)
      for (const [found, [more, less], width] of [
        [derivatives![quantity].byMean, [at(step, deviation ** 2), at(-step, deviation ** 2)], 2 * step],
        [derivatives![quantity].byVariance, [at(0, deviation ** 2 + step), at(0, deviation ** 2 - step)], 2 * step],
      ] as const)
        found.forEach((value, i) => expect(value).toBeCloseTo((more[quantity][i]! - less[quantity][i]!) / width, 4));
  }
  const { derivatives } = conditionalMoments(activation, means, 0, { derivatives: true });
  means.forEach((mean, i) => {
    expect(derivatives!.mean.byMean[i]).toBe(activation.derivative(mean));
    expect(derivatives!.square.byMean[i]).toBe(2 * activation.value(mean) * activation.derivative(mean));
    expect([derivatives!.mean.byVariance[i], derivatives!.square.byVariance[i]]).toEqual([0, 0]);
  });
});
