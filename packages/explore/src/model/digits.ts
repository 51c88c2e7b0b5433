import { FinitewidthError } from "@finitewidth/core";

/** Small handwritten digits: bytes of `digits.bin`, image after image, class after class. */
export interface Digits {
  /** Pixels of an image, side × side. */
  readonly side: number;
  /** Images of each class, the first `train` of them for training. */
  readonly perClass: number;
  readonly train: number;
  readonly pixels: Uint8Array;
}

/** Layout of the file: three bytes, then 10 classes of images. @throws FinitewidthError (code "file"). */
export function decodeDigits(bytes: Uint8Array): Digits {
  const [side, perClass, train] = bytes;
  const pixels = bytes.subarray(3);
  if (side === undefined || perClass === undefined || train === undefined || pixels.length !== 10 * perClass * side * side)
    throw new FinitewidthError(`digits.bin: ${bytes.length} bytes are not the digits of this page`, { code: "file", path: "digits" });
  return { side, perClass, train, pixels };
}

/** One image, pixels from 0 to 1. */
export const digitImage = ({ side, perClass, pixels }: Digits, digit: number, index: number): number[] => {
  const size = side * side;
  return Array.from(pixels.subarray((digit * perClass + index) * size, (digit * perClass + index + 1) * size), (value) => value / 255);
};
