// Why a data directory cannot be used. The message is for the operator and names the directory.

export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
  readonly directory: string;

  constructor(directory: string, reason: string, options: { readonly cause?: unknown } = {}) {
    super(`Cannot open data directory "${directory}": ${reason}`, options);
    this.directory = directory;
  }
}
