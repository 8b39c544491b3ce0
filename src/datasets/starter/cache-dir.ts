/** Where prepared data is kept: below the cache folder that Hugging Face's tools use, so that one setting moves both. */
export { flavaCache as defaultCacheDir } from "../../io/index.ts";
