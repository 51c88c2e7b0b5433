#!/usr/bin/env node
// CommonJS: there sooner than Node's loader of modules.
const { readdirSync, statSync } = require("node:fs");
const { join } = require("node:path");

// The command starts sooner from one file than from nine hundred. In the workspace, what was compiled after that file was made counts
// instead.
const packages = join(__dirname, "../..");
const made = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const bundle = join(__dirname, "../dist/finitewidth-start.cjs");
const compiled = ["../verification", ...readdirSync(packages)].map((name) => made(join(packages, name, "dist/tsconfig.tsbuildinfo")));
if (made(bundle) > Math.max(...compiled)) require(bundle);
else import("../dist/launch.js").then(({ launch }) => launch(process.argv.slice(2)));
