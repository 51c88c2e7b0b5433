export { firstHiddenKernelBetweenSites, fitSiteChain, predictSiteChain } from "./fit.js";
