import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Fetch } from '@treering/client';

/** Stands for a folder where a URL is asked for. */
export const FOLDER_URL = 'http://folder.invalid';

/** Answers requests below FOLDER_URL from the files of a folder, which lie in it as a log serves them. */
export function fetchFromFolder(folder: string): Fetch {
  return async (url) => {
    const path = join(folder, new URL(url).pathname);
    const isFile = await stat(path).then(
      (found) => found.isFile(),
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false;
        throw error;
      },
    );
    if (!isFile) return new Response(JSON.stringify({ detail: `there is no file ${path}` }), { status: 404 });
    return new Response(Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>);
  };
}
