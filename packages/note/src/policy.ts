import { NoteError } from './errors.js';
import { formatVerifierKey, parseVerifierKey, type VerifierKey } from './key.js';
import { isCosignatureKey } from './open-checkpoint.js';
import type { VerifiedSignature } from './verifier.js';

/** A log that the policy's owner follows. */
export interface PolicyLog {
  readonly key: VerifierKey;
  readonly url?: string;
}

/** A witness, and where it takes checkpoints (https://c2sp.org/tlog-witness). */
export interface PolicyWitness {
  readonly name: string;
  readonly key: VerifierKey;
  readonly url?: string;
}

/** k of the named members (witnesses or other groups). */
export interface PolicyGroup {
  readonly name: string;
  readonly threshold: number;
  readonly members: readonly string[];
}

/** Which cosignatures make a head good enough: https://c2sp.org/tlog-policy */
export interface TrustPolicy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: readonly PolicyGroup[];
  /** Name of the witness or group that must agree, or 'none'. */
  readonly quorum: string;
}

/** Logs, witnesses and groups beyond this number each are refused. */
const MAX_ITEMS = 256;

/**
 * Reads a policy file. White space is space and tab only; a comment is a line that starts with '#'; a name is defined before
 * it is used; each name is a member of at most one group; there is exactly one quorum line; no key stands twice; no witness counts
 * twice for the quorum.
 * @throws NoteError (note/bad-policy) with the number of the line
 */
export function parsePolicy(text: string): TrustPolicy {
  const logs: PolicyLog[] = [];
  const witnesses: PolicyWitness[] = [];
  const groups: PolicyGroup[] = [];
  const used = new Set<string>();
  const publicKeys = new Set<string>();
  let quorum: string | undefined;

  const defined = (name: string): boolean => [...witnesses, ...groups].some((item) => item.name === name);
  const lines = text.split('\n');
  for (let number = 1; number <= lines.length; number++) {
    const fail = (why: string): never => {
      throw new NoteError('note/bad-policy', `line ${number} of the policy: ${why}`);
    };
    const line = lines[number - 1];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: white space is space and tab only
    if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line)) fail('it holds a control character');
    if (/^[ \t]*(?:#.*)?$/s.test(line)) continue;
    const fields = line.split(/[ \t]+/).filter((field) => field !== '');
    const checkName = (name: string): string => {
      if (name === 'none') fail('"none" is no name');
      if (defined(name)) fail(`${name} is defined twice`);
      return name;
    };
    const readKey = (vkey: string): VerifierKey => {
      let key: VerifierKey;
      try {
        key = parseVerifierKey(vkey);
      } catch (error) {
        return fail((error as Error).message);
      }
      const bytes = Array.from(key.publicKey).join();
      if (publicKeys.has(bytes)) fail('this public key stands in the policy already');
      publicKeys.add(bytes);
      return key;
    };
    switch (fields[0]) {
      case 'log':
        if (fields.length < 2 || fields.length > 3) fail('a log line reads: log <vkey> [<url>]');
        logs.push({ key: readKey(fields[1]), url: fields[2] });
        break;
      case 'witness': {
        if (fields.length < 3 || fields.length > 4) fail('a witness line reads: witness <name> <vkey> [<url>]');
        const key = readKey(fields[2]);
        if (!isCosignatureKey(key)) fail('the key of a witness is of type 0x04 or 0x06: a plain signature carries no time');
        witnesses.push({ name: checkName(fields[1]), key, url: fields[3] });
        break;
      }
      case 'group': {
        const [, name, rule, ...members] = fields;
        if (members.length === 0) fail('a group line reads: group <name> all|any|<k> <member>...');
        checkName(name);
        for (const member of members) {
          if (!defined(member)) fail(`${member} is not defined above`);
          if (used.has(member)) fail(`${member} is a member of a group already`);
          used.add(member);
        }
        const threshold =
          rule === 'all' ? members.length : rule === 'any' ? 1 : /^[1-9][0-9]{0,3}$/.test(rule) ? Number(rule) : 0;
        if (threshold < 1 || threshold > members.length)
          fail(`"${rule}" is neither all, any nor a number from 1 to ${members.length}`);
        groups.push({ name, threshold, members });
        break;
      }
      case 'quorum':
        if (fields.length !== 2) fail('a quorum line reads: quorum <name>|none');
        if (quorum !== undefined) fail('there is a quorum already');
        if (fields[1] !== 'none' && !defined(fields[1])) fail(`${fields[1]} is not defined above`);
        quorum = fields[1];
        break;
      default:
        fail(`${JSON.stringify(fields[0])} is no keyword; log, witness, group and quorum are`);
    }
    if (Math.max(logs.length, witnesses.length, groups.length) > MAX_ITEMS)
      fail(`there are more than ${MAX_ITEMS} of one kind`);
  }
  if (quorum === undefined) throw new NoteError('note/bad-policy', 'the policy has no quorum line');
  const policy = { logs, witnesses, groups, quorum };
  requireDistinct(policy);
  return policy;
}

/**
 * A witness may stand in a policy with several keys or names, as long as no group takes it for two of those that it asks for.
 * Keys of one name side by side in a group are no such case: they count once.
 */
function requireDistinct(policy: TrustPolicy): void {
  const { witnesses } = policy;
  const paths = new Map(witnesses.map(({ name }) => [name, pathTo(policy, name)]));
  for (const [i, a] of witnesses.entries()) {
    for (const b of witnesses.slice(i + 1)) {
      const sameName = a.key.name === b.key.name;
      if (!sameName && !sameUrl(a, b)) continue;
      const pathOfB = paths.get(b.name) ?? [];
      const meeting = (paths.get(a.name) ?? []).find((group) => pathOfB.includes(group));
      // One of them does not count for the quorum, or either will do.
      if (meeting === undefined || meeting.threshold === 1) continue;
      if (sameName && meeting.members.includes(a.name) && meeting.members.includes(b.name)) continue;
      throw new NoteError(
        'note/bad-policy',
        `${a.name} and ${b.name} are keys of one witness, which may not count twice in the group ${meeting.name}`,
      );
    }
  }
}

/** The groups that a witness is in, the innermost first; none when the quorum does not depend on it. */
function pathTo({ groups, quorum }: TrustPolicy, witness: string): PolicyGroup[] {
  const path: PolicyGroup[] = [];
  for (let name = witness; name !== quorum; ) {
    const group = groups.find(({ members }) => members.includes(name));
    if (group === undefined) return [];
    path.push(group);
    name = group.name;
  }
  return path;
}

function sameUrl(a: PolicyWitness, b: PolicyWitness): boolean {
  const [urlOfA, urlOfB] = [a, b].map(({ url }) => url?.replace(/\/+$/, '').toLowerCase());
  return urlOfA !== undefined && urlOfA === urlOfB;
}

/** What the cosignatures on a head amount to under a policy. */
export interface QuorumResult {
  readonly met: boolean;
  /** Names of the witnesses that count, each once. */
  readonly witnesses: readonly string[];
}

/**
 * Counts verified cosignatures under a policy. A witness counts once in a group, however many lines and keys it has; the log's own
 * keys and keys that the policy does not name never count.
 */
export function evaluateQuorum(policy: TrustPolicy, cosignatures: readonly VerifiedSignature[]): QuorumResult {
  const same = (a: VerifierKey, b: VerifierKey): boolean => formatVerifierKey(a) === formatVerifierKey(b);
  const present = policy.witnesses
    .filter((witness) => cosignatures.some((cosignature) => same(cosignature.key, witness.key)))
    .map((witness) => witness.name);
  // Groups stand in the order in which they are defined, so members are decided before the groups that name them.
  const satisfied = new Set(present);
  const identities = new Map(policy.witnesses.map(({ name, key }) => [name, `cosigner ${key.name}`]));
  for (const group of policy.groups) {
    const there = group.members.filter((member) => satisfied.has(member));
    // Two keys of one cosigner are one member, unless every key of the group is asked for.
    const distinct = new Set(there.map((member) => identities.get(member) ?? member)).size;
    if (distinct >= group.threshold || there.length === group.members.length) satisfied.add(group.name);
  }
  return { met: policy.quorum === 'none' || satisfied.has(policy.quorum), witnesses: present };
}

/**
 * @throws NoteError (note/quorum-not-met) that says who is missing
 */
export function requireQuorum(policy: TrustPolicy, cosignatures: readonly VerifiedSignature[]): QuorumResult {
  const result = evaluateQuorum(policy, cosignatures);
  if (!result.met) {
    const missing = policy.witnesses.map((witness) => witness.name).filter((name) => !result.witnesses.includes(name));
    throw new NoteError(
      'note/quorum-not-met',
      `the quorum "${policy.quorum}" is not met; not cosigned by: ${missing.join(', ')}`,
    );
  }
  return result;
}
