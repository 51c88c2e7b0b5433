// Writes dist/public/digits.bin: MNIST at 10 × 10 pixels, 100 images of each digit, 60 of them from the training set for training.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadMnist, resizeByArea } from "@finitewidth/datasets";

const [side, perClass, train] = [10, 100, 60];
const size = side * side;
const file = new Uint8Array(3 + 10 * perClass * size);
file.set([side, perClass, train]);
const place = (images, from, to) => {
  const found = Array.from({ length: 10 }, () => from);
  for (let i = 0; i < images.labels.length && found.some((count) => count < to); i++) {
    const digit = images.labels[i];
    if (found[digit] >= to) continue;
    const length = images.height * images.width;
    const small = resizeByArea(images.pixels.subarray(i * length, (i + 1) * length), images.height, images.width, side, side);
    file.set(small.map(Math.round), 3 + (digit * perClass + found[digit]) * size);
    found[digit] += 1;
  }
};
place(await loadMnist("train"), 0, train);
place(await loadMnist("test"), train, perClass);
const folder = join(import.meta.dirname, "dist/public");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "digits.bin"), file);
