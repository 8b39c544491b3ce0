/** Which of some labels fits a picture, without training: `pipeline` as in transformers.js. */
import { pipeline } from "flava/api";

const [picture = "drawings/dog.png", labels = "apple,dog,car,house"] = process.argv.slice(2);

await using classify = await pipeline("zero-shot-image-classification", process.env.MODEL ?? "runs/starter");
const results = await classify(picture, labels.split(","), { hypothesis_template: "{}", top_k: 3 });
for (const { score, label } of results) console.log(`${(100 * score).toFixed(1)} % ${label}`);
