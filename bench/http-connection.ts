import { connect, type Socket } from 'node:net';

const END_OF_HEAD = '\r\n\r\n';

type OnAnswer = (status: number, retryAfter: boolean) => void;

interface UnderWay {
  readonly head: string;
  readonly body: Buffer | undefined;
  readonly onAnswer: OnAnswer;
  /** Sent on a connection that had been there before, and that the server may have closed at that moment. */
  readonly reused: boolean;
}

/**
 * A connection to a server on this machine, for one request after the other. It takes a third of the processor's time that
 * node:http takes, which a load generator on the same two cores has to spare, and understands answers with a `Content-Length` only.
 */
export class HttpConnection {
  readonly #url: URL;
  #socket: Socket | undefined;
  #used = false;
  #underWay: UnderWay | undefined;
  /** What has come of an answer so far. */
  #received = '';

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** Connects without sending anything. */
  open(): void {
    this.#used = true;
    this.#socket ??= this.#connect();
  }

  /** Sends a request; calls back when its answer is complete, or with status 0 when there is none. */
  send(head: string, body: Buffer | undefined, onAnswer: OnAnswer): void {
    this.#underWay = { head, body, onAnswer, reused: this.#used };
    this.#used = true;
    this.#socket ??= this.#connect();
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    if (body !== undefined) this.#socket.write(body);
    this.#socket.uncork();
  }

  close(): void {
    this.#socket?.destroy();
  }

  #connect(): Socket {
    const socket = connect({ host: this.#url.hostname, port: Number(this.#url.port), noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (text: unknown) => this.#receive(text as string));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed(socket));
    return socket;
  }

  #receive(text: string): void {
    this.#received += text;
    const end = this.#received.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const head = this.#received.slice(0, end + 2).toLowerCase();
    const length = /\r\ncontent-length: (\d+)\r\n/.exec(head)?.[1];
    // The server ends a connection that has been idle for long with an answer to nobody: 408, without a length.
    if (length === undefined) {
      this.#socket?.destroy();
      return;
    }
    if (this.#received.length < end + END_OF_HEAD.length + Number(length)) return;
    this.#received = '';
    this.#answer(Number(head.slice(9, 12)), head.includes('\r\nretry-after: '));
  }

  #answer(status: number, retryAfter: boolean): void {
    const underWay = this.#underWay;
    this.#underWay = undefined;
    underWay?.onAnswer(status, retryAfter);
  }

  #closed(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#received = '';
    const again = this.#underWay;
    if (again === undefined) return;
    if (again.reused) {
      this.#used = false;
      this.send(again.head, again.body, again.onAnswer);
    } else this.#answer(0, false);
  }
}
