/** The JSON Schema of recipe files, so that editors complete and check them. */
import { z } from "zod";
import { fileSchema } from "./schema.ts";

/** What recipes/recipe.schema.json holds. */
export const recipeJsonSchema = (): Record<string, unknown> => ({
  title: "flava recipe",
  ...z.toJSONSchema(fileSchema, { io: "input", unrepresentable: "any", reused: "ref" }),
});
