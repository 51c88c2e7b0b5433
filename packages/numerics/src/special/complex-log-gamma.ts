/** A complex number as [real, imaginary]. */
export type Complex = readonly [number, number];

// B_{2k}/(2k(2k−1)), k = 1 … 8: coefficients of Stirling's series in 1/z^{2k−1}.
const stirling = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400];

const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);

/**
 * Stirling's series Σ B_{2k}/(2k(2k−1)) z^{1−2k}, the part of log Γ(z) beyond (z − ½) log z − z + ½ log 2π. Relative error 1e-16 for |z| ≥
 * 10, Re z > 0.
 */
export function stirlingTail(re: number, im: number): Complex {
  const norm = re * re + im * im;
  const ir = re / norm;
  const ii = -im / norm;
  const sr = ir * ir - ii * ii;
  const si = 2 * ir * ii;
  let tr = 0;
  let ti = 0;
  for (let k = stirling.length - 1; k >= 0; k--) {
    const next = tr * sr - ti * si + stirling[k]!;
    ti = tr * si + ti * sr;
    tr = next;
  }
  return [tr * ir - ti * ii, tr * ii + ti * ir];
}

/**
 * log Γ(z) for complex z with Re z > 0, up to a multiple of 2πi: recurrence up to |z| ≥ 10, then Stirling's series.
 * Relative error of Γ about 1e-15·(1 + |log Γ|).
 */
export function complexLogGamma(re: number, im: number): Complex {
  let x = re;
  // Γ(z) = Γ(z + n)/(z (z+1) … (z+n−1)): the product is kept as a complex number, its logarithm taken once.
  let pr = 1;
  let pi = 0;
  while (x * x + im * im < 100) {
    const next = pr * x - pi * im;
    pi = pr * im + pi * x;
    pr = next;
    x += 1;
  }
  const logModulus = 0.5 * Math.log(x * x + im * im);
  const argument = Math.atan2(im, x);
  const [tr, ti] = stirlingTail(x, im);
  const real = (x - 0.5) * logModulus - im * argument - x + halfLogTwoPi + tr;
  const imaginary = (x - 0.5) * argument + im * logModulus - im + ti;
  return x === re ? [real, imaginary] : [real - Math.log(Math.hypot(pr, pi)), imaginary - Math.atan2(pi, pr)];
}
