import { KeyError } from './errors.js';

/** Which key of which token (RFC 7512). */
export interface Pkcs11Uri {
  readonly module: string;
  readonly token: string | undefined;
  readonly serial: string | undefined;
  readonly object: string | undefined;
  /** CKA_ID */
  readonly id: Uint8Array | undefined;
  /** A file with the PIN. */
  readonly pinSource: string | undefined;
}

const PATH = ['token', 'serial', 'object', 'id', 'type'];
const QUERY = ['module-path', 'pin-source'];

/**
 * Reads a `pkcs11:` URI. A PIN never stands in it: command lines and files of settings are read by others.
 * @throws KeyError (key/malformed)
 */
export function parsePkcs11Uri(uri: string): Pkcs11Uri {
  const match = /^pkcs11:([^?]*)(?:\?(.*))?$/.exec(uri);
  if (match === null) throw malformed('it begins with pkcs11:');
  const path = attributes(match[1], ';', PATH);
  const query = attributes(match[2] ?? '', '&', QUERY);
  const text = (name: string): string | undefined => {
    const value = path.get(name) ?? query.get(name);
    return value === undefined ? undefined : Buffer.from(value).toString('utf8');
  };
  const module = text('module-path');
  if (module === undefined) throw malformed('module-path=<library> says which library speaks to the token');
  if (!path.has('object') && !path.has('id')) throw malformed('object=<label> or id=<bytes> says which key');
  const type = text('type');
  if (type !== undefined && type !== 'private') throw malformed('type is private');
  return {
    module,
    token: text('token'),
    serial: text('serial'),
    object: text('object'),
    id: path.get('id'),
    pinSource: text('pin-source')?.replace(/^file:/, ''),
  };
}

function attributes(text: string, separator: string, known: readonly string[]): Map<string, Uint8Array> {
  const out = new Map<string, Uint8Array>();
  for (const part of text === '' ? [] : text.split(separator)) {
    const at = part.indexOf('=');
    const name = part.slice(0, at);
    if (name === 'pin-value')
      throw malformed('the PIN does not stand in it; set TREERING_PKCS11_PIN or pin-source=file:<path>');
    if (at < 0 || !known.includes(name))
      throw malformed(`the attribute ${JSON.stringify(name)} is not known; known are ${known.join(', ')}`);
    if (out.has(name)) throw malformed(`the attribute ${name} stands there twice`);
    out.set(name, percentDecoded(part.slice(at + 1)));
  }
  return out;
}

function percentDecoded(text: string): Uint8Array {
  const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw malformed('a percent sign stands before two hex digits');
  if (/[^\x21-\x7e]/.test(text)) throw malformed('spaces and letters beyond ASCII are percent-encoded');
  return new Uint8Array(Buffer.from(bytes, 'latin1'));
}

function malformed(why: string): KeyError {
  return new KeyError('key/malformed', `the URI of the key is not understood: ${why}`);
}
