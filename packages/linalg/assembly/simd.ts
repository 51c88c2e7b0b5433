// a·b + c per lane: fused where the relaxed build allows it. The branch is decided by the compiler.
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f64x2.relaxed_madd(a, b, c);
  return f64x2.add(c, f64x2.mul(a, b));
}

// c − a·b per lane.
export function multiplySubtract(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f64x2.relaxed_nmadd(a, b, c);
  return f64x2.sub(c, f64x2.mul(a, b));
}

export function horizontalSum(a: v128): f64 {
  return f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1);
}

export function get(base: usize, index: i32): f64 {
  return load<f64>(base + ((<usize>index) << 3));
}

export function put(base: usize, index: i32, value: f64): void {
  store<f64>(base + ((<usize>index) << 3), value);
}

// Σ x_i y_i.
export function dot(n: i32, x: usize, y: usize): f64 {
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    a = multiplyAdd(v128.load(x), v128.load(y), a);
    b = multiplyAdd(v128.load(x, 16), v128.load(y, 16), b);
    x += 32;
    y += 32;
  }
  let sum = horizontalSum(f64x2.add(a, b));
  for (; i < n; i++) {
    sum += load<f64>(x) * load<f64>(y);
    x += 8;
    y += 8;
  }
  return sum;
}

// y += α x.
export function axpy(n: i32, alpha: f64, x: usize, y: usize): void {
  const factor = f64x2.splat(alpha);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(y, multiplyAdd(factor, v128.load(x), v128.load(y)));
    v128.store(y, multiplyAdd(factor, v128.load(x, 16), v128.load(y, 16)), 16);
    x += 32;
    y += 32;
  }
  for (; i < n; i++) {
    store<f64>(y, load<f64>(y) + alpha * load<f64>(x));
    x += 8;
    y += 8;
  }
}

// x *= α.
export function scale(n: i32, alpha: f64, x: usize): void {
  const factor = f64x2.splat(alpha);
  let i: i32 = 0;
  for (; i + 2 <= n; i += 2) {
    v128.store(x, f64x2.mul(factor, v128.load(x)));
    x += 16;
  }
  if (i < n) store<f64>(x, alpha * load<f64>(x));
}

export function copyDoubles(n: i32, from: usize, to: usize): void {
  memory.copy(to, from, (<usize>n) << 3);
}

export function zeroDoubles(n: i32, at: usize): void {
  memory.fill(at, 0, (<usize>n) << 3);
}
