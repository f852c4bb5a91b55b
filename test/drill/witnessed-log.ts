import { policyOf, SimulatedLog, SimulatedWitness, World } from './simulation.js';

/** A log with witnesses of which two must agree. */
export async function setUp(honest: number, others: readonly string[] = [], quorum = 2) {
  const world = new World();
  const witnesses = Array.from({ length: honest }, (_, i) => new SimulatedWitness(world, `w${i}.world`).start());
  const policyText = policyOf([...witnesses.map(({ policyLine }) => policyLine), ...others], quorum);
  const log = await new SimulatedLog(world, 'log.world', policyText).start();
  return { world, witnesses, log, policyText };
}
