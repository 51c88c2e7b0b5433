/** Text table with aligned columns: the first to the left, the others to the right. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, j) => Math.max(...all.map((row) => (row[j] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, j) => (j === 0 ? cell.padEnd(widths[j]!) : cell.padStart(widths[j]!)))
      .join("  ")
      .trimEnd();
  return [line(header), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

/** Value with its standard error, the error to two digits: 1.234 ± 0.012. An error within the rounding of the value is none. */
export function withError(value: number | undefined, error?: number): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (error === undefined || !Number.isFinite(error) || error <= 1e-12 * size) return formatNumber(value);
  const place = Math.floor(Math.log10(error));
  const larger = Math.max(size, error);
  if (larger < 1e-4 || larger >= 1e6)
    return `${value.toExponential(Math.max(0, 1 + Math.floor(Math.log10(size || error)) - place))} ± ${error.toExponential(1)}`;
  const decimals = Math.max(0, 1 - place);
  return `${value.toFixed(decimals)} ± ${error.toFixed(decimals)}`;
}

/** Five significant digits. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return value === 0 || (size >= 1e-3 && size < 1e6) ? Number(value.toPrecision(5)).toString() : value.toExponential(3);
}
