import { inputError, matrix, type DataSplit, type Matrix } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { resizeByArea } from "./image.js";
import { loadIris } from "./iris.js";
import { openMnist, type ImageFile } from "./mnist.js";
import { encodeLabels, standardisationOf, standardised, type Pixels } from "./preprocessing.js";

export type { DataSplit } from "@finitewidth/core";

/** The `data` entry of an experiment file that names a data set. */
export interface DatasetRequest {
  readonly dataset: string;
  /** @defaultValue all classes */
  readonly classes?: readonly number[] | undefined;
  readonly train: number;
  readonly test: number;
  /** Images are resized to [height, width] by area averaging. */
  readonly size?: readonly number[] | undefined;
  /** @defaultValue "sign" for two classes, else "one-hot" */
  readonly labels?: "sign" | "one-hot" | undefined;
  readonly seed: number;
}

/**
 * A seeded random part of a data set. Inputs are standardised with the training part's statistics: MNIST by the mean and standard deviation
 * of all pixels together, iris feature by feature. @throws FinitewidthError (code "input") for unknown names, classes, or too many points.
 */
export async function loadDataset(request: DatasetRequest, path = "data"): Promise<DataSplit> {
  const source = sources.get(request.dataset);
  if (source === undefined)
    throw inputError(`${path}.dataset`, `one of ${[...sources.keys()].map((key) => `"${key}"`).join(", ")}`, request.dataset);
  return loadLabelled(source, request, path);
}

/** What `loadDataset` asks of a data set; `dataset` itself is known by then. */
export type LabelledRequest = Omit<DatasetRequest, "dataset">;

/** Chooses classes and points of a source, standardises and encodes them. @throws FinitewidthError (code "input") as `loadDataset`. */
export async function loadLabelled(source: Source, request: LabelledRequest, path: string): Promise<DataSplit> {
  const classes = request.classes ?? Array.from({ length: source.classes }, (_, label) => label);
  if (classes.length < 2) throw inputError(`${path}.classes`, "at least two classes", classes);
  classes.forEach((label, i) => {
    if (label >= source.classes || classes.indexOf(label) !== i)
      throw inputError(`${path}.classes[${i}]`, `different classes 0 … ${source.classes - 1}`, label);
  });
  const labels = request.labels ?? (classes.length === 2 ? "sign" : "one-hot");
  if (labels === "sign" && classes.length !== 2) throw inputError(`${path}.labels`, `"one-hot" for ${classes.length} classes`, labels);
  if (request.size !== undefined && !source.images) throw inputError(`${path}.size`, "no size (the data set has no images)", request.size);

  const { train, test } = await source.choose(request, classes, path);
  const scale = standardisationOf(train.inputs, source.images ? "global" : "feature");
  const finish = ({ inputs, labels: own }: Sample) => ({
    inputs: standardised(inputs, scale),
    targets: encodeLabels(own, classes, labels),
  });
  const named = classes.map((label) => source.names?.[label] ?? String(label));
  return { train: finish(train), ...(test ? { test: finish(test) } : {}), classes: named };
}

/** Points with their labels; pixels as they are in their file, 0 … 255 for 0 … 1, wait for their scale. */
export interface Sample {
  readonly inputs: Matrix | Pixels;
  readonly labels: Uint8Array;
}
/** Labelled points to choose from. */
export interface Source {
  readonly classes: number;
  /** Of the classes; their numbers where there are none. */
  readonly names?: readonly string[];
  readonly images: boolean;
  choose(request: LabelledRequest, classes: readonly number[], path: string): Promise<{ readonly train: Sample; readonly test?: Sample }>;
}

/** Images that are read in two halves, of which a request takes points at random. */
export function imageSource(read: (split: "train" | "test") => Promise<ImageFile>, classes: number, names?: readonly string[]): Source {
  return {
    classes,
    ...(names ? { names } : {}),
    images: true,
    async choose(request, wanted, path) {
      const pick = async (split: "train" | "test", count: number): Promise<Sample> => {
        const images = await read(split);
        const indices = choose(images.labels, wanted, count, request.seed, split === "train" ? 0 : 1, `${path}.${split}`);
        return imagesToRows(images, indices, request.size);
      };
      return { train: await pick("train", request.train), ...(request.test > 0 ? { test: await pick("test", request.test) } : {}) };
    },
  };
}

const sources = new Map<string, Source>(
  Object.entries({
    mnist: imageSource(openMnist, 10),
    iris: {
      classes: 3,
      names: ["setosa", "versicolor", "virginica"],
      images: false,
      async choose(request, classes, path) {
        const { inputs, labels } = loadIris();
        const chosen = choose(
          labels,
          classes,
          request.train + request.test,
          request.seed,
          0,
          `${path}.train`,
          ", those of the test included",
        );
        const part = (indices: readonly number[]): Sample => ({
          inputs: matrix(indices.length, 4, Float64Array.from(indices.flatMap((i) => Array.from(inputs.data.subarray(4 * i, 4 * i + 4))))),
          labels: Uint8Array.from(indices, (i) => labels[i]!),
        });
        return { train: part(chosen.slice(0, request.train)), ...(request.test > 0 ? { test: part(chosen.slice(request.train)) } : {}) };
      },
    },
  } satisfies Record<string, Source>),
);

/** `count` indices of the wanted classes in a random order that depends on the seed only: the first 50 of 100 are the first 50 of 60. */
function choose(
  labels: Uint8Array,
  classes: readonly number[],
  count: number,
  seed: number,
  index: number,
  path: string,
  which = "",
): number[] {
  const candidates: number[] = [];
  const chosen = new Uint8Array(256);
  for (const label of classes) chosen[label] = 1;
  for (let i = 0; i < labels.length; i++) if (chosen[labels[i]!] === 1) candidates.push(i);
  if (count > candidates.length) throw inputError(path, `at most ${candidates.length} points of these classes${which}`, count);
  const random = stream(seed, index);
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random.uniform() * (candidates.length - i));
    [candidates[i], candidates[j]] = [candidates[j]!, candidates[i]!];
  }
  return candidates.slice(0, count);
}

/** One row per image: channels, then lines, then columns, in [0, 1] before anything is standardised. */
async function imagesToRows(images: ImageFile, indices: readonly number[], size: readonly number[] | undefined): Promise<Sample> {
  const { height, width, channels = 1 } = images;
  const [h, w] = [size?.[0] ?? height, size?.[1] ?? width];
  const pixels = height * width;
  const row = channels * h * w;
  const whole = h === height && w === width;
  const data = whole ? new Uint8Array(indices.length * row) : new Float64Array(indices.length * row);
  // rows by their place in the file, in which it is read
  const order = indices.map((_, i) => i).sort((a, b) => indices[a]! - indices[b]!);
  let next = 0;
  await images.eachPiece(
    order.map((i) => indices[i]!),
    (first, piece) => {
      const end = first + piece.length / (channels * pixels);
      for (; next < order.length && indices[order[next]!]! < end; next++) {
        const at = order[next]! * row;
        const from = (indices[order[next]!]! - first) * channels * pixels;
        if (data instanceof Uint8Array) data.set(piece.subarray(from, from + row), at);
        else
          for (let c = 0; c < channels; c++) {
            const picture = piece.subarray(from + c * pixels, from + (c + 1) * pixels);
            const resized = resizeByArea(picture, height, width, h, w);
            for (let k = 0; k < resized.length; k++) data[at + c * h * w + k] = resized[k]! / 255;
          }
      }
    },
  );
  const inputs = data instanceof Uint8Array ? { codes: data, shape: [indices.length, row] as const } : matrix(indices.length, row, data);
  return { inputs, labels: Uint8Array.from(indices, (i) => images.labels[i]!) };
}
