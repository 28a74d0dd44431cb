// The commit log cannot be trusted: acknowledged entries are missing or unreadable. Never recovered from by guessing.

/** Damage below what was known durable, or a structure that no crash of ours can leave behind. */
export class LogDamageError extends Error {
  override readonly name = 'LogDamageError';
  readonly file: string;
  /** Bytes into the file. */
  readonly offset: number;

  constructor(file: string, offset: number, reason: string) {
    super(`Cannot use commit log "${file}": at offset ${offset}: ${reason}`);
    this.file = file;
    this.offset = offset;
  }
}
