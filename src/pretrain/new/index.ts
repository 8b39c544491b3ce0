export { type NewOptions, type NewRecipe, type NewRequest, newRecipe } from "./new.ts";
export type { Size } from "./shape.ts";
