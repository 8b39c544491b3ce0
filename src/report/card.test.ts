/** The card: what it says is text whatever a recipe holds, and its snippet runs in a folder that holds what a run exports. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEMO_INFO } from "../../test/support/demo-run.ts";
import { entriesOf, saveSafetensors } from "../hub/index.ts";
import { saveJson } from "../io/index.ts";
import { textGraph, toHuggingFaceConfig, variants } from "../models/flava/index.ts";
import { initialize } from "../nn/index.ts";
import { bertTokenizer } from "../text/index.ts";
import { modelCard } from "./card.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-card-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the card's snippet", () => {
  it("runs in a folder that holds model.safetensors, config.json and tokenizer.json, under names that the package exports", async () => {
    const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "red", "car"];
    const config = { ...variants.tiny, text: { ...variants.tiny.text, vocabSize: words.length } };
    const { params } = textGraph(config, { batch: 1, textLength: 4 });
    await saveSafetensors(join(folder, "model.safetensors"), entriesOf(initialize(params, 1)));
    await saveJson(join(folder, "config.json"), toHuggingFaceConfig(config));
    await saveJson(join(folder, "tokenizer.json"), bertTokenizer(words).json);
    const [, snippet] = /```ts\n([\s\S]*?)```/.exec(modelCard(DEMO_INFO, {}))!;
    const { outputText } = ts.transpileModule(snippet!, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    const script = join(root, "build", "card-snippet.mjs"); // inside the package, so that it finds "flava" by its exports
    await mkdir(join(root, "build"), { recursive: true });
    await writeFile(script, outputText);
    const printed = execFileSync(process.execPath, [script], { cwd: folder, encoding: "utf8" });
    expect(printed.trim()).toBe(`[ 2, ${config.projectionDim} ]`);
  });

  it("is all the code there is, besides how to repeat the run", () => {
    const fences = [...modelCard(DEMO_INFO, {}).matchAll(/^```(\w+)$/gm)].map((match) => match[1]);
    expect(fences).toEqual(["ts", "sh"]);
  });
});

describe("modelCard", () => {
  it("makes no markup of what a recipe or a run holds", () => {
    const evil = '<img src=x onerror="alert(1)">';
    const info = {
      ...DEMO_INFO,
      name: `${evil} | *b* [l](javascript:x)`,
      environment: { ...DEMO_INFO.environment, cpu: evil },
      stages: { [evil]: DEMO_INFO.stages.joint! },
      results: { [`a|b\`${evil}`]: 0.5 },
      command: "flava pretrain `x`\n```\n<script>",
    };
    const text = modelCard(info, { data: { pairs: [{ source: `x\`${evil}\n## no heading` }] } });
    const [, body] = /^---\n[\s\S]*?\n---\n([\s\S]*)$/.exec(text)!;
    // What is left after code of every kind is what a reader of Markdown would take for markup.
    const prose = body!.replace(/^(`{3,})\w*\n[\s\S]*?\n\1$/gm, "").replace(/(`+)[\s\S]*?[^`]\1(?!`)/g, "");
    expect(prose).not.toMatch(/<\w|(?<!\\)\]\(javascript/);
    expect(prose).toContain("&lt;img src=x");
    expect(prose.match(/^## .*$/gm)).not.toContain("## no heading");
  });

  it("says less of a recipe that it does not understand, and fails for none", () => {
    for (const recipe of [{}, { model: null }, { model: { image: 3 }, data: { pairs: "synthetic:8" }, vocabulary: [] }])
      expect(modelCard(DEMO_INFO, recipe)).toContain("## What it can't do");
    expect(
      modelCard(DEMO_INFO, { data: { pairs: "synthetic:8", texts: [{ type: "lines", path: ["a", "b"] }] } }),
    ).toMatch(/- pairs: `synthetic:8`\n- texts: `a::b`/);
  });
});
