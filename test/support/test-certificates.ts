// X.509 certificates for tests, written in DER by hand: node:crypto signs and exports keys but makes no certificates.

import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

export interface TestCertificate {
  readonly commonName: string;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

const oids = {
  ecdsaWithSha256: '06082a8648ce3d040302',
  commonName: '0603550403',
  basicConstraints: '0603551d13',
  subjectAltName: '0603551d11',
} as const;

export interface TestCertificateDetails {
  /** IPv4 addresses and names of hosts that it is for. */
  readonly hosts?: readonly string[];
  readonly expired?: boolean;
}

/** Without an issuer it is an authority that signs itself; with one it is for 127.0.0.1, as a server and as a client. */
export function testCertificate(
  commonName: string,
  issuer?: TestCertificate,
  { hosts = ['127.0.0.1'], expired = false }: TestCertificateDetails = {},
): TestCertificate {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const algorithm = sequence(hex(oids.ecdsaWithSha256));
  const extension =
    issuer === undefined
      ? // Critical: CA is true.
        sequence(
          hex(oids.basicConstraints),
          der(0x01, Buffer.from([0xff])),
          octets(sequence(der(0x01, Buffer.from([0xff])))),
        )
      : sequence(hex(oids.subjectAltName), octets(sequence(...hosts.map(alternativeName))));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    nameOf(issuer?.commonName ?? commonName),
    sequence(utcTime('200101000000Z'), utcTime(expired ? '200102000000Z' : '491231235959Z')),
    nameOf(commonName),
    createPublicKey(keys.privateKey.export({ type: 'pkcs8', format: 'pem' })).export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension)),
  );
  const signature = sign('sha256', body, createPrivateKey(issuer?.key ?? key));
  const whole = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  // Not a line more: OpenSSL takes no empty one.
  const lines = (whole.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
  return { commonName, key, cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n` };
}

function alternativeName(host: string): Buffer {
  return isIP(host) === 4 ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function octets(content: Buffer): Buffer {
  return der(0x04, content);
}

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(hex(oids.commonName), der(0x0c, Buffer.from(commonName)))));
}

function utcTime(text: string): Buffer {
  return der(0x17, Buffer.from(text));
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
