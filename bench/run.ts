/** `npm run bench NAME`: runs one benchmark, which prints `name: value` lines. */
import { say } from "./measure.ts";

/** A new benchmark is a new line here. */
const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  data: async (args) => (await import("./data.ts")).data(args),
};

const [name = "", ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench) await bench(args);
else {
  say(`bench: expected one of ${Object.keys(BENCHES).join(", ")}, got ${name || "nothing"}`);
  process.exitCode = 2;
}
