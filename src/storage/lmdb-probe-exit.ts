// The one word between a probe of a tree and the process that asked for it.

/** Exit code: the tree is damaged, and standard output says how. */
export const probeDamageExit = 3;
