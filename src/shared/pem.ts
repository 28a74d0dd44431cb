// What a PEM text holds, as far as that can be told without reading certificates. No files here.

/**
 * Is there a certificate in it? Node takes any text for a list of authorities: one without a certificate means that nobody
 * is believed, and an empty one that those are whom Node believes by itself. Neither is what its writer wanted.
 */
export function holdsCertificate(pem: string): boolean {
  return /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/.test(pem);
}
