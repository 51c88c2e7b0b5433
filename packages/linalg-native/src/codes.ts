import type { ElementwiseMap } from "@finitewidth/linalg";

/** Numbers of the elementwise maps, as in crate/src/maps.rs. */
export const elementwiseCodes: Record<ElementwiseMap, number> = { exp: 0, erf: 1, arcsin: 2 };

/** Which factor of a product is transposed, as in crate/src/lib.rs. */
export const transpositions = { none: 0, left: 1, right: 2 } as const;
