import { join } from "node:path";
import {
  FinitewidthError,
  inputError,
  nonNegativeInteger,
  oneOf,
  positiveInteger,
  strictObject,
  type Dataset,
  type DataSplit,
} from "@finitewidth/core";
import * as v from "valibot";
import { readCifar } from "./cifar.js";
import { imageSource, loadLabelled } from "./classification.js";
import { openIdx, readIdx } from "./idx.js";
import { inMemory, type ImageFile } from "./mnist.js";
import { readRegularFile } from "./regular-file.js";

const file = v.pipe(v.string("the name of a file"), v.nonEmpty("the name of a file"));
const common = {
  classes: v.optional(v.array(nonNegativeInteger, "a list of class numbers")),
  train: positiveInteger,
  test: v.optional(nonNegativeInteger, 0),
  size: v.optional(v.tuple([positiveInteger, positiveInteger], "[height, width]")),
  labels: v.optional(oneOf(["sign", "one-hot"])),
  seed: v.optional(nonNegativeInteger, 1),
};

const cifarSchema = strictObject({ dataset: v.literal("cifar10"), folder: file, ...common });
type CifarRequest = v.InferOutput<typeof cifarSchema>;

/** Classes of CIFAR-10, by number. */
const cifarClasses = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/** Files of the two halves, named as in the archive. */
const cifarFiles = { train: [1, 2, 3, 4, 5].map((k) => `data_batch_${k}.bin`), test: ["test_batch.bin"] };

/** CIFAR-10 from the folder of its binary version: rows are 3 channels of 32 × 32, or of `size`. */
const loadCifar = (request: CifarRequest, path: string): Promise<DataSplit> => {
  const read = async (split: "train" | "test"): Promise<ImageFile> =>
    inMemory(
      readCifar(
        await Promise.all(
          cifarFiles[split].map(async (name) => {
            const full = join(request.folder, name);
            return { name: full, bytes: await readRegularFile(full, `${path}.folder`) };
          }),
        ),
      ),
    );
  return loadLabelled(imageSource(read, cifarClasses.length, cifarClasses), request, path);
};

const idxSchema = strictObject({
  dataset: v.literal("idx"),
  images: file,
  imageLabels: file,
  testImages: v.optional(file),
  testLabels: v.optional(file),
  ...common,
});
type IdxRequest = v.InferOutput<typeof idxSchema>;

/** Grey images and labels from idx files, the format of MNIST, Fashion-MNIST, …, at the resolution that they have or at `size`. */
async function loadIdx(request: IdxRequest, path: string): Promise<DataSplit> {
  const { images, imageLabels, testImages, testLabels } = request;
  if (request.test > 0 && (testImages === undefined || testLabels === undefined))
    throw inputError(`${path}.test`, "0 without testImages and testLabels", request.test);
  const pair = async (pictures: string, names: readonly [string, string], labels: string): Promise<ImageFile> => {
    const { shape, eachPiece } = await openIdx(pictures, `${path}.${names[0]}`);
    const numbers = readIdx(await readRegularFile(labels, `${path}.${names[1]}`), labels);
    const [count, height, width] = shape;
    if (shape.length !== 3) throw shapeOf(pictures, `${path}.${names[0]}`, "images × height × width", shape);
    if (numbers.shape.length !== 1 || numbers.shape[0] !== count)
      throw shapeOf(labels, `${path}.${names[1]}`, `${count} labels, one for each image`, numbers.shape);
    return { height: height!, width: width!, labels: numbers.data, eachPiece };
  };
  const halves = {
    train: await pair(images, ["images", "imageLabels"], imageLabels),
    ...(request.test > 0 ? { test: await pair(testImages!, ["testImages", "testLabels"], testLabels!) } : {}),
  };
  const classes = 1 + halves.train.labels.reduce((most, label) => Math.max(most, label), 0);
  return loadLabelled(
    imageSource((split) => Promise.resolve(split === "train" ? halves.train : halves.test!), classes),
    request,
    path,
  );
}

const shapeOf = (name: string, path: string, expected: string, got: readonly number[]): FinitewidthError =>
  new FinitewidthError(`${path}: expected ${expected} in ${name}, got ${got.join(" × ")}`, { code: "file", path });

/** Data sets of images in files of the user's. */
export const imageFileDatasets: readonly Dataset[] = [
  {
    name: "cifar10",
    summary: "CIFAR-10 from a folder of its binary version, 3 × 32 × 32",
    schema: cifarSchema,
    load: (request, path) => loadCifar(request as CifarRequest, path),
  },
  {
    name: "idx",
    summary: "images and labels from idx files, the format of MNIST, at any resolution",
    schema: idxSchema,
    load: (request, path) => loadIdx(request as IdxRequest, path),
  },
] as readonly Dataset[];
