import { EvidenceError, holds } from '@treering/evidence';
import { NoteError, type TrustPolicy } from '@treering/note';
import type { PackContent } from '../model/content.js';
import { counted, sizeWords } from '../model/time-words.js';
import { readTrust } from '../model/trust-text.js';
import { claimList, shortcomings } from './claims.js';
import { append, byId, element, longText } from './element.js';
import { digestOf } from './embedded.js';
import { examine, lookInto, type Run, Superseded } from './examine.js';
import { contentsOf, questionWords, reportSections, type ShownFile } from './report.js';
import { trustWords } from './trust-words.js';
import { sayProgress, sayVerdict, sentences } from './verdict.js';
import { facts } from './view.js';

const DISCLOSED = {
  none: 'none',
  public: 'those that everybody may read',
  restricted: 'all that the log keeps, also those for enrolled people only',
} as const;

/** The page: one file, which is shown as soon as it is there, and verified when the reader says under which keys. */
export class App {
  #file: ShownFile | undefined;
  #runs = 0;

  /** Shows a file, unverified. */
  async open(bytes: Uint8Array): Promise<void> {
    const run = this.#begin();
    this.#file = { name: 'evidence.trpack', bytes };
    await this.#attempt(async () => {
      this.#clear();
      sayVerdict('working', 'Reading the file');
      const digest = await digestOf(bytes);
      append(byId('about'), [
        facts([
          ['Size of the evidence', sizeWords(bytes.length)],
          ['SHA-256 of the evidence', element('code', {}, digest)],
        ]),
      ]);
      const content = await lookInto(bytes, run);
      this.#file = { name: fileNameOf(content), bytes };
      this.#sayWhat(content, digest);
      await this.#show(content, undefined, run);
      sayVerdict(
        'neutral',
        'Not verified yet',
        element(
          'p',
          {},
          'Paste the keys or the trust policy that you have from a source you trust. Until then, everything below is only what the file says.',
        ),
      );
    });
  }

  /** Verifies the file under the keys that the reader gave. */
  async verify(text: string): Promise<void> {
    const file = this.#file;
    const policy = this.#readTrust(text);
    if (policy === undefined || file === undefined) return;
    const run = this.#begin();
    await this.#attempt(async () => {
      sayVerdict('working', 'Verifying');
      byId('checked').hidden = true;
      const { content, report } = await examine(file.bytes, policy, run);
      await this.#show(content, report, run);
      const good = holds(report.claims, report.required);
      byId('claims').replaceChildren(claimList(report));
      const under = byId('under');
      under.replaceChildren();
      append(under, [trustWords(policy)]);
      byId('checked').hidden = false;
      const count = (verdict: string): number => report.claims.filter((claim) => claim.verdict === verdict).length;
      const open = element('a', { href: '#limits' }, `${count('not proved')} not proved`);
      const others = [`${counted(count('proved'), 'claim')} proved, ${count('failed')} failed, `, open, '.'];
      if (good) {
        const alone =
          policy.quorum === 'none'
            ? [element('p', {}, 'You asked for no witness: that the log showed others the same history is its own word.')]
            : [];
        sayVerdict(
          'holds',
          'Everything that has to be proved is proved',
          element('p', {}, 'The file holds under the keys that you gave. ', others),
          ...alone,
        );
      } else {
        const wrong = shortcomings(report).map((claim) => claim.text);
        sayVerdict('fails', 'Not everything that has to be proved is', sentences(wrong), element('p', {}, others));
      }
    });
  }

  #begin(): Run {
    const number = ++this.#runs;
    return { progress: sayProgress, isCurrent: () => number === this.#runs };
  }

  /** A file that cannot be read is said to be such, whatever the reason. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof Superseded) return;
      const about = [...byId('about').childNodes];
      this.#clear();
      // Its size and digest are known all the same.
      byId('about').replaceChildren(...about);
      const why = error instanceof Error ? error.message : String(error);
      const words = error instanceof EvidenceError ? sentence(why) : `It could not be examined: ${why}.`;
      sayVerdict('unreadable', 'This file cannot be read', element('p', {}, words));
    }
  }

  #readTrust(text: string): TrustPolicy | undefined {
    const [field, message] = [byId('trust'), byId('trust-error')];
    try {
      const policy = readTrust(text);
      message.textContent = '';
      field.removeAttribute('aria-invalid');
      return policy;
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      message.textContent = '';
      append(message, [`These are no keys: ${error.message}.`]);
      field.setAttribute('aria-invalid', 'true');
      field.focus();
      return undefined;
    }
  }

  #sayWhat(content: PackContent, digest: string): void {
    const { header } = content;
    if (header === undefined) return;
    const question = questionWords(content);
    document.title = `Evidence report: ${question}`;
    byId('title').replaceChildren();
    append(byId('title'), [question]);
    const about = facts([
      ['Log', element('strong', {}, header.origin)],
      ['Attachments asked for', DISCLOSED[header.question.attachments]],
      ['Size of the evidence', sizeWords(this.#file?.bytes.length ?? 0)],
      ['SHA-256 of the evidence', element('code', {}, digest)],
    ]);
    byId('about').replaceChildren(about);
    const { suggested_policy: suggested } = header;
    byId('suggested').hidden = suggested === undefined;
    byId('suggested-text').replaceChildren(longText(suggested ?? ''));
  }

  async #show(content: PackContent, report: Parameters<typeof reportSections>[1], run: Run): Promise<void> {
    const sections = await reportSections(content, report, this.#file as ShownFile);
    if (!run.isCurrent()) throw new Superseded();
    byId('report').replaceChildren(...sections);
    byId('contents').replaceChildren(contentsOf(report === undefined ? sections : [byId('checked'), ...sections]));
    for (const id of ['contents', 'whole']) byId(id).hidden = false;
  }

  #clear(): void {
    byId('about').replaceChildren();
    byId('report').replaceChildren();
    byId('contents').replaceChildren();
    for (const id of ['contents', 'whole', 'checked', 'suggested']) byId(id).hidden = true;
    document.title = 'Evidence report';
    byId('title').textContent = 'Evidence report';
  }
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}. It was altered or cut short on its way, or never was one.`;
}

function fileNameOf({ header }: PackContent): string {
  const subject = header?.question.subjects[0] ?? header?.origin ?? '';
  return `${subject.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-+|-+$/g, '') || 'evidence'}.trpack`;
}
