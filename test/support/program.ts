import assert from 'node:assert/strict';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { ROOT } from './data.ts';

/** The program as the compiler knows it: its types, and the files of src. */
export function compiled(): { readonly checker: ts.TypeChecker; readonly own: readonly ts.SourceFile[] } {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(ROOT, 'tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (found) => assert.fail(String(found.messageText)) },
  )!;
  const program = ts.createProgram(config.fileNames, config.options);
  const own = program.getSourceFiles().filter(({ fileName }) => relative(ROOT, fileName).startsWith('src'));
  return { checker: program.getTypeChecker(), own };
}
