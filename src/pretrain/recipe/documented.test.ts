import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { lossesOf } from "../../../test/support/below-chance.ts";
import { writeFiles } from "../../../test/support/data-fixtures.ts";
import { ownData } from "../../../test/support/own-data.ts";
import { pretrain } from "../run/run.ts";
import { parseRecipe } from "./index.ts";

const page = await readFile("docs/recipes.md", "utf8");
const recipes = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => parse(match[1]!));

/** A folder with the files that the page's recipes name. */
async function files(): Promise<string> {
  const { root, texts } = await ownData(24);
  const captions = (await readFile(texts, "utf8")).split("\n");
  const rows = (from: number, to: number, more = ""): string =>
    Array.from({ length: to - from }, (_, i) => from + i)
      .map((i) => JSON.stringify({ image: `pictures/${i}.png`, caption: `${captions[i]}${more}` }))
      .join("\n");
  await writeFiles(root, {
    "my.jsonl": rows(0, 16),
    "held-out.jsonl": rows(16, 24),
    "corpus.txt": captions.join("\n"),
    "more.jsonl": rows(0, 16, " zebra"),
  });
  return root;
}

/** As the page has it, but small: the paths, the variant, and two steps a stage. */
function smallRecipe(recipe: object, root: string) {
  const paths = /"((?:my|more|held-out|corpus|runs)[./][^"]*)"/g;
  const raw = JSON.parse(JSON.stringify(recipe).replace(paths, (_, path) => JSON.stringify(`${root}/${path}`)));
  const stages = Object.entries(raw.stages as Record<string, object>).map(([name, stage]) => [
    name,
    { ...stage, steps: 2, batchSize: 4, every: { log: 1, eval: 2, save: 2 } },
  ]);
  return parseRecipe({
    ...raw,
    variant: "tiny",
    model: { image: { layers: 1 }, text: { layers: 1 }, codebook: { blocksPerGroup: 1 } },
    runDir: `${root}/runs/${raw.name}`,
    threads: 1,
    data: { ...raw.data, workers: 0 },
    evaluation: { ...raw.evaluation, maxPairs: 4, batchSize: 4 },
    stages: Object.fromEntries(stages),
  });
}

describe("docs/recipes.md", () => {
  it.each(recipes.map((recipe) => [recipe.name, recipe]))("%s is a recipe", (_, recipe) => {
    expect(Object.keys(parseRecipe(recipe).stages)).toEqual(Object.keys(recipe.stages));
  });

  it("has recipes that train, the last of them on from the first and with its words", async () => {
    const root = await files();
    for (const recipe of recipes) {
      const small = smallRecipe(recipe, root);
      const info = await pretrain({ recipe: small, command: "a test" });
      expect(info.status, recipe.name).toBe("done");
      const losses = await lossesOf(small.runDir, info);
      expect(losses.length, recipe.name).toBeGreaterThan(0);
      for (const { name, loss } of losses) expect(loss, `${recipe.name} ${name}`).toBeGreaterThan(0);
    }
    const words = async (name: string) => JSON.parse(await readFile(`${root}/runs/${name}/tokenizer.json`, "utf8"));
    expect(await words("further")).toEqual(await words("pairs"));
  });

  it("puts the seed into the folder's name", () => {
    expect(parseRecipe({ ...recipes[0], seed: 7, runDir: "runs/{seed}/x" }).runDir).toBe("runs/7/x");
  });
});
