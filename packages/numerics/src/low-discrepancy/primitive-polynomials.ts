/** A primitive polynomial xˢ + a₁xˢ⁻¹ + … + a_{s−1}x + 1 over GF(2). */
export interface PrimitivePolynomial {
  /** s ≥ 1. */
  readonly degree: number;
  /** Inner coefficients a₁ … a_{s−1} as bits, a₁ the highest. */
  readonly inner: number;
}

/** Distinct prime factors of n. */
function primeFactors(n: number): number[] {
  const factors: number[] = [];
  let rest = n;
  for (let p = 2; p * p <= rest; p++) {
    if (rest % p !== 0) continue;
    factors.push(p);
    while (rest % p === 0) rest /= p;
  }
  if (rest > 1) factors.push(rest);
  return factors;
}

/** Product of two polynomials (bit masks) modulo `polynomial` of the given degree. */
function multiplyModulo(a: number, b: number, polynomial: number, degree: number): number {
  let product = 0;
  let shifted = a;
  for (let rest = b; rest > 0; rest >>>= 1) {
    if (rest & 1) product ^= shifted;
    shifted <<= 1;
    if (shifted >>> degree) shifted ^= polynomial;
  }
  return product;
}

/** x raised to `exponent` modulo `polynomial`. */
function powerOfX(exponent: number, polynomial: number, degree: number): number {
  let result = 1;
  let base = degree === 1 ? 2 ^ polynomial : 2;
  for (let rest = exponent; rest > 0; rest >>>= 1) {
    if (rest & 1) result = multiplyModulo(result, base, polynomial, degree);
    base = multiplyModulo(base, base, polynomial, degree);
  }
  return result;
}

/**
 * The first `count` primitive polynomials over GF(2), by degree and then by their inner coefficients, degree 1 first. Primitive: x has
 * order 2ˢ − 1, tested at the prime factors of 2ˢ − 1. Degrees up to 13 hold 1,110 of them.
 */
export function primitivePolynomials(count: number): PrimitivePolynomial[] {
  const found: PrimitivePolynomial[] = [];
  for (let degree = 1; found.length < count; degree++) {
    const order = 2 ** degree - 1;
    const factors = primeFactors(order);
    for (let inner = 0; inner < 2 ** (degree - 1) && found.length < count; inner++) {
      const polynomial = 2 ** degree + 2 * inner + 1;
      const primitive =
        powerOfX(order, polynomial, degree) === 1 && factors.every((factor) => powerOfX(order / factor, polynomial, degree) !== 1);
      if (primitive) found.push({ degree, inner });
    }
  }
  return found;
}
