import { shapeError, zeros, type Matrix } from "@finitewidth/core";
import type { TapTable } from "./taps.js";

function requireSites(a: Matrix, sites: number): void {
  if (a.shape[0] !== sites || a.shape[1] !== sites)
    throw shapeError("a", `a ${sites} × ${sites} matrix over sites`, `${a.shape[0]} × ${a.shape[1]}`);
}

/**
 * Patch operator T(K)_ij = |m|⁻¹ Σ_m K_{τ(i,m), τ(j,m)}, zero where a tap falls on padding: what a layer of independent weights does to a
 * covariance over sites. K: S_in × S_in, result S_out × S_out. Cost: S_out² |m|. Theory: docs/theories/convolution.md §2. @throws
 * FinitewidthError (code "shape").
 */
export function patchOperator(table: TapTable, k: Matrix): Matrix {
  requireSites(k, table.inputSites);
  const { taps, tapCount, outputSites: n, inputSites } = table;
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let m = 0; m < tapCount; m++) {
        const [a, b] = [taps[i * tapCount + m]!, taps[j * tapCount + m]!];
        if (a >= 0 && b >= 0) sum += k.data[a * inputSites + b]!;
      }
      out.data[i * n + j] = sum / tapCount;
    }
  }
  return out;
}

/**
 * Adjoint of the patch operator, T*(M)_kl = |m|⁻¹ Σ_m Σ_ij M_ij [τ(i,m) = k][τ(j,m) = l], so that ⟨T(K), M⟩ = ⟨K, T*(M)⟩: how a mixing
 * matrix moves one layer towards the input. M: S_out × S_out, result S_in × S_in. Cost: S_out² |m|. Theory: docs/theories/convolution.md
 * §2. @throws FinitewidthError (code "shape").
 */
export function adjointPatchOperator(table: TapTable, m: Matrix): Matrix {
  requireSites(m, table.outputSites);
  const { taps, tapCount, outputSites: n, inputSites } = table;
  const out = zeros(inputSites, inputSites);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const value = m.data[i * n + j]! / tapCount;
      if (value === 0) continue;
      for (let tap = 0; tap < tapCount; tap++) {
        const [a, b] = [taps[i * tapCount + tap]!, taps[j * tapCount + tap]!];
        if (a >= 0 && b >= 0) out.data[a * inputSites + b]! += value;
      }
    }
  }
  return out;
}
