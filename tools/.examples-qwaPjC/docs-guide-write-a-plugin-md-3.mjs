const figure = {
  name: "mine-evidence",
  summary: "log evidence against width",
  paper: "Mine 2026, A paper",
  statement: "Narrow networks have more evidence.",
  differences: "Two points in place of a thousand.",
  async compute(size, lab) {
    const widths = size === "quick" ? [4, 8, 16] : [4, 8, 16, 32, 64, 128];
    const steps = await lab.experiment("mine", {
      data: { train: { inputs: [[1, 0], [0, 1]], targets: [[2], [-2]] } },
      network: { type: "fully-connected", widths: [4], activation: "identity" },
      likelihood: { temperature: 0.1 },
      methods: ["nngp", "exact"],
      sweep: { widths: widths.map((width) => [width]) }
    });
    return { widths, gain: steps.map(({ methods }) => methods.exact.posterior.logEvidence - methods.nngp.posterior.logEvidence) };
  },
  pictures: ({ widths, gain }) => [
    {
      caption: "Log evidence minus that of infinite width.",
      figure: { kind: "lines", title: "evidence", xLabel: "width N", yLabel: "gain", logX: true, series: [{ label: "exact", x: Float64Array.from(widths), y: Float64Array.from(gain) }] }
    }
  ],
  checks: ({ gain }) => [{ name: "narrow over wide", expected: "a fall", found: gain.join(", "), holds: gain[0] > gain.at(-1) }],
  faults: [{ name: "no width", apply: (numbers) => ({ ...numbers, gain: numbers.gain.map(() => 0) }) }]
};
console.log(figure.name);
