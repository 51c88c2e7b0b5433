import type { Activation } from "@finitewidth/core";

/** |φ| grows faster than |h|, by its values at 10³ and 10⁶: exp(φᵀAφ) has no Gaussian average for any A ≻ 0 then. Four values of φ. */
export function growsFasterThanLinear({ value }: Activation): boolean {
  const [near, far] = [1e3, 1e6].map((h) => Math.max(Math.abs(value(h)), Math.abs(value(-h)))) as [number, number];
  return !(far <= 1.5e3 * Math.max(near, 1e-12));
}
