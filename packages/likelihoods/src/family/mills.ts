import { logNormalDistribution } from "@finitewidth/numerics";

/** h = φ/Φ at z, u = h + z, W = hu = −(log Φ)″ and dW/dz. */
export interface MillsValues {
  readonly ratio: number;
  readonly sum: number;
  readonly curvature: number;
  readonly slope: number;
}

const terms = 120;

/**
 * The inverse Mills ratio φ(z)/Φ(z) and the derivatives of log Φ. Below z = −4, where h + z and dW = h(1 − W) − Wu cancel (dW ≈ −2/z³), by
 * continued fractions in x = −z: u = 1/(x + v), v = 2/(x + w), w = 3/(x + 4/(x + …)), dW = 2hu(v − w)/((x + w)(x + v)).
 * Source: docs/theories/classification.md.
 */
export function mills(z: number): MillsValues {
  if (z >= -4) {
    const ratio = Math.exp(-0.5 * z * z - 0.5 * Math.log(2 * Math.PI) - logNormalDistribution(z));
    const sum = ratio + z;
    const curvature = ratio * sum;
    return { ratio, sum, curvature, slope: ratio * (1 - curvature) - curvature * sum };
  }
  const x = -z;
  let w = 0;
  for (let k = terms; k > 2; k--) w = k / (x + w);
  const v = 2 / (x + w);
  const sum = 1 / (x + v);
  const ratio = x + sum;
  return { ratio, sum, curvature: ratio * sum, slope: (2 * ratio * sum * (v - w)) / ((x + w) * (x + v)) };
}
