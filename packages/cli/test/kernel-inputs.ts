import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { symmetricEigen } from "@finitewidth/linalg";

/**
 * Inputs whose kernel X Xᵀ/N0 over training and test points is the given one: fixtures often state kernels, experiment files state inputs.
 * K: P × P; cross: P × P*; tests: P* × P*.
 */
export function inputsWithKernel(
  K: readonly (readonly number[])[],
  cross?: readonly (readonly number[])[],
  tests?: readonly (readonly number[])[],
): Matrix {
  const joint =
    cross && tests
      ? [...K.map((row, i) => [...row, ...cross[i]!]), ...tests.map((row, i) => [...cross.map((entry) => entry[i]!), ...row])]
      : K;
  const { values, vectors } = symmetricEigen(matrixFromRows(joint));
  const n = joint.length;
  return { data: vectors.data.map((value, k) => value * Math.sqrt(Math.max(0, values[k % n]!) * n)), shape: [n, n] };
}
