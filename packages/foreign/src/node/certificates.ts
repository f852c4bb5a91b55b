import { createHash, createPublicKey } from 'node:crypto';
import { X509Certificate } from '@sigstore/core';
import { type CertificateFinding, matchesText } from '@treering/governance';
import { type Issuer, printable } from '@treering/record';
import { type CoseKey, createCoseKey, decodeBase64Url, StatementError } from '@treering/statement';
import { ForeignError } from '../errors.js';
import { requireShallowDer } from './shallow-der.js';

const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const COMMON_NAME = '2.5.4.3';
const OID = {
  keyUsage: '2.5.29.15',
  alternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
} as const;
/** Critical extensions that are checked here; any other refuses the chain (RFC 5280 section 4.2). */
const UNDERSTOOD: readonly string[] = Object.values(OID);

/**
 * Follows a chain of certificates to one of an issuer's roots (RFC 5280 section 6, without revocation lists: roots and names are
 * withdrawn by a new policy). Each certificate is signed by the next, all are valid at `at`, and the signer's name fits.
 * @param chain in DER, the signer's certificate first; the root may be left out
 * @param at seconds since the epoch, the time at which the signature is said to be made
 * @throws ForeignError
 */
export function verifyCertificates(chain: readonly Uint8Array[], issuer: Issuer, at: number | undefined): CertificateFinding {
  try {
    return followChain(chain, issuer, at);
  } catch (error) {
    if (error instanceof ForeignError) throw error;
    // An extension, a name or a key that the parsers below do not take.
    throw new ForeignError('foreign/malformed', 'a certificate of the chain, or a root of the policy, cannot be read', {
      cause: error,
    });
  }
}

function followChain(chain: readonly Uint8Array[], issuer: Issuer, at: number | undefined): CertificateFinding {
  if (at === undefined)
    throw notVerified('certificates are judged at the time of signing, and the statement does not say it (iat)');
  const date = new Date(at * 1000);
  if (Number.isNaN(date.getTime())) throw notVerified('the time of signing is no time');
  if (chain.length === 0) throw new ForeignError('foreign/malformed', 'there is no certificate');
  requireShallowDer(chain);
  const certificates = chain.map(parse);
  const roots = (issuer.roots ?? []).map((der) => ({ der, certificate: parse(der) }));
  const [signer] = certificates;
  let why = `the certificates lead to no root of ${printable(issuer.issuer)} in the policy`;
  let found: CertificateFinding | undefined;
  const path: X509Certificate[] = [];
  for (const certificate of certificates) {
    const below = path[path.length - 1];
    if (below !== undefined && !issued(certificate, below))
      throw notVerified('a certificate of the chain was not issued by the next one');
    path.push(certificate);
    // Several roots may have one name and key: a renewed one stands beside the old.
    for (const root of roots.filter(
      (known) => known.certificate.equals(certificate) || issued(known.certificate, certificate),
    )) {
      const whole = root.certificate.equals(certificate) ? path : [...path, root.certificate];
      const wrong = pathMistake(whole, date);
      if (wrong === undefined) found ??= findingOf(signer, root.der, issuer);
      else why = wrong;
    }
  }
  if (found === undefined) throw notVerified(why);
  // Also what lies behind the root was issued certificate by certificate: nothing else travels in a chain.
  return found;
}

/** What is wrong with a path from the signer (first) to a root. */
function pathMistake(path: readonly X509Certificate[], date: Date): string | undefined {
  for (const [depth, certificate] of path.entries()) {
    if (!certificate.validForDate(date)) return `a certificate of the chain is not valid at ${date.toISOString()}`;
    const critical = certificate.extensions
      .map(extensionOf)
      .find(({ oid, isCritical }) => isCritical && !UNDERSTOOD.includes(oid));
    if (critical !== undefined)
      return `a certificate of the chain has a critical extension that is not understood here (${critical.oid})`;
    const wrong = depth > 0 ? authorityMistake(certificate, depth) : usageMistake(certificate);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function findingOf(signer: X509Certificate, root: Uint8Array, issuer: Issuer): CertificateFinding {
  const identity = nameOf(signer);
  if (!issuer.identities?.some((pattern) => matchesText(pattern, identity)))
    throw notVerified(`the certificate is for ${printable(identity)}, whom the policy does not name`);
  return { key: keyOf(signer), anchor: createHash('sha256').update(root).digest('hex'), identity };
}

/** An extension is a sequence of its OID, whether it is critical (false when left out), and its value. */
function extensionOf({ subs }: X509Certificate['extensions'][number]): { oid: string; isCritical: boolean } {
  return { oid: subs[0].toOID(), isCritical: subs.length === 3 && subs[1].toBoolean() };
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  if (!issuer.subject.equals(certificate.issuer)) return false;
  try {
    return certificate.verify(issuer);
  } catch {
    // A signature algorithm or a key that OpenSSL does not take.
    return false;
  }
}

function authorityMistake(certificate: X509Certificate, depth: number): string | undefined {
  const constraints = certificate.extBasicConstraints;
  if (!certificate.isCA || constraints === undefined) return 'a certificate in the chain is not one of an authority';
  const most = constraints.pathLenConstraint;
  // Authorities below this one: those between it and the signer.
  return most !== undefined && most < BigInt(depth - 1) ? 'the chain is longer than an authority in it allows' : undefined;
}

function usageMistake(certificate: X509Certificate): string | undefined {
  const { extKeyUsage } = certificate;
  if (extKeyUsage !== undefined && !extKeyUsage.digitalSignature) return 'the certificate is not for signatures';
  const purposes = certificate.extension(OID.extendedKeyUsage);
  if (purposes === undefined) return undefined;
  const oids = purposes.valueObj.subs[0].subs.map((sub) => sub.toOID());
  return oids.includes(CODE_SIGNING) ? undefined : 'the certificate is not for code signing';
}

/** The subject alternative name (a URI or an e-mail address), or the common name of a certificate without that extension. */
function nameOf(certificate: X509Certificate): string {
  if (certificate.extension(OID.alternativeName) !== undefined) {
    const alternative = certificate.subjectAltName;
    if (alternative === undefined || alternative === '')
      throw notVerified('the certificate is for no URI and no e-mail address');
    return alternative;
  }
  const names = certificate.tbsCertificate.subs[5].subs.flatMap((set) => set.subs);
  const common = names.find((attribute) => attribute.subs[0].toOID() === COMMON_NAME);
  if (common === undefined) throw notVerified('the certificate names nobody');
  return common.subs[1].value.toString('utf8');
}

function keyOf(certificate: X509Certificate): CoseKey {
  const publicKey = createPublicKey({ key: certificate.publicKey, format: 'der', type: 'spki' });
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  const readable = type === 'ed25519' || (type === 'ec' && ['prime256v1', 'secp384r1'].includes(details?.namedCurve ?? ''));
  const { crv, x = '', y } = readable ? publicKey.export({ format: 'jwk' }) : {};
  if (crv !== 'P-256' && crv !== 'P-384' && crv !== 'Ed25519')
    throw new ForeignError('foreign/unsupported', 'the certificate holds another key than P-256, P-384 or Ed25519');
  try {
    return createCoseKey(crv, decodeBase64Url(x), y === undefined ? undefined : decodeBase64Url(y));
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw notVerified(error.message);
  }
}

function parse(der: Uint8Array): X509Certificate {
  try {
    const certificate = X509Certificate.parse(Buffer.from(der));
    if (certificate.root.toDER().length !== der.length) throw new Error('there are bytes behind the certificate');
    // Reading these finds what is missing.
    void [certificate.notBefore, certificate.notAfter, certificate.subject, certificate.issuer, certificate.publicKey];
    return certificate;
  } catch (error) {
    throw new ForeignError('foreign/malformed', 'a certificate cannot be read', { cause: error });
  }
}

function notVerified(message: string): ForeignError {
  return new ForeignError('foreign/not-verified', message);
}
