/** Writes TensorBoard event files, which Weights & Biases imports too. */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { namesIn, writeError } from "../../io/index.ts";
import { type EventContent, eventFrame, type PngImage } from "./event.ts";

export interface EventWriter extends AsyncDisposable {
  readonly path: string;
  scalars(step: number, values: Readonly<Record<string, number>>): Promise<void>;
  image(step: number, tag: string, image: PngImage): Promise<void>;
  text(step: number, tag: string, text: string): Promise<void>;
  /** Makes what was written last through a power cut. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface EventWriterOptions {
  /**
   * The last step of earlier files of the folder that stays: TensorBoard forgets what they hold after it, and all they hold where
   * this is 0. Absent: all stays.
   */
  readonly keepUntil?: number | undefined;
  /** Seconds since 1970; for tests. */
  readonly now?: (() => number) | undefined;
}

let counter = 0;

/** Starts a new event file in `folder`, which is made if needed. Throws FileError if it cannot be written. */
export async function openEvents(folder: string, options: EventWriterOptions = {}): Promise<EventWriter> {
  const { keepUntil, now = () => Date.now() / 1000 } = options;
  const earlier = (await namesIn(folder)).some((name) => name.includes(".tfevents."));
  const name = `events.out.tfevents.${String(Math.floor(now())).padStart(10, "0")}.${hostname()}.${process.pid}.${counter++}`;
  const path = join(folder, name);
  const handle = await openNew(folder, path);
  const write = async (step: number, content: EventContent): Promise<void> => {
    await handle.appendFile(eventFrame(now(), step, content)).catch((error: unknown) => {
      throw writeError(path, error);
    });
  };
  const close = (): Promise<void> => handle.close();
  await write(0, { version: "brain.Event:2" });
  if (earlier && keepUntil !== undefined) await write(keepUntil === 0 ? 0 : keepUntil + 1, { restart: true });
  return {
    path,
    scalars: (step, scalars) => write(step, { scalars }),
    image: (step, tag, image) => write(step, { images: { [tag]: image } }),
    text: (step, tag, text) => write(step, { texts: { [tag]: text } }),
    flush: () => handle.sync(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function openNew(folder: string, path: string): Promise<FileHandle> {
  try {
    await mkdir(folder, { recursive: true });
    return await open(path, "a");
  } catch (error) {
    throw writeError(path, error);
  }
}
