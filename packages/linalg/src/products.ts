import { shapeError, type Matrix } from "@finitewidth/core";
import { backend } from "./backend.js";
import { requireRoom } from "./validate.js";

/**
 * A B: (m × k)(k × n). @throws FinitewidthError (code "shape") when the inner sizes differ, (code "memory") when the result has more than
 * 2³² bytes. O(m k n).
 */
export function multiply(a: Matrix, b: Matrix): Matrix {
  if (b.shape[0] !== a.shape[1]) throw shapeError("b", `${a.shape[1]} rows`, `${b.shape[0]} × ${b.shape[1]}`);
  requireRoom(a.shape[0], b.shape[1]);
  return backend().multiply(a, b, "none");
}

/**
 * Aᵀ B: (k × m)ᵀ(k × n). @throws FinitewidthError (code "shape") when the inner sizes differ, (code "memory") when the result has more than
 * 2³² bytes. O(m k n).
 */
export function multiplyTransposedLeft(a: Matrix, b: Matrix): Matrix {
  if (b.shape[0] !== a.shape[0]) throw shapeError("b", `${a.shape[0]} rows`, `${b.shape[0]} × ${b.shape[1]}`);
  requireRoom(a.shape[1], b.shape[1]);
  return backend().multiply(a, b, "left");
}

/**
 * A Bᵀ: (m × k)(n × k)ᵀ. @throws FinitewidthError (code "shape") when the inner sizes differ, (code "memory") when the result has more than
 * 2³² bytes. O(m k n).
 */
export function multiplyTransposedRight(a: Matrix, b: Matrix): Matrix {
  if (b.shape[1] !== a.shape[1]) throw shapeError("b", `${a.shape[1]} columns`, `${b.shape[0]} × ${b.shape[1]}`);
  requireRoom(a.shape[0], b.shape[0]);
  return backend().multiply(a, b, "right");
}

/** X Xᵀ of an m × k matrix, exactly symmetric. @throws FinitewidthError (code "memory") when it has more than 2³² bytes. O(m² k / 2). */
export function gram(x: Matrix): Matrix {
  requireRoom(x.shape[0], x.shape[0]);
  return backend().gram(x);
}

/** A x for a vector x. O(m n). @throws FinitewidthError (code "shape"). */
export function multiplyVector(a: Matrix, x: Float64Array): Float64Array {
  const [m, n] = a.shape;
  if (x.length !== n) throw shapeError("x", `${n} numbers`, `${x.length}`);
  const out = new Float64Array(m);
  for (let i = 0; i < m; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += a.data[i * n + j]! * x[j]!;
    out[i] = sum;
  }
  return out;
}
