/** Every error class of the package. A message says *where: expected what, got what*; `help` says what to try. */

/** The base of all errors that a caller can cause or meet. `code` is stable; `help` is a hint, also printed in the message. */
export abstract class FlavaError extends Error {
  abstract override readonly name: string;
  abstract readonly code: string;
  readonly help: string | undefined;
  constructor(message: string, help?: string, options?: ErrorOptions) {
    super(help ? `${message}\n  help: ${help}` : message, options);
    this.help = help;
  }
}

/** A tensor has another shape or rank than its place asks for. */
export class ShapeError extends FlavaError {
  override readonly name = "ShapeError";
  override readonly code = "E_SHAPE";
}

/** A tensor has another element type than its place asks for. */
export class DTypeError extends FlavaError {
  override readonly name = "DTypeError";
  override readonly code = "E_DTYPE";
}

/** A name (feed, output, parameter, batch field, file entry) is unknown, missing or given twice. */
export class NameError extends FlavaError {
  override readonly name = "NameError";
  override readonly code = "E_NAME";
}

/** An engine is missing, cannot load, or refused a graph or a run. */
export class EngineError extends FlavaError {
  override readonly name = "EngineError";
  override readonly code = "E_ENGINE";
}

/** A recipe, option or model configuration is wrong. */
export class ConfigError extends FlavaError {
  override readonly name = "ConfigError";
  override readonly code = "E_CONFIG";
}

/** A file or address cannot be read or written: missing, refused, a full disk, a broken transfer. */
export class FileError extends FlavaError {
  override readonly name = "FileError";
  override readonly code = "E_FILE";
}

/** A folder or repository that can be read has no file of this name. */
export class NoSuchFile extends FileError {}

/** Another process writes there. */
export class InUse extends FileError {}

/** A data source, sample or image cannot be read. */
export class DataError extends FlavaError {
  override readonly name = "DataError";
  override readonly code = "E_DATA";
}

/** A checkpoint or model file is damaged, unsafe, or belongs to another model. */
export class CheckpointError extends FlavaError {
  override readonly name = "CheckpointError";
  override readonly code = "E_CHECKPOINT";
}

/** Training produced a value that is not finite. */
export class NonFiniteError extends FlavaError {
  override readonly name = "NonFiniteError";
  override readonly code = "E_NON_FINITE";
}

/**
 * Resolves when the promise has settled, either way: for promises whose failure is met where they are awaited (until then it must not
 * count as unhandled), and for those whose outcome does not matter to who waits.
 */
export const settled = (promise: Promise<unknown>): Promise<void> =>
  promise.then(
    () => undefined,
    () => undefined,
  );
