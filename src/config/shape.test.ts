import { describe, expect, it } from 'vitest';
import { lengthFrom, list, object, oneOf, positiveInteger, text, truthValue } from './shape.js';

const shape = object(
  { Name: text(lengthFrom(2, 4)), Inner: object({ Size: positiveInteger }, { Colour: oneOf(['red', 'green']) }) },
  { Items: list(object({ Kept: truthValue }, {})) },
);

function problemsWith(value: unknown): string[] {
  const problems: string[] = [];
  expect(shape.fits(value, '', problems)).toBe(problems.length === 0);
  return problems;
}

describe('a shape', () => {
  it('takes what fits', () => {
    expect(problemsWith({ Name: 'ab', Inner: { Size: 1 } })).toEqual([]);
    expect(
      problemsWith({ Name: 'abcd', Inner: { Size: 2 ** 53 - 1, Colour: 'red' }, Items: [{ Kept: false }] }),
    ).toEqual([]);
  });

  it.each<[unknown, readonly string[]]>([
    [null, ['the file: expected object, received null']],
    [{}, ['Name is missing', 'Inner is missing: expected an object with Size']],
    [{ Name: 'a', Inner: [] }, ['Name: expected at least 2 characters', 'Inner: expected object, received array']],
    [{ Name: 'abcde', Inner: { Size: 1 } }, ['Name: expected at most 4 characters']],
    [{ Name: 'ab', Inner: { Size: 1.5 } }, ['Inner.Size: expected a whole number above 0, received 1.5']],
    [
      { Name: 'ab', Inner: { Size: 2 ** 53 } },
      ['Inner.Size: expected a whole number above 0, received 9007199254740992'],
    ],
    [
      { Name: null, Inner: { Size: '1' } },
      ['Name: expected string, received null', 'Inner.Size: expected number, received string'],
    ],
    [{ Name: 'ab', Inner: { Size: 1, Colour: 'blue' } }, ['Inner.Colour: expected one of "red"|"green"']],
    [
      { Name: 'ab', Inner: { Size: 1 }, Items: [{ Kept: true }, { Kept: 1, kep: 2 }] },
      ['Items[1].Kept: expected boolean, received number', 'Items[1].kep is not a known key: did you mean Kept?'],
    ],
  ])('says of %j what does not fit', (value, problems) => {
    expect(problemsWith(value)).toEqual(problems);
  });

  it('knows no key that every object has', () => {
    const [first = ''] = problemsWith(JSON.parse('{"Name":"ab","Inner":{"Size":1},"__proto__":{}}'));
    expect(first).toMatch(/^__proto__ is not a known key/);
    const [second = ''] = problemsWith({ Name: 'ab', Inner: { Size: 1, constructor: 1 } });
    expect(second).toMatch(/^Inner.constructor is not a known key/);
  });
});
