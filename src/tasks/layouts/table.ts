/** The table of layouts. */
import { isAtHand, openData } from "../../datasets/index.ts";
import { ConfigError } from "../../errors.ts";
import type { Layout } from "../schema.ts";
import { cifarBinary } from "./cifar-binary.ts";
import { classFolders } from "./class-folders.ts";
import { clevr } from "./clevr.ts";
import { ferCsv } from "./fer-csv.ts";
import { gtsrb } from "./gtsrb.ts";
import { idx } from "./idx.ts";
import { kitti } from "./kitti.ts";
import { labelledLists } from "./labelled-lists.ts";
import type { LayoutReader } from "./layout.ts";
import { matLists } from "./mat-lists.ts";
import { pathLists } from "./path-lists.ts";
import { stlBinary } from "./stl-binary.ts";
import { karpathyJson, parquet, webdataset } from "./through-sources.ts";
import { pcam } from "./unread.ts";

/** Parts of the starter data, which are fetched where they are not there. */
const starter: LayoutReader = {
  looks: "starter data, fetched by flava data fetch starter",
  isThere: async ({ task }) => isAtHand(`starter:${task.data.splits.test?.[0]}`),
  split: ({ signal }, name) => openData(`starter:${name}`, { signal }),
};

/** A layout that is known by name alone: `looks` says what lies there. */
const unread = (looks: string): LayoutReader => ({
  looks,
  isThere: async () => false,
  async split({ task, root }) {
    throw new ConfigError(`task ${task.name}: ${root}: this layout is not read yet: ${looks}`);
  },
});

/** A new layout is a file beside this one, its name in `LAYOUTS` (schema.ts) and a row here. */
export const layouts: { readonly [L in Layout]: LayoutReader } = {
  "glue-tsv": unread("train.tsv and dev.tsv"),
  "glue-parquet": unread("train-00000-of-00001.parquet and validation-00000-of-00001.parquet"),
  "class-folders": classFolders,
  "path-lists": pathLists,
  "labelled-lists": labelledLists,
  "cifar-binary": cifarBinary,
  "stl-binary": stlBinary,
  idx,
  "mat-lists": matLists,
  gtsrb,
  kitti,
  pcam,
  clevr,
  "fer-csv": ferCsv,
  "vqa-json": unread("v2_OpenEnded_mscoco_train2014_questions.json and annotations"),
  "snli-ve": unread("snli_ve_train.jsonl beside Flickr30K's pictures"),
  "hateful-memes": unread("train.jsonl, dev_unseen.jsonl, test_unseen.jsonl, img/"),
  "karpathy-json": karpathyJson,
  webdataset,
  parquet,
  starter,
};
