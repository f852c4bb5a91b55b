import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createSigner, formatVerifierKey, KEY_TYPE, parseCheckpoint, type Signer } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';

/** How a witness answers a checkpoint: `text` is that of the note, `cosigned` the last one that it cosigned before. */
type Manner = (this: FakeWitness, response: ServerResponse, text: string, socket: Socket) => void;

const MEBIBYTE = 1024 * 1024;
const BOMB = gzipSync(Buffer.alloc(256 * MEBIBYTE));

/** What a witness may do wrong. None of it may end up in what a log publishes, or keep it waiting. */
export const LIES = {
  'answers after 30 seconds'(response, text) {
    setTimeout(() => response.end(this.line(text)), 30_000).unref();
  },
  'answers garbage': (response) => response.end(randomBytes(300)),
  'answers 10 MiB': (response) => response.end(Buffer.alloc(10 * MEBIBYTE, 'a')),
  'answers without end'(response) {
    const more = (): void => {
      while (response.writable && response.write(Buffer.alloc(65_536, 'a')));
      if (response.writable) response.once('drain', more);
    };
    more();
  },
  'answers a small file that unpacks to 256 MiB': (response) => {
    response.writeHead(200, { 'Content-Encoding': 'gzip' });
    response.end(BOMB);
  },
  'signs with another key'(response, text) {
    const stranger = createSigner(this.signer.key.name, KEY_TYPE.ed25519Cosignature, randomBytes(32), nodeEd25519);
    response.end(lineOf(stranger, text));
  },
  'cosigns another head'(response, text) {
    const [origin, size] = text.split('\n');
    response.end(this.line(`${origin}\n${size}\n${randomBytes(32).toString('base64')}\n`));
  },
  'repeats an old cosignature'(response) {
    response.end(this.line(this.cosigned ?? ''));
  },
  'sends to another address'(response) {
    response.writeHead(307, { Location: `${this.url}/elsewhere` });
    response.end();
  },
  'resets the connection': (_response, _text, socket) => socket.resetAndDestroy(),
  'resets it in the middle of its answer'(response, text, socket) {
    response.writeHead(200, { 'Content-Length': 1000 });
    response.write(this.line(text).slice(0, 50), () => socket.resetAndDestroy());
  },
  'never answers': () => undefined,
  'answers a byte at a time'(response, text) {
    const line = this.line(text);
    let sent = 0;
    const timer = setInterval(() => {
      if (!response.writable || sent >= line.length) clearInterval(timer);
      else response.write(line[sent++]);
    }, 100).unref();
  },
  'sends early hints without end'(response) {
    const timer = setInterval(() => {
      if (response.writable) response.writeEarlyHints({ link: '</a>; rel=preload' });
      else clearInterval(timer);
    }, 5).unref();
  },
  'claims that it knows more'(response) {
    response.writeHead(409, { 'Content-Type': 'text/x.tlog.size' });
    response.end('9007199254740993\n');
  },
} satisfies Readonly<Record<string, Manner>>;

/** Something that a witness may do wrong. */
export type Lie = keyof typeof LIES;

/** A witness over HTTP that cosigns whatever it is shown, or lies. */
export class FakeWitness {
  /** undefined while it is honest. */
  lie: Lie | undefined;
  url = '';
  /** The text of the last checkpoint that it cosigned when it was honest. */
  cosigned: string | undefined;
  /** Called with each checkpoint that it is asked to cosign. */
  onOffer: (size: number, root: string) => void = () => undefined;
  readonly signer: Signer;
  /** Requests that came to where it sent somebody. */
  elsewhere = 0;
  readonly #sockets = new Set<Socket>();
  readonly #http = createServer((request, response) => this.#answer(request, response));

  constructor(name: string) {
    this.signer = createSigner(name, KEY_TYPE.ed25519Cosignature, randomBytes(32), nodeEd25519);
    this.#http.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
    });
  }

  async listen(): Promise<this> {
    await once(this.#http.listen(0, '127.0.0.1'), 'listening');
    this.url = `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
    return this;
  }

  get vkeys(): readonly string[] {
    return [formatVerifierKey(this.signer.key)];
  }

  /** Its signature line for the text of a note. */
  line(text: string): string {
    return lineOf(this.signer, text);
  }

  close(): void {
    this.#http.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.url === '/elsewhere') this.elsewhere++;
    if (request.method !== 'POST') {
      response.writeHead(404).end();
      return;
    }
    const body = Buffer.concat(chunks).toString('utf8');
    const note = body.slice(body.indexOf('\n\n') + 2);
    const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
    const { size, root } = parseCheckpoint(text);
    this.onOffer(Number(size), Buffer.from(root).toString('hex'));
    if (this.lie !== undefined) {
      (LIES[this.lie] as Manner).call(this, response, text, request.socket);
      return;
    }
    this.cosigned = text;
    response.end(this.line(text));
  }
}

function lineOf(signer: Signer, text: string): string {
  const { name, id, signature } = signer.sign(text, BigInt(Math.floor(Date.now() / 1000)));
  return `\u2014 ${name} ${Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64')}\n`;
}
