import type { Matrix } from "@finitewidth/core";
import { createWorkspace, type Workspace } from "@finitewidth/linalg";

/** One primitive of a real network. Activities are (point, site) × channels; a stage keeps what its pullback needs from its last run. */
export interface Stage {
  readonly channels: number;
  readonly sites: number;
  forward(theta: Float64Array, below: Matrix): Matrix;
  /**
   * From the gradient with respect to what the last run put out: writes the gradient of its own parameters, returns that of what it read
   * (undefined where nobody needs it: above the inputs).
   */
  pullback(theta: Float64Array, cotangent: Matrix, gradient: Float64Array): Matrix | undefined;
}

/** Where a stage stands: the units and sites below it, and whether these hang on parameters. */
export interface StageSite {
  readonly points: number;
  readonly channels: number;
  readonly sites: number;
  readonly parametersBelow: boolean;
}

/** A stretch of θ. */
export interface Stretch {
  readonly start: number;
  readonly length: number;
}

export function scaledBy(data: Float64Array, factor: number): Float64Array {
  const out = new Float64Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = factor * data[i]!;
  return out;
}

/** x += y. */
export function addInto(x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) x[i]! += y[i]!;
}

/** Matrices of all stages, laid out at the first run: repeated runs copy θ in and the gradient out and allocate little. */
export interface Memory {
  /** A matrix of the given shape, there from the first run on. */
  reserve(rows: number, columns: number): () => Matrix;
  readonly workspace: Workspace;
  /** Numbers reserved so far. */
  readonly size: number;
}

export function lazyMemory(): Memory {
  const shapes: (readonly [number, number])[] = [];
  let made: Workspace | undefined;
  const workspace = (): Workspace => (made ??= createWorkspace(shapes));
  return {
    reserve(rows, columns) {
      const index = shapes.push([rows, columns]) - 1;
      return () => workspace().matrices[index]!;
    },
    get workspace() {
      return workspace();
    },
    get size() {
      return shapes.reduce((sum, [rows, columns]) => sum + rows * columns, 0);
    },
  };
}
