/** A folder that answers words: indexed once, brought up to date when it is opened. `flava search` does this. */
import { FlavaModel } from "flava/api";
import { modelEncoder, openFolderIndex } from "flava/collections";

const [folder = "drawings", words = "red apple"] = process.argv.slice(2);

await using model = await FlavaModel.fromPretrained(process.env.MODEL ?? "runs/starter");
const encoder = await modelEncoder(model);
const index = await openFolderIndex(folder, encoder);
console.log(
  `${index.pictures} pictures, ${index.changes.encoded} of them new, ${index.bad.length} that cannot be used`,
);

const query = await encoder.texts([words]);
for (const { score, path } of index.search(query, 3)) console.log(score.toFixed(3), path);
