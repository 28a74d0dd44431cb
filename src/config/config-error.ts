// The one error of bad configuration and bad usage. Its message says what is wrong, where, and what was expected; the
// command line prints it as it is and exits 2.

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
