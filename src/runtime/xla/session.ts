/** A compiled program of XLA: asynchronous runs, state donated to the run that replaces it. */
import { EngineError } from "../../errors.ts";
import type { Lowered } from "../../lower/stablehlo/index.ts";
import { allocate, size, type Tensor } from "../../tensor/index.ts";
import { checkRun, isTensor } from "../check.ts";
import { claimBuffers } from "../claims.ts";
import { Handle, watch } from "../handle.ts";
import type { Buffer, PortInfo, RunOptions, Session, SessionFeeds, Want } from "../session.ts";
import { XlaBuffer } from "./buffer.ts";
import type { Client, Program } from "./client.ts";
import type { Pointer } from "./pjrt.ts";

type Wants = Readonly<Record<string, Want>>;

/** What a session is made of. */
export interface SessionParts {
  readonly client: Client;
  readonly program: Program;
  readonly lowered: Lowered;
  /** Input name → output name: memory that the program may use again. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Inputs that belong to the session. */
  readonly weights: Readonly<Record<string, XlaBuffer>>;
}

/** A compiled program with its weights on the device. */
export class XlaSession implements Session {
  readonly name: string;
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  readonly #parts: SessionParts;
  readonly #handle: Handle;

  /** Takes over the program and the weights. */
  constructor(name: string, parts: SessionParts) {
    const { client, program, lowered, weights } = parts;
    this.name = name;
    this.inputs = lowered.inputs.filter((port) => !Object.hasOwn(weights, port.name));
    this.outputs = lowered.outputs;
    this.#parts = parts;
    this.#handle = new Handle(`session ${name}`, () => {
      client.release(program);
      for (const buffer of Object.values(weights)) buffer.dispose();
    });
    watch(this, this.#handle);
  }

  /** `signal` is looked at before the run: XLA does not stop in the middle. */
  async run(feeds: SessionFeeds, want: Wants, { signal }: RunOptions = {}): Promise<Record<string, Tensor | Buffer>> {
    signal?.throwIfAborted();
    this.#handle.check();
    checkRun(this.name, this.inputs, this.outputs, feeds, want);
    const { client, program, weights } = this.#parts;
    const isOurs = (buffer: Buffer): buffer is XlaBuffer => buffer instanceof XlaBuffer && buffer.client === client;
    const giveBack = claimBuffers(this.name, isOurs, feeds, want);
    this.#handle.enter();
    const sent: Promise<void>[] = [];
    const temporary: Pointer[] = [];
    try {
      const all = { ...weights, ...feeds };
      const donated = this.#donated(all, want);
      const pointers = this.#parts.lowered.inputs.map(({ name }) => {
        const feed = all[name]!;
        if (!isTensor(feed)) return (feed as XlaBuffer).pointer;
        temporary.push(client.upload(this.name, feed, 0, (done) => sent.push(done)));
        return temporary.at(-1)!;
      });
      const results = await this.#execute(program, pointers, donated);
      return await this.#collect(results, want);
    } finally {
      await Promise.allSettled(sent); // the caller's arrays are theirs again
      for (const pointer of temporary) client.free(pointer);
      giveBack();
      this.#handle.leave();
    }
  }

  /** The buffers of inputs that this run replaces, by input name. Throws EngineError where one is also read otherwise. */
  #donated(feeds: SessionFeeds, want: Wants): Map<string, XlaBuffer> {
    const donated = new Map<string, XlaBuffer>();
    for (const [input, output] of Object.entries(this.#parts.aliases)) {
      const buffer = feeds[input];
      if (buffer instanceof XlaBuffer && want[output] === buffer) donated.set(input, buffer);
    }
    for (const [input, buffer] of donated)
      for (const [other, feed] of Object.entries(feeds))
        if (other !== input && feed === buffer)
          throw new EngineError(
            `${this.name}: the buffer of "${input}" is donated to this run, and fed as "${other}" too`,
            "give each input a buffer of its own",
          );
    return donated;
  }

  async #execute(program: Program, pointers: readonly Pointer[], donated: ReadonlyMap<string, XlaBuffer>) {
    const { client, lowered, aliases } = this.#parts;
    const kept = lowered.inputs.flatMap(({ name }, i) =>
      Object.hasOwn(aliases, name) && !donated.has(name) ? [i] : [],
    );
    try {
      const [results] = await client.execute(this.name, program, [pointers], kept);
      return results!;
    } catch (error) {
      for (const buffer of donated.values()) buffer.forgetIfDonated(this.name);
      throw error;
    }
  }

  /** Gives each result its place; those that nobody wants go. */
  async #collect(results: readonly Pointer[], want: Wants): Promise<Record<string, Tensor | Buffer>> {
    const { client } = this.#parts;
    const found: Record<string, Tensor | Buffer> = {};
    const copies: Promise<void>[] = [];
    const finished: Pointer[] = [];
    this.outputs.forEach((port, i) => {
      const [target, pointer] = [want[port.name], results[i]!];
      const shape = port.shape as number[];
      if (target === "buffer") found[port.name] = new XlaBuffer(client, port.dtype, shape, pointer);
      else if (target instanceof XlaBuffer) {
        target.replace(pointer);
        found[port.name] = target;
      } else {
        finished.push(pointer);
        if (target === undefined) return;
        const data = target === "host" ? allocate(port.dtype, size(shape)) : undefined;
        const t: Tensor = data ? { dtype: port.dtype, shape: [...shape], data } : (target as Tensor);
        copies.push(client.download(this.name, pointer, t));
        found[port.name] = t;
      }
    });
    const ends = await Promise.allSettled(copies);
    for (const pointer of finished) client.free(pointer);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    return found;
  }

  endProfiling(): string {
    throw new EngineError(
      `${this.name}: endProfiling: this engine writes no profile of its own`,
      "XLA_FLAGS=--xla_dump_to=FOLDER writes the compiled program",
    );
  }

  dispose(): void {
    this.#handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }
}
