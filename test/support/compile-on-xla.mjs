// Compiles on xla:cpu and keeps the program in a folder: node compile-on-xla.mjs DIST PLUGIN FOLDER
import { pathToFileURL } from "node:url";

const [dist, library, folder] = process.argv.slice(2);
const from = (path) => import(new URL(path, pathToFileURL(dist)).href);
const [{ openXla }, { graph, input, mul }, { fromNumbers, toNumbers }] = await Promise.all([
  from("runtime/xla/device.js"),
  from("graph/index.js"),
  from("tensor/index.js"),
]);
const device = await openXla("cpu", { library, trial: false, compiled: { folder, minMs: 0 } });
const { session } = await device.prepare({ graph: graph("tripled", { y: mul(input("x", [3]), 3) }) });
const { y } = await session.run({ x: fromNumbers([1, 2, 3], [3]) }, { y: "host" });
process.stdout.write(JSON.stringify(toNumbers(y)));
