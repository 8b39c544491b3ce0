/** Every error class of the package. A message says *where: expected what, got what*; `help` says what to try. */

/** The base of all errors that a caller can cause or meet. `code` is stable; `help` is a hint, also printed in the message. */
export class FlavaError extends Error {
  override readonly name: string = "FlavaError";
  readonly code: string;
  readonly help: string | undefined;
  constructor(code: string, message: string, help?: string, options?: ErrorOptions) {
    super(help ? `${message}\n  help: ${help}` : message, options);
    this.code = code;
    this.help = help;
  }
}

/** A tensor has another shape or rank than its place asks for. */
export class ShapeError extends FlavaError {
  override readonly name = "ShapeError";
  constructor(message: string, help?: string, options?: ErrorOptions) {
    super("E_SHAPE", message, help, options);
  }
}

/** A tensor has another element type than its place asks for. */
export class DTypeError extends FlavaError {
  override readonly name = "DTypeError";
  constructor(message: string, help?: string, options?: ErrorOptions) {
    super("E_DTYPE", message, help, options);
  }
}

/** A name (feed, output, parameter, batch field, file entry) is unknown, missing or given twice. */
export class NameError extends FlavaError {
  override readonly name = "NameError";
  constructor(message: string, help?: string, options?: ErrorOptions) {
    super("E_NAME", message, help, options);
  }
}

/** An engine is missing, cannot load, or refused a graph or a run. */
export class EngineError extends FlavaError {
  override readonly name = "EngineError";
  constructor(message: string, help?: string, options?: ErrorOptions) {
    super("E_ENGINE", message, help, options);
  }
}

/** A recipe, option or model configuration is wrong. */
export class ConfigError extends FlavaError {
  override readonly name = "ConfigError";
  constructor(message: string, help?: string, options?: ErrorOptions) {
    super("E_CONFIG", message, help, options);
  }
}

/** A data source, sample or image cannot be read. */
export class DataError extends FlavaError {
  override readonly name = "DataError";
  constructor(message: string, help?: string, options?: ErrorOptions) {
    super("E_DATA", message, help, options);
  }
}

/** A checkpoint or model file is damaged, unsafe, or belongs to another model. */
export class CheckpointError extends FlavaError {
  override readonly name = "CheckpointError";
  constructor(message: string, help?: string, options?: ErrorOptions) {
    super("E_CHECKPOINT", message, help, options);
  }
}

/** Training produced a value that is not finite. */
export class NonFiniteError extends FlavaError {
  override readonly name = "NonFiniteError";
  constructor(message: string, help?: string, options?: ErrorOptions) {
    super("E_NON_FINITE", message, help, options);
  }
}
