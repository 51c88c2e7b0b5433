/** A progress line on standard error, redrawn in place; silent when quiet or when standard error is not a terminal. */
export interface Progress {
  /** Names what is going on. */
  stage(label: string): void;
  /** Moves the bar of the present stage. */
  advance(done: number, total: number): void;
  clear(): void;
}

/** @param enabled false for --quiet */
export function createProgress(enabled: boolean, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!enabled || !stream.isTTY) return { stage: () => undefined, advance: () => undefined, clear: () => undefined };
  const started = Date.now();
  let label = "";
  let last = 0;
  const draw = (fraction: number | undefined): void => {
    last = Date.now();
    const width = 24;
    const filled = Math.round(width * Math.min(1, Math.max(0, fraction ?? 0)));
    const bar = fraction === undefined ? "" : ` ${"█".repeat(filled)}${"░".repeat(width - filled)} ${Math.round(100 * fraction)} %`;
    stream.write(`\r\u001b[K${label}${bar} ${((last - started) / 1000).toFixed(0)} s`);
  };
  return {
    stage(text) {
      label = text;
      draw(undefined);
    },
    advance(done, total) {
      if (Date.now() - last >= 80) draw(done / total);
    },
    clear: () => void stream.write("\r\u001b[K"),
  };
}
