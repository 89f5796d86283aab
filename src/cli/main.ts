#!/usr/bin/env node
// Every Node since 12 must be able to parse and run this file: no static imports, no syntax newer than ES2017.
const OLDEST = [20, 19];
const parts = process.versions.node.split('.').map(Number);
const major = parts[0] as number;
const minor = parts[1] as number;
if (major < OLDEST[0]! || (major === OLDEST[0]! && minor < OLDEST[1]!)) {
  process.stderr.write(
    `osbuilder needs Node ${OLDEST.join('.')} or newer, and this is Node ${process.versions.node}.\n`,
  );
  process.exit(1);
}
const started = import('./start.ts').then(({ start }) => start());
started.catch((error) => {
  if (error.path !== 'standard output') {
    process.stderr.write(`${String(error.stack)}\n`);
    process.exit(70);
  }
  // a reader that has left, as `head` does, is no error
  if (error.code === 'EPIPE') process.exit(0);
  return import('../errors/system.ts').then(({ reasonOf }) => {
    process.stderr.write(`osbuilder: cannot write standard output: ${reasonOf(error)} [WRITE_FAILED]\n`);
    process.exit(1);
  });
});
