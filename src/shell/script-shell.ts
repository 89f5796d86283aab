import type { Dialect, Node, Simple, Source } from './ast.ts';
import { contentText, FileError, textContent } from './files.ts';
import { isSyntaxError, Parser } from './parser.ts';
import { Discard, Exit, ShellState } from './state.ts';
import { OutputStream, textStream } from './streams.ts';

/** Steps charged for throwing and catching an error. */
const TROUBLE = 12;
const NONE: ReadonlyMap<string, string> = new Map();

/** The language of a script by its first line; `sh` is what the guest has under that name. */
export function dialectOf(text: string, sh: 'dash' | 'bash-posix'): Dialect {
  const line = /^#![^\n]*/.exec(text)?.[0] ?? '';
  return /[/ \t]bash\b/.test(line) ? 'bash' : /[/ \t]dash\b/.test(line) ? 'dash' : sh;
}

/** The command of `$(< file)`: a redirection and nothing else. */
function redirectOnly(node: Node | undefined): Simple | undefined {
  if (node?.kind !== 'simple' || node.words.length + node.assignments.length > 0) return undefined;
  return node.redirects.length === 1 && node.redirects[0]!.operator === '<' ? node : undefined;
}

/** A shell that runs source text: what it reads, substitutions, subshells, and how it ends. */
export abstract class ScriptShell extends ShellState {
  /** The script and line at which the shell last ended or was stopped before the end of a script. */
  ended: { readonly script: string; readonly line: number } | undefined;
  #endedBy: unknown;
  /** Status of the last command substitution of the running command. */
  protected substituted: number | undefined;

  /** Runs a node of the syntax tree: see `Shell`. */
  abstract run(node: Node, tested: boolean): number;

  /** Output streams of `>(…)`, with what reads them after the command. */
  readonly #waiting: { out: OutputStream; body: Node | undefined; path: string }[] = [];

  substitute(body: Node | undefined): string {
    const file = this.bash ? redirectOnly(body) : undefined;
    const out = new OutputStream(this.budget);
    if (body === undefined) this.substituted = 0;
    else if (file !== undefined) this.substituted = this.#readFile(file, out);
    else
      this.substituted = this.budget.deeper(() =>
        this.subshell(() => {
          this.descriptors.set(1, out);
          // bash's command substitutions do not inherit -e
          if (this.dialect === 'bash' && !this.shopts.has('inherit_errexit')) this.options.delete('e');
          return this.run(body, false);
        }),
      );
    const text = out.text.includes('\0') ? out.text.replaceAll('\0', '') : out.text;
    let end = text.length;
    while (end > 0 && text.charCodeAt(end - 1) === 10) end--;
    return text.slice(0, end);
  }

  /** `$(< file)` of bash. */
  #readFile(node: Simple, out: OutputStream): number {
    try {
      const saved = this.redirect(node.redirects);
      const stream = this.stream(0);
      const text = stream?.rest() ?? '';
      stream?.consume(text.length);
      out.write(text);
      this.restore(saved);
      return 0;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.say(error.reason);
      return 1;
    }
  }

  processPath(body: Node | undefined, output: boolean): string {
    const path = `/dev/fd/${63 - this.files.aside.size}`;
    const out = new OutputStream(this.budget);
    if (!output && body !== undefined)
      this.budget.deeper(() =>
        this.subshell(() => {
          this.descriptors.set(1, out);
          return this.run(body, false);
        }),
      );
    const inode = { kind: 'file' as const, content: textContent(out.text), ...this.files.meta(0o600) };
    this.files.aside.set(path, inode);
    this.#waiting.push({ out, body: output ? body : undefined, path });
    return path;
  }

  /** How many process substitutions wait for the end of their command. */
  protected get processes(): number {
    return this.#waiting.length;
  }

  /** Runs what reads the output of `>(…)`, and removes the files of process substitutions. */
  protected finishProcesses(from: number): void {
    for (const { body, path } of this.#waiting.splice(from)) {
      const inode = this.files.aside.get(path);
      this.files.aside.delete(path);
      if (body === undefined || inode === undefined) continue;
      const text = contentText(inode.content, this.budget);
      this.budget.deeper(() =>
        this.subshell(() => {
          this.descriptors.set(0, textStream(text));
          return this.run(body, false);
        }),
      );
    }
  }

  /** Runs a complete script. In bash an error within a command ends that command only. */
  runScript(text: string, source: Source): number {
    return this.runText(text, source, false, 1, true);
  }

  /** Parses and runs source text in this shell, command by command. */
  runText(text: string, source: Source, tested = false, line = 1, goesOn = false): number {
    const extended = this.shopts.has('extglob');
    const parser = new Parser(source, this.budget, {
      ...{ aliases: this.#aliases(), text, line, dialect: this.dialect, extended },
    });
    const before = this.source;
    this.source = source;
    let status = 0;
    try {
      for (;;) {
        let node: Node | undefined;
        try {
          node = parser.next();
        } catch (error) {
          if (!isSyntaxError(error)) throw error;
          this.line = error.context.line;
          this.write(2, `${this.name}: ${this.line}: Syntax error: ${error.context.reason}\n`);
          // bash goes on after an `eval` that it cannot parse
          if (this.bash && !goesOn && this.dialect === 'bash') return 1;
          throw new Exit(2);
        }
        if (node === undefined) return status;
        status = goesOn ? this.#runDiscarding(node, tested) : this.run(node, tested);
        if (this.skip !== undefined) return status;
        if (this.bash) {
          parser.extended = this.shopts.has('extglob');
          parser.aliases = this.#aliases();
        }
      }
    } catch (error) {
      // keep the position of the innermost source
      if (this.#endedBy !== error) {
        this.#endedBy = error;
        this.ended = { script: source.name, line: this.line };
      }
      throw error;
    } finally {
      this.source = before;
    }
  }

  /** The aliases that are expanded: in bash none, unless a script asks for it. */
  #aliases(): ReadonlyMap<string, string> {
    return this.dialect === 'bash' && !this.shopts.has('expand_aliases') ? NONE : this.aliases;
  }

  #runDiscarding(node: Node, tested: boolean): number {
    try {
      return this.run(node, tested);
    } catch (error) {
      if (!(error instanceof Discard)) throw error;
      this.budget.spend(TROUBLE);
      this.status = 1;
      return 1;
    }
  }

  /** Runs a complete script at the top level of this shell: exits are caught and the EXIT trap runs. */
  main(body: () => number): number {
    let status: number;
    try {
      status = body();
    } catch (error) {
      if (!(error instanceof Exit || error instanceof Discard)) throw error;
      this.budget.spend(TROUBLE);
      status = error instanceof Exit ? error.status : 1;
    }
    // a process has only these bits of its status
    return this.#atExit(status) & 255;
  }

  #atExit(status: number): number {
    const trap = this.traps.get('EXIT');
    this.traps.delete('EXIT');
    if (trap === undefined || trap === '') return status;
    this.skip = undefined;
    this.status = status;
    try {
      this.runText(trap, this.source, false, this.line);
    } catch (error) {
      if (!(error instanceof Exit || error instanceof Discard)) throw error;
      return error instanceof Exit ? error.status : 1;
    }
    return status;
  }

  /** Runs `body` with a copy of everything a subshell may change, then restores the original state. */
  subshell(body: () => number): number {
    const { variables, functions, aliases, options, traps, positional, descriptors, locals, name } = this;
    const { status, line, source, loops, skip, optionAt, owner, shopts, callers, statuses } = this;
    const { cwd, umask } = this.files;
    this.copied(locals.length);
    this.owner = {};
    this.shopts = new Set(shopts);
    this.callers = [...callers];
    this.variables = new Map(variables);
    this.functions = new Map(functions);
    this.aliases = new Map(aliases);
    this.options = new Set(options);
    this.descriptors = new Map(descriptors);
    this.locals = locals.map((frame) => new Map(frame));
    // a subshell runs only traps that it sets itself; ignored signals stay ignored
    this.traps = new Map([...traps].filter(([, action]) => action === ''));
    try {
      return this.main(body);
    } finally {
      Object.assign(this, { variables, functions, aliases, options, traps, positional, descriptors, locals, name });
      Object.assign(this, { status, line, source, loops, skip, optionAt, owner, shopts, callers, statuses });
      this.files.cwd = cwd;
      this.files.umask = umask;
    }
  }

  /** Charges the budget for a copy of the shell's state. */
  protected copied(more: number): void {
    const { variables, functions, aliases, options, traps, descriptors } = this;
    const size = variables.size + functions.size + aliases.size + options.size + traps.size + descriptors.size + more;
    this.budget.spend(2 + (size >>> 1));
  }

  protected say(reason: string): void {
    this.stream(2)?.write(`${this.name}: ${this.line}: ${reason}\n`);
  }
}
