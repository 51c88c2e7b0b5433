import { FinitewidthError } from "@finitewidth/core";
import type { LabelledImages } from "./mnist.js";

const side = 32;
const channels = 3;
const record = 1 + channels * side * side;

/**
 * Reads files of CIFAR-10's binary version: records of one byte label and 3 × 32 × 32 bytes, red, green, blue, each row by row. @throws
 * FinitewidthError (code "file") naming the file whose length does not fit.
 */
export function readCifar(files: readonly { readonly name: string; readonly bytes: Uint8Array }[]): LabelledImages {
  const counts = files.map(({ name, bytes }) => {
    if (bytes.length === 0 || bytes.length % record !== 0)
      throw new FinitewidthError(`${name}: expected records of ${record} bytes (CIFAR-10, binary version), got ${bytes.length} bytes`, {
        code: "file",
        path: name,
      });
    return bytes.length / record;
  });
  const count = counts.reduce((sum, one) => sum + one, 0);
  const pixels = new Uint8Array(count * (record - 1));
  const labels = new Uint8Array(count);
  let at = 0;
  files.forEach(({ name, bytes }, f) => {
    for (let i = 0; i < counts[f]!; i++, at++) {
      labels[at] = bytes[i * record]!;
      if (labels[at]! > 9)
        throw new FinitewidthError(`${name}: record ${i} has label ${labels[at]}; CIFAR-10 has 0 … 9`, { code: "file", path: name });
      pixels.set(bytes.subarray(i * record + 1, (i + 1) * record), at * (record - 1));
    }
  });
  return { height: side, width: side, channels, pixels, labels };
}
