// What a node keeps on disk is damaged or missing. It must neither vote nor serve on it; it is rebuilt from its peers.

/** `message` says what is wrong and where; how to rebuild is added by whoever knows the configuration. */
export class DamageError extends Error {
  override readonly name = 'DamageError';
}
