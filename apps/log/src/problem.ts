import { GovernanceError } from '@treering/governance';
import { MerkleInputError } from '@treering/merkle';
import { NoteError } from '@treering/note';
import { RecordError } from '@treering/record';
import { SequencerError } from '@treering/sequencer';
import { Problem } from '@treering/server';
import { StatementError } from '@treering/statement';
import { StorageError } from '@treering/storage';

/** The one place where errors become statuses. What is not known here is a 500 without details. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof StatementError) {
    const status = error.code === 'statement/too-large' ? 413 : error.code === 'cose/bad-signature' ? 401 : 400;
    return new Problem(status, error.code, error.message);
  }
  if (error instanceof RecordError) return new Problem(422, error.code, error.message);
  if (error instanceof MerkleInputError || error instanceof NoteError) return new Problem(400, error.code, error.message);
  if (error instanceof GovernanceError) return new Problem(403, error.code, error.message);
  if (error instanceof SequencerError) return sequencerProblem(error);
  if (error instanceof StorageError) return storageProblem(error);
  return new Problem(500, 'internal', 'something went wrong in the log; its operator finds the cause under the instance id');
}

function storageProblem({ code }: StorageError): Problem {
  if (code === 'storage/full')
    return new Problem(507, code, 'the log has no space left; nothing was stored', { retryAfter: 60 });
  if (code === 'storage/corrupt')
    return new Problem(
      503,
      code,
      'what the log has stored here is damaged, and is not given out; its operator finds it in its records',
      {
        retryAfter: 60,
      },
    );
  return new Problem(503, code, 'the log cannot reach its storage; nothing was stored', { retryAfter: 5 });
}

/** What a client may know of the sequencer's trouble: never what the disk or the operating system said. */
function sequencerProblem({ code, message }: SequencerError): Problem {
  if (code === 'sequencer/overloaded') return new Problem(503, code, message, { retryAfter: 1 });
  if (code === 'sequencer/unknown-outcome') {
    return new Problem(
      503,
      code,
      'the log could not store the statement for certain; send the same one again, it is never logged twice',
      {
        retryAfter: 5,
      },
    );
  }
  return new Problem(503, code, 'the log takes no entries now; its operator finds the cause in its records', {
    retryAfter: 30,
  });
}
