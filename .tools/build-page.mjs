// Builds the page of @treering/report: one HTML file with everything in it, which may load and send nothing.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { licencesOf } from './bundled-licences.mjs';
import { isMain } from './is-main.mjs';
import { unusedCode } from './unused-code.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, 'packages', 'report', 'src', 'page');
const target = join(root, 'packages', 'report', 'dist', 'page.html');

/** The largest page without evidence, in bytes. */
export const LARGEST_PAGE = 300 * 1024;

/** The page, made from the sources: the same sources give the same bytes. */
export async function buildPage() {
  const script = await bundle(join(sources, 'main.ts'));
  const style = await transform(readFileSync(join(sources, 'page.css'), 'utf8'), { loader: 'css', minify: true });
  return fill(readFileSync(join(sources, 'page.html'), 'utf8'), { script, style: style.code.trim() });
}

/** The licences of all packages of others of which something is in the page, as text. */
export async function pageLicences() {
  const { metafile } = await bundling(join(sources, 'main.ts'), { metafile: true });
  const [{ inputs }] = Object.values(metafile.outputs);
  const used = Object.keys(inputs).filter((path) => inputs[path].bytesInOutput > 0);
  return licencesOf(used.map((path) => join(root, path)));
}

/** One script from a module and everything that it needs, for browsers of 2022 and later. */
export async function bundle(entry, options = {}) {
  const { outputFiles } = await bundling(entry, options);
  return outputFiles[0].text.trim();
}

function bundling(entry, options) {
  return build({
    entryPoints: [entry],
    absWorkingDir: root,
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    conditions: ['@treering/source'],
    plugins: [unusedCode],
    write: false,
    ...options,
  });
}

function fill(html, { script, style }) {
  // These would end the element that they stand in.
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) throw new Error('the script or the style ends itself');
  if (/\bnew Function\b|\beval\(|\binnerHTML\b/.test(script)) throw new Error('the script makes code or markup from text');
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  const places = {
    '%policy%': policy,
    '<style></style>': `<style>${style}</style>`,
    '<script></script>': `<script>${script}</script>`,
  };
  let page = html;
  for (const [place, content] of Object.entries(places)) {
    const parts = page.split(place);
    if (parts.length !== 2) throw new Error(`the page has not one place for ${place}`);
    page = parts.join(content);
  }
  const size = Buffer.byteLength(page);
  if (size > LARGEST_PAGE) throw new Error(`the page has ${size} bytes, and may have ${LARGEST_PAGE}`);
  return page;
}

function digest(text) {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

if (isMain(import.meta.url)) {
  const page = await buildPage();
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, page);
  writeFileSync(join(dirname(target), 'page-licences.txt'), await pageLicences());
  const sum = createHash('sha256').update(page).digest('hex');
  process.stderr.write(`packages/report/dist/page.html: ${Buffer.byteLength(page)} bytes, SHA-256 ${sum}\n`);
}
