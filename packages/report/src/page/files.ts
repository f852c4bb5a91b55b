import { isPack } from '@treering/evidence';
import { byId } from './element.js';

/** No text with keys is larger, in bytes. */
const LARGEST_TEXT = 512 * 1024;

/** What a file is for that somebody dropped or chose: evidence, or keys. */
export interface FileTakers {
  readonly pack: (bytes: Uint8Array) => void;
  readonly trust: (text: string) => void;
}

/** Takes files that are dropped anywhere on the page or chosen in one of the two fields. */
export function takeFiles(takers: FileTakers): void {
  for (const id of ['pack-file', 'trust-file']) {
    const field = byId<HTMLInputElement>(id);
    field.addEventListener('change', () => {
      if (field.files?.[0] !== undefined) void take(field.files[0], takers);
      field.value = '';
    });
  }
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.dataset.dragging = '';
  });
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) delete document.body.dataset.dragging;
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    delete document.body.dataset.dragging;
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) void take(file, takers);
  });
}

async function take(file: File, { pack, trust }: FileTakers): Promise<void> {
  const start = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  if (isPack(start) || file.name.endsWith('.trpack') || file.size > LARGEST_TEXT)
    pack(new Uint8Array(await file.arrayBuffer()));
  else trust(await file.text());
}
