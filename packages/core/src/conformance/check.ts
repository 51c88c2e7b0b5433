/** One thing that a plug-in must do. Hand them to any test runner: `for (const check of theoryChecks(…)) it(check.name, check.run)`. */
export interface Check {
  readonly name: string;
  /** @throws Error whose message says what is wrong and what to do. */
  run(): void | Promise<void>;
}

/** Fails with a message for the plug-in's author. */
export function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Fails at the first entry that is not a finite number. */
export function demandFinite(values: ArrayLike<number>, what: string): void {
  for (let i = 0; i < values.length; i++) {
    demand(
      Number.isFinite(values[i]),
      `${what}[${i}] is ${values[i]}: never return NaN or infinity; throw a FinitewidthError that names the cause, or handle the degenerate case`,
    );
  }
}

/** Fails when two arrays differ by more than `tolerance` relative to the largest entry. */
export function demandClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  demand(actual.length === expected.length, `${what}: expected ${expected.length} numbers, got ${actual.length}`);
  let scale = 1e-300;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i]!));
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    demand(
      difference <= tolerance * scale,
      `${what}[${i}]: expected ${expected[i]}, got ${actual[i]} (difference ${difference.toExponential(2)}, allowed ${(tolerance * scale).toExponential(2)})`,
    );
  }
}

/** Fails when two arrays are not the same bit for bit. */
export function demandSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, remedy: string): void {
  demand(actual.length === expected.length, `${what}: expected ${expected.length} numbers, got ${actual.length}; ${remedy}`);
  for (let i = 0; i < expected.length; i++)
    demand(Object.is(actual[i], expected[i]), `${what}[${i}] was ${expected[i]} and then ${actual[i]}; ${remedy}`);
}
