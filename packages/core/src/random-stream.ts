/**
 * A reproducible source of randomness. Stream (seed, index) gives the same numbers whoever runs it; implementation in @finitewidth/random.
 */
export interface RandomStream {
  /** Uniform on [0, 1), 53 bits. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Fills `out` with standard normals and returns it. */
  normals(out: Float64Array): Float64Array;
  /** Gamma with the given shape and unit scale. */
  gamma(shape: number): number;
}
