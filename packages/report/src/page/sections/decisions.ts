import type { ProvedDecision } from '@treering/evidence';
import type { Child } from '../element.js';
import { entryLink, moment, section, table, type View } from '../view.js';

/** Single decisions, and what made them; undefined when the file has none. */
export function decisionsSection(view: View): HTMLElement | undefined {
  const { decisions } = view.content;
  if (decisions.length === 0) return undefined;
  const part = (found: { readonly index: number; readonly record: { name: string; version: string } } | undefined): Child =>
    found === undefined ? 'not proved' : [`${found.record.name} ${found.record.version} (`, entryLink(view, found.index), ')'];
  const row = ({ decision, batch, deployment, model, config }: ProvedDecision): Child[] => [
    decision.id,
    moment(Math.floor(decision.at / 1000)),
    decision.outcome ?? 'not said',
    part(model),
    part(config),
    deployment === undefined ? 'not proved' : entryLink(view, deployment),
    entryLink(view, batch),
  ];
  const headers = ['Decision', 'Made at', 'Outcome', 'Model', 'Configuration', 'Put into service by', 'Batch'];
  return section('decisions', 'Decisions', table('Decisions', headers, decisions, row));
}
