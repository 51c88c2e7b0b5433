/** Where a command says what it is doing, on standard error. */
export interface Progress {
  /** Names what is going on; `done` of `total` parts of the whole are finished. */
  stage(label: string, done?: number, total?: number): void;
  /** Moves within the present stage. */
  advance(done: number, total: number): void;
  /** A sentence that stays. */
  say(sentence: string): void;
  clear(): void;
}

/** Standard error of a command: a terminal is redrawn in place, a file gets a line now and then. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const seconds = (value: number): string =>
  value < 90 ? `${Math.round(value)} s` : value < 5400 ? `${Math.round(value / 60)} min` : `${(value / 3600).toFixed(1)} h`;

/**
 * Seconds left of a whole that went from the fraction `from` to `fraction` in `elapsed`; undefined while that says nothing, and where all
 * that was counted is done.
 */
export function timeLeft(fraction: number, elapsed: number, from = 0): number | undefined {
  const gained = fraction - from;
  return gained > 0.05 * (1 - from) && elapsed > 2 && fraction < 1 ? (elapsed * (1 - fraction)) / gained : undefined;
}

/** @param enabled false for --quiet: only `say` speaks. */
export function createProgress(enabled: boolean, stream: ProgressStream = process.stderr, now: () => number = Date.now): Progress {
  const started = now();
  const terminal = stream.isTTY === true;
  // A terminal is redrawn at most every 80 ms; a log gets a line after ten seconds and then every half minute.
  const pause = terminal ? 80 : 30_000;
  let last = terminal ? 0 : started - 20_000;
  let label = "";
  let [finished, parts] = [0, 1];
  // Several maps may be under way and tell of themselves in turn: the whole does not go back.
  let furthest = 0;
  // What an earlier run had finished took no time of this one, and a whole before this one none of its.
  let [began, from] = [started, undefined as number | undefined];
  const draw = (within: number): void => {
    last = now();
    const elapsed = (last - started) / 1000;
    furthest = Math.max(furthest, Math.min(1, (finished + within) / parts));
    const fraction = furthest;
    const left = timeLeft(fraction, (last - began) / 1000, from);
    const width = 24;
    const filled = Math.round(width * fraction);
    const bar = terminal ? `${"█".repeat(filled)}${"░".repeat(width - filled)} ` : "";
    const text = `${label} ${bar}${Math.round(100 * fraction)} %, ${seconds(elapsed)}${left === undefined ? "" : `, about ${seconds(left)} left`}`;
    stream.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
  };
  const due = (): boolean => enabled && now() - last >= pause;
  return {
    stage(text, done = 0, total = 1) {
      [label, finished, parts] = [text, done, total];
      if (done === 0) [furthest, began, from] = [0, from === undefined ? started : now(), 0];
      from ??= done / total;
      if (due()) draw(0);
    },
    advance(done, total) {
      if (due()) draw(total > 0 ? Math.min(1, done / total) : 0);
    },
    say(sentence) {
      stream.write(`${terminal ? "\r\u001b[K" : ""}${sentence}\n`);
    },
    clear: () => void (enabled && terminal && stream.write("\r\u001b[K")),
  };
}
