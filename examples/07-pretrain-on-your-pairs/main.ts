/** A FLAVA of your own: any source of pictures with captions, one joint stage, a model that every other example can open. */

import { writeFile } from "node:fs/promises";
import { pretrain, resolveRecipe } from "flava/pretrain";

const [source = "drawings", runDir = "runs/mine", steps = "200"] = process.argv.slice(2);

const recipe = {
  name: "my-pairs",
  runDir,
  variant: "tiny",
  vocabulary: { kind: "reduced", minCount: 1 },
  data: { pairs: [source], workers: 0 },
  stages: {
    joint: {
      kind: "joint",
      steps: Number(steps),
      batchSize: 16,
      sampling: { pairs: 1, images: 0, texts: 0 },
      lossWeights: { mim: 0, mmmImage: 0 }, // they need a codebook, which is a stage of its own
      every: { log: 10 },
    },
  },
};
await writeFile("my-pairs.json", JSON.stringify(recipe));
const resolved = await resolveRecipe("my-pairs.json");
const { status } = await pretrain({ recipe: resolved.recipe, command: "npm run example 07" });
console.log(`${status}: ${runDir}/model.safetensors`);
