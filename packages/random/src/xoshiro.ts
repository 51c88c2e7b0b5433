/**
 * xoshiro128++ of Blackman and Vigna (2021) from a state of four 32-bit words, not all zero: 32 random bits a call, as a signed integer.
 */
export function xoshiro128(state: ArrayLike<number>): () => number {
  let [a, b, c, d] = [state[0]! | 0, state[1]! | 0, state[2]! | 0, state[3]! | 0];
  return () => {
    const sum = (a + d) | 0;
    const result = (((sum << 7) | (sum >>> 25)) + a) | 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  };
}
