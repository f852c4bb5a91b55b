import dns from 'node:dns';
import { Socket } from 'node:net';

/** What this process tried to reach. */
export interface Outgoing {
  /** `host:port` of every connection that was begun, to whatever address. */
  readonly connections: readonly string[];
  /** Names that were looked up. */
  readonly names: readonly string[];
  /** Lets connections be made as before. */
  stop(): void;
}

/** Notes every connection and every look-up of a name that this process begins, in whatever library. */
export function watchOutgoing(): Outgoing {
  const connections: string[] = [];
  const names: string[] = [];
  const { connect } = Socket.prototype;
  const { lookup } = dns;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
    // `net.connect` hands over its arguments in an array.
    const [first, second] = (Array.isArray(args[0]) ? args[0] : args) as unknown[];
    const {
      host = 'localhost',
      port,
      path,
    } = (typeof first === 'object' && first !== null ? first : { port: first, host: second }) as {
      host?: string;
      port?: number;
      path?: string;
    };
    connections.push(path ?? `${host}:${port}`);
    return Reflect.apply(connect, this, args) as Socket;
  } as typeof connect;
  dns.lookup = ((name: string, ...rest: unknown[]) => {
    names.push(name);
    return Reflect.apply(lookup, dns, [name, ...rest]);
  }) as typeof lookup;
  return {
    connections,
    names,
    stop() {
      Socket.prototype.connect = connect;
      dns.lookup = lookup;
    },
  };
}
