import type { PaperFigure } from "../paper-figure.js";
import { demand, demandFinite, type Check } from "./check.js";

/** What every figure must satisfy, given the numbers that it computed. */
export function figureChecks<Numbers>(figure: PaperFigure<Numbers>, numbers: Numbers): Check[] {
  return [
    {
      name: "name and texts",
      run() {
        demand(/^[a-z0-9]+(-[a-z0-9]+)*$/.test(figure.name), `name: expected lower-case words with hyphens, got ${figure.name}`);
        for (const field of ["summary", "paper", "statement", "differences"] as const)
          demand(figure[field].trim() !== "", `${field}: expected a sentence, got nothing`);
      },
    },
    {
      name: "the numbers are plain JSON data",
      run() {
        const text = JSON.stringify(numbers, (_, value: unknown) => {
          demand(typeof value !== "number" || Number.isFinite(value), `numbers: expected finite numbers, got ${String(value)}`);
          return value;
        });
        const again = JSON.parse(text) as Numbers;
        const [before, after] = [figure.checks(numbers), figure.checks(again)];
        demand(JSON.stringify(before) === JSON.stringify(after), "checks change when the numbers are written and read: use plain arrays");
      },
    },
    {
      name: "its pictures hold finite numbers",
      run() {
        const pictures = figure.pictures(numbers);
        demand(pictures.length > 0, "expected at least one picture");
        for (const { figure: picture, caption } of pictures) {
          demand(caption.trim() !== "", "every picture needs a caption");
          for (const values of valuesOf(picture)) demandFinite(values, picture.title);
        }
      },
    },
    {
      name: "its checks hold",
      run() {
        const checks = figure.checks(numbers);
        demand(checks.length > 0, "expected at least one check");
        demand(new Set(checks.map((check) => check.name)).size === checks.length, "two checks have the same name");
        for (const { name, expected, found, holds } of checks) demand(holds, `${name}: expected ${expected}, found ${found}`);
      },
    },
    {
      name: "every check fails when the physics is off",
      run() {
        const failed = new Set(
          figure.faults.flatMap(({ apply }) =>
            figure.checks(apply(structuredClone(numbers))).flatMap(({ name, holds }) => (holds ? [] : [name])),
          ),
        );
        for (const { name } of figure.checks(numbers)) demand(failed.has(name), `${name}: holds under every fault, so it shows nothing`);
        for (const { name, apply } of figure.faults)
          demand(
            figure.checks(apply(structuredClone(numbers))).some(({ holds }) => !holds),
            `fault "${name}": no check notices it`,
          );
      },
    },
  ];
}

type Picture = ReturnType<PaperFigure["pictures"]>[number]["figure"];

function valuesOf(picture: Picture): Float64Array[] {
  if (picture.kind === "heatmaps") return picture.panels.map(({ values }) => values.data);
  const series = picture.series ?? [];
  return [
    ...(picture.kind === "histogram" ? [picture.values] : []),
    ...series.flatMap(({ x, y, error }) => [x, y, ...(error ? [error] : [])]),
  ];
}
