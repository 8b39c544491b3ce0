/** How a model's pictures are prepared: as its preprocessor_config.json says, else at the model's own sizes. */
import { ConfigError } from "../errors.ts";
import { type FlavaImageOptions, imageOptionsFromJson } from "../image/index.ts";
import type { PictureSizes } from "../models/index.ts";

/**
 * `imageSize` stands for the model's own size where it is given. Throws ConfigError for what is not computed here, for a picture that is
 * not the model's size, and for sides that are no whole patches.
 */
export function imageOptions(
  where: string,
  json: Readonly<Record<string, unknown>> | undefined,
  pictures: PictureSizes,
  imageSize?: number | undefined,
): FlavaImageOptions {
  const { size, codebookSize, patchSize, fit } = pictures;
  const said = json ? imageOptionsFromJson(json) : { size, codebookSize, ...(fit && { fit }) };
  if (imageSize === undefined) {
    const { cropSize = said.size } = said as FlavaImageOptions;
    if (cropSize === size) return said;
    throw new ConfigError(`${where}: preprocessor_config.json: expected pictures of ${size} pixels, got ${cropSize}`);
  }
  if (!(imageSize >= patchSize && imageSize % patchSize === 0))
    throw new ConfigError(`imageSize: expected whole patches of ${patchSize} pixels, got ${imageSize}`);
  return { ...said, size: imageSize, cropSize: imageSize };
}
