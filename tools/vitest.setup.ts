// Arrays of the same numbers are equal at a glance: the test runner's own comparison takes a microsecond an entry. Others are left to it.
import { expect } from "vitest";

expect.addEqualityTesters([
  (a, b) => {
    if (!(a instanceof Float64Array && b instanceof Float64Array && a.length === b.length)) return undefined;
    for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return undefined;
    return true;
  },
]);
