import { complexLogGamma, stirlingTail, type Complex } from "../special/complex-log-gamma.js";
import { logGamma } from "../special/gamma.js";

/** (1 + w) log(1 + w) − w without cancellation at small |w|. */
export function entropy(re: number, im: number): Complex {
  if (re * re + im * im < 0.01) {
    let tr = 0;
    let ti = 0;
    for (let k = 18; k > 1; k--) {
      const next = -(tr * re - ti * im) + 1 / (k * (k - 1));
      ti = -(tr * im + ti * re);
      tr = next;
    }
    const sr = re * re - im * im;
    const si = 2 * re * im;
    return [tr * sr - ti * si, tr * si + ti * sr];
  }
  const [lr, li] = logOnePlus(re, im);
  // the limit of x log x at x = 0
  if (lr === -Infinity) return [-re, 0];
  return [(1 + re) * lr - im * li - re, (1 + re) * li + im * lr - im];
}

function logOnePlus(re: number, im: number): Complex {
  return [0.5 * Math.log1p(2 * re + re * re + im * im), Math.atan2(im, 1 + re)];
}

/**
 * z ↦ log Γ(a + z) − log Γ(a) − z log a for real a > 0 and Re(a + z) > 0, up to a multiple of 2πi. For large arguments a difference of
 * Stirling's series, so that terms of order a log a never cancel.
 */
export function logGammaRatio(a: number): (re: number, im: number) => Complex {
  const logShape = Math.log(a);
  const logGammaShape = logGamma(a);
  const tail = stirlingTail(a, 0)[0];
  return (re, im) => {
    if (a >= 20 && a + re >= 20) {
      const wr = re / a;
      const wi = im / a;
      const main = entropy(wr, wi);
      const half = logOnePlus(wr, wi);
      const rest = stirlingTail(a + re, im);
      return [a * main[0] - 0.5 * half[0] + rest[0] - tail, a * main[1] - 0.5 * half[1] + rest[1]];
    }
    const value = complexLogGamma(a + re, im);
    return [value[0] - logGammaShape - re * logShape, value[1] - im * logShape];
  };
}
