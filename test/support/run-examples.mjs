/** Runs examples one after another in this process: [[name, [arguments]], …] → their lines, as JSON. */
import { compile } from "../../examples/compile.mjs";

const printed = {};
const { log } = console;
for (const [name, args] of JSON.parse(process.argv[2])) {
  printed[name] = [];
  console.log = (...parts) => printed[name].push(parts.join(" "));
  process.argv = [process.argv[0], name, ...args];
  await import(compile(name));
}
log(JSON.stringify(printed));
