// Reads etcd's own configuration file: YAML with the names of the flags, some of them in sections. Gives the values as a
// command line would have them; knows what no flag means.

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { ConfigError } from '../../config/config-error.js';
import { configDepthMax, configErrorOf, readConfigText } from '../../config/config-file.js';
import { nearestKey } from '../../config/nearest-key.js';
import { withoutCredentials } from '../../shared/address.js';
import { etcdFlags } from './etcd-flags.js';
import { lineTooDeep } from './yaml-depth.js';

/** Which flags a section holds, by what it calls them. */
const sections: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'client-transport-security': {
    'cert-file': 'cert-file',
    'key-file': 'key-file',
    'client-cert-file': 'client-cert-file',
    'client-key-file': 'client-key-file',
    'client-cert-auth': 'client-cert-auth',
    'trusted-ca-file': 'trusted-ca-file',
    'auto-tls': 'auto-tls',
  },
  'peer-transport-security': {
    'cert-file': 'peer-cert-file',
    'key-file': 'peer-key-file',
    'client-cert-file': 'peer-client-cert-file',
    'client-key-file': 'peer-client-key-file',
    'client-cert-auth': 'peer-client-cert-auth',
    'trusted-ca-file': 'peer-trusted-ca-file',
    'auto-tls': 'peer-auto-tls',
  },
  'socket-options': { 'reuse-port': 'socket-reuse-port', 'reuse-address': 'socket-reuse-address' },
};
/** Written as lists; a command line has them with commas. */
const lists: ReadonlySet<string> = new Set(['log-outputs', 'cipher-suites']);

const inSections = new Set(Object.values(sections).flatMap((section) => Object.values(section)));
const topFlags: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(etcdFlags)
    .filter((name) => name !== 'config-file' && !inSections.has(name))
    .map((name) => [name, name]),
);

/** Throws ConfigError. */
export function readEtcdConfigFile(file: string): ReadonlyMap<string, string> {
  return new EtcdConfigFile(file).values();
}

class EtcdConfigFile {
  private readonly file: string;
  private readonly document: Document;
  private readonly lines = new LineCounter();
  private readonly problems: string[] = [];
  private readonly found = new Map<string, string>();

  constructor(file: string) {
    this.file = file;
    const text = readConfigText(file);
    const tooDeep = lineTooDeep(text, configDepthMax);
    if (tooDeep !== undefined) {
      throw new ConfigError(
        `Cannot parse configuration "${file}", line ${tooDeep}: it nests or is indented deeper than ${configDepthMax}`,
      );
    }
    // As etcd reads it, a file says yes and no as well.
    const options = { version: '1.1', lineCounter: this.lines, prettyErrors: false } as const;
    this.document = parseDocument(text, options);
    const [error] = this.document.errors;
    if (error === undefined) return;
    const { line, col } = this.lines.linePos(error.pos[0]);
    throw new ConfigError(
      `Cannot parse configuration "${file}", line ${line}, column ${col}: ${shownProblem(error.message)}`,
      {
        cause: error,
      },
    );
  }

  values(): ReadonlyMap<string, string> {
    const { contents } = this.document;
    if (isMap(contents)) this.read(contents, '', topFlags);
    else if (contents !== null && !isNothing(contents)) this.problems.push('it is no mapping of names to values');
    if (this.problems.length > 0) throw configErrorOf(`configuration "${this.file}"`, this.problems);
    // What a command line has to say too, a file may leave to its default.
    const advertised = 'advertise-client-urls';
    if (!this.found.has(advertised)) this.found.set(advertised, etcdFlags[advertised]?.byDefault ?? '');
    return this.found;
  }

  private read(map: YAMLMap, section: string, flags: Readonly<Record<string, string>>): void {
    for (const { key, value } of map.items) {
      const name = isScalar(key) ? (key.source ?? String(key.value)) : String(key);
      const where = `${this.lineOf(key)}${section === '' ? '' : `${section}.`}${withoutCredentials(name)}`;
      const node = this.resolved(value);
      const inner = section === '' && Object.hasOwn(sections, name) ? sections[name] : undefined;
      const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
      if (inner === undefined && flag === undefined) {
        this.problems.push(`${where} is not a known key${hintFor(name, section, flags)}`);
      } else if (node === null || isNothing(node)) continue;
      else if (flag !== undefined) this.take(flag, node, where);
      else if (inner !== undefined && isMap(node)) this.read(node, name, inner);
      else this.problems.push(`${where} is a section: expected names and values in it`);
    }
  }

  private take(flag: string, node: Node, where: string): void {
    const nodes = lists.has(flag) && isSeq(node) ? node.items.map((item) => this.resolved(item)) : [node];
    const texts = nodes.map((each) => textOf(each, etcdFlags[flag]?.kind === 'truth'));
    const expected = etcdFlags[flag]?.kind === 'truth' ? 'true or false' : 'a text or a number';
    const text = texts.join(',');
    if (texts.includes(undefined)) this.problems.push(`${where}: expected ${expected}`);
    // An empty text leaves the default, as a variable does.
    else if (text !== '') this.found.set(flag, text);
  }

  private resolved(value: unknown): Node | null {
    const node = value as Node | null;
    // One that refers to nothing stays what it is, and fits nowhere.
    return isAlias(node) ? (node.resolve(this.document) ?? node) : node;
  }

  private lineOf(key: unknown): string {
    const start = (key as Node).range?.[0];
    return start === undefined ? '' : `line ${this.lines.linePos(start).line}: `;
  }
}

/** It may repeat what is written; one that speaks of the character @ alone does not. */
function shownProblem(message: string): string {
  return /@\S/.test(message) ? withoutCredentials(message) : message;
}

function isNothing(node: Node): boolean {
  return isScalar(node) && node.value === null;
}

/** As it is written: 0123 is a name as well as a number. Undefined: it is of another kind. */
function textOf(node: Node | null, truth: boolean): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined;
  if (truth) return typeof node.value === 'boolean' ? String(node.value) : undefined;
  return node.source ?? String(node.value);
}

function hintFor(name: string, section: string, flags: Readonly<Record<string, string>>): string {
  const other = Object.entries(sections).find(([, names]) => Object.values(names).includes(name));
  if (section === '' && other !== undefined) {
    const [inner = ''] = Object.entries(other[1]).find(([, flag]) => flag === name) ?? [];
    return `: it stands in ${other[0]}, as ${inner}`;
  }
  const nearest = nearestKey(name, [...Object.keys(flags), ...(section === '' ? Object.keys(sections) : [])]);
  return nearest === undefined ? '' : `: did you mean ${nearest}?`;
}
