/** States to go back to and forward again. A drag is one step: changes of the same things within half a second of each other. */
export class History<T extends object> {
  #past: T[] = [];
  #future: T[] = [];
  #last = { at: -Infinity, what: "" };

  /** Before `present` is replaced by `next`. */
  record(present: T, next: T): void {
    const [at, what] = [performance.now(), changes(present, next)];
    if (at - this.#last.at > 500 || what !== this.#last.what || what === "" || this.#past.length === 0)
      this.#past = [...this.#past.slice(-99), present];
    this.#last = { at, what };
    this.#future = [];
  }

  undo(present: T): T | undefined {
    const before = this.#past.pop();
    if (before !== undefined) this.#future.push(present);
    this.#last.at = -Infinity;
    return before;
  }

  redo(present: T): T | undefined {
    const after = this.#future.pop();
    if (after !== undefined) this.#past.push(present);
    return after;
  }

  get canUndo(): boolean {
    return this.#past.length > 0;
  }
  get canRedo(): boolean {
    return this.#future.length > 0;
  }
}

/** Names of the fields that differ; nothing where a list changes its length: another layer is a step of its own. */
function changes<T extends object>(before: T, after: T): string {
  const names = Object.keys(after) as (keyof T & string)[];
  const length = (value: unknown): number => (Array.isArray(value) ? value.length : -1);
  if (names.some((name) => length(before[name]) !== length(after[name]))) return "";
  return names.filter((name) => before[name] !== after[name] && JSON.stringify(before[name]) !== JSON.stringify(after[name])).join(" ");
}
