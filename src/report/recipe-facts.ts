/** What a card says of a recipe, read from plain data: a run of another version may have other keys, and then says less. */
import { isJsonObject, type Json, type JsonObject } from "../io/index.ts";

/** What page and card say of a recipe. */
export interface RecipeFacts {
  readonly seed: number | undefined;
  readonly image:
    | { readonly layers: number; readonly hiddenSize: number; readonly side: number; readonly patch: number }
    | undefined;
  readonly text: { readonly layers: number; readonly maxTokens: number } | undefined;
  readonly multimodalLayers: number | undefined;
  readonly projectionDim: number | undefined;
  /** "full", "reduced", "file". */
  readonly vocabulary: string | undefined;
  /** Names of the sources by what they give: pairs, images, texts. */
  readonly sources: Readonly<Record<string, readonly string[]>>;
}

/** Reads the facts from recipe.json as saved; what an older version did not write is undefined. */
export function recipeFacts(recipe: JsonObject): RecipeFacts {
  const model = child(recipe, "model");
  const [image, text] = [child(model, "image"), child(model, "text")];
  const [layers, hiddenSize, side, patch] = ["layers", "hiddenSize", "imageSize", "patchSize"].map((key) =>
    number(image, key),
  );
  const [textLayers, maxTokens] = [number(text, "layers"), number(text, "maxPositions")];
  const { kind } = child(recipe, "vocabulary");
  return {
    seed: number(recipe, "seed"),
    image: layers && hiddenSize && side && patch ? { layers, hiddenSize, side, patch } : undefined,
    text: textLayers && maxTokens ? { layers: textLayers, maxTokens } : undefined,
    multimodalLayers: number(child(model, "multimodal"), "layers"),
    projectionDim: number(model, "projectionDim"),
    vocabulary: typeof kind === "string" ? kind : undefined,
    sources: Object.fromEntries(
      ["pairs", "images", "texts"].map((kind) => [kind, list(child(recipe, "data")[kind]).map(sourceName)]),
    ),
  };
}

const child = (of: JsonObject, key: string): JsonObject => {
  const value = of[key];
  return isJsonObject(value) ? value : {};
};

const number = (of: JsonObject, key: string): number | undefined => {
  const value = of[key];
  return typeof value === "number" ? value : undefined;
};

const list = (value: Json | undefined): readonly Json[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value as Json];

/** A source as its recipe spells it: a name, or an object that has one, a path or a type. */
function sourceName(entry: Json): string {
  const spec = isJsonObject(entry) && entry.source !== undefined ? entry.source : entry;
  if (!isJsonObject(spec)) return String(spec);
  const { name, path, type } = spec;
  if (typeof name === "string") return name;
  if (path !== undefined) return list(path).join("::");
  const detail = spec.part ?? spec.count;
  return detail === undefined ? String(type) : `${String(type)}:${String(detail)}`;
}
