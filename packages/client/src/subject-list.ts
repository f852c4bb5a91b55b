import { isSubject } from '@treering/record';
import { ClientError } from './errors.js';
import { type LogHttp, parseJsonObject } from './http.js';
import { textOf } from './members.js';

/** Subjects on one page. */
const PAGE = 100;
/** Subjects that one list has at most. A log that lies does not keep its reader longer. */
const MOST_SUBJECTS = 100_000;

/**
 * Reads the list of subjects that a log has records about (`/v1/subjects`), page by page. Nothing is verified but the list itself: the
 * subjects begin with what was asked for and rise, and every page goes on behind the one before it. What no record can be about is
 * left out.
 * @param prefix what the subjects begin with, such as `incident/`
 * @param most subjects that are read
 * @throws ClientError client/bad-answer for a list that cannot be followed
 */
export async function* readSubjects(http: LogHttp, prefix: string, most = MOST_SUBJECTS): AsyncGenerator<string> {
  let count = 0;
  let last = '';
  for (let more = true; more; ) {
    const query = new URLSearchParams({ prefix, ...(last === '' ? {} : { after: last }) });
    const { subjects, next } = parseJsonObject(await http.request(`/v1/subjects?${query}`));
    if (!Array.isArray(subjects)) throw badList('it has no subjects');
    if (subjects.length > PAGE) throw badList(`it has ${subjects.length} subjects on a page of ${PAGE}`);
    for (const item of subjects as readonly ({ subject?: unknown } | null)[]) {
      const subject = textOf(item?.subject, 'a subject');
      if (!subject.startsWith(prefix)) throw badList('it has what was not asked for');
      if (++count > most) throw badList(`it has no end after ${most} subjects`);
      // What a foreign statement is about may be any text; no record has such a subject, and its order is that of its bytes.
      const readable = isSubject(subject);
      if (readable && subject <= last) throw badList('its subjects do not rise');
      last = subject;
      if (readable) yield subject;
    }
    if (next !== undefined && (subjects.length < PAGE || next !== last)) throw badList('it does not go on where it ended');
    more = next !== undefined;
  }
}

function badList(why: string): ClientError {
  return new ClientError('client/bad-answer', `the log's list of subjects cannot be followed: ${why}`);
}
