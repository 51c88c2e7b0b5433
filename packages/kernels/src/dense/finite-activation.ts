import type { Activation, ArrayActivation } from "@finitewidth/core";

/** The activation over matrices: its own loops, or one call a number. */
export function arrayActivation(activation: Activation): ArrayActivation {
  const { arrays, value, derivative } = activation;
  if (arrays?.phi === value) return arrays;
  return {
    phi: value,
    values({ data: h }, c, { data: out }) {
      for (let i = 0; i < out.length; i++) out[i] = c * value(h[i]!);
    },
    slopes({ data: h }, c, { data: out }) {
      for (let i = 0; i < out.length; i++) out[i] = c * derivative(h[i]!);
    },
  };
}
