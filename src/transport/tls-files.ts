// Certificates and keys from PEM files, checked to fit together, and read again when they change. Knows no socket, and
// never says what is in a file.

import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { holdsCertificate } from '../shared/pem.js';

/** The type of a record of TLS that begins a connection. */
export const tlsFirstByte = 0x16;

/** How often files are looked at. */
const fileCheckMs = 2_000;

/** Paths. */
export interface TlsFilePaths {
  readonly certFile: string;
  readonly keyFile: string;
  readonly trustedCaFile: string | undefined;
}

/** As node:tls wants them. */
export interface TlsCredentials {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

export class TlsFiles {
  readonly #section: string;
  readonly #paths: TlsFilePaths;
  readonly #checkMs: number;
  #changed: (() => void) | undefined;

  /** `section`: of the configuration, for messages. */
  constructor(section: string, paths: TlsFilePaths, checkMs = fileCheckMs) {
    this.#section = section;
    this.#paths = paths;
    this.#checkMs = checkMs;
  }

  /** Throws one clear error when the files cannot be used. */
  read(): TlsCredentials {
    const { certFile, keyFile, trustedCaFile } = this.#paths;
    const credentials = {
      cert: this.#readPem('CertFile', certFile),
      key: this.#readPem('KeyFile', keyFile),
      ...(trustedCaFile === undefined ? {} : { ca: this.#readPem('TrustedCaFile', trustedCaFile) }),
    };
    if (credentials.ca !== undefined && !holdsCertificate(credentials.ca.toString('latin1'))) {
      throw new Error(`Cannot use ${this.#section}.TrustedCaFile "${trustedCaFile}": it holds no certificate (PEM)`);
    }
    try {
      createSecureContext(credentials);
    } catch (error) {
      throw new Error(`Cannot use the files of ${this.#section}: ${reasonOf(error)}`, { cause: error });
    }
    return credentials;
  }

  /** `changed` is called when a file is another one than before. */
  watch(changed: () => void): void {
    this.close();
    this.#changed = changed;
    for (const file of this.#all()) watchFile(file, { interval: this.#checkMs, persistent: false }, changed);
  }

  close(): void {
    if (this.#changed === undefined) return;
    for (const file of this.#all()) unwatchFile(file, this.#changed);
    this.#changed = undefined;
  }

  #all(): string[] {
    const { certFile, keyFile, trustedCaFile } = this.#paths;
    return trustedCaFile === undefined ? [certFile, keyFile] : [certFile, keyFile, trustedCaFile];
  }

  #readPem(key: string, file: string): Buffer {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Error(`Cannot read ${this.#section}.${key} "${file}": ${reasonOf(error)}`, { cause: error });
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
