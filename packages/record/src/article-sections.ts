/** A record as far as the index of articles looks at it; any record is one. */
export interface IndexedRecord {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** Records that answer a section: those of a type, or only some of them. A type that is not known yet does no harm. */
export interface ArticleAnswer {
  readonly type: string;
  readonly when?: (record: IndexedRecord) => boolean;
}

/** What must be there for a section to be answered: an entry that answers it and has one of these types. */
export interface ArticleNeed {
  /** Reads on from "There is no". */
  readonly what: string;
  readonly types: readonly string[];
}

/** What a regulator asks, and which records answer it. */
export interface ArticleSection {
  /** Short and stable, such as `eu-ai-act-12`. */
  readonly id: string;
  readonly title: string;
  /** One or two sentences. */
  readonly asks: string;
  readonly answers: readonly ArticleAnswer[];
  readonly needs: readonly ArticleNeed[];
  /** What to say when nothing answers. */
  readonly missing: string;
  /** To what it applies and from when, where that lies ahead. */
  readonly applies?: string;
  /** What the log cannot answer. */
  readonly note?: string;
}

const HIGH_RISK =
  'To high-risk systems of Annex III from 2 December 2027, to those of Annex I from 2 August 2028 (Regulation (EU) 2024/1689 as amended by (EU) 2026/1744).';

const types = (...names: string[]): ArticleAnswer[] => names.map((type) => ({ type }));

const ACTIVE: ArticleAnswer = { type: 'deployment', when: ({ phase }) => phase === 'active' };
const WITHIN_PLAN: ArticleAnswer = {
  type: 'assessment',
  when: ({ result, plan }) => result === 'within-plan' && plan !== undefined,
};
const documented = (type: string): ArticleAnswer => ({
  type,
  when: ({ attachments }) => Array.isArray(attachments) && attachments.length > 0,
});

/**
 * Sections of the EU AI Act (Regulation (EU) 2024/1689), of FDA guidance and of two rules of US finance. Which of them apply to
 * whom is not decided here, and a section that is answered is no proof that the rule is kept.
 */
export const articleSections: readonly ArticleSection[] = [
  {
    id: 'eu-ai-act-11',
    title: 'EU AI Act Art. 11 and Annex IV: technical documentation',
    asks: 'The documentation names the version and how it relates to earlier ones, where the data comes from, the changes that were fixed in advance, and the changes through the lifecycle. Reports of tests are dated and signed by the responsible persons.',
    answers: types('system', 'model', 'config', 'evaluation', 'change-plan'),
    needs: [
      { what: 'description of a system', types: ['system'] },
      { what: 'version of a model', types: ['model'] },
      { what: 'evaluation', types: ['evaluation'] },
    ],
    missing: 'There is no record of a system, a model, a configuration or an evaluation.',
    applies: HIGH_RISK,
    note: 'Records hold digests, dates and signatures; the documents themselves are attached, or lie elsewhere. Annex IV asks for more than records hold, such as the plan for monitoring after the placing on the market (point 9).',
  },
  {
    id: 'eu-ai-act-12',
    title: 'EU AI Act Art. 12: record-keeping',
    asks: 'The system records events automatically, for finding risks and substantial modifications, for monitoring after the placing on the market (Art. 72) and for monitoring its operation (Art. 26(5)).',
    answers: types('model', 'config', 'deployment', 'attestation', 'verification', 'incident', 'assessment', 'decision-batch'),
    needs: [
      { what: 'deployment', types: ['deployment'] },
      { what: 'verification or attestation of what runs', types: ['verification', 'attestation'] },
    ],
    missing: 'There is no record of a change, of a deployment or of what runs.',
    applies: HIGH_RISK,
    note: 'The Act asks for automatic recording of events; it does not ask for tamper evidence. Events that a system keeps in logs of its own are not here unless they are recorded.',
  },
  {
    id: 'eu-ai-act-17',
    title: 'EU AI Act Art. 17: quality management system',
    asks: 'There are procedures for managing modifications, for tests and validation, for monitoring after the placing on the market, for incidents and for keeping records. It is said who is accountable.',
    answers: types(
      'charter',
      'policy',
      'identity',
      'approval',
      'evaluation',
      'change-plan',
      'assessment',
      'verification',
      'incident',
    ),
    needs: [
      { what: 'policy', types: ['charter', 'policy'] },
      { what: 'approval', types: ['approval'] },
      { what: 'evaluation', types: ['evaluation'] },
    ],
    missing: 'There are no rules, no identities and no approvals.',
    applies: HIGH_RISK,
    note: 'The log shows which rules decided who may record what, and who approved what. Written procedures are not in it unless they are attached.',
  },
  {
    id: 'eu-ai-act-18',
    title: 'EU AI Act Art. 18: keeping the documentation',
    asks: 'Technical documentation, documentation of the quality management system, changes that notified bodies approved, their decisions and the EU declaration of conformity are kept for 10 years after the placing on the market or putting into service.',
    answers: ['system', 'model', 'config', 'evaluation', 'approval', 'change-plan', 'assessment'].map(documented),
    needs: [],
    missing: 'No record of a system, a change, an evaluation, an approval or an assessment has an attachment.',
    applies: HIGH_RISK,
    note: 'Entries are never erased, but what they name as attached may be, and whether it is the documentation that is meant the log does not judge. It does not know when a system was placed on the market.',
  },
  {
    id: 'eu-ai-act-19',
    title: 'EU AI Act Art. 19: keeping the logs',
    asks: 'Providers keep the logs that the system makes automatically for at least six months.',
    answers: types('deployment', 'attestation', 'verification', 'incident', 'decision-batch'),
    needs: [],
    missing: 'There is no record of a deployment, of what runs or of an incident.',
    applies: HIGH_RISK,
    note: 'Entries stay; logs that a system keeps elsewhere are not here.',
  },
  {
    id: 'eu-ai-act-20',
    title: 'EU AI Act Art. 20: corrective actions',
    asks: 'Where it is necessary, a provider corrects, withdraws, disables or recalls the system, and informs others of it.',
    answers: [
      { type: 'deployment', when: ({ phase, replaces }) => phase === 'ended' || replaces !== undefined },
      { type: 'freeze', when: ({ until }) => until !== 0 },
    ],
    needs: [],
    missing:
      'No deployment was ended or undone, and nothing was frozen. That does not say whether anything had to be corrected.',
    applies: HIGH_RISK,
    note: 'Deployments end, and subjects are frozen, for ordinary reasons too; the record says why. Who was informed is not in the log, apart from the authorities that an incident names.',
  },
  {
    id: 'eu-ai-act-26',
    title: 'EU AI Act Art. 26: deployers',
    asks: 'Deployers monitor the operation of the system (26(5)) and keep its logs for at least six months (26(6)).',
    answers: [ACTIVE, ...types('attestation', 'verification', 'incident', 'decision-batch')],
    needs: [
      { what: 'active deployment', types: ['deployment'] },
      { what: 'verification or attestation of what runs', types: ['verification', 'attestation'] },
    ],
    missing: 'There is no active deployment and no record of what runs.',
    applies: HIGH_RISK,
    note: 'That somebody watched is in the log as far as it was recorded.',
  },
  {
    id: 'eu-ai-act-43-4',
    title: 'EU AI Act Art. 43(4): substantial modifications',
    asks: 'A substantial modification needs a new conformity assessment. Changes of a learning system that were fixed in advance, assessed at the beginning and documented (Annex IV 2(f)) are not substantial.',
    answers: [
      { type: 'change-plan' },
      { type: 'assessment', when: ({ result, plan }) => result !== 'within-plan' || plan !== undefined },
    ],
    needs: [{ what: 'assessment of a change; one as within a plan has to name the plan', types: ['assessment'] }],
    missing: 'There is no change plan, and no assessment of a change; one as within a plan has to name the plan.',
    note: 'An assessment is what its author says; the log does not judge it, and holds no conformity assessment unless one is attached.',
  },
  {
    id: 'eu-ai-act-72',
    title: 'EU AI Act Art. 72: monitoring after the placing on the market',
    asks: 'The provider monitors the system after it was placed on the market, by a plan.',
    answers: types('evaluation', 'verification'),
    needs: [],
    missing: 'There is no evaluation and no verification.',
    note: 'An evaluation may be older than the placing on the market, which the log does not know. The plan is a document, and not here unless it is attached.',
  },
  {
    id: 'eu-ai-act-73',
    title: 'EU AI Act Art. 73: serious incidents',
    asks: 'A serious incident is reported within 15 days, within 10 after a death, and within 2 for a widespread infringement or one of Art. 3(49)(b); a first report may be incomplete. Before the authorities are informed, the system is not altered in a way that affects a later evaluation (73(6)).',
    answers: [{ type: 'incident', when: ({ due_at }) => due_at !== undefined }],
    needs: [],
    missing: 'There is no incident with a date on which the report is due. That does not say whether there was an incident.',
    note: 'Whether a report reached an authority, and whether a system was altered without a record, is not in the log.',
  },
  {
    id: 'eu-ai-act-86',
    title: 'EU AI Act Art. 86: explanation of single decisions',
    asks: 'The deployer of a high-risk system of Annex III explains, to a person whom a decision affects, the role of the system in it.',
    answers: [ACTIVE, ...types('system', 'decision-batch')],
    needs: [
      { what: 'active deployment', types: ['deployment'] },
      { what: 'record of single decisions', types: ['decision-batch'] },
    ],
    missing: 'There is no system, no active deployment and no record of single decisions.',
    note: 'The log says which model and configuration were deployed when, not why a decision came out as it did.',
  },
  {
    id: 'fda-pccp',
    title: 'FDA predetermined change control plan (FDCA 515C)',
    asks: 'A plan describes the modifications, the protocol by which they are made and tested, and their impact. Each change that is carried out stays within the plan.',
    answers: [{ type: 'change-plan' }, WITHIN_PLAN],
    needs: [
      { what: 'change plan', types: ['change-plan'] },
      { what: 'assessment of a change as within a plan', types: ['assessment'] },
    ],
    missing: 'There is no change plan, and no assessment of a change as within one.',
    note: 'That a change is within the plan is what the author of the assessment says. Whether a plan was authorised is not in the log unless it is attached.',
  },
  {
    id: 'sec-17a-4',
    title: 'SEC Rule 17a-4(f)(2)(i): audit trail',
    asks: 'Where records are not kept so that nobody can rewrite or erase them (WORM), an audit trail holds all modifications and deletions, their date and time, the identity of the individual, and what is needed to re-create the original.',
    answers: types('charter', 'identity', 'policy', 'amendment', 'model', 'config', 'approval', 'deployment', 'correction'),
    needs: [
      { what: 'enrolled identity', types: ['charter', 'identity'] },
      { what: 'change of a model, a configuration or a deployment', types: ['model', 'config', 'deployment'] },
    ],
    missing: 'There are no identities and no changes.',
    note: 'Identities are pseudonyms; the names of people lie in attachments or elsewhere. An attachment that was erased cannot be re-created. The undertaking of a designated executive officer or third party is not in the log.',
  },
  {
    id: 'ecoa-reg-b',
    title: 'ECOA and Regulation B: the model at the time of a decision',
    asks: 'A creditor keeps what was used in evaluating an application, and gives reasons for an adverse action that are specific and accurate. To say what they rest on, one has to know the model and the configuration at the time of the decision.',
    answers: [...types('model', 'config', 'decision-batch'), ACTIVE],
    needs: [
      { what: 'version of a model', types: ['model'] },
      { what: 'version of a configuration', types: ['config'] },
      { what: 'active deployment', types: ['deployment'] },
    ],
    missing: 'There is no model, no configuration and no active deployment.',
    note: 'Applications, notices and reasons are not in the log, and it does not explain a decision.',
  },
];
