import { formatVerifierKey, KEY_TYPE, type TrustPolicy, type VerifierKey } from '@treering/note';
import { type Child, element } from './element.js';
import { details } from './view.js';

const TYPES: Readonly<Record<number, string>> = {
  [KEY_TYPE.ed25519]: 'Ed25519',
  [KEY_TYPE.ecdsa]: 'ECDSA',
  [KEY_TYPE.ed25519Cosignature]: 'Ed25519 with a time',
  [KEY_TYPE.mldsa44Cosignature]: 'ML-DSA-44 with a time',
};

/** Under which keys the file was verified: they belong to the verdict, on paper too. */
export function trustWords({ logs, witnesses, quorum }: TrustPolicy): Child {
  const keys = (title: string, list: readonly VerifierKey[]): Child =>
    list.length === 0
      ? undefined
      : [element('dt', {}, title), ...list.map((key) => element('dd', {}, `${key.name}, ${TYPES[key.type]}, id ${key.id}`))];
  const full = [...logs, ...witnesses].map(({ key }) => element('li', {}, element('code', {}, formatVerifierKey(key))));
  return [
    element(
      'dl',
      { class: 'keys' },
      keys(
        logs.length === 1 ? 'Key of the log' : 'Keys of the log',
        logs.map(({ key }) => key),
      ),
      keys(
        'Witnesses',
        witnesses.map(({ key }) => key),
      ),
      element('dt', {}, 'Witnesses that have to agree'),
      element('dd', {}, quorum === 'none' ? 'none: the word of the log alone counts' : quorum),
    ),
    details('The keys in full', element('ul', { class: 'how' }, ...full)),
  ];
}
