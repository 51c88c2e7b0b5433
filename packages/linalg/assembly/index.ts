export { gemm, gemmRows, mirrorLower, setParallel, setWorkspace, workspaceBytes } from "./gemm";
export { cholesky, clearUpper, pivotValue } from "./cholesky";
export { solveLower, solveLowerTransposed } from "./triangular";
export { applyReflectors, applyReflectorsWork, tridiagonalise, tridiagonaliseWork } from "./tridiagonalise";
export { tridiagonalEigen, tridiagonalEigenWork } from "./divide-and-conquer";
export { crossKernel, erfTableLength, map, setErfTable } from "./maps";
export { normals, philoxWords, setZiggurat, zigguratLength } from "./normals";
