/** How long the page may work before it looks after its reader, in milliseconds. */
const WORK = 40;

const channel = new MessageChannel();
const waiting: (() => void)[] = [];
channel.port1.onmessage = () => waiting.shift()?.();

let since = 0;

/** Lets the browser draw and answer, if that is due. Messages are not slowed down in windows that lie behind others, as timers are. */
export async function takeTurns(): Promise<void> {
  if (performance.now() - since < WORK) return;
  await new Promise<void>((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(undefined);
  });
  since = performance.now();
}
