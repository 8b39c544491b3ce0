import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseRecipe } from "./index.ts";

const page = await readFile("docs/recipes.md", "utf8");
const recipes = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => parse(match[1]!));

describe("docs/recipes.md", () => {
  it.each(recipes.map((recipe) => [recipe.name, recipe]))("%s is a recipe", (_, recipe) => {
    expect(Object.keys(parseRecipe(recipe).stages)).toEqual(Object.keys(recipe.stages));
  });

  it("puts the seed into the folder's name", () => {
    expect(parseRecipe({ ...recipes[0], seed: 7, runDir: "runs/{seed}/x" }).runDir).toBe("runs/7/x");
  });
});
