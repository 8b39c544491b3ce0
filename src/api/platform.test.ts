/** The same code under a browser's conditions: files come by fetch, the device is the interpreter. */
import { execFile } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { tinyModelFolder } from "../../test/support/tiny-model.ts";
import { FlavaModel } from "./flava-model.ts";

it.each(["runtime", "api"])("names the same pair for the sources of %s and for the build", (room) => {
  const imports = (path: string) =>
    JSON.parse(readFileSync(path, "utf8")).imports as Record<string, Record<string, string>>;
  for (const [name, pair] of Object.entries(imports(`src/${room}/package.json`))) {
    const built = Object.entries(pair).map(([key, file]) => [
      key,
      file.replace("./", `./dist/${room}/`).replace(/\.ts$/, ".js"),
    ]);
    expect(imports("package.json")[name]).toEqual(Object.fromEntries(built));
  }
});

it("a page opens a model at an address and gets Node's numbers", async () => {
  const folder = await tinyModelFolder();
  const server = createServer((request, response) => {
    try {
      response.end(readFileSync(join(folder, request.url!)));
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  try {
    const script = `import { FlavaModel } from "./dist/api/index.js";
      const address = "http://127.0.0.1:${(server.address() as AddressInfo).port}";
      const events = [];
      const model = await FlavaModel.fromPretrained(address, { device: "interpret", progressCallback: (e) => events.push(e.status) });
      const { text_embeds } = await model.encodeText("a cat", { outputs: ["text_embeds"] });
      const path = await model.encodeImage("cat.jpg").catch((error) => error.message);
      const cpu = await FlavaModel.fromPretrained(address, { device: "cpu" }).catch((error) => error.message);
      console.log(JSON.stringify({ embeds: text_embeds.tolist()[0], path, cpu, events: [...new Set(events)] }));`;
    const flags = ["--conditions=browser", "--input-type=module", "-e", script];
    const { stdout } = await promisify(execFile)(process.execPath, flags);
    const { embeds, path, cpu, events } = JSON.parse(stdout);
    await using model = await FlavaModel.fromPretrained(folder, { threads: 1 });
    expect(embeds).toBeAllclose((await model.encodeText("a cat")).text_embeds.data, { atol: 1e-5 });
    expect(path).toMatch(/cat\.jpg: expected an address/);
    expect(cpu).toMatch(/device "cpu" needs Node.*wasm/s);
    expect(events).toEqual(["initiate", "download", "progress", "done", "ready"]);
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});
