import { zeros, type Matrix } from "@finitewidth/core";

/** Softmax of every row of a matrix, in place. */
export function softmaxRows({ data, shape: [rows, columns] }: Matrix): void {
  for (let i = 0; i < rows; i++) {
    const row = data.subarray(i * columns, (i + 1) * columns);
    let largest = -Infinity;
    for (const value of row) largest = Math.max(largest, value);
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += row[j] = Math.exp(row[j]! - largest);
    for (let j = 0; j < columns; j++) row[j]! /= sum;
  }
}

/** Ω: softmax of the rows of scoreVariance·Q within every point, (P·s) × s. Q: (P·s) × (P·s). */
export function softmaxScores(q: Matrix, points: number, scoreVariance: number): Matrix {
  const n = q.shape[0];
  const sites = n / points;
  const out = zeros(n, sites);
  for (let i = 0; i < n; i++) {
    const first = i - (i % sites);
    for (let b = 0; b < sites; b++) out.data[i * sites + b] = scoreVariance * q.data[i * n + first + b]!;
  }
  softmaxRows(out);
  return out;
}
