export { gemm, mirrorLower, setWorkspace, workspaceBytes } from "./gemm";
export { jobBytes, runChunk, setJob, setThreaded } from "./parallel";
export { cholesky, pivotValue } from "./cholesky";
export { sparseProduct } from "./sparse";
export { solveLower, solveLowerTransposed } from "./triangular";
export { applyReflectors, applyReflectorsWork, tridiagonalise, tridiagonaliseWork } from "./tridiagonalise";
export { tridiagonalEigen, tridiagonalEigenWork } from "./divide-and-conquer";
export { erfTableLength, kernelMap, map, setErfTable, transpose } from "./maps";
export { normals, philoxWords, setZiggurat, zigguratLength } from "./normals";
