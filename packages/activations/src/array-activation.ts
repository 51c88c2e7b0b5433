import type { ArrayActivation, Matrix } from "@finitewidth/core";
import { erf } from "@finitewidth/numerics";

// Plain loops: `map` with a closure takes several times as long.

/** out := c x. */
function scaledCopy({ data: x }: Matrix, c: number, { data: out }: Matrix): void {
  for (let i = 0; i < out.length; i++) out[i] = c * x[i]!;
}

export const identityValue = (h: number): number => h;
export const identityArrays: ArrayActivation = { phi: identityValue, values: scaledCopy, slopes: (_h, c, out) => void out.data.fill(c) };

export const reluValue = (h: number): number => (h > 0 ? h : 0);
export const reluArrays: ArrayActivation = {
  phi: reluValue,
  values({ data: h }, c, { data: out }) {
    for (let i = 0; i < out.length; i++) out[i] = h[i]! > 0 ? c * h[i]! : 0;
  },
  slopes({ data: h }, c, { data: out }) {
    for (let i = 0; i < out.length; i++) out[i] = h[i]! > 0 ? c : h[i]! < 0 ? 0 : 0.5 * c;
  },
};

export const erfArrays: ArrayActivation = {
  phi: erf,
  values(h, c, out, maps) {
    out.data.set(h.data);
    maps.map("erf", out);
    scaledCopy(out, c, out);
  },
  slopes({ data: h }, c, out, maps) {
    // a factor in the exponent costs no pass of its own
    const shift = Math.log((2 * c) / Math.sqrt(Math.PI));
    for (let i = 0; i < h.length; i++) out.data[i] = shift - h[i]! * h[i]!;
    maps.map("exp", out);
  },
};
