/** `flava export` as it is run: what it prints, and how it refuses. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ran, runCommand } from "../../test/support/run-command.ts";
import { tinyModelFolder } from "../../test/support/tiny-model.ts";
import { define } from "./export.ts";

let model: string;
let root: string;
beforeAll(async () => {
  model = await tinyModelFolder();
  root = mkdtempSync(join(tmpdir(), "flava-cli-export-"));
});
afterAll(() => {
  for (const folder of [model, root]) rmSync(folder, { recursive: true, force: true });
});

const flava = (...args: string[]): Promise<Ran> => runCommand([define], "export", ...args);

describe("flava export", () => {
  it("prints the report as JSON on stdout, and nothing else there", async () => {
    const out = join(root, "json");
    const options = ["--only", "text", "--dtype", "fp32,q8", "--sample-count", "1", "--threads", "1", "--json"];
    const { json, error } = await flava(model, "--out", out, ...options);
    expect(error).toBeUndefined();
    expect(json.files.map(({ file }: { file: string }) => file)).toEqual([
      "onnx/text_model.onnx",
      "onnx/text_model_quantized.onnx",
    ]);
    expect(json.files[0].parity[0]).toMatchObject({ output: "last_hidden_state", cosine: expect.closeTo(1, 6) });
    expect(readdirSync(out)).toContain("README.md");
  });

  it("prints a table for people, and has an example in its help", async () => {
    const { stdout } = await flava(model, "--out", join(root, "table"), "--only", "image", "--sample-count", "1");
    expect(stdout).toMatch(/^1 graph \(.* MB\) and README.md in .*\n/);
    expect(stdout).toMatch(/\| `vision_model.onnx` \| fp32 \| image_embeds \|/);
    expect((await flava("--help")).stdout).toMatch(/Examples:\n {2}flava export /);
  });

  it("refuses what it does not know, and a model that is not there", async () => {
    const wrong = await flava(model, "--out", join(root, "wrong"), "--dtype", "fp32,q4");
    expect(wrong).toMatchObject({ stdout: "", error: { code: "E_CONFIG" } });
    expect(wrong.error!.message).toMatch(/dtype: expected some of fp32, fp16, q8, int8, got "q4"/);
    const missing = await flava(join(root, "nothing"), "--out", join(root, "missing"));
    expect(missing).toMatchObject({ stdout: "", error: { code: "E_FILE" } });
    expect(missing.error!.message).toMatch(/nothing: expected a folder/);
  });
});
