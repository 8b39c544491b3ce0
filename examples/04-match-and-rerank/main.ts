/** The multimodal encoder looks again at what the embeddings found: slower, one pair at a time, and it sees both sides at once. */
import { FlavaModel } from "flava/api";
import { modelEncoder, openFolderIndex } from "flava/collections";

const [folder = "drawings", words = "red apple"] = process.argv.slice(2);

await using model = await FlavaModel.fromPretrained(process.env.MODEL ?? "runs/starter");
const encoder = await modelEncoder(model);
const index = await openFolderIndex(folder, encoder);
const found = index.search(await encoder.texts([words]), 20);

const chances = await model.match(
  found.map(({ path }) => `${folder}/${path}`),
  words,
);
const judged = found.map((one, i) => ({ ...one, match: chances[i]! })).sort((a, b) => b.match - a.match);
for (const { match, score, path } of judged.slice(0, 3))
  console.log(`match ${match.toFixed(3)} cosine ${score.toFixed(3)} ${path}`);
