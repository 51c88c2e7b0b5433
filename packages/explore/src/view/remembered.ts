/** A function that gives what it gave last as long as its arguments are the same objects: pictures that did not change are not drawn. */
export function remembered<A extends readonly unknown[], R>(make: (...given: A) => R): (...given: A) => R {
  let last: { readonly given: A; readonly result: R } | undefined;
  return (...given) => {
    if (!last || given.some((one, i) => one !== last!.given[i])) last = { given, result: make(...given) };
    return last.result;
  };
}
