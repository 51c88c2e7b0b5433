import { shapeError, zeros, type Matrix } from "@finitewidth/core";

/**
 * Channel c of every input row, P × S_0: columns c·S_0 … (c+1)·S_0 of the rows, which hold (channels, …space) with the last index fastest.
 */
export function channelOf(inputs: Matrix, sites: number, c: number): Matrix {
  const [rows, columns] = inputs.shape;
  const out = zeros(rows, sites);
  for (let mu = 0; mu < rows; mu++)
    out.data.set(inputs.data.subarray(mu * columns + c * sites, mu * columns + (c + 1) * sites), mu * sites);
  return out;
}

/** @throws FinitewidthError (code "shape") when rows do not hold channels × sites numbers. */
export function requireImages(inputs: Matrix, channels: number, sites: number, path = "inputs"): void {
  if (inputs.shape[1] !== channels * sites)
    throw shapeError(path, `${channels} channels × ${sites} sites = ${channels * sites} features per row`, `${inputs.shape[1]}`);
}
