/** Opens everything for the printer, and closes again what was closed. */
export function printWhole(): void {
  let opened: HTMLDetailsElement[] = [];
  window.addEventListener('beforeprint', () => {
    opened = [...document.querySelectorAll<HTMLDetailsElement>('details:not([open])')];
    for (const one of opened) one.open = true;
  });
  window.addEventListener('afterprint', () => {
    for (const one of opened) one.open = false;
    opened = [];
  });
}

/** A link to what lies in something closed opens it. */
export function openLinked(): void {
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
    const target = link === null ? null : document.getElementById((link.getAttribute('href') as string).slice(1));
    for (let one = target?.closest('details'); one; one = one.parentElement?.closest('details')) one.open = true;
  });
}
