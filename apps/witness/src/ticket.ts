import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { equalBytes } from '@treering/merkle';
import { encodeUtf8, MAX_TICKET_SIZE } from '@treering/note';

const MAC_SIZE = 32;

/**
 * Tickets carry a pending checkpoint that the mirror itself may have forgotten when the client comes back. That it was one is
 * what the MAC proves: the log's signature does not, because a log can sign what it never showed to the witness.
 *
 *   HMAC-SHA256( secret, note ), 32 bytes ‖ note
 *
 * The secret ends with the process. A client whose ticket is of no use any more learns a newer size.
 */
export class TicketOffice {
  readonly #secret: Uint8Array;

  constructor(secret: Uint8Array = new Uint8Array(randomBytes(32))) {
    this.#secret = secret;
  }

  /** A ticket for a pending checkpoint; empty when that is too large for one. */
  seal(note: Uint8Array): Uint8Array {
    if (MAC_SIZE + note.length > MAX_TICKET_SIZE) return new Uint8Array(0);
    return new Uint8Array(Buffer.concat([this.#mac(note), note]));
  }

  /** The pending checkpoint of a log in a ticket; undefined for an empty one and for any that was not sealed here, for this log. */
  open(ticket: Uint8Array, origin: string): Uint8Array | undefined {
    if (ticket.length <= MAC_SIZE) return undefined;
    const note = ticket.slice(MAC_SIZE);
    if (!timingSafeEqual(this.#mac(note), ticket.subarray(0, MAC_SIZE))) return undefined;
    const first = encodeUtf8(`${origin}\n`);
    return equalBytes(note.subarray(0, first.length), first) ? note : undefined;
  }

  #mac(note: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(note).digest();
  }
}
