import { expect, it, vi } from "vitest";
import { decodeDigits, digitImage } from "../src/index.js";

/** Images of one grey each, their left half twice as bright; labels one after the other, the zeros in front. */
const images = (split: "train" | "test") => {
  const count = split === "train" ? 900 : 500;
  const [height, width] = [20, 40];
  const grey = (i: number): number => (split === "train" ? 1 : 3) + (i % 61);
  return {
    height,
    width,
    labels: Uint8Array.from({ length: count }, (_, i) => (i < 100 ? 0 : i % 10)),
    pixels: Uint8Array.from(
      { length: count * height * width },
      (_, k) => grey(Math.floor(k / (height * width))) * (k % width < width / 2 ? 2 : 1),
    ),
    grey,
  };
};
vi.mock("@finitewidth/datasets", async (original) => ({
  ...(await original<object>()),
  loadMnist: async (split: "train" | "test") => images(split),
}));
const written: [string, Uint8Array][] = [];
vi.mock("node:fs", async (original) => ({
  ...(await original<object>()),
  mkdirSync: () => undefined,
  writeFileSync: (file: string, bytes: Uint8Array) => void written.push([file, bytes]),
}));

it("the file of the page holds sixty training images of each digit and then forty test images, in their order, at 10 × 10 pixels", async () => {
  await import("../build-digits.mjs" as string);
  const [[file, bytes]] = written as [[string, Uint8Array]];
  expect(file).toMatch(/dist.public.digits\.bin$/);
  const digits = decodeDigits(bytes);
  expect([digits.side, digits.perClass, digits.train]).toEqual([10, 100, 60]);
  const [train, test] = [images("train"), images("test")];
  for (let digit = 0; digit < 10; digit++)
    for (const [from, { labels, grey }, most] of [
      [0, train, 60],
      [60, test, 40],
    ] as const) {
      const own = Array.from(labels.keys())
        .filter((i) => labels[i] === digit)
        .slice(0, most);
      expect(own).toHaveLength(most);
      own.forEach((i, k) => {
        const image = digitImage(digits, digit, from + k);
        expect([image[0], image[4], image[5], image[99]]).toEqual([2, 2, 1, 1].map((times) => (times * grey(i)) / 255));
      });
    }
});
