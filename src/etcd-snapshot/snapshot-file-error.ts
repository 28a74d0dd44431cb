// What every reader of this folder throws for a file that is damaged, hostile or of another kind. Never thrown for a
// failure of the disk itself, and never carries bytes of the file.

/** `message` completes "Cannot read snapshot …: ". */
export class SnapshotFileError extends Error {
  override readonly name = 'SnapshotFileError';
}
