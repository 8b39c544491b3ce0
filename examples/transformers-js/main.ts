/** An exported FLAVA in transformers.js: a picture compared with captions. Pictures are prepared by flava, which resizes as the training did. */

import { resolve } from "node:path";
import { AutoModel, AutoTokenizer, env, Tensor } from "@huggingface/transformers";
import { FlavaProcessor } from "flava/api";

const [exported = "exported", picture = "cat.jpg", ...given] = process.argv.slice(2);
const folder = resolve(exported); // a relative path would be the name of a repository
env.allowRemoteModels = false;
const captions = given.length > 0 ? given : ["a cat", "a blue car"];
const open = (model_file_name: string) => AutoModel.from_pretrained(folder, { model_file_name, dtype: "fp32" });

const tokenizer = await AutoTokenizer.from_pretrained(folder);
const language = await open("text_model");
const { text_embeds } = (await language(tokenizer(captions, { padding: true }))) as { text_embeds: Tensor };

const processor = await FlavaProcessor.fromPretrained(folder);
const { pixel_values } = await processor({ images: picture });
const vision = await open("vision_model");
const pixels = new Tensor("float32", pixel_values!.data as Float32Array, [...pixel_values!.shape]);
const { image_embeds } = (await vision({ pixel_values: pixels })) as { image_embeds: Tensor };

const [a, b] = [image_embeds.data as Float32Array, text_embeds.data as Float32Array];
for (const [i, caption] of captions.entries()) {
  const cosine = a.reduce((sum, x, e) => sum + x * b[i * a.length + e]!, 0);
  console.log(`${cosine.toFixed(4)} ${caption}`);
}
