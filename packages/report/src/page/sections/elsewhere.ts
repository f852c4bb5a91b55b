import { element } from '../element.js';
import { saveFile } from '../embedded.js';
import { paragraph, section } from '../view.js';

/** How to check the file without this page. */
export function elsewhereSection(name: string, bytes: Uint8Array): HTMLElement {
  const save = element('button', { type: 'button' }, 'Save the evidence as a .trpack file');
  save.addEventListener('click', () => saveFile(name, bytes));
  return section(
    'elsewhere',
    'How to check this without this page',
    paragraph(
      'This page came from whoever made the file, and a page can be made to say anything. The stronger check uses a verifier that you have from somewhere else: save the evidence, and give it to one of these.',
    ),
    element(
      'ul',
      { class: 'sentences' },
      element(
        'li',
        {},
        'The command of the project, with the keys and witnesses that you trust in a text file: ',
        element('code', {}, `treering verify ${name} --policy regulator.policy`),
      ),
      element(
        'li',
        {},
        'An independent copy of this page without evidence in it, into which the file is dropped. The project prints the SHA-256 of that page when it is built; compare it.',
      ),
    ),
    element('p', { class: 'actions' }, save),
  );
}
