import type { RandomStream } from "@finitewidth/core";
import type { ChainState } from "../src/index.js";

/** A stream that gives these uniforms and normals, in turn. */
export function scripted(uniforms: readonly number[], normals: readonly number[]): RandomStream {
  const [u, n] = [[...uniforms], [...normals]];
  const next = (from: number[]): number => {
    const found = from.shift();
    if (found === undefined) throw new Error("more numbers asked for than given");
    return found;
  };
  return { uniform: () => next(u), normal: () => next(n), normals: (out) => out.map((_, i) => (out[i] = next(n))), gamma: () => 1 };
}
export const startAt = (x: readonly number[]) => (_: RandomStream, out: Float64Array) => void out.set(x);
/** All states, copied, and what the chain returns. */
export function all<R>(chain: Generator<ChainState, R, void>): { readonly states: ChainState[]; readonly report: R } {
  const states: ChainState[] = [];
  for (;;) {
    const next = chain.next();
    if (next.done) return { states, report: next.value };
    states.push({ ...next.value, position: next.value.position.slice() });
  }
}
