import { describe, expect, it } from 'vitest';
import { maskedArguments } from './masked-arguments.js';

describe('maskedArguments()', () => {
  it.each([
    ["error: unknown option '--usr=admin:secret'", "error: unknown option '--usr=…'"],
    ["error: unknown option '--usr=it's a=secret'\n(zabtree help)", "error: unknown option '--usr=…'\n(zabtree help)"],
    ["error: unknown command 'admin:se'cret@host:1'", "error: unknown command '…@host:1'"],
    ["error: unknown option '-admin:secret@host'", "error: unknown option '…@host'"],
    [
      "error: option '--timeout <duration>' argument 'admin:secret@host' is invalid.",
      "error: option '--timeout <duration>' argument '…@host' is invalid.",
    ],
  ])('hides what may be a password in %s', (complaint, shown) => expect(maskedArguments(complaint)).toBe(shown));

  it.each([
    "error: unknown command 'gett'\n(Did you mean get?)",
    "error: option '--timeout <duration>' argument '5x' is invalid. expected a duration.",
    "error: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are text, json.",
  ])('leaves %s as it is', (complaint) => expect(maskedArguments(complaint)).toBe(complaint));
});
