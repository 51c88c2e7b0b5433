/**
 * Resizes a grey-scale image by area averaging: each new pixel is the mean of the part of the old image that it covers.
 * Keeps the mean exactly. `image`: height × width, row-major. O(height·width) for sizes that divide, a little more otherwise.
 */
export function resizeByArea(image: ArrayLike<number>, height: number, width: number, newHeight: number, newWidth: number): Float64Array {
  const rows = overlaps(height, newHeight);
  const columns = overlaps(width, newWidth);
  const out = new Float64Array(newHeight * newWidth);
  rows.forEach((rowParts, i) => {
    columns.forEach((columnParts, j) => {
      let sum = 0;
      for (const [y, wy] of rowParts) for (const [x, wx] of columnParts) sum += wy * wx * image[y * width + x]!;
      out[i * newWidth + j] = sum;
    });
  });
  return out;
}

/** For every new cell the old cells that it covers and the fraction of the new cell that each fills. */
function overlaps(size: number, newSize: number): (readonly [index: number, weight: number])[][] {
  const scale = size / newSize;
  return Array.from({ length: newSize }, (_, i) => {
    const from = i * scale;
    const to = (i + 1) * scale;
    const parts: [number, number][] = [];
    for (let k = Math.floor(from); k < Math.min(size, Math.ceil(to - 1e-12)); k++) {
      parts.push([k, (Math.min(to, k + 1) - Math.max(from, k)) / scale]);
    }
    return parts;
  });
}
