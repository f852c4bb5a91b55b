import type { Page } from 'playwright-core';

// What a checker of accessibility looks at, as far as it can be computed. Everything here runs in the page.

/** Inputs without a label, buttons and links without a name, headings out of order, ids that stand twice, drawings without words. */
export function structuralFaults(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const faults: string[] = [];
    const shown = (element: Element): boolean => element.checkVisibility({ visibilityProperty: true });
    for (const input of document.querySelectorAll<HTMLInputElement>('input, textarea, select, progress'))
      if ((input.labels?.length ?? 0) === 0) faults.push(`${input.id} has no label`);
    for (const control of document.querySelectorAll('button, a, summary'))
      if (`${control.textContent}${control.getAttribute('aria-label') ?? ''}`.trim() === '')
        faults.push('a control has no name');
    const headings = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].filter(shown);
    const levels = headings.map(({ tagName }) => Number(tagName.slice(1)));
    if (levels.filter((level) => level === 1).length !== 1) faults.push('there is not one h1');
    levels.forEach((level, i) => {
      if (i > 0 && level > levels[i - 1] + 1) faults.push(`${headings[i].textContent} skips a level`);
    });
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) faults.push(`${id} stands twice`);
    for (const link of document.querySelectorAll('a[href^="#"]'))
      if (document.getElementById((link.getAttribute('href') ?? '').slice(1)) === null)
        faults.push(`${link.textContent} leads nowhere`);
    for (const named of document.querySelectorAll('[aria-labelledby], [aria-describedby]'))
      for (const id of `${named.getAttribute('aria-labelledby') ?? ''} ${named.getAttribute('aria-describedby') ?? ''}`.split(
        ' ',
      ))
        if (id !== '' && document.getElementById(id) === null) faults.push(`nothing is called ${id}`);
    for (const drawing of document.querySelectorAll('svg'))
      if (drawing.getAttribute('role') !== 'img' || !drawing.getAttribute('aria-label')) faults.push('a drawing says nothing');
    for (const table of document.querySelectorAll('table'))
      if (table.caption === null || table.querySelector('th:not([scope])') !== null)
        faults.push('a table has no caption or scope');
    for (const wanted of ['main', 'header', 'footer', 'nav[aria-label]', '[role=status][aria-live]', 'html[lang]'])
      if (document.querySelectorAll(wanted).length !== 1) faults.push(`there is not one ${wanted}`);
    return faults;
  });
}

/** Texts whose colour is too near to what they stand on: below 4.5 to 1. */
export function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const parse = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = ([r, g, b]: number[]): number => {
      const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const background = (element: Element | null): number[] => {
      for (let one = element; one !== null; one = one.parentElement) {
        const colour = parse(getComputedStyle(one).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
      }
      return parse(getComputedStyle(document.documentElement).backgroundColor);
    };
    const faults = new Set<string>();
    for (const element of document.querySelectorAll('body *')) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && (node.textContent ?? '').trim() !== '');
      if (!own || !element.checkVisibility() || element.closest('script, noscript') !== null) continue;
      const style = getComputedStyle(element);
      // A label in a bar stands on the bar.
      const bar = element.matches('.bar-label') ? element.parentElement?.querySelector('rect') : undefined;
      const under = bar ? parse(getComputedStyle(bar).fill) : background(element);
      const over = parse(element instanceof SVGElement ? style.fill : style.color);
      const [light, dark] = [luminance(over), luminance(under)].sort((a, b) => b - a);
      const ratio = (light + 0.05) / (dark + 0.05);
      if (ratio < 4.5) faults.add(`${ratio.toFixed(2)}: ${element.tagName} ${element.textContent?.slice(0, 40)}`);
    }
    return [...faults];
  });
}

/** Controls that the Tab key does not come to, and those at which nothing shows that they have the focus. */
export async function unreachable(page: Page): Promise<string[]> {
  const wanted = await page.evaluate(() => {
    const controls = [...document.querySelectorAll<HTMLElement>('a[href], button, input, textarea, summary')].filter((one) =>
      one.checkVisibility(),
    );
    controls.forEach((one, i) => {
      one.dataset.stop = String(i);
    });
    (document.activeElement as HTMLElement | null)?.blur();
    return controls.map((one) => `${one.tagName} ${one.textContent?.slice(0, 40)}`);
  });
  const reached = new Set<number>();
  const faults: string[] = [];
  for (let i = 0; i < wanted.length + 20 && reached.size < wanted.length; i++) {
    await page.keyboard.press('Tab');
    const [stop, visible] = await page.evaluate(() => {
      const active = document.activeElement as HTMLElement;
      const style = getComputedStyle(active);
      return [active.dataset.stop, style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2] as const;
    });
    if (stop === undefined) continue;
    reached.add(Number(stop));
    if (!visible) faults.push(`no focus is seen at ${wanted[Number(stop)]}`);
  }
  return [...faults, ...wanted.filter((_, i) => !reached.has(i))];
}
