export { firstHiddenKernelBetweenSites, fitSiteChain, predictSiteChain } from "./fit.js";
export { siteChainPrior } from "./prior.js";
