/** Pictures and texts as rows of numbers that can be compared. */
import { FlavaModel } from "flava/api";

const [picture = "drawings/red-apple.png", ...texts] = process.argv.slice(2);
if (texts.length === 0) texts.push("a red apple", "a blue car");

await using model = await FlavaModel.fromPretrained(process.env.MODEL ?? "runs/starter");
const { image_embeds } = await model.encodeImage(picture, { outputs: ["image_embeds"] });
const { text_embeds } = await model.encodeText(texts, { outputs: ["text_embeds"] });
console.log("image_embeds", image_embeds.dims.join(" x "));
console.log("text_embeds", text_embeds.dims.join(" x "));

// Rows have length 1: their product is the cosine.
const image = image_embeds.row(0);
for (const [i, text] of texts.entries()) {
  const cosine = text_embeds.row(i).reduce((sum, x, e) => sum + x * image[e]!, 0);
  console.log(cosine.toFixed(3), text);
}
