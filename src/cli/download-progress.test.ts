import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { fakeHub } from "../../test/support/fake-hub.ts";
import { resolveRepository } from "../hub/index.ts";
import { withDownloads } from "./download-progress.ts";
import { createProgress } from "./progress.ts";

it("shows large downloads in MiB, and nothing for what is in the cache", async () => {
  const { url: endpoint } = await fakeHub({ "model.safetensors": new Uint8Array(3 * 2 ** 20), "config.json": "{}" });
  const cacheDir = join(await temporaryFolder(), "hub");
  const lines: string[] = [];
  const io = {
    progress: (options: { label: string; unit: string }) =>
      createProgress({ ...options, stream: { write: (line: string) => lines.push(line) } }),
  };
  const load = () =>
    withDownloads(io, async (onProgress) => {
      const repository = await resolveRepository("org/name", { endpoint, cacheDir, env: {}, token: false, onProgress });
      await repository.paths(["model.safetensors", "config.json"]);
    });
  await load();
  expect(lines).toEqual([expect.stringMatching(/^downloading model.safetensors: 3\/3 MiB \(100 %\), .*MiB\/s, in /)]);
  lines.length = 0;
  await load();
  expect(lines).toEqual([]);
});
