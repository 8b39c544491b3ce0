/** `npm run size`: lines of each room under src/, and what the commits since main add and take away. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const ROOT = "src";

const isTest = (path) => /\.(test|bench)\.ts$/.test(path);

/** `git …`, or undefined where there is no git, no repository, or no such branch. */
function git(...args) {
  try {
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}

/** The room of a path below src/: its first folder, or the file itself. */
const roomOf = (path) => path.split("/")[0];

/** room → { files, lines, tests, added, removed } */
const rooms = new Map();
function row(name) {
  const known = rooms.get(name) ?? { files: 0, lines: 0, tests: 0, added: 0, removed: 0 };
  rooms.set(name, known);
  return known;
}

for (const path of readdirSync(ROOT, { recursive: true, encoding: "utf8" })) {
  if (!path.endsWith(".ts")) continue;
  const lines = readFileSync(`${ROOT}/${path}`, "utf8").trimEnd().split("\n").length;
  const room = row(roomOf(path.replaceAll("\\", "/")));
  if (isTest(path)) room.tests += lines;
  else {
    room.files++;
    room.lines += lines;
  }
}

const main = ["main", "origin/main"].find((name) => git("rev-parse", "--verify", "--quiet", name) !== undefined);
const diff = main && git("diff", "--numstat", "--no-renames", `${main}...`, "--", ROOT);
for (const line of (diff ?? "").split("\n").filter(Boolean)) {
  const [added, removed, path] = line.split("\t");
  if (!path.endsWith(".ts") || isTest(path)) continue;
  const room = row(roomOf(path.slice(ROOT.length + 1)));
  room.added += Number(added);
  room.removed += Number(removed);
}

const sum = (key) => [...rooms.values()].reduce((n, room) => n + room[key], 0);
const total = Object.fromEntries(["files", "lines", "tests", "added", "removed"].map((key) => [key, sum(key)]));
const cells = (name, { files, lines, tests, added, removed }) => [
  name.padEnd(12),
  String(files).padStart(6),
  String(lines).padStart(7),
  `${((100 * lines) / total.lines).toFixed(1)} %`.padStart(8),
  String(tests).padStart(7),
  (added + removed > 0 ? `+${added} −${removed}` : "").padStart(14),
];
const print = (list) => process.stdout.write(`${list.join(" ").trimEnd()}\n`);
print(["room".padEnd(12), " files", "  lines", "   share", "  tests", (diff ? `since ${main}` : "").padStart(14)]);
for (const [name, room] of [...rooms].sort(([, a], [, b]) => b.lines - a.lines)) print(cells(name, room));
print(cells("all", total));
