import { admit, type Candidate, createCandidate, GovernanceState } from '@treering/governance';
import { formatVerifierKey, hex } from '@treering/note';
import { type ChangeRecord, configDigest, encodeRecord, type RecordOf, stateDigest } from '@treering/record';
import { encodeCoseKey, parseStatement, signStatement } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { seededRandom } from '../../../test/fault/random.js';
import { holds, type Question } from '../src/index.js';
import { ORIGIN } from './fixture.js';
import { logKeys, PackLog, type Person, person, START, verified } from './pack-log.js';

// Whatever a log has seen, an honest pack of any question has what decides about its entries: what the rules admitted with the whole
// log before it, they admit with the entries of the file.

const HISTORIES = 60;
const LENGTH = 90;
const keys = logKeys.slice(0, 1);
const admins = ['ada', 'grace', 'edsger'].map((id, i) => person(id, 41 + i));
const staff = ['eve', 'bob', 'carol', 'dan'].map((id, i) => person(id, 51 + i));
const again = person('eve', 61);
const everybody = [...admins, ...staff, again];

type Draft = { readonly [key: string]: unknown; readonly type: ChangeRecord['type']; readonly subject: string };

/** One history: what is not admitted is tried and not logged. */
class History {
  readonly log = new PackLog(keys);
  readonly state = new GovernanceState();
  readonly #random: (below: number) => number;
  readonly #logged: Candidate[] = [];
  readonly #seen = new Set<string>();

  constructor(seed: number) {
    const next = seededRandom(seed);
    this.#random = (below) => Math.floor(next() * below);
  }

  async begin(): Promise<void> {
    await this.#tryOut(admins[0], {
      type: 'charter',
      subject: 'charter',
      origin: ORIGIN,
      log_keys: keys.map(({ key }) => formatVerifierKey(key)),
      administrators: admins.map(({ id, signer }) => ({ id, key: encodeCoseKey(signer.key), roles: ['administrator'] })),
      threshold: 1 + this.#random(2),
      policy: this.#policy(),
      witnesses: [],
    });
    for (const who of staff) await this.#tryOut(admins[0], this.#enrolment(who));
  }

  async step(): Promise<void> {
    this.log.now += this.#random(200);
    const drafts = [
      () => this.#model(),
      () => this.#config(),
      () => this.#approval(),
      () => this.#approval(),
      () => this.#approval(),
      () => this.#deployment(),
      () => this.#deployment(),
      () => this.#governing(),
      () => this.#about(),
    ];
    const draft = drafts[this.#random(drafts.length)]();
    const prev = this.state.latest(draft.subject)?.leaf;
    const named = prev === undefined || this.#random(3) === 0 ? {} : { prev };
    await this.#tryOut(this.#one(everybody), { ...draft, ...named });
    if (this.#random(12) === 0) this.log.head([]);
  }

  /** Signs it, and logs it if the rules admit it. */
  async #tryOut(by: Person, draft: Draft): Promise<void> {
    const record = { v: 1, reason: `Try ${this.#seen.size} of a random history.`, ...draft } as unknown as ChangeRecord;
    const claims = { iss: `${ORIGIN}/identity/${by.id}`, sub: draft.subject, iat: this.log.now };
    const statement = await signStatement(claims, encodeRecord(record), by.signer);
    this.#seen.add(hex(statement.entry));
    const candidate = createCandidate(statement);
    if (!admit(this.state, candidate).admitted) return;
    this.state.apply(this.log.entries.length, candidate);
    this.log.append(statement.entry);
    this.#logged.push(candidate);
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random(list.length)];
  }

  #policy(): RecordOf<'policy'>['policy'] {
    const approvals = {
      on: this.#one(['model/*', 'config/*', 'deploy/**', '**']),
      need: 1 + this.#random(2),
      roles: ['approver'],
    };
    return {
      rules: [
        { name: 'engineers', who: { roles: ['engineer'] }, may: ['*'], on: ['**'], grants: ['engineer', 'approver'] },
        { name: 'approvers', who: { roles: ['approver'] }, may: ['approval'], on: ['**'] },
      ],
      ...(this.#random(3) === 0 ? {} : { approvals: [{ ...approvals, not_author: this.#random(2) === 0, within: 5000 }] }),
      ...(this.#random(2) === 0 ? {} : { gates: [this.#gate()] }),
      limits: { break_glass: true },
    };
  }

  #gate() {
    const evaluation = { evaluation: { within: 10_000, not_author: this.#random(2) === 0 } };
    const asked = this.#one([
      evaluation,
      { incidents: 'low' as const },
      { assessment: true as const },
      { ...evaluation, incidents: 'high' as const },
    ]);
    return { on: 'deploy/**', ...asked };
  }

  #enrolment(who: Person): Draft {
    const roles = this.#one([['engineer'], ['approver'], ['engineer', 'approver']]);
    const until = { valid_until: START + 100_000 };
    const key = encodeCoseKey(who.signer.key);
    return {
      type: 'identity',
      subject: `identity/${who.id}`,
      action: 'enrol',
      id: who.id,
      key,
      kind: 'person',
      roles,
      ...until,
    };
  }

  #governing(): Draft {
    const list = [0, 1, 2].slice(0, 2 + this.#random(2)).map((i) => admins[i]);
    const administrators = list.map(({ id, signer }) => ({ id, key: encodeCoseKey(signer.key), roles: ['administrator'] }));
    const name = this.#one(staff);
    const drafts: Draft[] = [
      { type: 'policy', subject: 'policy', policy: this.#policy() },
      { type: 'policy', subject: 'policy', policy: this.#policy() },
      { type: 'amendment', subject: 'charter', threshold: 1 + this.#random(2) },
      { type: 'amendment', subject: 'charter', administrators, threshold: 1 },
      { type: 'freeze', subject: 'freeze/a', on: this.#one(['model/a', 'deploy/**', '**']), until: this.log.now + 300 },
      { type: 'freeze', subject: 'freeze/a', on: '**', until: 0 },
      { type: 'identity', subject: `identity/${name.id}`, action: 'revoke', id: name.id },
      this.#enrolment(this.#one([...staff, again])),
      this.#enrolment(this.#one([...staff, again])),
    ];
    return this.#one(drafts);
  }

  #model(): Draft {
    const name = this.#one(['a', 'b']);
    const facts = { change: 'weights', parents: [], training_data: [], digest: new Uint8Array(32).fill(this.#random(4)) };
    return { type: 'model', subject: `model/${name}`, name, version: String(this.log.now), ...facts, ...this.#attached() };
  }

  #config(): Draft {
    const name = this.#one(['a', 'b']);
    const files = [{ path: 'x', digest: new Uint8Array(32).fill(this.#random(3)) }];
    return { type: 'config', subject: `config/${name}`, name, version: String(this.log.now), files };
  }

  #attached(): object {
    if (this.#random(2) === 0) return {};
    const digest = new Uint8Array(32).fill(100 + this.#random(5));
    return { attachments: [{ name: 'x', media_type: 'text/plain', size: 1, digest, access: 'withheld' }] };
  }

  #pick(...types: string[]): Candidate | undefined {
    return this.#one(this.#logged.filter(({ record }) => types.includes(record?.type ?? '')));
  }

  #approval(): Draft {
    const target = this.#pick('model', 'config', 'deployment', 'policy', 'amendment', 'freeze') ?? this.#logged[0];
    const role = this.#one(['approver', 'approver', 'administrator']);
    const decision = this.#random(6) === 0 ? 'reject' : 'approve';
    return { type: 'approval', subject: target.statement.sub, target: target.leaf, decision, role };
  }

  #deployment(): Draft {
    const [model, config] = [this.#pick('model'), this.#pick('config')];
    const before = this.#pick('deployment')?.record as RecordOf<'deployment'> | undefined;
    const phase = this.#one(['intent', 'active', 'ended']);
    const common = { type: 'deployment' as const, phase, environment: 'prod', service: 's', subject: 'deploy/prod/s' };
    if (before !== undefined && this.#random(2) === 0)
      return { ...common, model: before.model, config: before.config, state: before.state, approvals: [] };
    if (model?.record?.type !== 'model' || config?.record?.type !== 'config') return this.#model();
    const state = stateDigest(model.record.digest, configDigest(config.record), undefined);
    const approvals = [model, config].flatMap(({ leaf }) =>
      this.state.approvals(hex(leaf)).map((fact) => Buffer.from(fact.leaf, 'hex')),
    );
    const glass = this.#random(8) === 0 ? { break_glass: true } : {};
    const listed = this.#random(2) === 0 ? approvals.slice(0, 3).map((leaf) => new Uint8Array(leaf)) : [];
    return { ...common, model: model.leaf, config: config.leaf, state, approvals: listed, ...glass };
  }

  #about(): Draft {
    const one = this.#pick('model', 'config', 'deployment', 'incident') ?? this.#logged[0];
    const erased = one.record?.attachments?.map(({ digest }) => digest);
    const drafts: Draft[] = [
      { type: 'correction', subject: one.statement.sub, supersedes: one.leaf, ...(erased === undefined ? {} : { erased }) },
      this.#incident(one),
      this.#incident(one),
      { type: 'assessment', subject: 'system/s', target: one.leaf, result: this.#one(['substantial', 'not-substantial']) },
      this.#evaluation(),
      this.#evaluation(),
    ];
    return this.#one(drafts);
  }

  #incident({ leaf }: Candidate): Draft {
    const [severity, status] = [this.#one(['low', 'high']), this.#one(['open', 'closed', 'closed'])];
    const affected = this.#random(2) === 0 ? [] : [leaf];
    return { type: 'incident', subject: `incident/${this.#random(3)}`, severity, status, aware_at: 1, affected };
  }

  #evaluation(): Draft {
    const [model, config] = [this.#pick('model'), this.#pick('config')];
    if (model === undefined || config === undefined) return this.#model();
    return {
      type: 'evaluation',
      subject: 'model/a',
      model: model.leaf,
      config: config.leaf,
      suite: this.#one(['smoke', 'regression']),
      dataset: new Uint8Array(32),
      metrics: [{ name: 'accuracy', value: '0.9' }],
      verdict: this.#random(4) === 0 ? 'fail' : 'pass',
      tolerances: [],
    };
  }

  question(): Question {
    const subjects = this.#one([
      ['deploy/prod/s'],
      ['model/*'],
      ['config/a', 'incident/**'],
      ['model/a'],
      ['identity/*'],
      ['policy'],
      ['system/*'],
    ]);
    const span = this.log.now - START;
    const from = this.#random(2) === 0 ? {} : { from: (START + this.#random(span + 1)) * 1000 };
    const to = this.#random(2) === 0 ? {} : { to: Math.max((START + this.#random(span + 1)) * 1000, from.from ?? 0) };
    return { subjects, attachments: 'none', ...from, ...to };
  }
}

test(`of ${HISTORIES} random histories every honest pack holds`, async () => {
  const types = new Map<string, number>();
  let packs = 0;
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const history = new History(seed);
    await history.begin();
    for (let i = 0; i < LENGTH; i++) await history.step();
    history.log.head([]);
    for (const entry of history.log.entries) {
      const type = createCandidate(parseStatement(entry)).record?.type ?? 'foreign';
      types.set(type, (types.get(type) ?? 0) + 1);
    }
    for (let i = 0; i < 4; i++) {
      const question = history.question();
      if (history.log.index.select(question).entries.length === 0) continue;
      const report = await verified(await history.log.pack(question), {
        logs: keys.map(({ key }) => ({ key })),
        witnesses: [],
        groups: [],
        quorum: 'none',
      });
      packs++;
      const failed = report.claims.filter(({ name, verdict }) => verdict === 'failed' && name !== 'approvals');
      assert.equal(failed, [], `history ${seed}, ${JSON.stringify(question)}`);
      assert.ok(
        report.claims.find(({ name }) => name === 'approvals')?.verdict !== 'failed' || !holds(report.claims, report.required),
      );
    }
  }
  assert.ok(packs > HISTORIES * 2, `${packs} packs`);
  for (const type of [
    'policy',
    'amendment',
    'freeze',
    'identity',
    'approval',
    'deployment',
    'correction',
    'evaluation',
    'incident',
  ])
    assert.ok((types.get(type) ?? 0) > HISTORIES / 4, `${type}: ${types.get(type)}`);
});

test.run();
