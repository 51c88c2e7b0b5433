#!/usr/bin/env node
import { readdirSync, statSync } from "node:fs";
import { launch } from "../dist/launch.js";

// The command's thread starts sooner from one file than from nine hundred. In the workspace, what was compiled after that file was made
// counts instead.
const packages = new URL("../../", import.meta.url);
const made = (url) => statSync(url, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const bundle = new URL("../dist/finitewidth-start.cjs", import.meta.url);
const compiled = ["../verification", ...readdirSync(packages)].map((name) => made(new URL(`${name}/dist/tsconfig.tsbuildinfo`, packages)));
launch(process.argv.slice(2), made(bundle) > Math.max(...compiled) ? bundle : undefined);
