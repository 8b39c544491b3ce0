import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { DEMO_INFO, writeDemoRun } from "../../test/support/demo-run.ts";
import { ConfigError, DataError } from "../errors.ts";
import { resolveRecipe } from "../pretrain/recipe/index.ts";
import {
  environment,
  type GallerySection,
  loadGallery,
  loadRunInfo,
  refuseOldRun,
  saveGallerySection,
  saveRunInfo,
} from "../record/index.ts";
import { chartMaker, short } from "./chart.ts";
import { type Html, html } from "./html.ts";
import { modelCard, writeCard, writeReport } from "./index.ts";
import { resultCards } from "./numbers.ts";
import { pictureSection } from "./pictures.ts";

let folder = "";
let run = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-report-"));
  run = join(folder, "run");
  await writeDemoRun(run);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of the demo run to damage. */
async function copy(name: string): Promise<string> {
  await cp(run, join(folder, name), { recursive: true });
  return join(folder, name);
}

describe("writeReport", () => {
  let page = "";
  beforeAll(async () => {
    expect(await writeReport(run)).toBe(join(run, "report.html"));
    page = await readFile(join(run, "report.html"), "utf8");
  });

  it("makes one page that needs no network and no script", () => {
    const links = [...page.matchAll(/(?:src|href|xlink:href|data|poster|action)="([^"]*)"/g)].map((match) => match[1]!);
    expect(links.length).toBeGreaterThan(40);
    for (const link of links) expect(link).toMatch(/^(#|data:image\/png;base64,)/);
    expect(page).not.toMatch(/<script|@import|url\((?!#)/i);
    expect(page.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:\/\//);
  });

  it("is well-formed: every element that is opened is closed, in order", () => {
    const open: string[] = [];
    const empty = /^(meta|img|br|wbr|rect|!doctype)$/i;
    for (const [tag, close, name] of page
      .replace(/<style>.*?<\/style>/s, "")
      .matchAll(/<(\/?)([a-z!][a-z0-9]*)[^>]*>/gi)) {
      if (empty.test(name!) || tag.endsWith("/>")) continue;
      if (close === "") open.push(name!);
      else expect(open.pop(), tag).toBe(name);
    }
    expect(open).toEqual([]);
  });

  it("leads every link of its menu to a place", () => {
    for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${id}"`);
  });

  it("shows each section of the gallery, the right answers marked, in the order of the files", () => {
    const titles = [...page.matchAll(/<section id="pictures-([^"]+)"><h2>([^<]+)/g)].map((match) => match[1]);
    expect(titles).toEqual([
      "1-found",
      "2-found-pictures",
      "3-mistakes",
      "4-attention",
      "5-words",
      "5b-words-near",
      "5c-confusion",
      "6-patches",
      "7-codebook",
    ]);
    expect(page.match(/<li class="right">/g)).toHaveLength(6);
    expect(page.match(/<figure class="right">/g)).toHaveLength(3);
    expect(page).toContain('<li class="answer" value="23">');
    expect(page.match(/<rect x="/g)!.length).toBeGreaterThan(36);
  });

  it("tells how far colours are off, beside one colour a picture", () => {
    expect(page).toContain(
      '<tr><td>one colour a picture, its mean</td><td class="number">21.0</td><td class="number">16.0</td></tr>',
    );
  });

  it("shows the neighbours of words, each with its cosine", () => {
    expect(page).toContain(
      '<tr><td>strawberry</td><td><span class="near">fruit <small>0.81</small></span> <span class="near">&lt;i&gt; <small>-0.20</small></span> </td></tr>',
    );
  });

  it("shows which class is taken for which, and how many of each are right", () => {
    expect(page).toContain(
      '<td class="wrong" title="cat, named &lt;b&gt;dog"><i style="opacity:0.225"></i><span>1</span></td>',
    );
    expect(page).toContain('<td class="share">75 %</td>');
    expect(page).not.toContain("NaN");
  });

  it("says which words the model does not see, of the sets that have any", () => {
    expect(page).toContain(
      '<td>test unseen_families</td><td class="number">491</td><td class="number">2.5 %</td><td class="number">4</td><td>quokka (12), &lt;b&gt;|`',
    );
    expect(page).not.toContain("pairs starter:pairs</td>");
  });

  it("colours attention where it is more than even, on one scale a text, and even attention not at all", () => {
    const shades = (...maps: number[][]): string[] => {
      const words = maps.map((weights) => ({ text: "w", weights }));
      const section = { kind: "attention", title: "t", items: [{ image: "a.png", grid: [2, 2], words }] } as const;
      const { markup } = pictureSection({ name: "t", section, images: new Map([["a.png", "data:"]]) });
      return [...markup.matchAll(/<rect x="(\d)" y="(\d)"[^>]* opacity="([^"]+)"/g)].map(
        ([, x, y, o]) => `${x},${y} ${o}`,
      );
    };
    expect(shades([1, 1, 1, 1], [0, 0, 0, 0])).toEqual([]);
    expect(shades([1.1, 0.9, 1, 1])).toEqual(["0,0 0.100"]);
    expect(shades([0, 0, 0, 8], [0, 2, 1, 1])).toEqual(["1,1 1.000", "1,0 0.333"]);
  });

  it("draws a chart a metric with its chance level, recalls in one, the sum of several losses aside", () => {
    const labels = [...page.matchAll(/<svg role="img" aria-label="([^"]+)"/g)].map((match) => match[1]);
    expect(labels).toEqual(
      expect.arrayContaining([
        "mim by step; chance is 6.24",
        "eval/validation/i2t_r by step; chance of @1 is 0.0156",
        "lr by step",
      ]),
    );
    expect(labels.filter((label) => label!.startsWith("eval/validation/i2t_r"))).toHaveLength(1);
    expect(page).toMatch(/<summary>more: [^<]*loss[^<]*grad_norm<\/summary>/);
    expect(page.match(/>chance( @1)?<\/text>/g)!.length).toBe(5);
  });

  it("says beside a result without a multiple what a guess scores, and praises no multiple below 1", () => {
    const results = { own_i2t_r1: 0, own_i2t_r1_over_chance: 0, own_i2t_r5: 0.1 };
    const { markup } = resultCards({ ...DEMO_INFO, results, chance: { own_i2t_r1: 0.025, own_i2t_r5: 0.125 } }) as Html;
    expect(markup).toContain("<span>0× chance (1 right of about 40 captions)</span>");
    expect(markup).toContain("<span>chance 12.5 %</span>");
  });

  it("prints the results, large and in the table, with their meaning, their chance and among how many", () => {
    const name = "unseen_<wbr>families_<wbr>i2t_r1";
    expect(page).toContain(
      `<b>21.3 %</b><code>${name}</code><span>pictures whose right caption is ranked first</span><span><em>34.9×</em> chance (1 right of about 164 captions)</span>`,
    );
    expect(page).toContain(
      `<code>${name}</code><small>pictures whose right caption is ranked first (1 right of about 164 captions)</small></td><td class="number">21.3 %</td><td class="number">0.61 %<small>34.9× that</small></td>`,
    );
    const cards = Array.from(page.matchAll(/<div class="result"><b>[^<]*<\/b><code>(.*?)<\/code>/g), ([, text]) =>
      text!.replaceAll("<wbr>", ""),
    );
    const compared = cards.filter((card) => `${card}_over_chance` in DEMO_INFO.results);
    expect(compared.length).toBeGreaterThan(1);
    expect(cards.slice(0, compared.length)).toEqual(compared);
    expect(page).toContain("commit 0123456789ab");
    expect(page).toContain("hiddenSize: ");
  });

  it("never breaks a name inside its number", () => {
    expect(page).toContain("unseen_<wbr>families_<wbr>i2t_r10<");
    expect(page).not.toMatch(/<code>[^<]*i2t_<wbr>r/);
  });

  it("keeps what is measured on held-out data apart from what training logs, and draws no chart of one point", async () => {
    const short = await copy("short");
    const line = (step: number, values: object): string => JSON.stringify({ stage: "joint", step, time: 1, ...values });
    const lines = [
      line(1, { "mim/accuracy": 0.1 }),
      line(2, { "mim/accuracy": 0.2 }),
      line(2, { "eval/mim/accuracy": 0.3 }),
    ];
    await writeFile(join(short, "metrics.jsonl"), `${lines.join("\n")}\n{"stage":"jo`);
    const text = await readFile(await writeReport(short), "utf8");
    expect([...text.matchAll(/aria-label="([^"]+) by step/g)].map((match) => match[1])).toEqual(["mim/accuracy"]);
    expect(text).toContain("<summary>measured once: eval/mim/accuracy</summary>");
    expect(text).toContain('<td class="number">30.0 %<small>step 2</small></td>');
    expect(text).toContain("1 line of metrics.jsonl could not be read and is not drawn.");
  });

  it("shows a text as it was written where the model does not see every word of it", () => {
    const words = (caption: string): string => {
      const item = { caption, tokens: [{ text: "a" }, { text: "dog" }, { text: "##gy" }] };
      const section = { kind: "masked-words", title: "t", items: [item] } as const;
      return pictureSection({ name: "t", section, images: new Map() }).markup;
    };
    expect(words("A doggy.")).not.toContain("written:");
    expect(words("A tall doggy.")).toContain("<b>written:</b> A tall doggy.");
  });

  it("escapes what comes from data", () => {
    expect(page).toContain("A &lt;Processor&gt;");
    expect(page).toContain("<td>&lt;b&gt;</td>");
    expect(page).not.toContain("A <Processor>");
  });

  it("reports a run that has only begun", async () => {
    const young = await copy("young");
    await rm(join(young, "gallery"), { recursive: true });
    await rm(join(young, "metrics.jsonl"));
    await saveRunInfo(young, { ...DEMO_INFO, status: "running", stages: {}, results: {} });
    const text = await readFile(await writeReport(young, { output: join(folder, "young.html") }), "utf8");
    expect(text).toContain("Still running");
    expect(text).toContain("The run has no final numbers yet.");
  });

  it("reports a run whose recipe is of another version", async () => {
    const old = await copy("old");
    await writeFile(join(old, "recipe.json"), '{"name":"old","shuffleBuffer":4}');
    expect(await readFile(await writeReport(old), "utf8")).toContain("shuffleBuffer: 4");
  });

  it("says what is missing or damaged, and where", async () => {
    await expect(writeReport(join(folder, "nowhere"))).rejects.toThrow(
      /run\.json: .*got none\n {2}help: there is no folder/,
    );
    const bad = await copy("bad");
    await rm(join(bad, "gallery", "original-0.png"));
    await expect(writeReport(bad)).rejects.toThrow(/original-0\.png: expected an image of the report, got ENOENT/);
    await writeFile(
      join(bad, "gallery", "1-found.json"),
      '{"kind":"reconstructions","title":"x","items":[{"original":"../../etc/x.png"}]}',
    );
    await expect(writeReport(bad)).rejects.toThrow(DataError);
    await expect(loadGallery(bad)).rejects.toThrow(
      /1-found\.json: .*\n✖ expected the name of a PNG, JPEG or WebP file in gallery\//,
    );
    await writeFile(join(bad, "run.json"), "{}");
    await expect(writeReport(bad)).rejects.toThrow(/run\.json: expected what a run writes\n✖/);
  });
});

describe("saveGallerySection", () => {
  it("refuses an attention map whose weights are not one a patch", async () => {
    const section: GallerySection = {
      kind: "attention",
      title: "x",
      items: [{ image: "a.png", grid: [2, 2], words: [{ text: "a", weights: [1, 2, 3] }] }],
    };
    await expect(saveGallerySection(run, "x", section)).rejects.toThrow(/expected a weight a patch of the grid/);
  });
});

describe("charts", () => {
  it("draw a line through every point where there are few", async () => {
    const draw = await chartMaker();
    const points = [0, 1, 2].map((x) => [x, x * x] as const);
    const { markup } = draw({ lines: [{ name: "a", points }], label: 'a "b" & <c>' });
    expect(markup).toContain('aria-label="a &quot;b&quot; &amp; &lt;c>"');
    expect(markup).toMatch(/<path d="M[\d.]+ [\d.]+L[\d.]+ [\d.]+L[\d.]+ [\d.]+" fill="none" stroke="var\(--c1\)"/);
    expect(markup).toContain(">4</text>");
  });

  it("average many points into few, and a single one does not fail", async () => {
    const draw = await chartMaker();
    const many = Array.from({ length: 100_000 }, (_, x) => [x, Math.sin(x)] as const);
    expect(draw({ lines: [{ name: "a", points: many }], label: "a" }).markup.length).toBeLessThan(20_000);
    expect(draw({ lines: [{ name: "a", points: [[5, 1]] }], chance: 2, label: "a" }).markup).toContain("<svg");
  });

  it("shorten numbers", () => {
    expect([0, 0.5, 1234, 12_345, 1_234_567, 0.00012, -3.14].map(short)).toEqual([
      "0",
      "0.5",
      "1230",
      "12.3k",
      "1.23M",
      "1.2e-4",
      "-3.14",
    ]);
  });
});

describe("html", () => {
  it("escapes texts, keeps markup, leaves out what is absent", () => {
    expect(
      html`<p title="${'"'}">${"<&>'"}${html`<b>${1}</b>`}${undefined}${false}${["a", html`<i>`]}</p>`.markup,
    ).toBe('<p title="&quot;">&lt;&amp;&gt;&#39;<b>1</b>a<i></p>');
  });
});

describe("the model card", () => {
  it("has front matter that the Hub reads, results, data and how to repeat it", async () => {
    const text = await readFile(await writeCard(run, { license: "cc-by-4.0" }), "utf8");
    const [, front, body] = /^---\n(.*?)\n---\n(.*)$/s.exec(text)!;
    const meta = parse(front!) as Record<string, unknown>;
    expect(meta).toMatchObject({ license: "cc-by-4.0", library_name: "flava", language: ["en"] });
    const [{ results }] = meta["model-index"] as [{ results: [{ metrics: object[] }] }];
    expect(results[0].metrics[0]).toEqual({ type: "recall", name: "unseen_families_i2t_r1", value: 0.213 });
    expect(body).toContain(
      "| `unseen_families_i2t_r1` | pictures whose right caption is ranked first (1 right of about 164 captions) | 0.213 | 0.006103 | 34.9× |",
    );
    expect(body).toMatch(/^- images: `starter:/m);
    expect(body).toContain("flava pretrain recipes/starter.yaml");
    expect(body).toContain("| `test unseen_families` | 491 | 2.5 % | 4 | ``quokka (12), <b>\\|` (3)`` |");
    expect(body).toContain("| made of visual words | 11.6 | 8.7 |\n| one colour a patch, its mean | 10.2 | 8.9 |");
    expect(body).toContain("| codebook | dvae | 300 | 19,200 | 812,345 | 2 min 10 s |");
  });

  it("says how the files open in transformers, by what config.json says", async () => {
    const card = async (config: object): Promise<string> => {
      await writeFile(join(run, "config.json"), JSON.stringify(config));
      return readFile(await writeCard(run), "utf8");
    };
    expect(await card({ model_type: "flava" })).toMatch(
      /## In transformers\n\n.*`FlavaForPreTraining`.*nothing missing/,
    );
    expect(await card({ flava_notes: ["The codebook has 3 groups.", "a <b>"] })).toContain(
      "except for what this says:\n\n- The codebook has 3 groups.\n- a &lt;b&gt;\n",
    );
    await rm(join(run, "config.json"));
    expect(await readFile(await writeCard(run), "utf8")).not.toContain("## In transformers");
  });

  it("names no licence by itself, and says when nothing was measured", async () => {
    const { recipe } = await resolveRecipe("recipes/starter.yaml");
    const text = modelCard({ ...DEMO_INFO, results: {} }, JSON.parse(JSON.stringify(recipe)));
    expect(text).not.toContain("license");
    expect(text).toContain("Not measured.");
    const { coverage } = DEMO_INFO;
    const known = { ...DEMO_INFO, coverage: { pairs: coverage!["pairs starter:pairs"]! } };
    expect(modelCard(known, {})).toContain("has a spelling for every word");
    expect(modelCard({ ...DEMO_INFO, coverage: undefined }, {})).not.toContain("Words it does not know");
  });
});

describe("run.json", () => {
  it("comes back as it was saved", async () => {
    expect(await loadRunInfo(run)).toEqual(DEMO_INFO);
  });

  it("knows this machine", async () => {
    expect(await environment("engine 1", 0)).toMatchObject({ engine: "engine 1", node: process.versions.node });
    expect((await environment("engine 1", 3)).threads).toBe(3);
  });

  it("keeps a new run out of a folder that holds one", async () => {
    await expect(refuseOldRun(run)).rejects.toThrow(ConfigError);
    await expect(refuseOldRun(run)).rejects.toThrow(
      /got (recipe|run|metrics)\.jsonl?\n {2}help: go on with it by --resume latest/,
    );
    await expect(refuseOldRun(join(folder, "new"))).resolves.toBeUndefined();
  });
});
