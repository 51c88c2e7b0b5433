import type { Activation, ArrayActivation } from "@finitewidth/core";

/** The activation over matrices: its own loops, or one call a number. */
export function arrayActivation(activation: Activation): ArrayActivation {
  return (
    activation.arrays ?? {
      values({ data: h }, c, { data: out }) {
        for (let i = 0; i < out.length; i++) out[i] = c * activation.value(h[i]!);
      },
      slopes({ data: h }, c, { data: out }) {
        for (let i = 0; i < out.length; i++) out[i] = c * activation.derivative(h[i]!);
      },
    }
  );
}
