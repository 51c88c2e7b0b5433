import { closest, distance } from "fastest-levenshtein";
import { FinitewidthError } from "@finitewidth/core";

/** All mistakes of a file: the message has a line for each, the other fields are those of the first. */
export class Mistakes extends FinitewidthError {
  readonly errors: readonly FinitewidthError[];

  constructor(errors: readonly FinitewidthError[]) {
    const [first] = errors;
    super(errors.map((error) => error.message).join("\n"), first!.toJSON(), { cause: first });
    this.errors = errors;
  }
}

/** Collects the caller's mistakes ("input", "shape", "file", "memory") so that all of them can be told at once; other errors pass. */
export class MistakeList {
  readonly #errors = new Map<string, FinitewidthError>();

  add(error: FinitewidthError): void {
    const told = withSuggestion(error);
    if (!this.#errors.has(told.message)) this.#errors.set(told.message, told);
  }

  /** The result of `action`, or undefined when it made a mistake, which is kept. */
  attempt<T>(action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      this.#keep(error);
      return undefined;
    }
  }

  async attemptAsync<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      this.#keep(error);
      return undefined;
    }
  }

  get errors(): readonly FinitewidthError[] {
    return [...this.#errors.values()];
  }

  get empty(): boolean {
    return this.#errors.size === 0;
  }

  /** @throws Mistakes (or the one error itself) when there are any. */
  throwIfAny(): void {
    const errors = [...this.#errors.values()];
    if (errors.length === 1) throw errors[0]!;
    if (errors.length > 1) throw new Mistakes(errors);
  }

  #keep(error: unknown): void {
    if (error instanceof Mistakes) for (const one of error.errors) this.add(one);
    else if (error instanceof FinitewidthError && ["input", "shape", "file", "memory"].includes(error.code)) this.add(error);
    else throw error;
  }
}

/** What `action` gives; its error with a suggestion where there is one. */
export function suggested<Out>(action: () => Out): Out {
  try {
    return action();
  } catch (error) {
    throw error instanceof FinitewidthError ? withSuggestion(error) : error;
  }
}

/** The error with "did you mean …?" when a name is nearly one of those expected. */
export function withSuggestion(error: FinitewidthError): FinitewidthError {
  if (error.message.includes("; did you mean ")) return error;
  const unknown = /unknown key; expected (?:one of )?(.+)$/.exec(error.message);
  const written = unknown ? error.path?.split(".").at(-1) : /^"(.*)"$/.exec(error.received ?? "")?.[1];
  const known = unknown ? unknown[1]!.split(/, | or /) : [...(error.expected ?? "").matchAll(/"([^"]+)"/g)].map((match) => match[1]!);
  const suggestion = written === undefined ? undefined : nearest(written, known);
  if (suggestion === undefined) return error;
  return new FinitewidthError(`${error.message}; did you mean ${JSON.stringify(suggestion)}?`, error.toJSON(), { cause: error });
}

/** The known name that differs by at most a third of its letters (rounded up), if any. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  if (known.length === 0 || known.includes(written)) return undefined;
  const candidate = closest(written.toLowerCase(), known);
  return distance(written.toLowerCase(), candidate.toLowerCase()) <= Math.ceil(candidate.length / 3) ? candidate : undefined;
}
