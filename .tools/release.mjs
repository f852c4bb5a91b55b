// node .tools/release.mjs <folder>: what a release of the newest commit is: the tarballs, the bill of materials, and one statement
// (in-toto, SLSA provenance) with the digests of all. Whoever makes it again from the commit has the same bytes, the statement included.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cleanCopy, run } from './clean-copy.mjs';
import { isMain } from './is-main.mjs';
import { packInto, sha256 } from './pack.mjs';

const STATEMENT = 'release.intoto.json';
const SBOM = 'sbom.cdx.json';

/** The statement about files of a release (https://slsa.dev/spec/v1.0/provenance). */
function statementText(subjects, { commit, lock, manifest, node, npm }) {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjects.map(({ file, sha256: digest }) => ({ name: file, digest: { sha256: digest } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:treering:release:1',
        externalParameters: { version: manifest.version, commit },
        internalParameters: { node, npm },
        resolvedDependencies: [
          { name: 'source', digest: { gitCommit: commit } },
          { name: 'pnpm-lock.yaml', digest: { sha256: sha256(lock) } },
        ],
      },
      // No builder is named, because none has to be believed: anybody can build it again.
      runDetails: { builder: { id: 'urn:treering:anybody' } },
    },
  };
  return `${JSON.stringify(statement, null, 1)}\n`;
}

function release(target) {
  const { folder, commit, remove } = cleanCopy();
  try {
    const tarballs = packInto(target, folder);
    run(process.execPath, [join('.tools', 'sbom.mjs'), join(target, SBOM)], { cwd: folder });
    const subjects = [...tarballs, { file: SBOM, sha256: sha256(readFileSync(join(target, SBOM))) }];
    const text = statementText(subjects, {
      commit,
      lock: readFileSync(join(folder, 'pnpm-lock.yaml')),
      manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
      node: process.version,
      npm: run('npm', ['--version']).toString('utf8').trim(),
    });
    writeFileSync(join(target, STATEMENT), text);
    process.stderr.write(`commit ${commit}: ${tarballs.length} packages, ${SBOM} and ${STATEMENT} are in ${target}\n`);
  } finally {
    remove();
  }
}

if (isMain(import.meta.url)) {
  const [target] = process.argv.slice(2);
  if (target === undefined) throw new Error('release.mjs takes the folder to make the release in');
  release(resolve(target));
}
