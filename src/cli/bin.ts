#!/usr/bin/env node
/** Entry point of the command: checks the version of Node before anything is loaded that an older one cannot parse. */
const NEEDED = [20, 19] as const; // as `engines` in package.json says

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(`flava: expected Node ${NEEDED.join(".")} or newer, got ${process.versions.node}\n`);
  process.stderr.write("  help: install a newer Node from https://nodejs.org, or with your version manager\n");
  process.exitCode = 1;
} else await import("./main.ts");

export {};
