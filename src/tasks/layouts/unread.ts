/** Layouts that are known and not read: what to do instead. */
import { ConfigError } from "../../errors.ts";
import { firstThere } from "./files.ts";
import type { LayoutReader } from "./layout.ts";

/** PatchCamelyon's HDF5 files: 7 GB of pictures in one data set of one file. */
export const pcam: LayoutReader = {
  looks: "camelyonpatch_level_2_split_train_x.h5 and the like",
  isThere: async ({ root }) =>
    (await firstThere(root, [
      "camelyonpatch_level_2_split_valid_x.h5",
      "camelyonpatch_level_2_split_valid_x.h5.gz",
      "camelyonpatch_level_2_split_train_x.h5",
    ])) !== undefined,
  async split({ root, task }) {
    throw new ConfigError(
      `task ${task.name}: ${root}: HDF5 files are not read`,
      "the same pictures are on the Hub as parquet and as CLIP_benchmark's tar shards; or write them as train/CLASS/*.png",
    );
  },
};
