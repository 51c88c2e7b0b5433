import { rowRange, zeros, type Activation, type Matrix } from "@finitewidth/core";
import { arrayActivation } from "@finitewidth/kernels";
import { createWorkspace, multiply, symmetrise } from "@finitewidth/linalg";

/** Numbers of a matrix that is worked on at once, and least number of its rows. */
const blockNumbers = 2 ** 16;
const leastRows = 64;

/** What is made of some nodes z: views that the next block overwrites. */
export interface NodeBlock {
  /** Index of the first node. */
  readonly from: number;
  readonly nodes: Matrix;
  /** y = stretch z and h = F y. */
  readonly whitened: Matrix;
  readonly fields: Matrix;
  /** φ(h) and φ(h) A. */
  readonly features: Matrix;
  readonly force: Matrix;
  /** Room for as many rows. */
  readonly spare: Matrix;
}

/** Sums over nodes, block by block in memory that is laid out once: only the features of all nodes are kept. */
export interface NodeBlocks {
  /** φ(h) of all nodes after `first`: n × P. */
  readonly features: Matrix;
  /** Goes through all nodes at a symmetric `stretch` (none: 1), root F and conjugate kernel A and keeps their features. */
  first(stretch: Matrix | undefined, root: Matrix, conjugate: Matrix, visit: (block: NodeBlock) => void): void;
  /** Goes through them again. */
  again(visit: (block: NodeBlock) => void): void;
  /** C := A B for rows of a block and a P × P matrix. */
  multiply(rows: Matrix, by: Matrix, out: Matrix): void;
  /** φ′ of the fields of a block. */
  slopes(fields: Matrix, out: Matrix): void;
  /** Σ_i factors_i rows_iᵀ rows_i over the n rows that `rowsOf` makes or copies block by block. */
  sums(rowsOf: readonly ((block: NodeBlock) => Matrix)[], factors: readonly Float64Array[]): Matrix[];
  /** The same for n rows at hand. */
  gram(rows: Matrix, factors: Float64Array): Matrix;
}

/** Nodes · B, n × m, for P × m numbers B: a block of nodes after the other. */
export function projected(points: Matrix, b: Matrix): Matrix {
  const [count, size] = points.shape;
  const out = zeros(count, b.shape[1]);
  const rows = Math.max(leastRows, Math.floor(blockNumbers / size));
  for (let from = 0; from < count; from += rows)
    out.data.set(multiply(rowRange(points, from, Math.min(count, from + rows)), b).data, from * b.shape[1]);
  return out;
}

/** O(P · (P + 2¹⁶/P)) numbers besides the features. The points may change between one `first` and the next. */
export function nodeBlocks(activation: Activation, points: Matrix): NodeBlocks {
  const [count, size] = points.shape;
  const rows = Math.min(count, Math.max(leastRows, Math.floor(blockNumbers / size)));
  const tall = Array.from({ length: 7 }, () => [rows, size] as const);
  const square = Array.from({ length: 6 }, () => [size, size] as const);
  const workspace = createWorkspace([...tall, ...square]);
  const [nodes, whitened, fields, phi, force, spare, scaled, stretch, root, conjugate, other, ...sums] = workspace.matrices as [
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    Matrix,
    ...Matrix[],
  ];
  const functions = arrayActivation(activation);
  const features = zeros(count, size);
  let stretched = false;
  const top = (m: Matrix, height: number): Matrix => ({ data: m.data.subarray(0, height * size), shape: [height, size] });
  const each = (visit: (from: number, height: number) => void): void => {
    for (let from = 0; from < count; from += rows) visit(from, Math.min(rows, count - from));
  };
  const go = (visit: (block: NodeBlock) => void, isNew: boolean): void =>
    each((from, height) => {
      const [z, y, h, f, u] = [nodes, whitened, fields, phi, force].map((m) => top(m, height)) as [Matrix, Matrix, Matrix, Matrix, Matrix];
      const range = [from * size, (from + height) * size] as const;
      z.data.set(points.data.subarray(...range));
      if (stretched) workspace.multiply(z, stretch, y);
      else y.data.set(z.data);
      workspace.multiply(y, root, h);
      if (isNew) {
        functions.values(h, 1, f, workspace);
        features.data.set(f.data, range[0]);
      } else f.data.set(features.data.subarray(...range));
      workspace.multiply(f, conjugate, u);
      visit({ from, nodes: z, whitened: y, fields: h, features: f, force: u, spare: top(spare, height) });
    });
  /** Adds the sum over a block. */
  const add = (m: Matrix, factors: Float64Array, from: number, out: Matrix): void => {
    const weighted = top(scaled, m.shape[0]);
    for (let i = 0, at = 0; i < m.shape[0]; i++) for (let j = 0; j < size; j++, at++) weighted.data[at] = m.data[at]! * factors[from + i]!;
    workspace.multiply(m, weighted, out, { transposed: "left", beta: from === 0 ? 0 : 1 });
  };
  const taken = (m: Matrix): Matrix => symmetrise({ data: m.data.slice(), shape: m.shape });
  return {
    features,
    first: (givenStretch, givenRoot, givenConjugate, visit) => {
      stretched = givenStretch !== undefined;
      if (givenStretch) stretch.data.set(givenStretch.data);
      root.data.set(givenRoot.data);
      conjugate.data.set(givenConjugate.data);
      go(visit, true);
    },
    again: (visit) => go(visit, false),
    multiply: (m, by, out) => {
      other.data.set(by.data);
      workspace.multiply(m, other, out);
    },
    slopes: (h, out) => functions.slopes(h, 1, out, workspace),
    sums: (rowsOf, factors) => {
      go((block) => rowsOf.forEach((make, i) => add(make(block), factors[i]!, block.from, sums[i]!)), false);
      return rowsOf.map((_, i) => taken(sums[i]!));
    },
    gram: (m, factors) => {
      each((from, height) => {
        const block = top(spare, height);
        block.data.set(m.data.subarray(from * size, (from + height) * size));
        add(block, factors, from, sums[0]!);
      });
      return taken(sums[0]!);
    },
  };
}
