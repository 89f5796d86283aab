import type { Tree } from '../../../tree/tree.ts';
import type { Unpacked } from '../../family.ts';
import type { AptPackage } from '../types.ts';
import type { ConfigureContext } from './context.ts';
import type { Misunderstood, Outcome, ScriptName, ScriptRunner } from './runner.ts';
import { followAlternatives, followSection, takeApart, unknownLines } from './snippets.ts';

/** The text of a control file as a byte string, or undefined. */
export function controlText(of: Unpacked<AptPackage>, name: string): string | undefined {
  const file = of.control.get(name);
  return file === undefined ? undefined : Buffer.from(file.content.readSync()).toString('latin1');
}

/**
 * Follows scripts as far as their text tells without being interpreted: debhelper's parts, and alternatives spelled
 * out. Everything else is named.
 */
export class TextRunner implements ScriptRunner {
  private readonly tree: Tree;
  private readonly context: ConfigureContext;

  constructor(tree: Tree, context: ConfigureContext) {
    this.tree = tree;
    this.context = context;
  }

  run(of: Unpacked<AptPackage>, script: ScriptName, args: readonly string[]): Outcome {
    const text = controlText(of, script);
    if (text === undefined) return { kind: 'absent' };
    const context = { ...this.context, package: of.package.name };
    const { sections, own } = takeApart(text);
    const missed: Misunderstood[] = unknownLines(own);
    if (args[0] === 'configure') {
      for (const section of sections)
        if (!followSection(this.tree, context, section))
          missed.push({ line: section.line, source: `# added by ${section.tool}`, reason: 'not emulated' });
      followAlternatives(this.tree, context, own.map((line) => line.text).join('\n'));
    }
    missed.sort((a, b) => a.line - b.line);
    return missed.length === 0 ? { kind: 'whole', by: 'text' } : { kind: 'partial', lines: missed };
  }
}
