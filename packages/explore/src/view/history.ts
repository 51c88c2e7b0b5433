/** States to go back to and forward again. Changes within half a second of each other are one step. */
export class History<T> {
  #past: T[] = [];
  #future: T[] = [];
  #last = 0;

  /** Before `present` is replaced. */
  record(present: T): void {
    const now = performance.now();
    if (now - this.#last > 500 || this.#past.length === 0) this.#past = [...this.#past.slice(-99), present];
    this.#last = now;
    this.#future = [];
  }

  undo(present: T): T | undefined {
    const before = this.#past.pop();
    if (before !== undefined) this.#future.push(present);
    this.#last = 0;
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
