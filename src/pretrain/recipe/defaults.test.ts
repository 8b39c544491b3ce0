import { describe, expect, it } from "vitest";
import { parseRecipe } from "./index.ts";

describe("defaults", () => {
  const ALL = {
    codebook: { kind: "dvae" },
    text: { kind: "text-mlm" },
    image: { kind: "image-mim" },
    dino: { kind: "image-dino" },
    joint: { kind: "joint" },
  };

  it.each(["tiny", "small", "base"])("needs no more than pairs and the names of the stages: %s", (variant) => {
    const recipe = parseRecipe({ name: "own", variant, data: { pairs: "own.jsonl" }, stages: ALL });
    expect(recipe.data).toMatchObject({ images: recipe.data.pairs, texts: recipe.data.pairs });
    const { text, image, dino, joint } = recipe.stages;
    expect(text).toMatchObject({ textLength: Math.min(512, recipe.model.text.maxPositions) });
    expect(image).toMatchObject({ init: { image: "random", codebook: "codebook" } });
    expect(dino).toMatchObject({ init: { image: "image" } });
    expect(joint).toMatchObject({ init: { image: "dino", text: "text", codebook: "codebook" } });
  });

  it("takes steps, batches and masks that go with a small model, and ramps that end with the stage", () => {
    const stages = { ...ALL, codebook: { kind: "dvae", steps: 100 }, joint: { kind: "joint", batchSize: 32 } };
    const recipe = parseRecipe({ name: "own", variant: "small", data: { pairs: "own.jsonl" }, stages });
    expect(recipe.stages.codebook).toMatchObject({
      steps: 100,
      firstWords: "clusters",
      encoderLr: 0.1,
      temperature: { start: 1, steps: 60 },
      kl: { start: 0, end: 0 },
    });
    const random = parseRecipe({
      name: "own",
      variant: "small",
      data: { pairs: "own.jsonl" },
      stages: { codebook: { kind: "dvae", steps: 100, firstWords: "random" } },
    });
    expect(random.stages.codebook).toMatchObject({ encoderLr: 1, temperature: { steps: 90 }, kl: { end: 12 } });
    expect(recipe.model.codebook).toEqual({ groups: 4, blocksPerGroup: 1, channels: 3, hiddenSize: 8, vocabSize: 512 });
    expect(recipe.stages.image).toMatchObject({ masking: { patches: 24, minBlock: 5, minAspect: 0.3 } });
    expect(recipe.stages.dino).toMatchObject({ localCrops: { size: 24 }, head: { hiddenSize: 512, outputSize: 4096 } });
    expect(recipe.stages.joint).toMatchObject({ batchSize: 32, textLength: { pairs: 77, texts: 128 } });
    expect(recipe.stages.joint!.schedule.warmupSteps).toBe(recipe.stages.joint!.steps / 20);
  });

  it("takes no other images and texts than pairs where the recipe says so", () => {
    const data = { pairs: "own.jsonl", images: [], texts: "words.txt" };
    const recipe = parseRecipe({ name: "own", variant: "small", data, stages: { text: ALL.text } });
    expect([recipe.data.images, recipe.data.texts[0]!.source]).toEqual([[], "words.txt"]);
  });
});
