// What the words of a typed line are, with and without quotes.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandWords } from './command-words.js';

describe('commandWords()', () => {
  it.each([
    ['', []],
    ['  add  k\tv ', ['add', 'k', 'v']],
    ['add "my key" "a value" 3', ['add', 'my key', 'a value', '3']],
    ['list "" 10', ['list', '', '10']],
    [String.raw`set k "say \"hi\" \\ twice\n\tand\r"`, ['set', 'k', 'say "hi" \\ twice\n\tand\r']],
    [String.raw`set k C:\temp\new`, ['set', 'k', String.raw`C:\temp\new`]],
    ['set k {"a":1,"b":"c"}', ['set', 'k', '{"a":1,"b":"c"}']],
    [`set it's o"clock`, ['set', "it's", 'o"clock']],
    ['set "日本 語" "👍 x"', ['set', '日本 語', '👍 x']],
  ])('reads %s', (line, words) => {
    expect(commandWords(line)).toEqual(words);
  });

  it.each(['get "a', 'get "', 'get "a"b', String.raw`get "a\"`, 'get a "b'])('refuses the open quote of %s', (line) => {
    expect(() => commandWords(line)).toThrow('a word that begins with " has to end with "');
  });

  it('refuses an escape that it does not know', () => {
    expect(() => commandWords(String.raw`get "a\q"`)).toThrow(String.raw`\q is no escape`);
  });

  it('gives back any words that were quoted', () => {
    const quoted = (word: string): string => `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
        expect(commandWords(words.map(quoted).join(' '))).toEqual(words);
      }),
    );
  });

  it('reads and refuses the longest lines at once', () => {
    const began = performance.now();
    const long = '\\n x'.repeat(2 ** 19);
    expect(commandWords(`set k "${long}"`)[2]).toHaveLength(3 * 2 ** 19);
    expect(() => commandWords(`set k "${long}"y`)).toThrow('has to end');
    expect(() => commandWords(`set k "${long}`)).toThrow('has to end');
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
