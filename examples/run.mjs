/** `npm run example NAME -- [arguments]`: compiles an example and runs it. The number is enough for the name. */
import { compile, names } from "./compile.mjs";

const [wanted = "", ...args] = process.argv.slice(2);
const name = names.find((one) => one === wanted || one.startsWith(`${wanted}-`));
if (name === undefined) {
  process.stderr.write(`expected one of\n${names.map((one) => `  ${one}`).join("\n")}\ngot "${wanted}"\n`);
  process.exitCode = 2;
} else {
  process.argv = [process.argv[0], `${name}/main.ts`, ...args];
  await import(compile(name));
}
