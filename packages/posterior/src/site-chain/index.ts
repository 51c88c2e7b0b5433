export { deeperKernelsLeftOut, firstHiddenKernelBetweenSites, fitSiteChain, lacksDeeperKernels } from "./fit.js";
export { partScores, prunedMeans, siteWeights } from "./parts.js";
export { predictSiteChain, storedDraws } from "./predict-posterior.js";
export { siteChainPrior } from "./prior.js";
