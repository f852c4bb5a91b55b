// What the page of @treering/report never calls of the libraries that its verifier uses, and what stands there instead: something
// that throws. A page that is opened once must be small; nothing that is called is touched.
import { readFileSync } from 'node:fs';

/**
 * Modules of which nothing is called: zod only parses what has no cycles, cbor-x only writes, and signatures are in no DER and are only
 * checked.
 */
const MODULES = [
  /[\\/]zod[\\/]v4[\\/]core[\\/](?:to-json-schema|json-schema-processors|doc|memoizer)\.js$/,
  /[\\/]cbor-x[\\/]decode\.js$/,
  /[\\/]curves[\\/]abstract[\\/]der\.js$/,
  /[\\/]@noble[\\/]hashes[\\/]hmac\.js$/,
];

/** Tables and classes that are named when a module is loaded, though nothing uses them later. */
const VALUES = {
  mult10: '[]',
  typedArrays: '[]',
  FLOAT32_OPTIONS: '{}',
  Decoder: 'class {}',
  Tag: 'class {}',
  Doc: 'class {}',
  DER: '{}',
  DERErr: 'class {}',
  // zod asks for it when it is loaded, and goes without when there is none.
  memoizer: '() => undefined',
};

/** Methods of zod's schemas that the schemas of this project call. */
const CALLED = ['check', 'clone', 'max', 'meta', 'min', 'optional', 'refine', 'regex', 'safeParse'];

/** An esbuild plugin that leaves out what is never called. */
export const unusedCode = {
  name: 'unused-code',
  setup(build) {
    const replace = (filter, change) =>
      build.onLoad({ filter }, ({ path }) => ({ contents: change(readFileSync(path, 'utf8')), loader: 'js' }));
    for (const filter of MODULES) replace(filter, emptied);
    replace(/[\\/]zod[\\/]v4[\\/]classic[\\/]schemas\.js$/, withoutMethods);
    replace(/[\\/]zod[\\/]v4[\\/]locales[\\/]en\.js$/, withoutFormats);
  },
};

/** The same exports, each of which throws when it is called. */
function emptied(source) {
  const names = [...source.matchAll(/^export (?:const|let|function|class) (\w+)/gm)].map(([, name]) => name);
  if (names.length === 0) throw new Error('a module that should be left out exports nothing');
  const stop = "const stop = () => { throw new Error('this page cannot do that'); };";
  return [stop, ...names.map((name) => `export const ${name} = ${VALUES[name] ?? 'stop'};`)].join('\n');
}

/**
 * zod's schemas without the methods that nobody calls, and with them without the schemas that only those make. Objects are parsed
 * without code made at run time, which the page's own policy forbids anyway.
 */
function withoutMethods(source) {
  let removed = 0;
  const remove = (text, name) => {
    if (CALLED.includes(name)) return text;
    removed++;
    return '';
  };
  const out = source
    .replace(/^ {4}(?:async )?(\w+)(?:\(.*\) \{|: (?:async )?function .*\{)\n[\s\S]*?^ {4}\},\n/gm, remove)
    .replace(/^ {4}[gs]et (.*)\(.*\) \{\n[\s\S]*?^ {4}\},\n/gm, remove)
    .replace(/^ {4}inst\._zod\.processJSONSchema = .*\n/gm, '')
    .replaceAll('core.$ZodObjectJIT.init', 'core.$ZodObject.init')
    .replace('import { util } from "../core/index.js";', 'import * as util from "../core/util.js";');
  if (removed < 100) throw new Error(`zod is not written as it was: only ${removed} methods were found that nobody calls`);
  return out;
}

/** The messages without the names of formats: the texts of this project are described by patterns only. */
function withoutFormats(source) {
  const out = source.replace(
    /(const FormatDictionary = \{\n)([^}]*)/,
    (_, start, names) => start + names.replace(/^(?! *regex:).*\n/gm, ''),
  );
  if (source.length - out.length < 700) throw new Error('zod does not name the formats as it did');
  return out;
}
