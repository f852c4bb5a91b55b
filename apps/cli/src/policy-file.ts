import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { KEY_TYPE, parseVerifierKey } from '@treering/note';
import { type PolicyBody, RecordError, type RecordOf, recordFromJson } from '@treering/record';
import {
  type CoseKey,
  createCoseKey,
  decodeBase64Url,
  encodeBase64Url,
  encodeCoseKey,
  type Json,
  StatementError,
} from '@treering/statement';
import { UsageError } from './exit.js';
import { parseYaml } from './yaml.js';

/*
 * A policy in YAML is the JSON view of the record's `policy`, with what people have at hand in place of bytes:
 *
 *   issuers:
 *     - issuer: https://models.example.org
 *       keys: [ "<verifier key>", { file: signing.pem }, "-----BEGIN PUBLIC KEY-----..." ]
 *       roots: [ { file: ca.pem } ]
 *       trusted_root: { file: trusted_root.json }
 */

type Members = { [key: string]: Json };

/**
 * Reads a policy file.
 * @throws UsageError with what is wrong
 */
export async function readPolicyFile(path: string): Promise<PolicyBody> {
  let json: Json;
  try {
    json = parseYaml(await readFile(path, 'utf8')) as Json;
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
  if (!isMembers(json)) throw new UsageError(`${path} does not describe a policy`);
  const folder = dirname(path);
  const issuers = Array.isArray(json.issuers)
    ? await Promise.all(json.issuers.map((issuer) => readIssuer(issuer, folder)))
    : json.issuers;
  const policy = issuers === undefined ? json : { ...json, issuers };
  return validatePolicy(policy);
}

/** @throws RecordError */
function validatePolicy(policy: Json): PolicyBody {
  const record: Members = { v: 1, type: 'policy', subject: 'policy', reason: 'To be checked before it is signed.', policy };
  try {
    return (recordFromJson(record) as RecordOf<'policy'>).policy;
  } catch (error) {
    // A number that is none of a record, such as .inf, is refused before the record is looked at.
    if (!(error instanceof RecordError || error instanceof StatementError)) throw error;
    throw new UsageError(error.message.replace('the policy record', 'the policy'));
  }
}

async function readIssuer(issuer: Json, folder: string): Promise<Json> {
  if (!isMembers(issuer)) return issuer;
  const out: Members = { ...issuer };
  if (Array.isArray(issuer.keys))
    out.keys = await Promise.all(issuer.keys.map(async (key) => readKey(await fromFile(key, folder))));
  if (Array.isArray(issuer.roots))
    out.roots = await Promise.all(issuer.roots.map(async (root) => readCertificate(await fromFile(root, folder))));
  if (issuer.trusted_root !== undefined) {
    const text = await fromFile(issuer.trusted_root, folder);
    out.trusted_root = typeof text === 'string' ? bytes(Buffer.from(text, 'utf8')) : text;
  }
  return out;
}

/** `{file: path}` stands for the text of the file. */
async function fromFile(value: Json, folder: string): Promise<Json> {
  if (!isMembers(value) || typeof value.file !== 'string') return value;
  try {
    return await readFile(resolve(folder, value.file), 'utf8');
  } catch (error) {
    throw new UsageError(`${value.file} cannot be read: ${(error as Error).message}`);
  }
}

/** A verifier key (vkey) or a public key in PEM, as COSE_Key. */
function readKey(value: Json): Json {
  if (typeof value !== 'string') return value;
  try {
    return bytes(encodeCoseKey(coseKeyOf(value)));
  } catch (error) {
    throw error instanceof UsageError
      ? error
      : new UsageError(`a key of an issuer cannot be read: ${(error as Error).message}`);
  }
}

function coseKeyOf(value: string): CoseKey {
  if (!value.includes('BEGIN PUBLIC KEY')) {
    const { type, publicKey } = parseVerifierKey(value.trim());
    if (type !== KEY_TYPE.ed25519) throw new UsageError('an issuer signs with a verifier key of type 0x01');
    return createCoseKey('Ed25519', publicKey);
  }
  const { crv, x = '', y } = createPublicKey(value).export({ format: 'jwk' });
  if (crv !== 'Ed25519' && crv !== 'P-256' && crv !== 'P-384')
    throw new UsageError('keys of issuers are Ed25519, P-256 or P-384');
  return createCoseKey(crv, decodeBase64Url(x), y === undefined ? undefined : decodeBase64Url(y));
}

function readCertificate(value: Json): Json {
  if (typeof value !== 'string') return value;
  try {
    return bytes(new X509Certificate(value).raw);
  } catch (error) {
    throw new UsageError(`a root certificate cannot be read: ${(error as Error).message}`);
  }
}

function bytes(content: Uint8Array): Json {
  return { $bytes: encodeBase64Url(new Uint8Array(content)) };
}

function isMembers(value: Json | undefined): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
