// The shape of configuration files (zod), server and client, and what makes a good message out of what does not fit.
// Knows keys and types; what keys mean together is checked by the loaders.

import { z } from 'zod';
import { parseAddress } from '../shared/address.js';
import { limits } from './limits.js';
import { nearestKey } from './nearest-key.js';
import { defaultTiming, logFormats, logLevels } from './node-config.js';
import { pascalCase } from './pascal-case.js';

const address = z.string().superRefine((text, context) => {
  const parsed = parseAddress(text);
  if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed });
  else if (parsed.port === 0)
    context.addIssue({ code: 'custom', message: `"${text}" has a bad port: expected a number in 1..65535` });
});

const positive = z.int().positive();

function positiveNumbers(names: readonly string[]) {
  return z.strictObject(Object.fromEntries(names.map((name) => [pascalCase(name), positive.optional()])));
}

export const serverFileSchema = z.strictObject({
  Host: z.strictObject({
    ElectionAddr: address,
    MessageAddr: address,
    RequestAddr: address,
    ListenElectionAddr: address.optional(),
    ListenMessageAddr: address.optional(),
    ListenRequestAddr: address.optional(),
  }),
  Peer: z
    .array(z.strictObject({ ElectionAddr: address, MessageAddr: address, RequestAddr: address.optional() }))
    .optional(),
  EnsembleName: z.string().min(1).max(100).optional(),
  DataDir: z.string().min(1).optional(),
  ClusterKey: z.string().min(16, 'expected at least 16 characters').optional(),
  ClusterKeyFile: z.string().min(1).optional(),
  Timing: positiveNumbers(Object.keys(defaultTiming)).optional(),
  Limits: positiveNumbers(Object.keys(limits)).optional(),
  LogLevel: z.enum(logLevels).optional(),
  LogFormat: z.enum(logFormats).optional(),
  Bootstrap: z.boolean().optional(),
});

export type ServerFile = z.infer<typeof serverFileSchema>;

export const clientFileSchema = z.strictObject({
  Peer: z.array(z.strictObject({ RequestAddr: address })).min(1, 'lists no peer'),
});

/** Every problem as one line `Path.To.Key: what is wrong`. */
export function problemsOf(error: z.ZodError, schema: z.ZodType): string[] {
  return error.issues.flatMap((issue) => {
    const path = pathText(issue.path);
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, issue.path, schema));
    if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined'))
      return [`${path} is missing${expectedKeys(issue.path, schema)}`];
    return [`${path === '' ? 'the file' : path}: ${issue.message.replace(/^Invalid (input|option): /, '')}`];
  });
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

function unknownKey(key: string, path: readonly PropertyKey[], schema: z.ZodType): string {
  const where = pathText([...path, key]);
  const known = keysAt(path, schema);
  const nearest = nearestKey(key, known);
  return nearest === undefined
    ? `${where} is not a known key`
    : `${where} is not a known key: did you mean ${nearest}?`;
}

function expectedKeys(path: readonly PropertyKey[], schema: z.ZodType): string {
  const required = keysAt(path, schema).filter((key) => !key.startsWith('Listen'));
  return required.length === 0 ? '' : `: expected an object with ${required.join(', ')}`;
}

/** Keys of the object that the schema expects at this path. */
function keysAt(path: readonly PropertyKey[], schema: z.ZodType): string[] {
  let current: z.ZodType | undefined = schema;
  for (const part of path) {
    current = unwrapped(current);
    if (current instanceof z.ZodObject) current = (current.shape as Record<string, z.ZodType>)[String(part)];
    else if (current instanceof z.ZodArray) current = current.element as z.ZodType;
    else return [];
  }
  const object = unwrapped(current);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function unwrapped(schema: z.ZodType | undefined): z.ZodType | undefined {
  return schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
}
