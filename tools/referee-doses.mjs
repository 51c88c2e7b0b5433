// Made-up answers that are a known part of the effect of finite width away from the network as other seeds sampled it.
import { controlled } from "@finitewidth/monte-carlo";

/** Parts of the effect: 0 is the network itself, 1 infinite width. */
export const doses = [0, 0.05, 0.1, 0.2, 0.3, 0.5, 1];
export const doseLabel = (part) => `dose ${part}`;

const between = (truth, infinite, part) => ({
  data: infinite.data.map((value, i) => truth[i] + part * (value - truth[i])),
  shape: infinite.shape,
});
const averageOf = (rows) => rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length);

/** Predictions, evidence and kernels between those of the pooled chains and those of infinite width. */
export function madeUpAnswers({ methods: { nngp } }, others, logEvidence) {
  const chains = others.flatMap(({ groups }) => groups.flatMap(({ averages }) => averages));
  const helped = (rows, part) =>
    averageOf(
      controlled(
        rows,
        chains.map(({ control }) => control?.[part]),
      ) ?? rows,
    );
  const mean = helped(
    chains.map((chain) => chain.mean),
    "mean",
  );
  const conditional = helped(
    chains.map((chain) => chain.variance),
    "variance",
  );
  // Var f = E v + E m² − (E m)², the square of the mean without its noise
  const [plain, square] = [averageOf(chains.map((chain) => chain.mean)), averageOf(chains.map((chain) => chain.square))];
  const outputs = mean.length / conditional.length;
  const spread = plain.map((m, i) => {
    const noise = chains.reduce((sum, chain) => sum + (chain.mean[i] - m) ** 2, 0) / (chains.length * (chains.length - 1));
    return conditional[Math.floor(i / outputs)] + square[i] - m * m + noise;
  });
  const groups = others.flatMap((one) => one.groups);
  const kernels = nngp.hiddenKernels.map((_, l) => {
    const rows = groups.flatMap((group) => group.kernels.map((layers) => layers[l]));
    return l === 0 ? helped(rows, "kernel") : averageOf(rows);
  });
  return Object.fromEntries(
    doses.map((part) => [
      doseLabel(part),
      {
        predictive: { mean: between(mean, nngp.predictive.mean, part), variance: between(spread, nngp.predictive.variance, part) },
        ...(nngp.logEvidence === undefined ? {} : { logEvidence: logEvidence + part * (nngp.logEvidence - logEvidence) }),
        hiddenKernels: nngp.hiddenKernels.map((kernel, l) => between(kernels[l], kernel, part)),
      },
    ]),
  );
}

const statuses = ["confirmed", "doubtful", "contradicted", "unchecked"];

/** Shares of verdicts against the part of the effect that an answer is off, quantity by quantity. */
export function doseTable(judged, titles) {
  const share = (part, k, quantity) => {
    const found = judged.flatMap(({ dose }) => dose[k][quantity] ?? []);
    return statuses.map((status) => Math.round((100 * found.filter((each) => each === status).length) / (found.length || 1))).join(" / ");
  };
  return [
    `| part of the effect | ${Object.values(titles).join(" | ")} |`,
    `| --- | ${Object.keys(titles)
      .map(() => "---")
      .join(" | ")} |`,
    ...doses.map(
      (part, k) =>
        `| ${100 * part} % | ${Object.keys(titles)
          .map((quantity) => share(part, k, quantity))
          .join(" | ")} |`,
    ),
  ];
}
