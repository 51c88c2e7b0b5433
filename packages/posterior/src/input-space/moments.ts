import { copyRows, shapeError, zeros, type Matrix } from "@finitewidth/core";
import { createWorkspace, multiply, multiplyTransposedLeft, type Workspace } from "@finitewidth/linalg";

/** Training points that are looked at together. */
const block = 1024;

/** Numbers in a block of inputs below which a workspace costs more to open than it saves. */
const small = 20_000;

type Space = Pick<Workspace, "matrices" | "multiply" | "gramLower">;

function openSpace(shapes: readonly (readonly [number, number])[]): Space {
  const [rows, columns] = shapes[0]!;
  if (rows * columns > small) return createWorkspace(shapes);
  return {
    matrices: shapes.map(([m, n]) => zeros(m, n)),
    multiply: (a, b, out, { transposed = "none", alpha = 1, beta = 0 } = {}) => {
      const product = transposed === "left" ? multiplyTransposedLeft(a, b) : multiply(a, b);
      for (let i = 0; i < out.data.length; i++) out.data[i] = (beta === 0 ? 0 : beta * out.data[i]!) + alpha * product.data[i]!;
    },
    gramLower: (x, out) => out.data.set(multiplyTransposedLeft(x, x).data),
  };
}

/** Sums over training points with rows ψ = (x, 1), N0 + 1 numbers. */
export interface InputMoments {
  /** ψᵀψ: (N0 + 1) × (N0 + 1). */
  readonly gram: Matrix;
  /** ψᵀY: (N0 + 1) × D. */
  readonly targets: Matrix;
}

/** Calls `visit` with blocks of inputs and of targets with a one after each row. */
function eachBlock(inputs: Matrix, targets: Matrix, x: Matrix, y: Matrix, visit: (x: Matrix, y: Matrix) => void): void {
  const [points, features] = inputs.shape;
  const outputs = targets.shape[1];
  const width = outputs + 1;
  for (let from = 0; from < points; from += block) {
    const count = Math.min(block, points - from);
    copyRows(inputs, from, x.data.subarray(0, count * features));
    for (let i = 0; i < count; i++) {
      for (let a = 0; a < outputs; a++) y.data[i * width + a] = targets.data[(from + i) * outputs + a]!;
      y.data[i * width + outputs] = 1;
    }
    visit(
      { data: x.data.subarray(0, count * features), shape: [count, features] },
      { data: y.data.subarray(0, count * width), shape: [count, width] },
    );
  }
}

/**
 * P N0² flops, one pass over the inputs, N0² numbers of memory besides them. @throws FinitewidthError (code "shape") for a wrong number of
 * targets.
 */
export function inputMoments(inputs: Matrix, targets: Matrix, breathe?: () => void): InputMoments {
  const [points, features] = inputs.shape;
  const outputs = targets.shape[1];
  if (targets.shape[0] !== points) throw shapeError("targets", `${points} rows, like inputs`, `${targets.shape[0]}`);
  const size = features + 1;
  const width = outputs + 1;
  const rows = Math.min(block, points);
  const space = openSpace([
    [rows, features],
    [rows, width],
    [features, features],
    [features, width],
    [width, width],
  ]);
  const [x, y, square, product, corner] = space.matrices as [Matrix, Matrix, Matrix, Matrix, Matrix];
  const gram = zeros(size, size);
  const sums = zeros(features, width);
  const ends = zeros(width, width);
  eachBlock(inputs, targets, x, y, (xBlock, yBlock) => {
    space.gramLower(xBlock, square, true);
    for (let i = 0; i < features; i++) for (let j = 0; j <= i; j++) gram.data[i * size + j]! += square.data[i * features + j]!;
    space.multiply(xBlock, yBlock, product, { transposed: "left" });
    add(sums, product);
    space.multiply(yBlock, yBlock, corner, { transposed: "left" });
    add(ends, corner);
    breathe?.();
  });
  const projected = zeros(size, outputs);
  for (let i = 0; i < features; i++) {
    gram.data[features * size + i] = sums.data[i * width + outputs]!;
    for (let j = 0; j <= i; j++) gram.data[j * size + i] = gram.data[i * size + j]!;
    for (let a = 0; a < outputs; a++) projected.data[i * outputs + a] = sums.data[i * width + a]!;
  }
  for (let i = 0; i < features; i++) gram.data[i * size + features] = gram.data[features * size + i]!;
  gram.data[size * size - 1] = points;
  for (let a = 0; a < outputs; a++) projected.data[features * outputs + a] = ends.data[outputs * width + a]!;
  return { gram, targets: projected };
}

/** What ψA leaves of Y, A: (N0 + 1) × D: the sum of squares |Y − ψA|² and ψᵀ(Y − ψA). One pass over the inputs, O(P N0 D). */
export function residualMoments(inputs: Matrix, targets: Matrix, coefficients: Matrix): { readonly square: number; readonly seen: Matrix } {
  const [points, features] = inputs.shape;
  const outputs = targets.shape[1];
  const width = outputs + 1;
  const rows = Math.min(block, points);
  const space = openSpace([
    [rows, features],
    [rows, width],
    [features, width],
    [features, width],
  ]);
  const [x, y, along, back] = space.matrices as [Matrix, Matrix, Matrix, Matrix];
  for (let i = 0; i < features; i++) for (let a = 0; a < outputs; a++) along.data[i * width + a] = coefficients.data[i * outputs + a]!;
  const seen = zeros(features + 1, outputs);
  let square = 0;
  eachBlock(inputs, targets, x, y, (xBlock, yBlock) => {
    space.multiply(xBlock, along, yBlock, { alpha: -1, beta: 1 });
    for (let at = 0; at < yBlock.data.length; at++) {
      const a = at % width;
      if (a === outputs) continue;
      const rest = yBlock.data[at]! - coefficients.data[features * outputs + a]!;
      yBlock.data[at] = rest;
      square += rest * rest;
      seen.data[features * outputs + a]! += rest;
    }
    space.multiply(xBlock, yBlock, back, { transposed: "left" });
    for (let i = 0; i < features; i++) for (let a = 0; a < outputs; a++) seen.data[i * outputs + a]! += back.data[i * width + a]!;
  });
  return { square, seen };
}

function add(to: Matrix, from: Matrix): void {
  for (let i = 0; i < to.data.length; i++) to.data[i]! += from.data[i]!;
}
