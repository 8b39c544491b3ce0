/** The kinds of folders that people have, made of coloured shapes: for the tests of `flava new`. */
import { packTar } from "modern-tar";
import { openSource, type Sample } from "../../src/data/index.ts";
import { collect, temporaryFolder, writeFiles } from "./data-fixtures.ts";

/** A folder of each kind, by what is given to `flava new`. */
export interface OwnData {
  readonly root: string;
  readonly jsonl: string;
  readonly tars: string;
  readonly folder: string;
  readonly pictures: string;
  readonly csv: string;
  readonly texts: string;
}

/** So many samples, in every layout. Names have spaces, capitals and letters of other languages. */
export async function ownData(count: number): Promise<OwnData> {
  const root = await temporaryFolder();
  const samples = (await collect(await openSource({ type: "synthetic", count, size: 32 }))).map(({ sample }) => sample);
  const captions = samples.map(({ texts }) => texts![0]!);
  const files: Record<string, Uint8Array | string> = {
    "my pairs/pairs.jsonl": captions
      .map((text, i) => JSON.stringify({ image: `img/${i}.png`, caption: text }))
      .join("\n"),
    "table.csv": ["filepath,title", ...captions.map((text, i) => `my pairs/img/${i}.png,${text}`)].join("\n"),
    "texts.txt": captions.join("\n"),
  };
  for (const [i, { image }] of samples.entries()) {
    files[`my pairs/img/${i}.png`] = image!;
    files[`Bilder für alle/Bild ${i}.PNG`] = image!;
    files[`Bilder für alle/Bild ${i}.txt`] = captions[i]!;
    files[`pictures/${i}.png`] = image!;
  }
  const half = Math.ceil(count / 2);
  files["tars/0.tar"] = await shard(samples.slice(0, half), 0);
  files["tars/1.tar"] = await shard(samples.slice(half), half);
  await writeFiles(root, files);
  return {
    root,
    jsonl: `${root}/my pairs/pairs.jsonl`,
    tars: `${root}/tars`,
    folder: `${root}/Bilder für alle`,
    pictures: `${root}/pictures`,
    csv: `${root}/table.csv`,
    texts: `${root}/texts.txt`,
  };
}

function shard(samples: readonly Sample[], from: number): Promise<Uint8Array> {
  const entries = samples.flatMap(({ image, texts }, i) => {
    const text = new TextEncoder().encode(texts![0]!);
    return [
      { header: { name: `${from + i}.png`, size: image!.length }, body: image! },
      { header: { name: `${from + i}.txt`, size: text.length }, body: text },
    ];
  });
  return packTar(entries);
}
