import type { Matrix } from "./tensor.js";

/** A picture described as data; `@finitewidth/plots` draws it. */
export type Figure =
  | {
      readonly kind: "density";
      readonly title: string;
      readonly label: string;
      readonly series: readonly Series[];
      readonly marks?: readonly Mark[];
      readonly logX?: boolean;
    }
  | {
      readonly kind: "lines";
      readonly title: string;
      readonly xLabel: string;
      readonly yLabel: string;
      readonly series: readonly Series[];
      readonly marks?: readonly Mark[];
      readonly logX?: boolean;
      readonly logY?: boolean;
      /** What y can be, such as 0 to 1: error bars end there. */
      readonly bounds?: readonly [number, number];
    }
  | {
      readonly kind: "heatmaps";
      readonly title: string;
      readonly panels: readonly {
        readonly label: string;
        readonly values: Matrix;
        readonly diverging?: boolean;
        /** Names of rows and columns of a square matrix; written where there is room. */
        readonly names?: readonly string[];
        /** Small integers, such as counts: written into the cells, with the names at the edges. Up to 20 rows. */
        readonly written?: boolean;
      }[];
    }
  | {
      readonly kind: "histogram";
      readonly title: string;
      readonly label: string;
      readonly values: Float64Array;
      readonly bins?: number;
      readonly series?: readonly Series[];
      readonly marks?: readonly Mark[];
    };
/** A curve; `error` draws vertical bars of ± one standard error, `points` draws markers instead of a line. */
export interface Series {
  readonly label: string;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly error?: Float64Array;
  readonly points?: boolean;
  /** Series of one group have one colour and one entry in the legend. @defaultValue the label */
  readonly group?: string;
  /** Of a line: what it is compared with. */
  readonly dashed?: boolean;
}
/** A vertical line. */
export interface Mark {
  readonly label: string;
  readonly x: number;
}
