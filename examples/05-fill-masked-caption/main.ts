/** The words that fit a gap: from the text alone, and with a picture beside it. */
import { FlavaModel } from "flava/api";

const [picture = "drawings/red-apple.png", text = "a red [MASK]"] = process.argv.slice(2);

await using model = await FlavaModel.fromPretrained(process.env.MODEL ?? "runs/starter");
const [blind] = await model.fillMask(text, { topK: 3 });
const [seeing] = await model.fillMask(text, { topK: 3, image: picture });
for (const [how, words] of Object.entries({ text: blind!, picture: seeing! }))
  console.log(
    `${how}: ${words.map(({ token_str, score }) => `${token_str} ${(100 * score).toFixed(1)} %`).join(", ")}`,
  );
