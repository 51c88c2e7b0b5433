import { matrixFromRows, type DataSplit } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { classesOf, decisions, fitLabels, logisticLikelihood, poissonLikelihood, softmaxLikelihood } from "../src/index.js";

const column = (labels: readonly number[]) => matrixFromRows(labels.map((label) => [label]));
const split = (train: readonly number[], test?: readonly number[]): DataSplit => ({
  train: { inputs: column(train.map((_, i) => i)), targets: column(train) },
  ...(test ? { test: { inputs: column(test.map((_, i) => -i)), targets: column(test) } } : {}),
});
const table = ({ data, shape: [rows, columns] }: { readonly data: Float64Array; readonly shape: readonly [number, number] }): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * columns, (i + 1) * columns)));

describe("class labels in the form of a likelihood", () => {
  it("numbers are classes in ascending order, as numbers: 2 before 10, −10 before −2", () => {
    const three = fitLabels(softmaxLikelihood(1), split([10, 2, -1, 2], [-1, 10, 2]));
    expect(table(three.train.targets)).toEqual([[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 0]]); // prettier-ignore
    expect(table(three.test!.targets!)).toEqual([[1, 0, 0], [0, 0, 1], [0, 1, 0]]); // prettier-ignore
    const two = fitLabels(logisticLikelihood(1), split([10, 2, 2], [2, 10]));
    expect([...two.train.targets.data, ...two.test!.targets!.data]).toEqual([1, -1, -1, -1, 1]);
    expect([...fitLabels(logisticLikelihood(1), split([-2, -10, -10])).train.targets.data]).toEqual([1, -1, -1]);
  });

  it("one-hot rows become ±1, and inputs stay", () => {
    const oneHot = matrixFromRows([[0, 1], [1, 0], [0, 1]]); // prettier-ignore
    const inputs = column([5, 6, 7]);
    const fitted = fitLabels(logisticLikelihood(1), { train: { inputs, targets: oneHot } });
    expect([...fitted.train.targets.data]).toEqual([1, -1, 1]);
    expect(fitted.train.inputs).toBe(inputs);
    expect(fitted.test).toBeUndefined();
  });

  it("classes of the training points give their columns to test points, which need none", () => {
    const fitted = fitLabels(softmaxLikelihood(1), { train: split([3, 1, 2]).train, test: { inputs: column([0, 1]) } });
    expect(table(fitted.train.targets)).toEqual([[0, 0, 1], [1, 0, 0], [0, 1, 0]]); // prettier-ignore
    expect(fitted.test).toEqual({ inputs: column([0, 1]) });
  });

  it("leaves alone what fits, and what are no classes", () => {
    const fits = split([1, -1, 1], [-1]);
    expect(fitLabels(logisticLikelihood(1), fits)).toBe(fits);
    const real = split([0.5, 1.5]);
    expect(fitLabels(softmaxLikelihood(1), real)).toBe(real);
  });

  it("test labels must be those of the training points, also where these already fit; three classes need softmax", () => {
    const logistic = logisticLikelihood(1);
    expect(() => fitLabels(logistic, split([1, -1], [1, 2]))).toThrow(/^data\.test\.targets\[1\]: expected one of the classes -1, 1/);
    expect(() => fitLabels(logistic, split([3, 4], [3.5]))).toThrow(
      /^data\.test\.targets\[0\]: expected a class label, like the training targets, got 3\.5$/,
    );
    expect(() => fitLabels(logistic, split([3, 4, 5]))).toThrow(/^likelihood\.type: expected one for 3 classes, such as "softmax"/);
    expect(() => fitLabels(logistic, { train: { inputs: column([1, 2]), targets: matrixFromRows([[1, 0, 0], [0, 0, 1]]) } })).toThrow(/3 classes/); // prettier-ignore
    const counts = split([0, 3, 2], [5]);
    expect(fitLabels(poissonLikelihood(1), counts)).toBe(counts);
    // one-hot test rows for a column of training labels, and the other way round
    const mixed = { train: split([0, 1, 0]).train, test: { inputs: column([1, 2]), targets: matrixFromRows([[0, 1], [1, 0]]) } }; // prettier-ignore
    expect([...fitLabels(logistic, mixed).test!.targets!.data]).toEqual([1, -1]);
  });

  it("names what is missing", () => {
    expect(() => fitLabels(softmaxLikelihood(1), split([4, 4]))).toThrow("data.train.targets: expected at least two classes, got 4 alone");
    expect(() => fitLabels(softmaxLikelihood(1), split([10, 2, 5], [2, 7]), "data[1]")).toThrow(
      /data\[1\]\.test\.targets\[1\].*2, 5, 10.*7/,
    );
  });
});

describe("classes and decisions", () => {
  it("classes of ±1 and of one-hot rows, none of other targets", () => {
    expect(classesOf(column([-1, 1, 1]))).toEqual({ labels: Int32Array.of(0, 1, 1), classes: 2 });
    expect(classesOf(matrixFromRows([[0, 0, 1], [0, 1, 0]]))).toEqual({ labels: Int32Array.of(2, 1), classes: 3 }); // prettier-ignore
    expect(classesOf(column([-1, 2]))).toBeUndefined();
    expect(classesOf(matrixFromRows([[0.5, 0.5]]))).toBeUndefined();
    expect(classesOf(matrixFromRows([[1, 1]]))).toBeUndefined();
  });

  it("the sign of one output, the largest of several, the first of equals", () => {
    expect(table(decisions(column([-0.2, 3, 0])))).toEqual([[1, 0], [0, 1], [1, 0]]); // prettier-ignore
    expect(
      table(
        decisions(
          matrixFromRows([
            [-3, -1, -2],
            [5, 1, 5],
            [0, 1, 4],
          ]),
        ),
      ),
    ).toEqual([
      [0, 1, 0],
      [1, 0, 0],
      [0, 0, 1],
    ]);
  });
});
