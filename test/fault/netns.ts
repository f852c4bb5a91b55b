import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** What network namespaces take: see `testNeeding`. */
export const NETWORK_NEEDS = { root: true, commands: { ip: 'iproute2' } } as const;

const PREFIX = 'treering-';

/**
 * Hosts that are network namespaces of this machine, on one switch in a namespace of its own: nothing of the machine's network is
 * touched. A host reaches the others at their addresses until they are cut off, which no packet tells it.
 */
export class Network {
  readonly #tag: string;
  readonly #hosts: readonly string[];

  private constructor(tag: string, hosts: readonly string[]) {
    this.#tag = tag;
    this.#hosts = hosts;
  }

  /** Makes the namespaces. Close it, whatever happens. */
  static create(hosts: readonly string[]): Network {
    removeAbandoned();
    const network = new Network(`${PREFIX}${process.pid}-`, hosts);
    try {
      network.#make();
    } catch (error) {
      network.close();
      throw error;
    }
    return network;
  }

  /** The network that another process has made. */
  static join({ tag, hosts }: { readonly tag: string; readonly hosts: readonly string[] }): Network {
    return new Network(tag, hosts);
  }

  /** For `join` in another process. */
  get name(): { readonly tag: string; readonly hosts: readonly string[] } {
    return { tag: this.#tag, hosts: this.#hosts };
  }

  address(host: string): string {
    return `10.213.0.${this.#number(host)}`;
  }

  /** What stands in front of a command that runs on a host. */
  on(host: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#tag + host];
  }

  /** These hosts reach one another no more, but all others: packets between them vanish. */
  separate(hosts: readonly string[]): void {
    for (const host of hosts) this.#port(host, ['type', 'bridge_slave', 'isolated', 'on']);
  }

  /** Pulls the cable of a host. */
  unplug(host: string): void {
    this.#port(host, ['down']);
  }

  /** A host drops what it would send to another one. */
  blackhole(host: string, other: string): void {
    ip('-n', this.#tag + host, 'route', 'add', 'blackhole', `${this.address(other)}/32`);
  }

  /** All reach one another again. */
  heal(): void {
    for (const host of this.#hosts) {
      this.#port(host, ['up']);
      this.#port(host, ['type', 'bridge_slave', 'isolated', 'off']);
      ip('-n', this.#tag + host, 'route', 'flush', 'type', 'blackhole');
    }
  }

  /** Ends what still runs on the hosts, and removes them. */
  close(): void {
    for (const host of [...this.#hosts, 'switch']) remove(this.#tag + host);
  }

  #make(): void {
    const hub = `${this.#tag}switch`;
    ip('netns', 'add', hub);
    ip('-n', hub, 'link', 'add', 'br0', 'type', 'bridge');
    ip('-n', hub, 'link', 'set', 'br0', 'up');
    for (const host of this.#hosts) {
      const [name, port] = [this.#tag + host, `p${this.#number(host)}`];
      ip('netns', 'add', name);
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      ip('-n', hub, 'link', 'set', port, 'master', 'br0', 'up');
      ip('-n', name, 'address', 'add', `${this.address(host)}/24`, 'dev', 'eth0');
      ip('-n', name, 'link', 'set', 'eth0', 'up');
    }
  }

  #number(host: string): number {
    const index = this.#hosts.indexOf(host);
    if (index < 0) throw new Error(`there is no host ${host}`);
    return index + 1;
  }

  #port(host: string, change: readonly string[]): void {
    ip('-n', `${this.#tag}switch`, 'link', 'set', `p${this.#number(host)}`, ...change);
  }
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function remove(namespace: string): void {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  for (const pid of (stdout ?? '').split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
  spawnSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' });
}

/** Namespaces of test processes that were killed before they could remove them. */
function removeAbandoned(): void {
  const names = ip('netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0]);
  for (const name of names) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) remove(name);
  }
}
