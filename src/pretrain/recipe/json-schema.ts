/** The JSON Schema of recipe files, so that editors complete and check them. */
import { z } from "zod";
import { tables } from "../tables.ts";
import { recipeSchemas } from "./schema.ts";

/** What recipes/recipe.schema.json holds. */
export const recipeJsonSchema = (): Record<string, unknown> => ({
  title: "flava recipe",
  ...z.toJSONSchema(recipeSchemas(tables).file, { io: "input", unrepresentable: "any", reused: "ref" }),
});
