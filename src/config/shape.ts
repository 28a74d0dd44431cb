// What a value of a configuration file may be, put together from small shapes, and a good message for each thing that does
// not fit. Knows no key of any file.

import { nearestKey } from './nearest-key.js';

export interface Shape<T> {
  /** Adds a line `Path.To.Key: what is wrong` for each thing that does not fit. */
  fits(value: unknown, path: string, problems: string[]): value is T;
  /** For the message that a value is missing. */
  readonly keys?: readonly string[];
}

export type ShapeType<S> = S extends Shape<infer T> ? T : never;

type Fields = Readonly<Record<string, Shape<unknown>>>;

/** Each check says what is wrong with a text, or undefined. */
export function text(...checks: readonly ((value: string) => string | undefined)[]): Shape<string> {
  return shape((value) => {
    if (typeof value !== 'string') return expected('string', value);
    for (const check of checks) {
      const problem = check(value);
      if (problem !== undefined) return problem;
    }
    return undefined;
  });
}

export function lengthFrom(min: number, max = Number.POSITIVE_INFINITY): (value: string) => string | undefined {
  return ({ length }) => {
    if (length < min) return `expected at least ${min} character${min === 1 ? '' : 's'}`;
    return length > max ? `expected at most ${max} characters` : undefined;
  };
}

export const positiveInteger: Shape<number> = shape((value) => {
  if (typeof value !== 'number') return expected('number', value);
  return Number.isSafeInteger(value) && value > 0 ? undefined : `expected a whole number above 0, received ${value}`;
});

export const truthValue: Shape<boolean> = shape((value) =>
  typeof value === 'boolean' ? undefined : expected('boolean', value),
);

export function oneOf<const T extends string>(choices: readonly T[]): Shape<T> {
  return shape((value) =>
    (choices as readonly unknown[]).includes(value)
      ? undefined
      : `expected one of ${choices.map((choice) => JSON.stringify(choice)).join('|')}`,
  );
}

/** `ifEmpty`: what is wrong with a list of nothing; undefined: nothing is. */
export function list<T>(element: Shape<T>, ifEmpty?: string): Shape<readonly T[]> {
  return {
    fits: (value, path, problems): value is readonly T[] => {
      const before = problems.length;
      if (!Array.isArray(value)) problems.push(`${path}: ${expected('array', value)}`);
      else if (value.length === 0 && ifEmpty !== undefined) problems.push(`${path}: ${ifEmpty}`);
      else for (const [index, item] of value.entries()) element.fits(item, `${path}[${index}]`, problems);
      return problems.length === before;
    },
  };
}

type RequiredFields<F extends Fields> = { readonly [Name in keyof F]: ShapeType<F[Name]> };
type OptionalFields<F extends Fields> = { readonly [Name in keyof F]?: ShapeType<F[Name]> | undefined };

/** An object with these keys and no others. */
export function object<const R extends Fields, const O extends Fields>(
  required: R,
  optional: O,
): Shape<RequiredFields<R> & OptionalFields<O>> {
  const known = { ...required, ...optional };
  return {
    keys: Object.keys(required),
    fits: (value, path, problems): value is RequiredFields<R> & OptionalFields<O> => {
      const before = problems.length;
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        problems.push(`${path === '' ? 'the file' : path}: ${expected('object', value)}`);
        return false;
      }
      const given = new Map<string, unknown>(Object.entries(value));
      for (const [name, field] of Object.entries<Shape<unknown>>(known)) {
        const item = given.get(name);
        if (item !== undefined) field.fits(item, pathOf(path, name), problems);
        else if (Object.hasOwn(required, name)) problems.push(`${pathOf(path, name)} is missing${contents(field)}`);
      }
      for (const name of given.keys()) {
        if (!Object.hasOwn(known, name)) problems.push(unknownKey(name, path, Object.keys(known)));
      }
      return problems.length === before;
    },
  };
}

/** A shape that is one value: `problemOf` says what is wrong with it, or undefined. */
function shape<T>(problemOf: (value: unknown) => string | undefined): Shape<T> {
  return {
    fits: (value, path, problems): value is T => {
      const problem = problemOf(value);
      if (problem !== undefined) problems.push(`${path}: ${problem}`);
      return problem === undefined;
    },
  };
}

function expected(type: string, value: unknown): string {
  const received = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  return `expected ${type}, received ${received}`;
}

function contents({ keys = [] }: Shape<unknown>): string {
  return keys.length === 0 ? '' : `: expected an object with ${keys.join(', ')}`;
}

function unknownKey(name: string, path: string, known: readonly string[]): string {
  const nearest = nearestKey(name, known);
  const hint = nearest === undefined ? '' : `: did you mean ${nearest}?`;
  return `${pathOf(path, name)} is not a known key${hint}`;
}

function pathOf(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
