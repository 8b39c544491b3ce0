/** `flava finetune` and `flava predict`: what they say of data before any training, and what they refuse. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COLOURS, colourPicture } from "../../test/support/colour-pictures.ts";
import { temporaryFolder, writeFiles } from "../../test/support/data-fixtures.ts";
import { type Ran, runCommand } from "../../test/support/run-command.ts";
import { tinyModelFolder } from "../../test/support/tiny-model.ts";
import { define as finetune } from "./finetune.ts";
import { define as predict } from "./predict.ts";

let model: string;
let folder: string;
beforeAll(async () => {
  model = await tinyModelFolder();
  folder = await temporaryFolder();
  const rows = Array.from(
    { length: 20 },
    (_, i) => `a ${i % 2 ? "cat" : "dog"} ${i},the ball ${i},${i % 2 ? "yes" : "no"},${i / 4}`,
  );
  const pictures = Object.entries(COLOURS).flatMap(([name, colour]) =>
    [0, 1].map((mark) => [`p/${name}/${mark}.ppm`, colourPicture(colour, mark)] as const),
  );
  await writeFiles(folder, {
    ...Object.fromEntries(pictures),
    "t.csv": ["review,other,stars,score", ...rows, ",x,yes,1", "a cat,x,,1"].join("\n"),
  });
});
afterAll(() => rm(model, { recursive: true }));

const flava = (verb: string, ...args: string[]): Promise<Ran> => runCommand([finetune, predict], verb, ...args);
const table = (): string => join(folder, "t.csv");

describe("flava finetune", () => {
  it("says with --dry-run what it would learn, from what, and how", async () => {
    const { stdout, stderr } = await flava(
      "finetune",
      model,
      "--data",
      table(),
      "--text",
      "review",
      "--label",
      "stars",
      "--dry-run",
    );
    expect(stdout).toMatch(/learned from texts: 2 classes; labels such as "no" are no numbers/);
    expect(stdout).toMatch(/^dropout: 0.1$/m);
    expect(stderr).toMatch(/1 sample left out: the label is missing/);
    expect(stderr).not.toMatch(/learned from/);
    const numbers = await flava(
      "--json",
      "finetune",
      model,
      "--data",
      table(),
      "--text",
      "review",
      "--text-pair",
      "other",
      "--label",
      "score",
      "--as",
      "number",
      "--set",
      "epochs=2",
      "--dry-run",
    );
    expect(numbers.json).toMatchObject({ problem: { textPairs: true, target: { kind: "number" } }, why: "as asked" });
    const classes = await flava(
      "--json",
      "finetune",
      model,
      "--data",
      join(folder, "p"),
      "--share",
      "0.5",
      "--dry-run",
    );
    expect(classes.json.problem).toMatchObject({
      inputs: "image",
      target: { names: ["blue", "green", "red", "yellow"] },
    });
  });

  it("names a column that lines of JSON do not have, the line, and the columns that they have", async () => {
    await writeFiles(folder, {
      "t.jsonl": '{"review":"a cat","stars":1}\n{"review":"a dog","stars":2}\n',
      "some.jsonl": ["a cat", "a dog", "the cat", "the dog"]
        .flatMap((review, i) => [{ review, stars: i % 2 }, { reviews: review }])
        .map((row) => JSON.stringify(row))
        .join("\n"),
    });
    const said = (file: string, text: string, label: string) =>
      flava("finetune", model, "--data", join(folder, file), "--text", text, "--label", label, "--dry-run");
    expect((await said("t.jsonl", "reviev", "stars")).error?.message).toMatch(
      /expected a column reviev, got review, stars .*t.jsonl:1/,
    );
    expect((await said("t.jsonl", "review", "star")).error?.message).toMatch(
      /expected a column star, got review, stars/,
    );
    expect((await said("some.jsonl", "review", "stars")).stderr).toMatch(
      /4 samples left out: expected a column review, got reviews \(the first: some.jsonl:2\)/,
    );
  });

  it("refuses what it cannot understand, by its name", async () => {
    const fails = async (...more: string[]): Promise<string> =>
      String((await flava("finetune", model, "--data", table(), "--dry-run", ...more)).error?.message);
    expect(await fails()).toMatch(/t.csv: expected the names of columns, got none/);
    expect(await fails("--text", "reviev", "--label", "stars")).toMatch(
      /expected a column reviev, got review, other, stars, score/,
    );
    expect(await fails("--text", "review")).toMatch(/expected a column label/);
    expect(await fails("--text-pair", "other")).toMatch(/expected --text beside it/);
    const said = ["--text", "review", "--label", "stars"];
    expect(await fails(...said, "--set", "epoch=3")).toMatch(/expected a setting, got "epoch"\n.*epochs/);
    expect(await fails(...said, "--set", "lr=fast")).toMatch(/lr/);
    expect(await fails(...said, "--best", "acuracy")).toMatch(/best: expected one of accuracy, .*got acuracy/);
  });
});

describe("flava predict", () => {
  it("wants a model with a head, and something to ask it", async () => {
    expect((await flava("predict", model, "a cat")).error?.message).toMatch(/expected a fine-tuned model/);
    expect((await flava("predict", model)).error?.message).toMatch(/expected inputs or --data, got neither/);
  });
});
