/** Functions that make the properties of `T`. */
type Makers<T> = { readonly [K in keyof T]: () => T[K] };

/**
 * `base` with further properties that are computed when they are first read, then kept: plain data for whoever reads, clones or prints it,
 * free for whoever does not. Spreading reads them; `amended` does not.
 */
export function withLazy<B extends object, T extends object>(base: B, makers: Makers<T>): B & T {
  const out = copied(base);
  for (const key of Object.keys(makers) as (keyof T & string)[]) {
    Object.defineProperty(out, key, {
      enumerable: true,
      configurable: true,
      get() {
        const value = makers[key]();
        Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true });
        return value;
      },
    });
  }
  return out as B & T;
}

/** A copy with other values for some properties; those that have not been computed yet stay so. */
export function amended<B extends object>(base: B, changes: Partial<NoInfer<B>>): B {
  return Object.defineProperties(copied(base), Object.getOwnPropertyDescriptors(changes)) as B;
}

/** A shallow copy; a property that waits in `base` is read from there when it is wanted, once for both. */
function copied(base: object): object {
  const out = {};
  for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(base))) {
    const waiting = descriptor.get;
    Object.defineProperty(out, key, waiting ? { ...descriptor, get: () => (base as Record<string, unknown>)[key] } : descriptor);
  }
  return out;
}
