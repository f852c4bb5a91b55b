import { join } from 'node:path';
import { ACCESS_CONTENT_TYPE } from '@treering/log/content-types';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { createStatementSigner, encodeBase64Url, signStatement } from '@treering/statement';
import type { LogDesk } from './fixture.js';

/** What is needed of an attachment in the JSON view of a record. */
export interface Ref {
  readonly name: string;
  readonly access: string;
  readonly digest: { readonly $bytes: string };
}

/** Bytes of the JSON view of a record, in hex. */
export const hexOf = (digest: { readonly $bytes: string }): string => Buffer.from(digest.$bytes, 'base64url').toString('hex');

/** Reads an attachment; with `authorised`, as the administrator. */
export async function download(desk: LogDesk, digest: string, authorised: boolean): Promise<Response> {
  const headers: Record<string, string> = {};
  if (authorised) {
    const { seed } = await readKeyFile(join(desk.data, 'keys', 'admin.key'));
    const { entry } = await signStatement(
      {
        iss: 'log.test/cli/identity/admin',
        sub: `access/${digest}`,
        iat: Math.floor(Date.now() / 1000),
        contentType: ACCESS_CONTENT_TYPE,
      },
      new Uint8Array(),
      createStatementSigner(seed, nodeEd25519),
    );
    headers.Authorization = `Treering ${encodeBase64Url(entry)}`;
  }
  return fetch(`${desk.served.url}/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`, { headers });
}
