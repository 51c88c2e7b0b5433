/** A progress line on standard error, redrawn in place; silent when quiet or when standard error is not a terminal. */
export interface Progress {
  /** Shows `label`, with a bar when the fraction is known. */
  update(label: string, fraction?: number): void;
  clear(): void;
}

/** @param enabled false for --quiet */
export function createProgress(enabled: boolean, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!enabled || !stream.isTTY) return { update: () => undefined, clear: () => undefined };
  const started = Date.now();
  let last = 0;
  return {
    update(label, fraction) {
      const now = Date.now();
      if (now - last < 80) return;
      last = now;
      const width = 24;
      const filled = Math.round(width * Math.min(1, Math.max(0, fraction ?? 0)));
      const bar = fraction === undefined ? "" : ` ${"█".repeat(filled)}${"░".repeat(width - filled)} ${Math.round(100 * fraction)} %`;
      stream.write(`\r\u001b[K${label}${bar} ${((now - started) / 1000).toFixed(0)} s`);
    },
    clear: () => void stream.write("\r\u001b[K"),
  };
}
