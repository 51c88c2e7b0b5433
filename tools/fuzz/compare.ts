import { FinitewidthError } from "@finitewidth/core";

export interface Answer {
  readonly mean: number[];
  readonly variance: number[];
  readonly logEvidence: number | undefined;
}

/** Relative to the largest number, or to the noise where all are small. */
export function requireClose(what: string, actual: readonly number[], expected: readonly number[], tolerance: number, floor = 0): void {
  const scale = Math.max(floor, ...expected.map(Math.abs));
  actual.forEach((value, i) => {
    if (!(Math.abs(value - expected[i]!) <= tolerance * scale))
      throw new Error(`${what}[${i}]: ${value} and ${expected[i]} differ by ${Math.abs(value - expected[i]!) / scale} of their size`);
  });
}

export function requireSame(
  a: Answer,
  b: Answer,
  one: { readonly temperature: number; readonly points: number; readonly outputs: number },
  tolerance: number,
): void {
  requireClose("mean", a.mean, b.mean, tolerance, 1);
  requireClose("variance", a.variance, b.variance, tolerance, one.temperature);
  if (a.logEvidence !== undefined || b.logEvidence !== undefined)
    requireClose("log evidence", [a.logEvidence!], [b.logEvidence!], tolerance, one.points * one.outputs);
}

/** Solves both; when the first is refused, so must the second be. Undefined when they are. */
export async function both(first: () => Promise<Answer>, second: () => Promise<Answer>): Promise<readonly [Answer, Answer] | undefined> {
  const attempt = async (action: () => Promise<Answer>): Promise<Answer | string> => {
    try {
      return await action();
    } catch (error) {
      if (error instanceof FinitewidthError && /^[^\n]+$/.test(error.message)) return error.code;
      throw error;
    }
  };
  const [a, b] = [await attempt(first), await attempt(second)];
  if (typeof a === "string" || typeof b === "string") {
    if (typeof a === "string" && typeof b === "string") return undefined;
    throw new Error(`one was answered, the other ${typeof a === "string" ? a : String(b)}`);
  }
  return [a, b];
}
