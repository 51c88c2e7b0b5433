import type { Activation } from "@finitewidth/core";
import { mapErf, mapExp } from "@finitewidth/linalg";

/** φ and φ′ over whole arrays. */
export interface ArrayActivation {
  /** φ(h), a fresh array. */
  values(h: Float64Array): Float64Array;
  /** bar ← bar ∘ φ′(h), in place. */
  timesDerivative(h: Float64Array, bar: Float64Array): void;
}

/** The activation over arrays; erf in one vectorised pass, a third of the time of a forward run otherwise. */
export function arrayActivation(activation: Activation): ArrayActivation {
  switch (activation.name) {
    case "identity":
      return { values: (h) => h.slice(), timesDerivative: () => undefined };
    case "erf":
      return { values: mapErf, timesDerivative: timesErfDerivative };
    default:
      return {
        values: (h) => h.map((value) => activation.value(value)),
        timesDerivative: (h, bar) => {
          for (let i = 0; i < h.length; i++) bar[i]! *= activation.derivative(h[i]!);
        },
      };
  }
}

/** φ′ = (2/√π) exp(−h²). */
function timesErfDerivative(h: Float64Array, bar: Float64Array): void {
  const squares = new Float64Array(h.length);
  for (let i = 0; i < h.length; i++) squares[i] = -h[i]! * h[i]!;
  const slopes = mapExp(squares);
  const factor = 2 / Math.sqrt(Math.PI);
  for (let i = 0; i < h.length; i++) bar[i]! *= factor * slopes[i]!;
}
