import { get, horizontalSum, multiplyAdd, put } from "./simd";

const EPSILON: f64 = 2.220446049250313e-16;
const LIMIT: i32 = 100;

// Results of `evaluate`: Σ z²/δ and Σ z²/δ².
let sum: f64 = 0;
let slope: f64 = 0;

// δ_i = (d_i − origin) − μ, stored, and the two sums over first ≤ i < last.
function evaluate(first: i32, last: i32, d: usize, z: usize, origin: f64, mu: f64, delta: usize): void {
  const shift = f64x2.splat(origin);
  const step = f64x2.splat(mu);
  let s = f64x2.splat(0);
  let t = f64x2.splat(0);
  let i: i32 = first;
  for (; i + 2 <= last; i += 2) {
    const at = (<usize>i) << 3;
    const difference = f64x2.sub(f64x2.sub(v128.load(d + at), shift), step);
    v128.store(delta + at, difference);
    const zi = v128.load(z + at);
    const ratio = f64x2.div(zi, difference);
    s = multiplyAdd(zi, ratio, s);
    t = multiplyAdd(ratio, ratio, t);
  }
  sum = horizontalSum(s);
  slope = horizontalSum(t);
  if (i < last) {
    const difference = get(d, i) - origin - mu;
    put(delta, i, difference);
    const ratio = get(z, i) / difference;
    sum += get(z, i) * ratio;
    slope += ratio * ratio;
  }
}

/**
 * Root j of 1 + ρ Σ z_i²/(d_i − λ) = 0 for ascending d, ρ > 0 and no zero z (k ≥ 1 of each): returns λ and leaves δ_i = d_i − λ,
 * accurate even where λ is close to a pole, because λ is kept as an offset from the nearer pole.
 * Rational iteration of Li (LAPACK working note 89), the fixed-weight and the middle-way variant in turn, inside a bracket.
 */
export function secularRoot(j: i32, k: i32, d: usize, z: usize, rho: f64, delta: usize): f64 {
  const inverse = 1 / rho;
  if (k == 1) {
    const offset = rho * get(z, 0) * get(z, 0);
    put(delta, 0, -offset);
    return get(d, 0) + offset;
  }
  const last = j == k - 1;
  // The two poles of the model and the index that splits ψ (below) from φ (above).
  const below = last ? k - 2 : j;
  const above = below + 1;
  const split = above;
  const gap = get(d, above) - get(d, below);
  const zb = get(z, below) * get(z, below);
  const za = get(z, above) * get(z, above);
  let pole = j;
  let low: f64 = 0;
  let high: f64 = 0;
  let mu: f64 = 0;
  if (last) {
    for (let i: i32 = 0; i < k; i++) high += get(z, i) * get(z, i);
    high *= rho;
    mu = 0.5 * high;
    evaluate(0, k, d, z, get(d, pole), mu, delta);
    const c = inverse + sum - zb / get(delta, below) - za / get(delta, above);
    const a = -c * gap + zb + za;
    const b = za * gap;
    if (c > 0) {
      const root = sqrt(a * a + 4 * b * c);
      const guess = a >= 0 ? (a + root) / (2 * c) : (2 * b) / (root - a);
      if (guess > 0 && guess < high) mu = guess;
    }
  } else {
    const middle = 0.5 * gap;
    evaluate(0, k, d, z, get(d, j), middle, delta);
    const c = inverse + sum - zb / get(delta, below) - za / get(delta, above);
    if (inverse + sum >= 0) {
      high = middle;
      const a = c * gap + zb + za;
      const b = zb * gap;
      const root = sqrt(abs(a * a - 4 * b * c));
      mu = a > 0 ? (2 * b) / (a + root) : (a - root) / (2 * c);
    } else {
      pole = j + 1;
      low = -middle;
      const a = c * gap - zb - za;
      const b = za * gap;
      const root = sqrt(abs(a * a + 4 * b * c));
      mu = a < 0 ? (2 * b) / (a - root) : -(a + root) / (2 * c);
    }
    if (!(mu > low && mu < high)) mu = 0.5 * (low + high);
  }
  const origin = get(d, pole);
  let fixed = !last;
  let previous: f64 = Infinity;
  for (let iteration: i32 = 0; iteration < LIMIT; iteration++) {
    evaluate(0, split, d, z, origin, mu, delta);
    const psi = sum;
    const psiSlope = slope;
    evaluate(split, k, d, z, origin, mu, delta);
    const f = inverse + psi + sum;
    const total = psiSlope + slope;
    const size = inverse + abs(psi) + abs(sum);
    if (abs(f) <= EPSILON * (8 * size + abs(mu) * total)) break;
    if (f > 0) high = min(high, mu);
    else low = max(low, mu);
    if (abs(f) > 0.1 * previous) fixed = !fixed;
    previous = abs(f);
    const db = get(delta, below);
    const da = get(delta, above);
    let c: f64;
    if (last) c = abs(f - db * psiSlope - da * slope);
    else if (!fixed) c = f - db * psiSlope - da * slope;
    else if (pole == j) c = f - da * total + gap * (zb / (db * db));
    else c = f - db * total - gap * (za / (da * da));
    const a = (da + db) * f - da * db * total;
    const b = da * db * f;
    const root = sqrt(abs(a * a - 4 * b * c));
    let eta: f64;
    if (c == 0) eta = b / a;
    else if (last) eta = a >= 0 ? (a + root) / (2 * c) : (2 * b) / (a - root);
    else eta = a <= 0 ? (a - root) / (2 * c) : (2 * b) / (a + root);
    // f increases in μ: a step with the sign of f goes the wrong way, Newton's does not.
    if (!(f * eta < 0)) eta = -f / total;
    let next = mu + eta;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (next == mu || next == low || next == high) break;
    mu = next;
  }
  evaluate(0, k, d, z, origin, mu, delta);
  return origin + mu;
}
