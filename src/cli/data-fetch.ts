/** `flava data fetch starter`. */
import type { Io } from "./command.ts";

interface FetchOptions {
  readonly cacheDir?: string;
}

export async function fetchStarter(_io: Io, _options: FetchOptions): Promise<void> {
  throw new Error("internal: not built yet");
}
