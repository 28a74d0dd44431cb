// How deep the structures of a YAML text may lie in each other, judged from its tokens: the parser goes into each of them
// with a call of its own and ends the process where there are too many. Parses nothing.

import { CST, Lexer } from 'yaml';

/** Where a text goes deeper than `depthMax`; undefined: nowhere. Lines count from 1. */
export function lineTooDeep(text: string, depthMax: number): number | undefined {
  let line = 1;
  let column = 0;
  /** Of the first thing on the line. */
  let indent = -1;
  let brackets = 0;
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token);
    if (type === 'flow-map-start' || type === 'flow-seq-start') brackets += 1;
    else if (type === 'flow-map-end' || type === 'flow-seq-end') brackets -= 1;
    if (type !== 'space' && indent < 0) indent = column;
    // Outside brackets whatever is inside of something else begins further to the right.
    const columns = blockIndicators.has(type) ? column : type === 'map-value-ind' ? indent : 0;
    if (brackets > depthMax || (brackets === 0 && columns > depthMax)) return line;
    if (unprinted.has(type)) continue;
    const lineEnd = token.lastIndexOf('\n');
    if (lineEnd < 0) column += token.length;
    else {
      line += token.split('\n').length - 1;
      column = token.length - lineEnd - 1;
      indent = column === 0 ? -1 : 0;
    }
  }
  return undefined;
}

const blockIndicators: ReadonlySet<string | null> = new Set(['seq-item-ind', 'explicit-key-ind']);
/** Marks of the lexer itself, which are not in the text. */
const unprinted: ReadonlySet<string | null> = new Set(['byte-order-mark', 'doc-mode', 'flow-error-end', 'scalar']);
