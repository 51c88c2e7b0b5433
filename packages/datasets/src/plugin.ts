import type { Dataset, Plugin } from "@finitewidth/core";
import { loadDataset, type DatasetRequest } from "./classification.js";
import { imageFileDatasets } from "./image-files.js";
import { sequenceDatasets } from "./sequences.js";
import { teacherDatasets } from "./teachers.js";

const named = (name: string, summary: string): Dataset => ({
  name,
  summary,
  load: (request, path) => loadDataset({ ...(request as DatasetRequest), dataset: name }, path),
});

/** The data sets of this package, for a registry. */
export const plugin: Plugin = {
  name: "@finitewidth/datasets",
  module: import.meta.url,
  datasets: [
    named("mnist", "handwritten digits, 28 × 28, 60 000 and 10 000 of them"),
    ...imageFileDatasets,
    ...sequenceDatasets,
    ...teacherDatasets,
    named("iris", "150 flowers of three species, four measurements"),
  ],
};
