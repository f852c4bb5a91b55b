import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createVerifierKey, KEY_TYPE } from '@treering/note';
import { ALG, type CoseKey, createCoseKey } from '@treering/statement';
import type { PKCS11 } from 'pkcs11js';
import { KeyError } from './errors.js';
import type { OpenedKey } from './opened-key.js';
import type { Pkcs11Uri } from './pkcs11-uri.js';

type Handle = ReturnType<PKCS11['C_OpenSession']>;

/** PKCS #11 v3.0: what is not in the older headers. */
const CKK_EC_EDWARDS = 0x40;
const CKM_EDDSA = 0x1057;
const P256_PARAMETERS = '06082a8648ce3d030107';

interface Module {
  readonly library: PKCS11;
  users: number;
  /** By slot, the mark of the PIN that its token took: a login holds for every session of the process. */
  readonly pins: Map<string, Buffer>;
}

/** One library is initialised once in a process, however many keys it holds. */
const modules = new Map<string, Module>();
const processKey = randomBytes(32);

/**
 * Opens a key that stays in its token: Ed25519 (signs statements and heads) or P-256 (signs statements).
 * @throws KeyError key/token when the token refuses, key/missing when the key or the bridge is not there; NoteError when the label
 *   of an Ed25519 key cannot be the name of one
 */
export async function openPkcs11(uri: Pkcs11Uri, pin: string): Promise<OpenedKey> {
  const pkcs11 = await import('pkcs11js').catch((error) => {
    throw new KeyError('key/missing', 'keys in tokens need the optional package pkcs11js, which was not installed here', {
      cause: error,
    });
  });
  const api = pkcs11.default ?? pkcs11;
  const module = load(api, uri.module);
  const { library } = module;
  const guard = <T>(what: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (error instanceof KeyError) throw error;
      // Messages of the bridge name the function and the return value, and never the PIN.
      throw new KeyError('key/token', `${what}: ${(error as Error).message.split('\n')[0]}`, { cause: error });
    }
  };
  let session: Handle | undefined;
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    if (session !== undefined) library.C_CloseSession(session);
    release(uri.module);
  };
  try {
    const slot = guard('the token cannot be found', () => findSlot(library, uri));
    session = guard('the token opens no session', () => library.C_OpenSession(slot, api.CKF_SERIAL_SESSION));
    const open = session;
    guard('the token does not take the PIN', () => {
      const mark = createHmac('sha256', processKey).update(pin).digest();
      const name = slot.toString('hex');
      try {
        library.C_Login(open, api.CKU_USER, pin);
        module.pins.set(name, mark);
      } catch (error) {
        if (!/ALREADY_LOGGED_IN/.test((error as Error).message)) throw error;
        const taken = module.pins.get(name);
        if (taken === undefined || !timingSafeEqual(taken, mark))
          throw new KeyError('key/token', 'the token does not take the PIN');
      }
    });
    const privateKey = guard('the key cannot be read', () => findObject(library, open, uri, api.CKO_PRIVATE_KEY, api));
    const publicKey = guard('the public key cannot be read', () => findObject(library, open, uri, api.CKO_PUBLIC_KEY, api));
    const read = (attribute: number): Buffer =>
      guard('the public key cannot be read', () => {
        const [{ value }] = library.C_GetAttributeValue(open, publicKey, [{ type: attribute }]);
        return value as Buffer;
      });
    const key = readPublicKey(
      read(api.CKA_KEY_TYPE).readUInt32LE(0),
      read(api.CKA_EC_PARAMS),
      read(api.CKA_EC_POINT),
      api.CKK_EC,
    );
    const name = uri.object ?? Buffer.from(uri.id as Uint8Array).toString('hex');
    const mechanism = { mechanism: key.curve === 'Ed25519' ? CKM_EDDSA : api.CKM_ECDSA };
    const sign = (message: Uint8Array): Uint8Array =>
      guard('the token does not sign', () => {
        const input = key.curve === 'Ed25519' ? Buffer.from(message) : createHash('sha256').update(message).digest();
        library.C_SignInit(open, mechanism, privateKey);
        return new Uint8Array(library.C_Sign(open, input, Buffer.alloc(64)));
      });
    const statement = { algorithm: key.curve === 'Ed25519' ? ALG.eddsa : ALG.es256, key, sign };
    if (key.curve !== 'Ed25519') return { name, statement, note: undefined, close };
    const verifier = createVerifierKey(name, KEY_TYPE.ed25519, key.x);
    const note = {
      key: verifier,
      sign: (text: string) => ({ name, id: verifier.id, signature: sign(Buffer.from(text, 'utf8')) }),
    };
    return { name, statement, note, close };
  } catch (error) {
    close();
    throw error;
  }
}

function load(api: typeof import('pkcs11js'), path: string): Module {
  const known = modules.get(path);
  if (known !== undefined) {
    known.users++;
    return known;
  }
  const library = new api.PKCS11();
  try {
    library.load(path);
    try {
      library.C_Initialize();
    } catch (error) {
      library.close();
      throw error;
    }
  } catch (error) {
    throw new KeyError('key/missing', `the PKCS #11 library ${path} cannot be loaded`, { cause: error });
  }
  const module = { library, users: 1, pins: new Map<string, Buffer>() };
  modules.set(path, module);
  return module;
}

function release(path: string): void {
  const known = modules.get(path);
  if (known === undefined || --known.users > 0) return;
  modules.delete(path);
  known.library.C_Finalize();
  known.library.close();
}

function findSlot(library: PKCS11, { token, serial }: Pkcs11Uri): Handle {
  const slots = library.C_GetSlotList(true).filter((slot) => {
    const info = library.C_GetTokenInfo(slot);
    return (
      (token === undefined || info.label.trim() === token) && (serial === undefined || info.serialNumber.trim() === serial)
    );
  });
  if (slots.length !== 1)
    throw new KeyError('key/missing', `${slots.length} tokens fit the URI; token=<label> or serial=<number> names exactly one`);
  return slots[0];
}

function findObject(
  library: PKCS11,
  session: Handle,
  { object, id }: Pkcs11Uri,
  kind: number,
  api: typeof import('pkcs11js'),
): Handle {
  library.C_FindObjectsInit(session, [
    { type: api.CKA_CLASS, value: kind },
    ...(object === undefined ? [] : [{ type: api.CKA_LABEL, value: object }]),
    ...(id === undefined ? [] : [{ type: api.CKA_ID, value: Buffer.from(id) }]),
  ]);
  const found = library.C_FindObjects(session, 2);
  library.C_FindObjectsFinal(session);
  if (found.length !== 1)
    throw new KeyError(
      'key/missing',
      `${found.length} keys fit the URI; object=<label> and id=<bytes> name exactly one key pair`,
    );
  return found[0];
}

/** CKA_EC_POINT is an octet string in DER around the point; some tokens leave the DER away. */
function readPublicKey(type: number, parameters: Buffer, point: Buffer, ec: number): CoseKey {
  const bare = type === CKK_EC_EDWARDS ? 32 : 65;
  const inDer = point.length === bare + 2 && point[0] === 4 && point[1] === bare;
  const raw = inDer ? point.subarray(2) : point;
  if (type === CKK_EC_EDWARDS && raw.length === 32) return createCoseKey('Ed25519', new Uint8Array(raw));
  if (type === ec && parameters.toString('hex') === P256_PARAMETERS && raw.length === 65) {
    return createCoseKey('P-256', new Uint8Array(raw.subarray(1, 33)), new Uint8Array(raw.subarray(33)));
  }
  throw new KeyError('key/unsupported', 'the key in the token is neither Ed25519 nor P-256');
}
