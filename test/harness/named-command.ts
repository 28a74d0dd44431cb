// The command that a refusing server names to its operator, taken out of what it logged. Never runs it.

/** The words behind `zabtree`; undefined when no rebuild is named. A path with a space in it is not understood. */
export function rebuildCommandIn(text: string): string[] | undefined {
  return /^ {2}zabtree (rebuild .*)$/m.exec(text)?.[1]?.split(' ');
}
