import { rowsOf, type Json, type Matrix } from "@finitewidth/core";
import { frobenius } from "@finitewidth/linalg";

/** Matrices up to this many entries are written out in diagnostics, larger ones as their Frobenius norm. */
const entryLimit = 4096;

/** A matrix for the result file. */
export const matrixJson = (m: Matrix): Json =>
  m.data.length <= entryLimit ? rowsOf(m) : { frobeniusNorm: frobenius(m), shape: [...m.shape] };
