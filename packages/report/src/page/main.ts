import { App } from './app.js';
import { byId } from './element.js';
import { embeddedPack } from './embedded.js';
import { takeFiles } from './files.js';
import { openLinked, printWhole } from './printing.js';
import { sayVerdict } from './verdict.js';

const app = new App();
const field = byId<HTMLTextAreaElement>('trust');

byId('keys').addEventListener('submit', (event) => {
  event.preventDefault();
  void app.verify(field.value);
});
takeFiles({
  pack: (bytes) => void app.open(bytes),
  trust: (text) => {
    field.value = text;
    field.focus();
  },
});
printWhole();
openLinked();

let pack: Uint8Array | undefined;
try {
  pack = embeddedPack();
  if (pack === undefined)
    sayVerdict(
      'empty',
      'There is no evidence here yet',
      'Choose a .trpack file, or drop it anywhere on this page. It never leaves your computer.',
    );
  else void app.open(pack);
} catch {
  sayVerdict('unreadable', 'This file cannot be read', 'The evidence in this page is damaged: it is no base64.');
}
