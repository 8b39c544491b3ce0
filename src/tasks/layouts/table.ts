/** The table of layouts. */
import { isAtHand, openData } from "../../datasets/index.ts";
import type { Layout } from "../schema.ts";
import { cifarBinary } from "./cifar-binary.ts";
import { classFolders } from "./class-folders.ts";
import { clevr } from "./clevr.ts";
import { ferCsv } from "./fer-csv.ts";
import { glueParquet, glueTsv } from "./glue.ts";
import { gtsrb } from "./gtsrb.ts";
import { idx } from "./idx.ts";
import { kitti } from "./kitti.ts";
import { labelledLists } from "./labelled-lists.ts";
import type { LayoutReader } from "./layout.ts";
import { matLists } from "./mat-lists.ts";
import { hatefulMemes, snliVe, vqaJson } from "./pairs.ts";
import { pathLists } from "./path-lists.ts";
import { pcam } from "./pcam.ts";
import { stlBinary } from "./stl-binary.ts";
import { karpathyJson, parquet, webdataset } from "./through-sources.ts";

/** Parts of the starter data, once they have been fetched. */
const starter: LayoutReader = {
  looks: "the starter data (flava data fetch starter)",
  isThere: async ({ task }) => isAtHand(`starter:${task.data.splits.test?.[0]}`),
  split: ({ signal }, name) => openData(`starter:${name}`, { signal }),
};

/** A new layout is a file beside this one, its name in `LAYOUTS` (schema.ts) and a row here. */
export const layouts: { readonly [L in Layout]: LayoutReader } = {
  "glue-tsv": glueTsv,
  "glue-parquet": glueParquet,
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
  "vqa-json": vqaJson,
  "snli-ve": snliVe,
  "hateful-memes": hatefulMemes,
  "karpathy-json": karpathyJson,
  webdataset,
  parquet,
  starter,
};
