// Changelogs for readers: what changed, without hashes; packages that are only carried along say so in one line.
module.exports = {
  getReleaseLine: async ({ summary }) => {
    const [first, ...rest] = summary.trim().split("\n");
    return `- ${first}${rest.map((line) => `\n  ${line}`.trimEnd()).join("")}`;
  },
  getDependencyReleaseLine: async (_changesets, dependencies) =>
    dependencies.length === 0 ? "" : `- Works with ${dependencies.map(({ name, newVersion }) => `\`${name}\` ${newVersion}`).join(", ")}.`,
};
