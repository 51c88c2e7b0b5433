/** Standard error of the mean of values given batch by batch. */
export function standardError(values: readonly Float64Array[]): Float64Array {
  const count = values.length;
  return values[0]!.map((_, i) => {
    let [sum, square] = [0, 0];
    for (const list of values) sum += list[i]! / count;
    for (const list of values) square += (list[i]! - sum) ** 2;
    return Math.sqrt(square / (count * (count - 1)));
  });
}
