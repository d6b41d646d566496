/**
 * Every error that a person can meet says what happened, where, and what to do.
 * `code` is stable and meant for programs; tests assert it, never the sentence.
 */
export class SluiceError extends Error {
  override readonly name: string = "SluiceError";
  readonly code: string;
  /** What the reader can do about it, as a sentence. */
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** Something that was asked for by name does not exist. */
export class NotFoundError extends SluiceError {
  override readonly name = "NotFoundError";
}

/** The request itself is wrong: a bad document, an unknown option. */
export class UsageError extends SluiceError {
  override readonly name = "UsageError";
}

/** The request is right but the present state forbids it, such as a second run of a sync that is running. */
export class ConflictError extends SluiceError {
  override readonly name = "ConflictError";
}

/** The warehouse refused or could not be reached. */
export class WarehouseError extends SluiceError {
  override readonly name = "WarehouseError";
}

/** What went wrong, in one line, whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
