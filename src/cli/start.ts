import { existsSync, readFileSync } from 'node:fs';

/** The program's version. Nothing else is loaded to print it. */
const version = ((): string => {
  // the compiled program is one folder deeper than its source
  for (let at = new URL('.', import.meta.url); ; at = new URL('..', at)) {
    const path = new URL('package.json', at);
    if (existsSync(path)) return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  }
})();

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === 'version')) process.stdout.write(`${version}\n`);
else await (await import('./run.ts')).run(version);
