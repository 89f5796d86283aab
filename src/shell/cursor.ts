import { BuildError } from '../errors/error.ts';
import { display } from '../tree/path.ts';
import type { Source } from './ast.ts';

/** A position in the text of a script. */
export class Cursor {
  readonly source: Source;
  text: string;
  at = 0;
  line: number;

  /** Begins at the start of `text`, a part of `source` that begins on its line `line`. */
  constructor(source: Source, text: string, line: number) {
    this.source = source;
    this.text = text;
    this.line = line;
  }

  /** Rejects the script. */
  fail(reason: string): never {
    throw new BuildError('SCRIPT_SYNTAX', { script: this.source.name, line: this.line, reason: display(reason) });
  }

  /** Text from `from` to `to`; counts its lines. */
  passed(from: number, to: number): string {
    const text = this.text.slice(from, to);
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.line++;
    return text;
  }
}
