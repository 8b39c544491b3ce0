/**
 * The parameters of a model, by the names of the published checkpoint. Layers are functions of a `Params` and values; a
 * layer declares a tensor where it uses it (as flax's `compact` does, without a framework around it).
 */
import { NameError, ShapeError } from "../errors.ts";
import { add, input, maximum, minimum, mul, scoped, stopGradient, type Value } from "../graph/index.ts";
import { formatShape, type Shape, sameShape } from "../tensor/index.ts";
import { type Init, normal, type ParamSpec } from "./init.ts";

interface Entry {
  readonly spec: ParamSpec;
  readonly value: Value;
  /** Of a buffer, what this batch says of it. */
  observed?: Value;
}

export interface ParamsOptions {
  /** What `weight` tensors start from; N(0, 0.02²) unless said (FLAVA, BERT, ViT). */
  weightInit?: Init;
  /** In how many equal parts the batch is, of which the model gets one; 1 unless said. */
  parts?: number;
}

export interface GetOptions {
  aliases?: readonly string[];
  /**
   * Keeps the tensor in [low, high]: the clamped tensor takes the place of the stored one before each use, and
   * gradients are taken at the clamped one (an in-place clamp of the data, as the reference implementations do).
   */
  clamp?: readonly [low: number, high: number];
}

/** A view into one table of named tensors. `at` enters a scope; `get` declares a tensor, or fetches it when it is known. */
export class Params {
  /** The scope: "flava.image_model.encoder.layer.0"; "" at the root. */
  readonly path: string;
  readonly weightInit: Init;
  /** What is normalised by the batch is so by all of its parts. */
  readonly parts: number;
  readonly #table: Map<string, Entry>;

  constructor(options: ParamsOptions = {}, from?: Params, path = "") {
    this.path = path;
    this.weightInit = options.weightInit ?? from?.weightInit ?? normal(0.02);
    this.parts = options.parts ?? from?.parts ?? 1;
    this.#table = from ? from.#table : new Map();
  }

  /** The scope `name` (dots enter several at once) inside this one. */
  at(name: string | number): Params {
    return new Params({}, this, this.#join(String(name)));
  }

  /** The same scope with another initialiser for weights. */
  withWeights(weightInit: Init): Params {
    return new Params({ weightInit }, this, this.path);
  }

  /** Runs `build` so that the values that it makes carry this scope's name. */
  scope<T>(build: () => T): T {
    return scoped(this.path, build);
  }

  /** The parameter `name` of this scope. Asking twice gives one tensor (tied weights); with another shape: ShapeError. */
  get(name: string, shape: Shape, init: Init, options: GetOptions = {}): Value {
    const path = this.#join(name);
    const known = this.#table.get(path);
    if (known) {
      if (!sameShape(known.spec.shape, shape))
        throw new ShapeError(
          `${path}: declared as ${formatShape(known.spec.shape)}, now asked for ${formatShape(shape)}`,
        );
      return known.value;
    }
    const stored = scoped(this.path, () => input(path, shape));
    const value = options.clamp ? scoped(this.path, () => clamped(stored, options.clamp!)) : stored;
    const aliases = (options.aliases ?? []).map((alias) => this.#join(alias));
    this.#table.set(path, { spec: { name: path, shape: [...shape], init, aliases }, value });
    return value;
  }

  /** A tensor that is saved with the parameters and never trained: a running mean, a queue. */
  buffer(name: string, shape: Shape, init: Init): Value {
    const value = this.get(name, shape, init);
    const entry = this.#table.get(this.#join(name))!;
    this.#table.set(this.#join(name), { ...entry, spec: { ...entry.spec, buffer: true } });
    return value;
  }

  /** Says what a batch found for a buffer of this scope; seen twice, the last stands. */
  observe(name: string, value: Value): void {
    this.#table.get(this.#join(name))!.observed = stopGradient(value);
  }

  /** What was observed, by the full names of buffers. */
  observed(): Record<string, Value> {
    return Object.fromEntries(
      [...this.#table].flatMap(([name, { observed }]) => (observed ? [[name, observed] as const] : [])),
    );
  }

  /** All declared parameters and buffers, in the order of first use. */
  specs(): ParamSpec[] {
    return [...this.#table.values()].map((entry) => entry.spec);
  }

  /** The values that gradients are taken of and that optimizers start from, by name: all but buffers. */
  values(): Record<string, Value> {
    return Object.fromEntries(
      [...this.#table].flatMap(([name, { spec, value }]) => (spec.buffer ? [] : [[name, value] as const])),
    );
  }

  /** One declared parameter by its full name. Throws NameError. */
  value(name: string): Value {
    const entry = this.#table.get(name);
    if (!entry) throw new NameError(`parameters: expected a declared name, got "${name}"`);
    return entry.value;
  }

  #join(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }
}

const clamped = (x: Value, [low, high]: readonly [number, number]): Value =>
  stopGradient(minimum(maximum(x, low), high));

/** The next values of buffers that keep a moving average: (1 − momentum)·kept + momentum·observed. */
export const averaged = (observed: Readonly<Record<string, Value>>, momentum: number): Record<string, Value> =>
  Object.fromEntries(
    Object.entries(observed).map(([name, value]) => [
      name,
      add(mul(input(name, value.shape), 1 - momentum), mul(value, momentum)),
    ]),
  );
