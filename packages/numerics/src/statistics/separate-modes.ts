/** A mode with less of the distribution than this does not count; nor a valley that is not lower than this share of the peaks beside it. */
const leastMass = 0.01;
const deepValley = 0.05;

/**
 * Number of separate modes of a density on evenly spaced nodes, whose values there are proportional to `density`: peaks parted by valleys
 * of less than 5 % of the lower peak, each with at least 1 % of the distribution. O(nodes).
 */
export function countSeparateModes(density: ArrayLike<number>): number {
  let [total, count] = [0, 0];
  const masses: number[] = [];
  // mass since the last valley, the peak since then, the lowest value after that peak and the mass beyond it
  let [mass, peak, low, beyond] = [0, 0, Infinity, 0];
  for (let i = 0; i < density.length; i++) {
    const value = density[i]!;
    total += value;
    if (low < deepValley * Math.min(peak, value)) {
      masses.push(mass - beyond);
      [mass, peak, low, beyond] = [beyond, value, Infinity, 0];
    }
    mass += value;
    if (value > peak) [peak, low, beyond] = [value, Infinity, 0];
    else if (value < low) [low, beyond] = [value, 0];
    else beyond += value;
  }
  masses.push(mass);
  for (const one of masses) if (one >= leastMass * total) count++;
  return count;
}
