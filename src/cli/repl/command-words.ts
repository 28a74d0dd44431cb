// The words of a line typed at the prompt. A word that begins with a double quote ends at the next one and may hold
// spaces; inside it a backslash escapes. Anywhere else both stand for themselves, so that JSON can be typed as it is.

import { StoreError } from '../../shared/errors.js';

const escapes: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', n: '\n', r: '\r', t: '\t' };
const wordPattern = /\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"(?=\s|$)|([^"\s]\S*))/suy;

/** Throws StoreError for quotes that do not end, or that end in the middle of a word. */
export function commandWords(line: string): string[] {
  const text = line.trim();
  const words: string[] = [];
  wordPattern.lastIndex = 0;
  while (wordPattern.lastIndex < text.length) {
    const match = wordPattern.exec(text);
    if (match === null) {
      throw new StoreError(
        'INVALID_ARGUMENT',
        'Cannot read the line: a word that begins with " has to end with " (write \\" for one inside it)',
      );
    }
    words.push(match[1] === undefined ? (match[2] ?? '') : unescaped(match[1]));
  }
  return words;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/gsu, (_, escaped: string) => {
    const meant = escapes[escaped];
    if (meant !== undefined) return meant;
    throw new StoreError(
      'INVALID_ARGUMENT',
      `Cannot read the line: \\${escaped} is no escape, expected \\" \\\\ \\n \\r or \\t`,
    );
  });
}
