import type { Activation } from "@finitewidth/core";
import { mapErf, mapExp } from "@finitewidth/linalg";

/** φ and φ′ over whole arrays. Plain loops: `map` with a closure takes several times as long. */
export interface ArrayActivation {
  /** c φ(h), a fresh array. */
  values(h: Float64Array, c: number): Float64Array;
  /** c φ′(h) ∘ bar, a fresh array. */
  backward(h: Float64Array, bar: Float64Array, c: number): Float64Array;
}

/** The activation over arrays; erf by the vectorised maps of linalg. */
export function arrayActivation(activation: Activation): ArrayActivation {
  switch (activation.name) {
    case "identity":
      return { values: scaledCopy, backward: (_h, bar, c) => scaledCopy(bar, c) };
    case "relu":
      return { values: rectified, backward: rectifiedBackward };
    case "erf":
      return { values: errorFunction, backward: errorFunctionBackward };
    default:
      return {
        values: (h, c) => {
          const out = new Float64Array(h.length);
          for (let i = 0; i < out.length; i++) out[i] = c * activation.value(h[i]!);
          return out;
        },
        backward: (h, bar, c) => {
          const out = new Float64Array(h.length);
          for (let i = 0; i < out.length; i++) out[i] = c * activation.derivative(h[i]!) * bar[i]!;
          return out;
        },
      };
  }
}

/** c x, a fresh array. */
export function scaledCopy(x: Float64Array, c: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let i = 0; i < out.length; i++) out[i] = c * x[i]!;
  return out;
}

function rectified(h: Float64Array, c: number): Float64Array {
  const out = new Float64Array(h.length);
  for (let i = 0; i < out.length; i++) out[i] = h[i]! > 0 ? c * h[i]! : 0;
  return out;
}

function rectifiedBackward(h: Float64Array, bar: Float64Array, c: number): Float64Array {
  const out = new Float64Array(h.length);
  for (let i = 0; i < out.length; i++) out[i] = h[i]! > 0 ? c * bar[i]! : h[i]! < 0 ? 0 : 0.5 * c * bar[i]!;
  return out;
}

function errorFunction(h: Float64Array, c: number): Float64Array {
  const out = mapErf(h);
  for (let i = 0; i < out.length; i++) out[i] = c * out[i]!;
  return out;
}

/** φ′ = (2/√π) exp(−h²). */
function errorFunctionBackward(h: Float64Array, bar: Float64Array, c: number): Float64Array {
  const out = new Float64Array(h.length);
  for (let i = 0; i < out.length; i++) out[i] = -h[i]! * h[i]!;
  const slopes = mapExp(out);
  const factor = (2 * c) / Math.sqrt(Math.PI);
  for (let i = 0; i < out.length; i++) out[i] = factor * slopes[i]! * bar[i]!;
  return out;
}
