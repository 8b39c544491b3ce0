import { describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import type { Json } from "../../io/index.ts";
import { parseRecipe } from "../recipe/index.ts";
import { checkResumable, covers, recipeHash } from "./resumable.ts";

describe("checkResumable", () => {
  const recipe = (changes: Record<string, unknown> = {}): Json =>
    JSON.parse(
      JSON.stringify(
        parseRecipe({
          name: "a",
          data: { pairs: "synthetic:8", images: "synthetic:8", texts: "synthetic:8" },
          stages: {
            text: { kind: "text-mlm" },
            joint: { kind: "joint", optimizer: { lr: 1e-3 } },
            more: { kind: "joint" },
          },
          ...changes,
        }),
      ),
    );
  const saved = { stage: "joint", recipe: recipe(), architecture: { width: 8, words: 100 } };
  const check = (now: Json, architecture: Json = saved.architecture, mayChange: string[] = []): void =>
    checkResumable("runs/a/joint/checkpoint-3", saved, { recipe: now, architecture, mayChange });

  it("lets pass what does not decide the numbers", () => {
    check(recipe());
    check(recipe({ name: "b", runDir: "x", threads: 1, stages: (recipe() as { stages: object }).stages }));
    const { stages } = recipe() as { stages: Record<string, object> };
    check(
      recipe({
        stages: { ...stages, joint: { ...stages.joint, every: { save: 5 } }, more: { kind: "joint", steps: 1 } },
      }),
    );
  });

  it("lists every difference with its path and both values", () => {
    const { stages } = recipe() as { stages: Record<string, object> };
    const now = recipe({ seed: 1, stages: { ...stages, joint: { kind: "joint", optimizer: { lr: 3e-4 } } } });
    expect(() => check(now, { width: 16, words: 100 })).toThrow(ConfigError);
    expect(() => check(now, { width: 16, words: 100 })).toThrow(
      /checkpoint-3: .*\n✖ architecture\.width: was 8, now 16\n✖ seed: was 0, now 1\n✖ stages\.joint\.optimizer\.lr: was 0\.001, now 0\.0003\n {2}help: resume with/,
    );
    const both = ["seed", "stages.joint.optimizer"];
    expect(() => check(now, saved.architecture, ["stages.*.optimizer"])).toThrow(
      /was made with, got another\n✖ seed: was 0, now 1\n/,
    );
    expect(() => check(now, saved.architecture, both)).not.toThrow();
    expect(() => check(now, { width: 16, words: 100 }, [...both, "architecture"])).toThrow(/architecture\.width/);
    expect(recipeHash(now, "joint")).not.toBe(recipeHash(saved.recipe, "joint"));
    expect(recipeHash(recipe({ name: "b" }), "joint")).toBe(recipeHash(saved.recipe, "joint"));
  });
});

describe("covers", () => {
  it.each([
    [["data"], "data.pairs", true],
    [["stages.*.steps"], "stages.text.steps", true],
    [["stages.*.steps"], "stages.text.batchSize", false],
    [["stages.text.optimizer.lr"], "stages.text.optimizer", false],
    [["stages.text"], "stages.texts.steps", false],
    [[], "data", false],
  ])("%j of %s: %s", (keys, path, expected) => expect(covers(keys, path)).toBe(expected));
});
